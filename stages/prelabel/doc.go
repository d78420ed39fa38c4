// Package prelabel is the step that lets a model label first. It turns an image into a model's input tensor, decodes what
// comes out, and puts the boxes on the sample: those worth accepting as Objects, all the others as Proposals for lint.
//
// A family of models is one file that implements Detector; Recognize tells them apart by the shapes of the graph alone,
// so any model of a known family can be brought.
package prelabel
