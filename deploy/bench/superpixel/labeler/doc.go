// Package labeler simulates a person who marks an object in a picture, by regions or by a polygon, and counts actions.
//
// A picture has nested levels of regions. Under the person's hand is one level at a time:
//
//   - a click selects the region under it, or deselects it: 1 action;
//   - a drag selects every region that its stroke passes: 1 action, and 1 for every 50 pixels of its length, in proportion;
//   - a turn of the wheel changes the level by one: 1 action.
//
// The object is marked when intersection over union of the selected pixels and the object reaches Enough. The person knows
// the object's pixels and plans well, going from coarse levels to fine; Plan is what they do, and Play does it again.
//
// A polygon costs a click for each vertex.
package labeler

// Enough is the intersection over union at which an object counts as marked.
const Enough = 0.9

// pixelsPerAction is how far a drag gets for an action.
const pixelsPerAction = 50

// Point is a pixel.
type Point struct{ X, Y int }
