package schemas

// Rank orders labels of one sample by who made them: the highest rank, then the highest revision, wins.
type Rank uint8

// The ranks. Gaps leave room.
const (
	RankNone      Rank = 0
	RankAutomatic Rank = 10 // accepted without a person
	RankHuman     Rank = 20 // submitted by a person
	RankReviewed  Rank = 30 // confirmed by a reviewer
)

func (r Rank) String() string {
	switch r {
	case RankNone:
		return "none"
	case RankAutomatic:
		return "automatic"
	case RankHuman:
		return "human"
	case RankReviewed:
		return "reviewed"
	}
	return "unknown"
}
