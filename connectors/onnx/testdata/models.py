"""Writes the small models that the tests load: python3 models.py (needs the onnx package)."""
from onnx import TensorProto, checker, helper, save

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def write(name, kind, shape, nodes, constants):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        [helper.make_tensor(k, kind, [1], [v]) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, name + ".onnx")


AFFINE = [helper.make_node("Mul", ["x", "a"], ["ax"]), helper.make_node("Add", ["ax", "b"], ["y"])]
write("affine", FLOAT, ["batch", 3], AFFINE, {"a": 2, "b": 1})  # y = 2x + 1
write("open", FLOAT, ["batch", 3, "width"], AFFINE, {"a": 2, "b": 1})
write("integers", INT, [3], AFFINE, {"a": 2, "b": 1})
