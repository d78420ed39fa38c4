package clickhouse

import (
	"math/bits"

	"gleaner/schemas"
)

// Multi-index hashing (Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012): two hashes
// that differ in d bits have, by the pigeonhole principle, one of four bands of 16 bits in which they differ in at most d/4.
// So the buckets within d/4 bits of a hash's own hold all its neighbors: 4 buckets of 262,144 for d up to 3, 68 up to 7, 548
// up to 11.
const (
	bands       = 4
	bandBits    = 64 / bands
	maxNearBits = 3*bands - 1

	// fewHashes are compared one by one: buckets, a megabyte, would not pay.
	fewHashes = 1 << 14
)

// hashRow is one sample's perceptual hash: 56 bytes.
type hashRow struct {
	id, group schemas.SampleID
	phash     uint64
	next      [bands]int32 // row before it in the same bucket of each band, counted from 1; 0: none
}

// hashIndex finds the hashes within some bits of another. The zero value is empty. A sample takes 56 bytes and its place in
// the map some 40, and up to a quarter more while slices grow; many samples take another megabyte for their buckets.
type hashIndex struct {
	rows  []hashRow                  // in the order in which they came; removed ones have no id
	at    map[schemas.SampleID]int32 // index in rows
	heads []int32                    // last row of each bucket, counted from 1; nil while there are few rows
}

// add puts a row in, unless its sample is in already.
func (x *hashIndex) add(row hashRow) bool {
	if _, in := x.at[row.id]; in {
		return false
	}
	if x.at == nil {
		x.at = map[schemas.SampleID]int32{}
	}
	x.at[row.id] = int32(len(x.rows))
	x.rows = append(x.rows, row)
	switch {
	case x.heads != nil:
		x.link(len(x.rows) - 1)
	case len(x.rows) > fewHashes:
		x.heads = make([]int32, bands<<bandBits)
		for i := range x.rows {
			x.link(i)
		}
	}
	return true
}

// link puts a row into its buckets.
func (x *hashIndex) link(i int) {
	row := &x.rows[i]
	for band := range bands {
		head := &x.heads[bucket(row.phash, band)]
		row.next[band], *head = *head, int32(i+1)
	}
}

// remove takes a sample out; its row stays, empty, until the index is halved.
func (x *hashIndex) remove(id schemas.SampleID) {
	if i, in := x.at[id]; in {
		x.rows[i].id = schemas.SampleID{}
		delete(x.at, id)
	}
}

// halve takes out the half of the rows that came first and returns how many these are, at least one.
func (x *hashIndex) halve() int {
	n := (len(x.rows) + 1) / 2
	rest := x.rows[n:]
	*x = hashIndex{}
	for _, row := range rest {
		if row.id != (schemas.SampleID{}) {
			x.add(row)
		} else {
			n++
		}
	}
	return n
}

// near returns a sample other than not whose hash is nearest to phash within maxBits, at most maxNearBits.
func (x *hashIndex) near(phash uint64, maxBits int, not schemas.SampleID) (schemas.Neighbor, bool) {
	nearest, within := -1, maxBits // no row farther than within can be nearer
	compare := func(i int) {
		row := &x.rows[i]
		if d := hamming(row.phash, phash); d <= within && row.id != not && row.id != (schemas.SampleID{}) {
			nearest, within = i, d-1
		}
	}
	if x.heads == nil {
		for i := range x.rows {
			compare(i)
		}
	} else {
		// With every bucket within r bits of the own ones, all hashes within 4r+3 bits have been compared.
		for r := 0; r <= within/bands; r++ {
			for band := range bands {
				for _, flip := range flips[r] {
					for i := x.heads[bucket(phash, band)^flip]; i != 0 && within >= 0; i = x.rows[i-1].next[band] {
						compare(int(i - 1))
					}
				}
			}
		}
	}
	if nearest < 0 {
		return schemas.Neighbor{}, false
	}
	row := &x.rows[nearest]
	return schemas.Neighbor{ID: row.id, Group: row.group, Distance: within + 1}, true
}

// bucket names the value of one band of a hash.
func bucket(phash uint64, band int) uint32 {
	return uint32(band)<<bandBits | uint32(phash>>(band*bandBits))&(1<<bandBits-1)
}

// flips are the masks that change 0, 1 and 2 bits of a band.
var flips = func() (masks [maxNearBits/bands + 1][]uint32) {
	masks[0] = []uint32{0}
	for i := range bandBits {
		masks[1] = append(masks[1], 1<<i)
		for j := range i {
			masks[2] = append(masks[2], 1<<i|1<<j)
		}
	}
	return masks
}()

func hamming(a, b uint64) int { return bits.OnesCount64(a ^ b) }
