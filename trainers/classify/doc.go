// Package classify trains classifiers of images on trainers/autograd, and reports the loss of every sample at every
// presentation.
//
//   - config.go says how, and recipes.go has choices for each network.
//   - networks.go, graph.go and whiten.go write networks as ONNX; imported.go takes a classifier of others.
//   - images.go, augment.go and batch.go make batches, each determined by seed, epoch and sample.
//   - trainer.go is the loop, evaluate.go held-out accuracy, checkpoint.go what
//     training goes on from, bit for bit, and export.go the file that serves.
package classify
