package clickhouse

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"gleaner/schemas"
)

// A 64-bit hash is stored under four buckets, one for each of its 16-bit bands. Two hashes that differ in d bits have, by the
// pigeonhole principle, a band in which they differ in at most d/4: looking up every bucket within that distance of the
// hash's own finds every neighbor. For d up to 7 that is 68 of 262,144 buckets, for d up to 11 it is 548.
const (
	bands       = 4
	bandBits    = 64 / bands
	maxNearBits = 11
)

// bucket names the value of one band of a hash.
func bucket(phash uint64, band int) uint32 {
	return uint32(band)<<bandBits | uint32(phash>>(band*bandBits))&(1<<bandBits-1)
}

// nearBuckets lists the buckets that hold every hash within maxBits of phash.
func nearBuckets(phash uint64, maxBits int) []uint32 {
	var out []uint32
	for band := range bands {
		own := bucket(phash, band)
		out = append(out, own)
		if maxBits < bands {
			continue
		}
		for i := range bandBits {
			out = append(out, own^1<<i)
			if maxBits < 2*bands {
				continue
			}
			for j := range i {
				out = append(out, own^1<<i^1<<j)
			}
		}
	}
	return out
}

// PutHash makes a sample findable by Near: at once in this process, within Config.HashFlush in others. It blocks only while
// the buffer is full because the server does not answer. What a killed process had not written returns with the catalog, which
// holds every sample's hash.
func (db *DB) PutHash(ctx context.Context, dataset string, id, group schemas.SampleID, phash uint64) error {
	return db.hashes.add(ctx, hashRow{dataset: dataset, id: id, group: group, phash: phash})
}

// Near returns the sample of the dataset, other than not, whose perceptual hash is nearest to phash within maxBits differing
// bits (at most 11), the smallest id among equals. Instances that see twins within the same second may both miss the other.
func (db *DB) Near(ctx context.Context, dataset string, phash uint64, maxBits int, not schemas.SampleID) (schemas.Neighbor, bool, error) {
	if maxBits < 0 || maxBits > maxNearBits {
		return schemas.Neighbor{}, false, fmt.Errorf("clickhouse: near: %d bits, want 0 to %d", maxBits, maxNearBits)
	}
	best, found := db.hashes.near(dataset, phash, maxBits, not)
	if found && best.Distance == 0 {
		return best, true, nil
	}
	buckets := nearBuckets(phash, maxBits)
	list := make([]string, len(buckets))
	for i, b := range buckets {
		list[i] = strconv.FormatUint(uint64(b), 10)
	}
	var stored *schemas.Neighbor
	err := db.rows(ctx, "look for near duplicates", func() { stored = nil }, func(rows driver.Rows) error {
		var id, group []byte
		var distance uint8
		if err := rows.Scan(&id, &group, &distance); err != nil {
			return err
		}
		stored = &schemas.Neighbor{Distance: int(distance)}
		copy(stored.ID[:], id)
		copy(stored.Group[:], group)
		return nil
	}, "SELECT sample_id, group_id, bitHammingDistance(phash, toUInt64("+strconv.FormatUint(phash, 10)+")) AS distance FROM hashes WHERE dataset = ? AND bucket IN ("+strings.Join(list, ",")+") AND distance <= "+strconv.Itoa(maxBits)+" AND sample_id != "+idLiteral(not)+
		" ORDER BY distance, sample_id LIMIT 1", dataset)
	if err != nil {
		return schemas.Neighbor{}, false, err
	}
	if stored != nil && (!found || nearer(*stored, best)) {
		return *stored, true, nil
	}
	return best, found, nil
}

// nearer orders neighbors by distance, then by id.
func nearer(a, b schemas.Neighbor) bool {
	if a.Distance != b.Distance {
		return a.Distance < b.Distance
	}
	return string(a.ID[:]) < string(b.ID[:])
}

// writeHashes stores hashes, each under its four buckets.
func (db *DB) writeHashes(ctx context.Context, rows []hashRow) error {
	n := len(rows) * bands
	datasets, buckets := make([]string, 0, n), make([]uint32, 0, n)
	ids, groups, phashes := make([]schemas.SampleID, 0, n), make([]schemas.SampleID, 0, n), make([]uint64, 0, n)
	for _, r := range rows {
		for band := range bands {
			datasets, buckets = append(datasets, r.dataset), append(buckets, bucket(r.phash, band))
			ids, groups, phashes = append(ids, r.id), append(groups, r.group), append(phashes, r.phash)
		}
	}
	return db.insert(ctx, "hashes", "", []column{
		{"dataset", datasets}, {"bucket", buckets}, {"sample_id", idBytes(ids)}, {"group_id", idBytes(groups)}, {"phash", phashes},
	})
}

func hamming(a, b uint64) int { return bits.OnesCount64(a ^ b) }
