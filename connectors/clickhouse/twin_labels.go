package clickhouse

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// LabelTwins returns the best labels of the other samples of a sample's near-duplicate group, with the perceptual hash of each: at most
// so many, those of the highest rank first, and of one rank the most alike. It asks twice, which costs the server less than a join.
func (db *DB) LabelTwins(ctx context.Context, of *schemas.Sample, most int) (labels []schemas.Label, phashes []uint64, err error) {
	type twin struct {
		id     schemas.SampleID
		rank   uint8
		record []byte
	}
	var twins []twin
	what := "labels of near duplicates of " + of.ID.String()
	err = db.rows(ctx, what, func() { twins = nil }, func(rows driver.Rows) error {
		var id []byte
		var t twin
		err := rows.Scan(&id, &t.rank, &t.record)
		t.id = schemas.SampleID(id)
		twins = append(twins, t)
		return err
	}, "SELECT sample_id, rank, record FROM labels WHERE dataset = "+stringLiteral(of.Dataset)+" AND group_id = "+idLiteral(of.Group)+" AND sample_id != "+idLiteral(of.ID)+
		" ORDER BY position DESC LIMIT 1 BY sample_id SETTINGS max_threads = 1")
	if err != nil || len(twins) == 0 {
		return nil, nil, err
	}
	ids := make([]string, len(twins))
	for i, t := range twins {
		ids[i] = idLiteral(t.id)
	}
	hashes := map[schemas.SampleID]uint64{}
	err = db.rows(ctx, what, func() { clear(hashes) }, func(rows driver.Rows) error {
		var id []byte
		var phash uint64
		err := rows.Scan(&id, &phash)
		hashes[schemas.SampleID(id)] = phash
		return err
	}, "SELECT sample_id, phash FROM samples WHERE dataset = "+stringLiteral(of.Dataset)+" AND sample_id IN ("+strings.Join(ids, ", ")+") SETTINGS max_threads = 1")
	if err != nil {
		return nil, nil, err
	}
	twins = slices.DeleteFunc(twins, func(t twin) bool { _, known := hashes[t.id]; return !known })
	slices.SortFunc(twins, func(a, b twin) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(bits.OnesCount64(hashes[a.id]^of.PHash), bits.OnesCount64(hashes[b.id]^of.PHash)), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, t := range twins[:min(most, len(twins))] {
		l, err := schemas.DecodeLabel(t.record)
		if err != nil {
			return nil, nil, fmt.Errorf("label of a near duplicate of %s: %w", of.ID, err)
		}
		labels, phashes = append(labels, l), append(phashes, hashes[t.id])
	}
	return labels, phashes, nil
}

// TwinGroups returns the near-duplicate groups of a dataset, at most so many, that have a label of another sample than their first, by
// whose id they go.
func (db *DB) TwinGroups(ctx context.Context, dataset string, most int) (groups []schemas.SampleID, err error) {
	err = db.rows(ctx, "near-duplicate groups with labels of "+dataset, func() { groups = nil }, func(rows driver.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		groups = append(groups, schemas.SampleID(id))
		return err
	}, "SELECT DISTINCT group_id FROM labels WHERE dataset = ? AND group_id != sample_id LIMIT ?", dataset, most)
	return groups, err
}
