package guarantee

import "gleaner/schemas"

// State describes the guarantee for people.
func (g *Guarantee) State() schemas.Acceptance {
	limit := 1 - g.cfg.Target
	a := schemas.Acceptance{
		Target: g.cfg.Target, Audit: g.cfg.Audit, AtLeast: AtLeast(limit, Alpha), Bound: 1,
		TotalAudits: g.audits.N, TotalWrong: g.audits.Wrong,
	}
	for _, w := range g.withdrawals {
		a.Withdrawals = append(a.Withdrawals, w.At)
	}
	switch {
	case g.accepting && g.Paused() || g.unproven() && g.blind():
		a.State = schemas.AcceptancePaused
	case g.accepting:
		a.State = schemas.AcceptanceOn
	case g.unproven():
		a.State = schemas.AcceptanceUnproven
	case len(g.withdrawals) > 0:
		a.State = schemas.AcceptanceWithdrawn
	default:
		a.State = schemas.AcceptanceCollecting
	}
	a.Needed = pilot - len(g.tests.first) + Evidence{}.Needed(limit, g.tests.alpha*parts[0])
	if g.tests.thresholds == nil {
		return a
	}
	i := min(g.tests.at[0], len(shares)-1)
	if g.accepting {
		i, _ = g.tests.certified()
	}
	e, part := g.tests.evidence[i], parts[0]
	if i < g.tests.from[0] {
		part = parts[1]
	}
	a.Threshold, a.Audits, a.Wrong = g.tests.thresholds[i], e.N, e.Wrong
	a.Bound = e.Bound(g.tests.alpha * part)
	a.Needed = e.Needed(limit, g.tests.alpha*part)
	if all := g.tests.evidence[len(shares)-1].N; all > 0 {
		a.Share = float64(e.N) / float64(all)
	}
	return a
}
