package score

import "gleaner/schemas"

// AUM is the area under the margin: the mean margin over all presentations, in logits; negative when the trainer mostly preferred
// another class (Pleiss et al., "Identifying Mislabeled Data using the Area Under the Margin Ranking", NeurIPS 2020).
func AUM(c schemas.Curve) float64 { return mean(finite(c.Margin)) }
