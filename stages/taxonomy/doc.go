// Package taxonomy relates the classes of datasets and models, each in its own label space, by a tree of canonical classes:
// what a model finds under its names becomes what a dataset wants under its own.
//
// A label space is written dataset@version ("coco@2017"), and its classes are mapped to canonical ones (schemas.ClassMapping).
// Where a dataset wants a class that no model knows, its parent may stand in: a dog is proposed as "animal, to be refined" to
// a dataset that wants raccoons, both being animals. Only the parent does, no ancestor beyond it, so that the tree says by its
// parents what may stand in for what.
package taxonomy
