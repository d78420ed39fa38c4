package autograd

// operator says how gradients pass an operator of the model.
type operator struct {
	// forward writes the node in another form that the gradient shares work with, and returns its output; without one, or where
	// it returns none, the node stays as it is.
	forward func(t *tape, n node) (value, error)
	// backward returns the gradients of the inputs, given those of the outputs, some of which are absent. It may leave out
	// those that are not needed, and leaves out those that are zero almost everywhere.
	backward func(t *tape, n node, dy []value) ([]value, error)
}

// operators are those of the standard domain, in opset. One that is constant almost everywhere has the gradient `flat`.
var operators = map[string]operator{
	// elementwise.go
	"Add": {backward: addGrad}, "Sub": {backward: subGrad}, "Mul": {backward: mulGrad}, "Div": {backward: divGrad},
	"Pow": {backward: powGrad}, "Sum": {backward: sumGrad}, "Max": {backward: extremeGrad}, "Min": {backward: extremeGrad},
	"Where": {backward: whereGrad}, "Identity": {backward: identityGrad}, "Cast": {backward: castGrad},
	"Floor": {backward: flat}, "Ceil": {backward: flat}, "Round": {backward: flat}, "Sign": {backward: flat},
	// functions.go
	"Neg": {backward: pointwise(negSlope)}, "Abs": {backward: pointwise(absSlope)}, "Reciprocal": {backward: pointwise(reciprocalSlope)},
	"Sqrt": {backward: pointwise(sqrtSlope)}, "Exp": {backward: pointwise(expSlope)}, "Log": {backward: pointwise(logSlope)},
	"Sin": {backward: pointwise(sinSlope)}, "Cos": {backward: pointwise(cosSlope)}, "Erf": {backward: pointwise(erfSlope)},
	// activation.go
	"Relu": {backward: pointwise(reluSlope)}, "LeakyRelu": {backward: pointwise(leakySlope)}, "PRelu": {backward: preluGrad},
	"Elu": {backward: pointwise(eluSlope)}, "Sigmoid": {backward: pointwise(sigmoidSlope)}, "HardSigmoid": {backward: pointwise(hardSigmoidSlope)},
	"HardSwish": {backward: pointwise(hardSwishSlope)}, "Tanh": {backward: pointwise(tanhSlope)}, "Softplus": {backward: pointwise(softplusSlope)},
	"Mish": {backward: pointwise(mishSlope)}, "Gelu": {backward: pointwise(geluSlope)}, "Clip": {backward: clipGrad},
	// softmax.go
	"Softmax": {backward: softmaxGrad}, "LogSoftmax": {backward: logSoftmaxGrad},
	// product.go
	"MatMul": {backward: matmulGrad}, "Gemm": {backward: gemmGrad},
	// conv.go, convweight.go
	"Conv": {forward: convForward, backward: convGrad}, "ConvTranspose": {backward: convTransposeGrad},
	// norm.go, batchnorm.go
	"BatchNormalization":    {forward: batchNorm, backward: batchNormGrad},
	"InstanceNormalization": {forward: instanceNorm, backward: instanceNormGrad}, "GroupNormalization": {forward: rowNorm, backward: rowNormGrad},
	"LayerNormalization": {forward: rowNorm, backward: rowNormGrad},
	// pool.go
	"MaxPool": {forward: maxPool, backward: maxPoolGrad}, "AveragePool": {forward: averagePool, backward: averagePoolGrad},
	"GlobalAveragePool": {backward: globalAverageGrad}, "GlobalMaxPool": {backward: globalMaxGrad},
	// resize.go
	"Resize": {backward: resizeGrad},
	// reduce.go
	"ReduceSum": {backward: reduced(sumSlope)}, "ReduceMean": {backward: reduced(meanSlope)}, "ReduceSumSquare": {backward: reduced(sumSquareSlope)},
	"ReduceL1": {backward: reduced(l1Slope)}, "ReduceL2": {backward: reduced(l2Slope)}, "ReduceLogSum": {backward: reduced(logSumSlope)},
	"ReduceLogSumExp": {backward: reduced(logSumExpSlope)}, "ReduceMax": {backward: reduced(extremeSlope)}, "ReduceMin": {backward: reduced(extremeSlope)},
	"ReduceProd": {backward: reduced(prodSlope)},
	// layout.go
	"Reshape": {backward: reshapeGrad}, "Flatten": {backward: reshapeGrad}, "Squeeze": {backward: reshapeGrad}, "Unsqueeze": {backward: reshapeGrad},
	"Transpose": {backward: transposeGrad}, "Expand": {backward: expandGrad}, "Tile": {backward: tileGrad},
	"DepthToSpace": {backward: depthToSpaceGrad}, "SpaceToDepth": {backward: spaceToDepthGrad},
	// pieces.go
	"Concat": {backward: concatGrad}, "Split": {backward: splitGrad}, "Slice": {backward: sliceGrad}, "Pad": {backward: padGrad},
	"Gather": {backward: gatherGrad},
}
