package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/connectors/onnx"
	"gleaner/deploy/bench/cifar"
	"gleaner/schemas"
	"gleaner/stages/analysis/score"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/prelabel/logistic"
	"gleaner/trainers/classify"
)

const (
	evenNetwork, tailNetwork = "airbench", "convnet3"
	evenImages, evenEpochs   = 20_000, 8
	// A trend is of the later half of a curve, and wants score.MinTrend presentations in it.
	tailLargest, tailEpochs = 2500, 2 * score.MinTrend
	tailClasses             = 5 // the smallest
)

// study is a labeling, what training on it showed, and what scores make of that.
type study struct {
	*labeling
	curves   []schemas.Curve
	members  []score.Member
	verdicts []score.Verdict
}

func newStudy(l *labeling, curves []schemas.Curve) *study {
	s := &study{labeling: l, curves: curves}
	for i, c := range curves {
		s.members = append(s.members, score.Member{Class: l.images.Classes[l.images.Labels[i]], Scores: score.Of(score.DefaultConfig(), c)})
	}
	s.verdicts = score.Judge(s.members)
	return s
}

// scorers rank the objects of a study, those first whose label looks most wrong.
var scorers = []struct {
	name string
	of   func(s *study, i int) float64
}{
	{"`error_score`", func(s *study, i int) float64 { return s.verdicts[i].Error }},
	{"`class_outlier`", func(s *study, i int) float64 { return s.verdicts[i].Outlier }},
	{"AUM, the lowest first", func(s *study, i int) float64 { return -s.members[i].AUM }},
	{"mean loss", func(s *study, i int) float64 { return s.members[i].MeanLoss }},
	{"confidence, the lowest first", func(s *study, i int) float64 { return -s.members[i].Confidence }},
	{"forgetting", func(s *study, i int) float64 { return float64(s.members[i].Rank()) }},
	{"loss of the last epoch", func(s *study, i int) float64 { return float64(s.curves[i].Loss[s.curves[i].Len()-1]) }},
	{"trend of the loss, the steepest first", func(s *study, i int) float64 { return s.members[i].Slope }},
	{"at random", func(s *study, i int) float64 { return rand.New(rand.NewPCG(1, uint64(i))).Float64() }},
}

// mistakes measures how well scores of training dynamics tell wrong labels.
func (b *bench) mistakes(ctx context.Context, out io.Writer) error {
	studies, err := b.studies(ctx, func(seed int64) classify.Config { return studied("even", evenNetwork, evenEpochs, seed) },
		func(classes int) []int { return slices.Repeat([]int{evenImages / classes}, classes) })
	if err == nil {
		evenReport(out, studies)
	}
	return err
}

// edges measures how well they tell wrong labels from right ones of rare classes.
func (b *bench) edges(ctx context.Context, out io.Writer) error {
	studies, err := b.studies(ctx, func(seed int64) classify.Config { return studied("tail", tailNetwork, tailEpochs, seed) },
		func(classes int) []int { return longTail(classes, tailLargest) })
	if err == nil {
		tailReport(out, studies)
	}
	return err
}

// studies trains once for each seed, on images and errors of its own.
func (b *bench) studies(ctx context.Context, cfg func(seed int64) classify.Config, sizes func(classes int) []int) (out []*study, err error) {
	all, err := cifar.Read(ctx, "train")
	if err != nil {
		return nil, err
	}
	rt, err := onnx.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	for seed := range int64(b.seeds) {
		l := mislabel(all, sizes(len(all.Classes)), seed)
		curves, err := b.curves(ctx, rt, l, cfg(seed))
		if err != nil {
			return nil, err
		}
		out = append(out, newStudy(l, curves))
	}
	return out, nil
}

