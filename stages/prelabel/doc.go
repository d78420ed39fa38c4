// Package prelabel is the step that lets models label first. It turns an image into a model's input tensor, decodes what
// comes out, and puts the boxes on the sample: those worth accepting as Objects, all the others as Proposals for lint.
//
// A family of models is one file with a decoder; Recognize tells them apart by the shapes of the graph, never by names, so
// any model of a known family can be brought. Where shapes leave a choice, the number of class names decides: it tells
// NanoDet's single output from YOLOX's, FastestDet from a segmenter of stride 16, and whether there is a background. What is
// left is decided by the values of a trial run on a mosaic of colors:
//
//   - rows for each cell are YOLOX's offsets, or boxes decoded already, by which reading puts centers nearer to their cells;
//   - six columns are suppressed detections if the last holds whole numbers, else boxes with two classes;
//   - class numbers beside boxes are probabilities if all lie in 0..1, else logits: DETR's, or of more than 1000 boxes RetinaNet's or SSD's;
//   - boxes are corners if these are in order, and shares of the sides if all are small;
//   - a classifier's or segmenter's numbers are probabilities or logits, by their range and sum.
//
// What no output shows, such as the order of channels, their normalization and whether labels count from 1, is as the family's
// reference has it. A schemas.Decode overrides each part, and the completed one, in Model, says by what it was recognized. Files of trainers
// here have theirs within (schemas.ModelMetadata).
//
// Which models look at a sample says the Fleet, which follows the Registry.
package prelabel
