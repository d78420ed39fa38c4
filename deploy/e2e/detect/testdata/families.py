"""Writes families/*.onnx, a tiny graph of each family that finds the same two objects: python3 families.py (needs onnx, numpy).

The input is 64 by 32 pixels. A cat at 18,4 to 26,20 scores .8 and a dog at 20,8 to 30,28 scores .6, whatever the image: the
outputs are constants to which the image is added, times nothing.
"""
import os

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

W, H = 64, 32
OBJECTS = [(0, 0.8, (18, 4, 26, 20)), (1, 0.6, (20, 8, 30, 28))]
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def write(name, outputs, inputs=(("images", FLOAT, [1, 3, H, W]),), constants=(), nodes=(), declared=()):
    """outputs: {name: array}. Outputs that nodes make of constants, or whose shape is to be told otherwise, are in declared."""
    graph = [helper.make_node("Cast", [inputs[0][0]], ["image"], to=FLOAT), helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
             helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    values = [numpy_helper.from_array(np.asarray(v, np.float32 if np.asarray(v).dtype == np.float64 else None), k)
              for k, v in {**dict(constants), "zero": np.float32(0), **{k + "_is": v for k, v in outputs.items()}}.items()]
    infos = dict(declared)
    for key, value in outputs.items():
        kind = INT if np.asarray(value).dtype == np.int64 else FLOAT
        infos.setdefault(key, (kind, list(np.shape(value))))
        graph += [helper.make_node("Cast", ["nothing"], [key + "_none"], to=kind), helper.make_node("Add", [key + "_is", key + "_none"], [key])]
    model = helper.make_model(
        helper.make_graph(graph + list(nodes), name, [helper.make_tensor_value_info(*i) for i in inputs],
                          [helper.make_tensor_value_info(k, *v) for k, v in infos.items()], values),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "families", name + ".onnx"))


