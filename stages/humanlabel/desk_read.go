package humanlabel

// What people and programs may look at. Answers are copies; each is consistent in itself.

import "gleaner/schemas"

// Task returns a task by its id, as this instance has folded it.
func (d *Desk) Task(id string) (schemas.Task, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Task(id)
}

// Tasks lists the tasks that match; see State.Tasks for the order and the cost.
func (d *Desk) Tasks(f schemas.TaskFilter) []schemas.Task {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Tasks(f)
}

// Outcome returns what was decided about a command, for as long as the fold remembers it.
func (d *Desk) Outcome(commandID string) (schemas.Outcome, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Outcome(commandID)
}

// Counts returns the number of tasks of each queue by state.
func (d *Desk) Counts() []schemas.QueueCount {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Counts()
}

// Status says where this instance stands: two instances at the same offset have the same hash.
func (d *Desk) Status() Status {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Status()
}
