package schemas

// Neighbor is a sample whose perceptual hash lies near another's.
type Neighbor struct {
	ID       SampleID
	Group    SampleID // the near-duplicate group the neighbor belongs to
	Distance int      // differing bits of the two 64-bit hashes, 0..64
}
