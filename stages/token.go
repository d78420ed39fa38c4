package stages

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"gleaner/schemas"
)

// Token names a set of records for a store that puts what it was given under one token once: the digest of each one's topic,
// partition and offset, in order. which are indexes of recs.
func Token(recs []schemas.Record, which []int) string {
	h := sha256.New()
	var buf []byte
	for _, i := range which {
		buf = append(append(buf[:0], recs[i].Topic...), 0)
		buf = binary.BigEndian.AppendUint64(buf, uint64(recs[i].Partition))
		buf = binary.BigEndian.AppendUint64(buf, uint64(recs[i].Offset))
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
