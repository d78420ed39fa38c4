package demo

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleaner/deploy/wire"
	"gleaner/schemas"
)

// mostDoubtful reads the samples from the catalog, those with the worst findings first.
func mostDoubtful(ctx context.Context, c *wire.Connections, ids []schemas.SampleID) ([]schemas.Sample, error) {
	found := make([]schemas.Sample, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, id := range ids {
		group.Go(func() error {
			s, ok, err := c.DB.Sample(ctx, id)
			if ok {
				found[i] = s
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	samples := slices.DeleteFunc(found, func(s schemas.Sample) bool { return s.ID == schemas.SampleID{} }) // rejected ones
	worst := func(s schemas.Sample) float32 {
		if len(s.Findings) == 0 {
			return 0
		}
		return slices.MaxFunc(s.Findings, func(a, b schemas.Finding) int { return cmp.Compare(a.Score, b.Score) }).Score
	}
	slices.SortStableFunc(samples, func(a, b schemas.Sample) int { return cmp.Compare(worst(b), worst(a)) })
	return samples, nil
}

// argued adds what the trainer argues with to the findings, and puts those samples first.
func argued(samples []schemas.Sample, selection *schemas.Selection) []schemas.Sample {
	if selection == nil {
		return samples
	}
	for i := range samples {
		for _, p := range selection.Picks {
			at := slices.IndexFunc(samples[i].Objects, func(o schemas.Object) bool { return o.ID == p.ObjectID })
			if p.SampleID == samples[i].ID && at >= 0 {
				doubt := schemas.Finding{Type: schemas.FindingLoss, ObjectID: p.ObjectID, Box: samples[i].Objects[at].Box, Score: 1, Why: p.Reason}
				samples[i].Findings = append(slices.Clip(samples[i].Findings), doubt)
			}
		}
	}
	slices.SortStableFunc(samples, func(a, b schemas.Sample) int { return cmp.Compare(len(b.Findings), len(a.Findings)) })
	return samples
}

func worstFindings(samples []schemas.Sample, n int) []Doubtful {
	var all []Doubtful
	for _, s := range samples {
		for _, f := range s.Findings {
			all = append(all, Doubtful{s.UniqueID, f})
		}
	}
	slices.SortStableFunc(all, func(a, b Doubtful) int { return cmp.Compare(b.Finding.Score, a.Finding.Score) })
	return all[:min(len(all), n)]
}
