package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// cluster returns a client of a cluster of three brokers whose logs lie in the folder.
func cluster(t *testing.T) (c *Client, brokers *kfake.Cluster, dir string) {
	t.Helper()
	dir = t.TempDir()
	brokers, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.DataDir(dir), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(brokers.Close)
	cfg := quickConfig("")
	cfg.Brokers = brokers.ListenAddrs()
	return client(t, cfg), brokers, dir
}

// A source asks every leader for its partitions, and finds the new one when a partition moves.
func TestSourceFollowsLeaders(t *testing.T) {
	t.Parallel()
	c, brokers, _ := cluster(t)
	ensure(t, c, topic("work", 6))
	const total = 300
	write(t, c, "work", 0, total)
	moving := make(chan struct{})
	var l ledger
	go func() {
		defer close(moving)
		for l.len() < total {
			time.Sleep(5 * time.Millisecond)
		}
		for p := range int32(6) {
			if err := brokers.MoveTopicPartition("work", p, (brokers.LeaderFor("work", p)+1)%3); err != nil {
				t.Error(err)
			}
		}
		write(t, c, "work", total, total)
	}()
	l.consume(t, c, "g", 2*total)
	<-moving
	if l.twice() > 0 {
		t.Errorf("%d records were handed out twice", l.twice())
	}
}

// A partition whose records are damaged on the broker keeps only itself from being read.
func TestDamagedPartitionKeepsNoOtherBack(t *testing.T) {
	t.Parallel()
	c, _, dir := cluster(t)
	ensure(t, c, topic("work", 6))
	const total = 300
	write(t, c, "work", 0, total)
	logs, err := filepath.Glob(filepath.Join(dir, "partitions", "*0", "0.dat"))
	if err != nil || len(logs) != 1 || !strings.Contains(logs[0], "work") {
		t.Fatalf("logs of partition 0: %v, %v", logs, err)
	}
	data, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-3] ^= 1
	if err := os.WriteFile(logs[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	bounds, err := c.Bounds(t.Context(), "work")
	if err != nil {
		t.Fatal(err)
	}
	var l ledger
	l.consume(t, c, "g", total-int(bounds[0].End))
	if b, err := c.Committed(t.Context(), "g", "work"); err != nil || b[0] > 0 {
		t.Errorf("committed %v, %v: nothing of partition 0 can have been read", b, err)
	}
}

// A source that lingers hands out the first records at once, and closes without waiting for more.
func TestLingeringSource(t *testing.T) {
	t.Parallel()
	c := client(t, quickConfig(broker(t)))
	ensure(t, c, topic("work", 2))
	write(t, c, "work", 0, 10)
	s, err := c.Source(SourceConfig{Group: "g", Topic: "work", Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for have := 0; have < 10; {
		d, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Records {
			d.Ack(i)
		}
		have += len(d.Records)
	}
	write(t, c, "work", 10, 1)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lag, err := c.Lag(t.Context(), "g", "work")
	if err != nil || lag.Records != 1 {
		t.Errorf("lag %+v, %v: want the one record that was written while the source lingered", lag, err)
	}
}
