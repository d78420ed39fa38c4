package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gleaner/trainers/autograd"
)

// family is operators of one kind.
type family struct {
	name      string
	operators []string
}

var families = []family{
	{"arithmetic of tensors", []string{"Add", "Sub", "Mul", "Div", "Pow", "Sum", "Max", "Min", "Where", "Identity", "Cast"}},
	{"functions", []string{"Neg", "Abs", "Reciprocal", "Sqrt", "Exp", "Log", "Sin", "Cos", "Erf"}},
	{"steps, of gradient zero", []string{"Floor", "Ceil", "Round", "Sign"}},
	{"activations", []string{"Relu", "LeakyRelu", "PRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Mish", "Gelu", "Clip"}},
	{"softmax", []string{"Softmax", "LogSoftmax"}},
	{"products", []string{"MatMul", "Gemm"}},
	{"convolutions", []string{"Conv", "ConvTranspose"}},
	{"normalizations", []string{"BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"}},
	{"pooling", []string{"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}},
	{"resizing", []string{"Resize"}},
	{"reductions", []string{"ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMin", "ReduceProd"}},
	{"shapes", []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"}},
	{"pieces", []string{"Concat", "Split", "Slice", "Pad", "Gather"}},
}

// worstLine is what TestGradients logs of an operator.
var worstLine = regexp.MustCompile(`(\w+): worst relative error (\S+) in (float\d+)`)

// gradients runs the test that compares every operator with finite differences, and gathers what it logs.
func (b *bench) gradients(ctx context.Context, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^TestGradients$", "./trainers/autograd")
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	errs := map[string]map[string]float64{} // by operator and type
	var faults []string
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if m := worstLine.FindStringSubmatch(lines.Text()); m != nil {
			x, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				return err
			}
			if errs[m[1]] == nil {
				errs[m[1]] = map[string]float64{}
			}
			errs[m[1]][m[3]] = max(errs[m[1]][m[3]], x)
		}
		if strings.Contains(lines.Text(), "FAIL") {
			faults = append(faults, lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the test of gradients: %w: %s", err, strings.Join(faults, "; "))
	}
	known := autograd.Operators()
	fmt.Fprintf(out, "\n### Gradients\n\nThe %d operators that gradients pass, over 8 draws each of shapes and attributes, against finite differences (two central ones, extrapolated) of random weighted sums of the outputs, up to 150 elements of each input. "+
		"The error is relative to the largest gradient of that input, or to 1 where that is smaller; limits 1e-6 in float64 and 4e-3 in float32, which only operators have whose kernels exist in no other type, and whose differences are that rough.\n\n", len(known))
	fmt.Fprintln(out, "| operators | worst, float64 | worst, float32 |\n|---|---|---|")
	for _, f := range families {
		worst := map[string]float64{}
		for _, op := range f.operators {
			for kind, x := range errs[op] {
				worst[kind] = max(worst[kind], x)
			}
			if errs[op] == nil {
				return fmt.Errorf("the test of gradients says nothing of %s", op)
			}
			known = slices.DeleteFunc(known, func(name string) bool { return name == op })
		}
		cell := func(kind string) string {
			if x, ok := worst[kind]; ok {
				return fmt.Sprintf("%.1e", x)
			}
			return "-"
		}
		fmt.Fprintf(out, "| %s: %s | %s | %s |\n", f.name, strings.Join(f.operators, ", "), cell("float64"), cell("float32"))
	}
	if len(known) > 0 {
		return errors.New("operators of no family: " + strings.Join(known, ", "))
	}
	return nil
}
