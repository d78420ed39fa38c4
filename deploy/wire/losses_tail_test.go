package wire

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gleaner/schemas"
)

func TestEpochsAreSummedAsTheyCome(t *testing.T) {
	var l schemas.Losses
	for _, r := range []schemas.LossRow{
		{RunID: "a", Attempt: 1, Epoch: 0, Loss: 1, Correct: true},
		{RunID: "b", Attempt: 1, Epoch: 5, Loss: float32(math.NaN())},
		{RunID: "a", Attempt: 1, Epoch: 0, Loss: 3},
		{RunID: "a", Attempt: 1, Epoch: 1, Loss: 7},
		{RunID: "a", Attempt: 2, Epoch: 1, Loss: 8, Correct: true},
	} {
		l.Append(r)
	}
	mean := func(v float64) *float64 { return &v }
	var tail EpochTail
	same := func(what string, got []TailedEpoch, want ...TailedEpoch) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(TailedEpoch{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("closed by the next", tail.Add(&l),
		TailedEpoch{RunID: "a", Attempt: 1, Epoch: 0, Rows: 2, MeanLoss: mean(2), Accuracy: .5},
		TailedEpoch{RunID: "a", Attempt: 1, Epoch: 1, Rows: 1, MeanLoss: mean(7)})
	same("closed by the end of the run", tail.End("a"), TailedEpoch{RunID: "a", Attempt: 2, Epoch: 1, Rows: 1, MeanLoss: mean(8), Accuracy: 1})
	same("left open", tail.Rest(), TailedEpoch{RunID: "b", Attempt: 1, Epoch: 5, Rows: 1, NaN: 1})
	same("nothing more", tail.Rest())

	// A table in the order of samples.
	var bySample schemas.Losses
	for _, epoch := range []uint32{0, 1, 0, 1} {
		bySample.Append(schemas.LossRow{RunID: "c", Attempt: 1, Epoch: epoch, Loss: float32(epoch)})
	}
	same("in any order", tail.Add(&bySample), TailedEpoch{RunID: "c", Attempt: 1, Epoch: 0, Rows: 2, MeanLoss: mean(0)})
	same("the last", tail.End("c"), TailedEpoch{RunID: "c", Attempt: 1, Epoch: 1, Rows: 2, MeanLoss: mean(1)})
}
