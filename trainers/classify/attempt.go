package classify

import "gleaner/schemas"

// Run is the run that goes on, with its attempt.
func (t *Trainer) Run() schemas.Run { return t.cfg.Run }

// SetAttempt numbers this try of the run, where more is known of those before than a checkpoint knows.
func (t *Trainer) SetAttempt(n uint32) { t.cfg.Run.Attempt = n }

// Step is how many steps are done, of how many.
func (t *Trainer) Step() (done, of int) { return t.step, t.steps * t.cfg.Epochs }

// Over tells whether no step is left, by number or by patience.
func (t *Trainer) Over() bool {
	impatient := t.cfg.Patience > 0 && t.step > 0 && t.step%t.steps == 0 && t.step/t.steps-1-t.bestAt >= t.cfg.Patience
	return impatient || t.lost || t.step >= t.cfg.Epochs*t.steps
}
