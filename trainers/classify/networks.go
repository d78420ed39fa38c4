package classify

import (
	"fmt"
	"math"
	"slices"

	"gleaner/connectors/onnx/onnxpb"
)

// network writes a classifier of images of one side.
type network struct {
	name  string
	width int     // the usual one
	least int     // side
	held  float64 // by how much more than what its operators make a training holds at a time, as measured
	build func(g *graph, x tensor, width, classes int, train Images, in Normalization) tensor
}

// networks are those that there are.
var networks = []network{
	{"convnet3", 128, 8, 4, convNet3},    // three blocks of convolution 3x3, instance normalization, ReLU and average pooling
	{"resnet9", 32, 8, 2.75, resNet9},    // eight convolutions 3x3 with batch normalization and two residual blocks, three of stride 2, and global average pooling
	{"airbench", 64, 16, 1.75, airbench}, // whitened patches, then three groups of two convolutions 3x3 that begin as the identity (Jordan 2024, arXiv 2404.00498)
}

// Networks names the networks that Config.Network may be.
func Networks() []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.name)
	}
	return names
}

func networkNamed(name string) (network, error) {
	i := slices.IndexFunc(networks, func(n network) bool { return n.name == name })
	if i < 0 {
		return network{}, fmt.Errorf("network %q is not known: choose of %v, or give an ONNX file", name, Networks())
	}
	return networks[i], nil
}

// write returns the ONNX file of a network with the weights that training begins with.
func (n network) write(cfg Config, train Images, in Normalization) ([]byte, error) {
	g := newGraph(n.name, cfg.Seed)
	x := n.build(g, g.image(train.Side), cfg.Channels(), len(train.Classes), train, in)
	return g.model(x, len(train.Classes))
}

// size is that of a network of so many channels for images of so many pixels a side.
func (n network) size(width, side, classes int) size {
	g := &graph{pb: &onnxpb.GraphProto{}}
	n.build(g, g.image(side), width, classes, Images{Side: side}, Normalization{})
	return g.size
}

// linear is the last layer, with a bias.
func (g *graph) linear(x tensor, classes int) {
	w := g.weight("head.weight", g.normal(1/math.Sqrt(float64(x.channels))), classes, x.channels)
	g.node("Gemm", logitsName, []string{x.name, w, g.weight("head.bias", filled(0), classes)}, integer("transB", 1))
}

func convNet3(g *graph, x tensor, width, classes int, _ Images, _ Normalization) tensor {
	for i := range 3 {
		name := fmt.Sprintf("block%d.", i+1)
		x = g.unary("Relu", name+"relu", g.instanceNorm(name+"norm", g.conv3(name+"conv", x, width, 1)))
		x = g.pool("AveragePool", name+"pool", x)
	}
	x = g.flat(x)
	g.linear(x, classes)
	return x
}

func resNet9(g *graph, x tensor, width, classes int, _ Images, _ Normalization) tensor {
	layer := func(name string, x tensor, out, stride int) tensor {
		return g.unary("Relu", name+".relu", g.batchNorm(name+".norm", g.conv3(name+".conv", x, out, stride), 1e-5))
	}
	residual := func(name string, x tensor) tensor {
		y := layer(name+".second", layer(name+".first", x, x.channels, 1), x.channels, 1)
		y.name = g.node("Add", name, []string{x.name, y.name})
		return g.made(y)
	}
	x = layer("stem", x, width, 1)
	x = residual("residual1", layer("layer1", x, 2*width, 2))
	x = layer("layer2", x, 4*width, 2)
	x = residual("residual2", layer("layer3", x, 8*width, 2))
	g.node("GlobalAveragePool", "pool", []string{x.name})
	x = g.flat(tensor{"pool", x.channels, 1})
	g.linear(x, classes)
	return x
}

// airbench has widths in the proportion 1:4:4. Its first convolution keeps the 16 directions in which patches vary most and, as
// the gains of its batch normalizations, does not learn.
func airbench(g *graph, x tensor, width, classes int, train Images, in Normalization) tensor {
	const kernel, filters = 3, 32
	w := g.weight("whiten.weight", func(int) []float32 { return whitening(train, in, kernel, filters/2) }, filters, 3, kernel, kernel)
	g.node("Conv", "whiten", []string{x.name, w}, integers("kernel_shape", kernel, kernel))
	x = g.unary(activation, "whiten.activation", g.made(tensor{"whiten", filters, x.side - kernel + 1}))
	for i, out := range []int{width, 4 * width, 4 * width} {
		name := fmt.Sprintf("group%d.", i+1)
		x = g.pool("MaxPool", name+"pool", g.conv3By(name+"conv1", x, out, 1, g.identity(x.channels, out)))
		x = g.unary(activation, name+"activation1", g.batchNorm(name+"norm1", x, 1e-12))
		x = g.conv3By(name+"conv2", x, out, 1, g.identity(out, out))
		x = g.unary(activation, name+"activation2", g.batchNorm(name+"norm2", x, 1e-12))
	}
	g.node("GlobalMaxPool", "pool", []string{x.name})
	x = g.flat(tensor{"pool", x.channels, 1})
	head := g.normal(1 / math.Sqrt(float64(3*x.channels)))
	g.node("Gemm", logitsName, []string{x.name, g.weight("head.weight", head, classes, x.channels)}, integer("transB", 1), float("alpha", 1.0/9))
	return x
}

// activation is airbench's.
const activation = "Gelu"

// identity draws weights of a convolution 3x3 as PyTorch does, uniform within 1/sqrt(fan-in), but that the first filters pass each input on.
func (g *graph) identity(in, out int) func(n int) []float32 {
	return func(n int) []float32 {
		w := make([]float32, n)
		bound := 1 / math.Sqrt(float64(9*in))
		for i := range w {
			w[i] = float32(bound * (2*g.r.Float64() - 1))
		}
		for o := range min(in, out) {
			filter := w[o*in*9 : (o+1)*in*9]
			clear(filter)
			filter[o*9+4] = 1
		}
		return w
	}
}