func evenReport(out io.Writer, studies []*study) {
	cfg := studied("even", evenNetwork, evenEpochs, 0)
	fmt.Fprintf(out, "\n### Label errors\n\n%d images of CIFAR-10, as many of each class; within each observed class %.0f %% of the labels are wrong, their true classes at random. "+
		"Losses are those of %s of width %d in %d epochs, which sees the wrong labels; %d seeds, each with images, errors and weights of its own. "+
		"AUROC of telling wrong labels from right ones, and how many of as many labels as are wrong, the first by the score, are wrong: mean and range over the seeds.\n\n",
		evenImages, 100*wrongShare, cfg.Network, cfg.Width, cfg.Epochs, len(studies))
	fmt.Fprint(out, "| score | AUROC | precision at the number of errors |\n|---|---|---|\n")
	for _, scorer := range scorers {
		if scorer.name == scorers[7].name { // fewer epochs than a trend needs
			continue
		}
		fmt.Fprintf(out, "| %s | %s | %s |\n", scorer.name, over(studies, func(s *study) float64 { return s.auroc(scorer.of, s.wrong, s.right) }),
			over(studies, func(s *study) float64 { return s.precision(scorer.of) }))
	}
	fmt.Fprintf(out, "\nThe trainer agrees with %s of the labels it was shown in its last epoch, and with %s of the true classes of those that are right. Of the labels of kind `label_error`, %s are wrong; these are %s of all wrong ones.\n",
		over(studies, func(s *study) float64 { return s.agreed(func(int) bool { return true }) }), over(studies, func(s *study) float64 { return s.agreed(s.right) }),
		over(studies, func(s *study) float64 {
			return s.share(func(i int) bool { return s.verdicts[i].Kind == score.LabelError }, s.wrong)
		}),
		over(studies, func(s *study) float64 {
			return s.share(s.wrong, func(i int) bool { return s.verdicts[i].Kind == score.LabelError })
		}))
	chanceReport(out, studies)
}

func tailReport(out io.Writer, studies []*study) {
	cfg := studied("tail", tailNetwork, tailEpochs, 0)
	l := studies[0].labeling
	fmt.Fprintf(out, "\n### Edge against error\n\nA long tail of 100:1: classes of %v images, and within each observed class %.0f %% wrong labels, of other classes in proportion to their sizes. "+
		"Edge cases are right labels of the %d smallest classes, %d of %d images; %s of width %d, %d epochs, %d seeds. AUROC over the seeds, mean and range: of telling wrong labels from edge cases, and from all right ones.\n\n",
		l.sizes, 100*wrongShare, tailClasses, studies[0].count(studies[0].edge), l.images.Len(), cfg.Network, cfg.Width, cfg.Epochs, len(studies))
	fmt.Fprint(out, "| score | error against edge | error against all right ones |\n|---|---|---|\n")
	for _, scorer := range scorers {
		fmt.Fprintf(out, "| %s | %s | %s |\n", scorer.name, over(studies, func(s *study) float64 { return s.auroc(scorer.of, s.wrong, s.edge) }),
			over(studies, func(s *study) float64 { return s.auroc(scorer.of, s.wrong, s.right) }))
	}
	flagged := func(s *study) float64 {
		return s.share(func(int) bool { return true }, func(i int) bool { return s.verdicts[i].Q <= score.MaxEdgeRate })
	}
	fmt.Fprintf(out, "\nA rising loss, at a false discovery rate of %.2f: %s of the curves as they are, and %s of the same curves with their epochs permuted, each in an order of its own, where at most %.2f may be.\n",
		score.MaxEdgeRate, over(studies, flagged), over(studies, func(s *study) float64 { return flagged(s.permuted()) }), score.MaxEdgeRate)
	chanceReport(out, studies)
}

// chanceReport says how well the chances hold that lint gives labels of kind label_error of being wrong, beside one chance for all of
// them, and what chances the study itself would give.
func chanceReport(out io.Writer, studies []*study) {
	said := func(s *study, i int) float64 {
		return evidence.Losses{Kind: evidence.LabelError, Outlier: s.verdicts[i].Outlier}.Doubt()
	}
	loss := func(chance func(s *study, i int) float64) string {
		return over(studies, func(s *study) float64 {
			return s.suspected(func(i int) float64 {
				p := chance(s, i)
				if !s.wrong(i) {
					p = 1 - p
				}
				return -math.Log(p)
			})
		})
	}
	shares := map[*study]float64{}
	for _, s := range studies {
		shares[s] = s.suspected(func(i int) float64 { return truth(s.wrong(i)) })
	}
	share := func(s *study, _ int) float64 { return shares[s] }
	fitted := func(of int) string {
		return over(studies, func(s *study) float64 { return s.odds().Coefficients[of] })
	}
	fmt.Fprintf(out, "\nOf being wrong lint gives the labels of kind `label_error` a mean chance of %s, and %s of them are. The log loss of these chances is %s nats, that of one chance for all, their own share, %s. "+
		"Fitted to the study itself, the log-odds are %s, and more by %s for each standard deviation of `class_outlier`.\n",
		over(studies, func(s *study) float64 { return s.suspected(func(i int) float64 { return said(s, i) }) }), over(studies, func(s *study) float64 { return shares[s] }),
		loss(said), loss(share), fitted(0), fitted(1))
}

