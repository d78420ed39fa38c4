"""Writes the small models that the tests load: python3 models.py (needs the onnx package)."""
from onnx import TensorProto, checker, helper, save

FLOAT, INT, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
TYPES = {"f32": FLOAT, "f64": TensorProto.DOUBLE, "f16": TensorProto.FLOAT16, "i64": INT, "i32": TensorProto.INT32, "u8": TensorProto.UINT8, "b": TensorProto.BOOL}


def write(name, inputs, outputs, nodes, constants=()):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, name + ".onnx")


def affine(name, shape):  # y = 2x + 1
    write(name, [("x", FLOAT, shape)], [("y", FLOAT, shape)],
          [helper.make_node("Mul", ["x", "a"], ["ax"]), helper.make_node("Add", ["ax", "b"], ["y"])],
          [helper.make_tensor("a", FLOAT, [1], [2]), helper.make_tensor("b", FLOAT, [1], [1])])


affine("affine", ["batch", 3])
affine("open", ["batch", 3, "width"])
affine("image", ["batch", 3, "height", "width"])
write("text", [("x", TEXT, [3])], [("y", TEXT, [3])], [helper.make_node("Identity", ["x"], ["y"])])

# Every type, handed through.
write("types", [(k, t, [4]) for k, t in TYPES.items()], [("same_" + k, t, [4]) for k, t in TYPES.items()],
      [helper.make_node("Identity", [k], ["same_" + k]) for k in TYPES])

# The rows of x whose first number is above 0.5, and their indexes: as many as there are.
write("rows", [("x", FLOAT, [4, 2])], [("kept", FLOAT, ["n", 2]), ("index", INT, [1, "n"])], [
    helper.make_node("Gather", ["x", "zero"], ["first"], axis=1),
    helper.make_node("Greater", ["first", "half"], ["above"]),
    helper.make_node("Compress", ["x", "above"], ["kept"], axis=0),
    helper.make_node("NonZero", ["above"], ["index"]),
], [helper.make_tensor("zero", INT, [], [0]), helper.make_tensor("half", FLOAT, [], [0.5])])


def detector():
    """Two heads over maps of strides 8 and 32. The features are "p5", the last map of 6 channels before the heads."""
    weights, nodes = [], []

    def conv(x, y, inputs, outputs, stride):
        values = [((i * 7919) % 31 - 15) / (31 * inputs) for i in range(outputs * inputs * stride * stride)]
        weights.append(helper.make_tensor("w_" + y, FLOAT, [outputs, inputs, stride, stride], values))
        nodes.append(helper.make_node("Conv", [x, "w_" + y], [y], strides=[stride, stride]))

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    weights.append(helper.make_tensor("rows", INT, [3], [1, 9, -1]))
    conv("x", "c3_linear", 3, 4, 8)
    node("Relu", ["c3_linear"], "c3")
    conv("c3", "c5_linear", 4, 6, 4)
    node("Relu", ["c5_linear"], "c5")
    node("Concat", ["c5", "c5"], "twice", axis=1)
    conv("twice", "c5_mixed", 12, 6, 1)
    node("Add", ["c5", "c5_mixed"], "p5")
    for level, channels in {"c3": 4, "p5": 6}.items():
        conv(level, "stem_" + level, channels, 5, 1)
        conv("stem_" + level, "head_" + level, 5, 9, 1)
        node("Reshape", ["head_" + level, "rows"], "rows_" + level)
    node("Shape", ["rows_p5"], "shape")
    node("Concat", ["rows_c3", "rows_p5"], "y", axis=2)
    write("detector", [("x", FLOAT, ["batch", 3, 64, 96])], [("y", FLOAT, [1, 9, 8 * 12 + 2 * 3])], nodes, weights)


detector()

# y is the greatest of x, by way of 2^40 copies of it, which no machine has the memory for.
write("huge", [("x", FLOAT, [1, 3])], [("y", FLOAT, [])], [
    helper.make_node("Expand", ["x", "shape"], ["copies"]),
    helper.make_node("ReduceMax", ["copies"], ["y"], keepdims=0),
], [helper.make_tensor("shape", INT, [2], [1 << 40, 3])])

# Of half precision, and open in all that a graph may leave open: y is the mean of a map of features.
write("half", [("x", TYPES["f16"], ["batch", 3, "height", "width"])], [("y", TYPES["f16"], ["batch", 4])], [
    helper.make_node("Conv", ["x", "w"], ["c3"], strides=[8, 8]),
    helper.make_node("Conv", ["c3", "v"], ["head"]),
    helper.make_node("ReduceMean", ["head"], ["y"], axes=[2, 3], keepdims=0),
], [helper.make_tensor("w", TYPES["f16"], [4, 3, 8, 8], [1 / 64] * 768), helper.make_tensor("v", TYPES["f16"], [4, 4, 1, 1], [0.25] * 16)])
