// Package autograd trains models on the runtime that serves them. It reads an ONNX graph and writes another one, of ordinary ONNX
// operators, that does a whole training step: forward, loss, gradients by reverse-mode differentiation, and the update of the
// weights. The model's file comes back with other weights; of the rest, only constants became initializers.
//
//   - network.go reads a model: its operators in one operator set (upgrade.go), the shapes of all tensors, by running it once,
//     and what is learned.
//   - builder.go and emit.go write a graph; tape.go records the forward pass and writes the backward one.
//   - table.go says which operators gradients pass, and in which file each family is.
//   - loss.go, optimizer.go and update.go are the rest of a step, trainer.go puts them together, step.go runs them, state.go
//     saves and restores.
//
// Shapes are fixed when a graph is written, so a trainer has one batch size. Weights and what optimizers keep stay in tensors
// of the runtime (onnx.Loop).
package autograd