// suspected is the mean of a figure over the labels of kind label_error.
func (s *study) suspected(of func(i int) float64) float64 {
	sum, n := 0.0, 0.0
	for i, v := range s.verdicts {
		if v.Kind == score.LabelError {
			sum, n = sum+of(i), n+1
		}
	}
	return sum / n
}

// odds are the log-odds that a label of kind label_error is wrong, by 1 and its outlier.
func (s *study) odds() logistic.Regression {
	var x [][]float64
	var y []bool
	for i, v := range s.verdicts {
		if v.Kind == score.LabelError {
			x, y = append(x, []float64{1, v.Outlier}), append(y, s.wrong(i))
		}
	}
	free := math.Inf(-1)
	return logistic.Fit(x, y, logistic.Prior{Mean: []float64{0, 0}, Deviation: []float64{100, 100}, Lower: []float64{free, free}})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *study) right(i int) bool { return !s.wrong(i) }

// edge tells a right label of a rare class.
func (s *study) edge(i int) bool {
	smaller := 0
	label := s.images.Labels[i]
	for _, n := range s.sizes {
		if n < s.sizes[label] {
			smaller++
		}
	}
	return s.right(i) && smaller < tailClasses
}

func (s *study) count(which func(int) bool) (n int) {
	for i := range s.curves {
		if which(i) {
			n++
		}
	}
	return n
}

// share is how many of some objects are of others, too.
func (s *study) share(of, are func(int) bool) float64 {
	return float64(s.count(func(i int) bool { return of(i) && are(i) })) / float64(s.count(of))
}

// agreed is the share of some objects that were classified as labeled in the last epoch.
func (s *study) agreed(of func(int) bool) float64 {
	return s.share(of, func(i int) bool { return s.curves[i].Correct[s.curves[i].Len()-1] })
}

// auroc is the probability that one of those that are to come first does come before one of the others; ties count half.
func (s *study) auroc(of func(*study, int) float64, first, others func(int) bool) float64 {
	var values []float64
	var which []bool
	for i := range s.curves {
		if v := of(s, i); first(i) || others(i) {
			if math.IsNaN(v) {
				return math.NaN()
			}
			values, which = append(values, v), append(which, first(i))
		}
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	sum, n := 0.0, 0
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			if which[i] {
				sum += float64(from+to+1) / 2 // the mean rank of those that are tied
				n++
			}
		}
		from = to
	}
	return (sum - float64(n)*float64(n+1)/2) / (float64(n) * float64(len(order)-n))
}

// precision is the share of wrong labels among the first, as many as there are wrong ones.
func (s *study) precision(of func(*study, int) float64) float64 {
	order := make([]int, len(s.curves))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of(s, b), of(s, a)) })
	n := s.count(s.wrong)
	found := 0
	for _, i := range order[:n] {
		if s.wrong(i) {
			found++
		}
	}
	return float64(found) / float64(n)
}

// permuted is the study with the epochs of each curve in an order of its own.
func (s *study) permuted() *study {
	rng := rand.New(rand.NewPCG(5, 6))
	curves := make([]schemas.Curve, len(s.curves))
	for i, c := range s.curves {
		p := schemas.Curve{RunID: c.RunID, SampleID: c.SampleID, Epochs: c.Epochs}
		for _, k := range rng.Perm(c.Len()) {
			p.Loss, p.Margin, p.PTrue, p.Correct = append(p.Loss, c.Loss[k]), append(p.Margin, c.Margin[k]), append(p.PTrue, c.PTrue[k]), append(p.Correct, c.Correct[k])
		}
		curves[i] = p
	}
	return newStudy(s.labeling, curves)
}

// over is the mean and the range of a figure of each study.
func over(studies []*study, of func(*study) float64) string {
	sum, least, most := 0.0, math.Inf(1), math.Inf(-1)
	for _, s := range studies {
		v := of(s)
		sum, least, most = sum+v, min(least, v), max(most, v)
	}
	if math.IsNaN(sum) {
		return "-"
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", sum/float64(len(studies)), least, most)
}