def cells(*strides):
    """[N,3] column, row and stride of every cell."""
    return np.array([(x, y, s) for s in strides for y in range(-(-H // s)) for x in range(-(-W // s))])


def center(box):
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]])


def cell(grid, box, offset=0.5, stride=8):
    """The index of the last cell whose middle, so far from its corner, lies within a box."""
    x, y = np.floor((np.array(box[2:]) - 0.5) / stride - offset)
    return np.flatnonzero((grid[:, 2] == stride) & (grid[:, 0] == x) & (grid[:, 1] == y))[0]


def logit(p):
    return np.log(p / (1 - p))


def varying(rows, score):
    """Nodes that keep the rows whose column score is above .5, as kept, and what they need."""
    return {"rows": rows, "score": np.int64(score), "half": np.float32(0.5)}, [
        helper.make_node("Gather", ["rows", "score"], ["scores_of"], axis=1), helper.make_node("Sub", ["scores_of", "nothing"], ["scores_are"]),
        helper.make_node("Greater", ["scores_are", "half"], ["above"]), helper.make_node("Compress", ["rows", "above"], ["kept"], axis=0)]


GRID, SHARES = cells(8, 16, 32), np.array([W, H, W, H])

# YOLOX: offsets to cells, objectness, classes. YOLOv5: boxes, three for each cell. YOLOv6: the same, one for each cell.
yolox, decoded = np.zeros((len(GRID), 7)), np.zeros((len(GRID), 7))
decoded[:, :4] = np.concatenate([(GRID[:, :2] + 0.5) * GRID[:, 2:], np.full((len(GRID), 2), 8)], 1)
plain = decoded.copy()
for c, p, box in OBJECTS:
    i = cell(GRID, box)
    yolox[i, :4] = np.concatenate([center(box)[:2] / 8 - GRID[i, :2], np.log(center(box)[2:] / 8)])
    yolox[i, 4], yolox[i, 5 + c] = 1, p
    decoded[i, :4], decoded[i, 4], decoded[i, 5 + c] = center(box), 1, p
write("yolox", {"output": yolox[None]})
write("yolov6", {"outputs": decoded[None]})
write("yolov5", {"output": np.concatenate([plain, decoded, plain])[None]})

# YOLOv8: planes without objectness; with coefficients of masks; with suppression in the graph, as many rows as there are.
planes = np.delete(decoded, 4, 1).T
write("yolov8", {"output0": planes[None]})
write("yolov8_open", {"output0": planes[None]}, inputs=[("images", FLOAT, ["batch", 3, "height", "width"])],
      declared={"output0": (FLOAT, ["batch", 6, "cells"])})
write("yolov8_segment", {"output0": np.concatenate([planes, np.full((4, len(GRID)), 9)])[None], "output1": np.zeros((1, 4, 8, 16))})
rows = np.array([[*box, p, c] for c, p, box in OBJECTS] + [[0, 0, 9, 9, 0.1, 0]], np.float32)
constants, nodes = varying(rows, 4)
write("yolov8_nms", {}, constants={**constants, "first": np.array([0])}, nodes=nodes + [helper.make_node("Unsqueeze", ["kept", "first"], ["output0"])],
      declared={"output0": (FLOAT, [1, "n", 6])})

# FastestDet: planes of cells of stride 16.
fastest = np.zeros((7, H // 16, W // 16))
for c, p, box in OBJECTS:
    cx, cy, w, h = center(box)
    x, y = int(cx // 16), int(cy // 16)
    fastest[:5, y, x] = p, np.arctanh(cx / 16 - x), np.arctanh(cy / 16 - y), logit(w / W), logit(h / H)
    fastest[5 + c, y, x] = p
write("fastestdet", {"output": fastest[None]})


# NanoDet: class scores and distributions over 8 distances of each side. Names of outputs are not to be trusted.
def nanodet(grid, offset):
    scores, sides = np.zeros((len(grid), 2)), np.zeros((len(grid), 4, 8))
    for c, p, box in OBJECTS:
        i = cell(grid, box, offset)
        x, y = (grid[i, :2] + offset) * 8
        scores[i, c] = p
        for side, d in enumerate([x - box[0], y - box[1], box[2] - x, box[3] - y]):
            sides[i, side] = -50
            low = int(d // 8)
            sides[i, side, low], sides[i, side, low + 1] = np.log(max(1 - (d / 8 - low), 1e-20)), np.log(max(d / 8 - low, 1e-20))
    return scores, sides.reshape(len(grid), 32)


scores, sides = nanodet(GRID, 0.5)
write("nanodet", {name: part[GRID[:, 2] == s] for name, part, s in [
    ("a", scores, 8), ("b", scores, 16), ("c", scores, 32), ("d", sides, 8), ("e", sides, 16), ("f", sides, 32)]})
write("nanodet_plus", {"output": np.concatenate(nanodet(cells(8, 16, 32, 64), 0), 1)[None]})

# DETR and RT-DETR: queries of centers and sizes as shares.
boxes, logits, more = np.full((5, 4), 0.5), np.zeros((5, 3)), np.full((5, 2), -9.0)
logits[:, 2] = 9
for c, p, box in OBJECTS:
    boxes[c], more[c, c] = center(box) / SHARES, logit(p)
    logits[c] = -50
    logits[c, [c, 2]] = np.log(p), np.log(1 - p)
write("detr", {"logits": logits[None], "pred_boxes": boxes[None]})
write("rtdetr", {"logits": more[None], "pred_boxes": boxes[None]})
write("rtdetr_one", {"output0": np.concatenate([boxes, 1 / (1 + np.exp(-more))], 1)[None]})

# Boxes and scores: RT-DETR decoded in the graph, SSD, TensorFlow's, torchvision's and MMDetection's.
corners = np.array([box for _, _, box in OBJECTS] + [(1, 2, 3, 4)], float)
labels, found = np.array([0, 1, 0]), np.array([0.8, 0.6, 0.01])
write("rtdetr_decoded", {"labels": labels[None], "scores": found[None]}, inputs=[("images", FLOAT, [1, 3, H, W]), ("orig_target_sizes", INT, [1, 2])],
      constants={"shares": (corners / SHARES).astype(np.float32)[None], "last": np.array(1)},
      nodes=[helper.make_node("Concat", ["orig_target_sizes", "orig_target_sizes"], ["sizes"], axis=1),
             helper.make_node("Cast", ["sizes"], ["scale"], to=FLOAT), helper.make_node("Mul", ["shares", "scale"], ["boxes"])],
      declared={"boxes": (FLOAT, [1, 3, 4])})
each = np.zeros((3, 3))
each[np.arange(3), 1 + labels] = found
each[:, 0] = 1 - found
write("ssd", {"scores": each[None], "boxes": (corners / SHARES)[None]})
write("tensorflow", {
    "detection_boxes": (corners / SHARES)[:, [1, 0, 3, 2]][None], "detection_classes": 1.0 + labels[None], "detection_scores": np.array([[0.8, 0.6, 0.9]]),
    "num_detections": np.array([2.0])}, inputs=[("image_tensor", TensorProto.UINT8, [1, H, W, 3])])
constants, nodes = varying(np.concatenate([corners, found[:, None], labels[:, None]], 1).astype(np.float32), 4)
split = {"four": np.array([0, 1, 2, 3]), "five": np.array([0, 1, 2, 3, 4]), "fifth": np.int64(4), "sixth": np.int64(5), "first": np.array([0])}
write("torchvision", {}, inputs=[("images", FLOAT, [3, H, W])], constants={**constants, **split},
      nodes=nodes + [helper.make_node("Gather", ["kept", "four"], ["boxes"], axis=1), helper.make_node("Gather", ["kept", "fifth"], ["scores"], axis=1),
                     helper.make_node("Gather", ["kept", "sixth"], ["label"], axis=1), helper.make_node("Cast", ["label"], ["labels"], to=INT)],
      declared={"boxes": (FLOAT, ["n", 4]), "scores": (FLOAT, ["n"]), "labels": (INT, ["n"])})
write("mmdetection", {}, constants={**constants, **split},
      nodes=nodes + [helper.make_node("Gather", ["kept", "five"], ["five_of"], axis=1), helper.make_node("Unsqueeze", ["five_of", "first"], ["dets"]),
                     helper.make_node("Gather", ["kept", "sixth"], ["label"], axis=1), helper.make_node("Unsqueeze", ["label", "first"], ["label_"]),
                     helper.make_node("Cast", ["label_"], ["labels"], to=INT)],
      declared={"dets": (FLOAT, [1, "n", 5]), "labels": (INT, [1, "n"])})

# A classifier's logits, a segmenter's planes at stride 2, and labels.
write("classifier", {"logits": np.log([[0.8, 0.2]])})
masks, map_ = np.full((3, H // 2, W // 2), -50.0), np.zeros((H // 2, W // 2), np.int64)
masks[0] = 0
for c, p, (x1, y1, x2, y2) in OBJECTS:
    x1, x2 = (x1, x2) if c == 0 else (x1 + 8, x2)  # beside the cat
    part = np.s_[:, y1 // 2:y2 // 2, x1 // 2:x2 // 2]
    masks[part], map_[part[1:]] = -50, 1 + c
    masks[(0, *part[1:])], masks[(1 + c, *part[1:])] = np.log(1 - p), np.log(p)
write("segmenter", {"out": masks[None]})
write("labels", {"map": map_[None]})
