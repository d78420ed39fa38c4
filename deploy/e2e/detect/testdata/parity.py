#!/usr/bin/env python3
"""Judges Gleaner's detections by an independent decode.

  parity.py --model FILE.onnx --decoder yolox|fastestdet|nanodet --classes FILE.names --images DIR --labels DIR --dump DIR

DUMP/index.json lists, per image, the input tensor that Gleaner made (little-endian float32, in a file), its detections on
it before suppression, and its objects after. Two questions are asked, and the answers are printed as one line of JSON:

  tensor   the same tensors through onnxruntime here, decoded here: how many detections of either side have one of the other
           within 0.5 pixels in every side and 1e-3 in score, of the same class
  ap50     the rest of the way on these tensors, and the whole way (cv2.imread, cv2.resize, suppression), here against Gleaner's:
           average precision at IoU 0.5 by the 101-point rule of COCO, mean over the classes that have labels
"""
import argparse
import collections
import json
import os

import cv2
import numpy as np
import onnxruntime

LOW, NMS, MOST = 0.05, 0.5, 1000
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
RESIZE = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def prepare(decoder, image, size, resize):
    """The input tensor of an image [H,W,3] BGR, image pixels per input pixel in x and y, and where in the input the image begins."""
    h, w = image.shape[:2]
    side_h, side_w = size
    if decoder == "yolox":
        r = min(side_h / h, side_w / w)
        canvas = np.full((side_h, side_w, 3), 114, np.uint8)
        small = cv2.resize(image, (int(w * r), int(h * r)), interpolation=resize)
        canvas[: small.shape[0], : small.shape[1]] = small
        return canvas.transpose(2, 0, 1)[None].astype(np.float32), (1 / r, 1 / r, 0, 0)
    if decoder == "nanodet":
        r = min(side_h / h, side_w / w)
        canvas = np.zeros((side_h, side_w, 3), np.float32)
        small = cv2.resize(image, (round(w * r), round(h * r)), interpolation=resize)
        top, left = (side_h - small.shape[0]) // 2, (side_w - small.shape[1]) // 2
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        canvas = (canvas - MEAN) / STD
        return canvas.transpose(2, 0, 1)[None].astype(np.float32), (1 / r, 1 / r, left, top)
    small = cv2.resize(image, (side_w, side_h), interpolation=resize)
    return small.transpose(2, 0, 1)[None].astype(np.float32) / 255, (w / side_w, h / side_h, 0, 0)


def nanodet(raw, size):
    """Centers and sizes [N,2] in pixels of the input and class scores [N,C], of a score and a distribution output a stride."""
    low, high, each = [], [], []
    for s in (8, 16, 32):
        ys, xs = np.mgrid[: size[0] // s, : size[1] // s]
        middle = np.stack([xs.ravel() + 0.5, ys.ravel() + 0.5], 1) * s
        scores, logits = sorted((r for r in raw if len(r) == len(middle)), key=lambda r: -r.shape[1])  # 80 classes, 4 * 8 distances
        p = np.exp(logits.astype(np.float64).reshape(-1, 4, 8))
        far = (p / p.sum(-1, keepdims=True)) @ np.arange(8) * s
        low.append(middle - far[:, :2])
        high.append(middle + far[:, 2:])
        each.append(scores)
    low, high = np.concatenate(low), np.concatenate(high)
    return (low + high) / 2, high - low, np.concatenate(each)


def decode(decoder, raw, size, unscale, w, h):
    """Boxes [N,4] x1,y1,x2,y2 clipped to the image, scores [N], classes [N]; the best MOST of what scores at least LOW."""
    side_h, side_w = size
    if decoder == "nanodet":
        center, extent, each = nanodet(raw, size)
    elif decoder == "yolox":
        raw = raw[0][0].astype(np.float64)
        grid, step = [], []
        for s in (8, 16, 32):
            ys, xs = np.mgrid[: side_h // s, : side_w // s]
            grid.append(np.stack([xs.ravel(), ys.ravel()], 1))
            step.append(np.full(xs.size, s))
        grid, step = np.concatenate(grid), np.concatenate(step)[:, None]
        center, extent = (raw[:, :2] + grid) * step, np.exp(raw[:, 2:4]) * step
        each = raw[:, 4:5] * raw[:, 5:]
    else:
        raw = raw[0][0].astype(np.float64)
        _, rows, cols = raw.shape
        ys, xs = np.mgrid[:rows, :cols]
        center = np.stack([(np.tanh(raw[1]) + xs) / cols * side_w, (np.tanh(raw[2]) + ys) / rows * side_h], -1).reshape(-1, 2)
        logit = raw[3:5].transpose(1, 2, 0).reshape(-1, 2)
        extent = 1 / (1 + np.exp(-logit)) * [side_w, side_h]
        each = (raw[0] ** 0.6 * raw[5:] ** 0.4).reshape(len(raw) - 5, -1).T
    boxes = (np.concatenate([center - extent / 2, center + extent / 2], 1) - [*unscale[2:], *unscale[2:]]) * [*unscale[:2], *unscale[:2]]
    boxes = np.clip(boxes, 0, [w, h, w, h])
    classes, scores = each.argmax(1), each.max(1)
    keep = (scores >= LOW) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    keep = np.flatnonzero(keep)[np.argsort(-scores[keep], kind="stable")][:MOST]
    return boxes[keep], scores[keep], classes[keep]


def iou(a, b):
    """[N,4] and [M,4] to [N,M]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), -1)
    area = lambda x: np.prod(x[:, 2:] - x[:, :2], -1)
    return common / (area(a)[:, None] + area(b)[None] - common)


def suppress(boxes, scores, classes):
    kept = []
    for c in np.unique(classes):
        order = np.flatnonzero(classes == c)
        order = order[np.argsort(-scores[order], kind="stable")]
        while len(order):
            kept.append(order[0])
            order = order[1:][iou(boxes[order[:1]], boxes[order[1:]])[0] <= NMS]
    return boxes[kept], scores[kept], classes[kept]


def unmatched(a, b):
    """How many of a have no counterpart of their own in b. Only those well above LOW: the edge may fall either way."""
    free, missed = np.ones(len(b[0]), bool), 0
    for box, score, cls in zip(*a):
        ok = free & (b[2] == cls) & (np.abs(b[1] - score) <= 1e-3) & (np.abs(b[0] - box).max(1, initial=0) <= 0.5)
        if ok.any():
            free[np.flatnonzero(ok)[0]] = False
        elif score >= LOW + 1e-3:
            missed += 1
    return missed


def ap50(truth, found):
    """truth, found: {image: (boxes, [scores,] classes)}. Percent."""
    aps = []
    for c in sorted({int(x) for _, cls in truth.values() for x in cls}):
        total, rows = 0, []
        for name, (boxes, cls) in truth.items():
            boxes = boxes[cls == c]
            total += len(boxes)
            fb, fs, fc = found[name]
            pick = np.flatnonzero(fc == c)
            pick = pick[np.argsort(-fs[pick], kind="stable")]
            free = np.ones(len(boxes), bool)
            for i in pick:
                overlap = np.where(free, iou(fb[i : i + 1], boxes)[0], 0) if len(boxes) else np.zeros(0)
                hit = len(boxes) > 0 and overlap.max() >= 0.5
                if hit:
                    free[overlap.argmax()] = False
                rows.append((fs[i], hit))
        rows.sort(key=lambda r: -r[0])
        hits = np.cumsum([r[1] for r in rows]) if rows else np.zeros(0)
        recall, precision = hits / total, hits / np.arange(1, len(rows) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
        aps.append(np.mean([precision[i] if i < len(precision) else 0 for i in at]))
    return 100 * float(np.mean(aps))


def main():
    p = argparse.ArgumentParser()
    for name in ("model", "decoder", "classes", "images", "labels", "dump"):
        p.add_argument("--" + name, required=True)
    a = p.parse_args()
    names = [line.strip() for line in open(a.classes) if line.strip()]
    number = {n: i for i, n in enumerate(names)}
    net = session(a.model)
    port = net.get_inputs()[0]
    size = tuple(port.shape[2:])

    def rows(objects):
        return (np.array([o["box"] for o in objects], np.float64).reshape(-1, 4), np.array([o["score"] for o in objects], np.float64),
                np.array([number[o["class"]] for o in objects], int))

    truth, go, here = {}, {}, collections.defaultdict(dict)
    detections = missed = 0
    for item in json.load(open(os.path.join(a.dump, "index.json"))):
        name = item["name"]
        image = cv2.imread(os.path.join(a.images, name))
        h, w = image.shape[:2]
        assert (w, h) == (item["w"], item["h"]), name
        _, unscale = prepare(a.decoder, image, size, cv2.INTER_LINEAR)
        tensor = np.fromfile(os.path.join(a.dump, item["tensor"]), "<f4").reshape(1, 3, *size)
        mine, theirs = decode(a.decoder, net.run(None, {port.name: tensor}), size, unscale, w, h), rows(item["detections"])
        detections += len(mine[0]) + len(theirs[0])
        missed += unmatched(mine, theirs) + unmatched(theirs, mine)
        here["tensor"][name] = suppress(*mine)
        go[name] = rows(item["objects"])
        for kind, flag in RESIZE.items():
            tensor, unscale = prepare(a.decoder, image, size, flag)
            here[kind][name] = suppress(*decode(a.decoder, net.run(None, {port.name: tensor}), size, unscale, w, h))
        path = os.path.join(a.labels, os.path.splitext(name)[0] + ".txt")
        lines = np.array([line.split() for line in open(path)] if os.path.exists(path) else [], np.float64).reshape(-1, 5)
        center, extent = lines[:, 1:3] * [w, h], lines[:, 3:5] * [w, h]
        truth[name] = np.concatenate([center - extent / 2, center + extent / 2], 1), lines[:, 0].astype(int)
    print(json.dumps({
        "images": len(truth), "detections": detections, "disagree": missed,
        "ap50": {"gleaner": ap50(truth, go), **{k: ap50(truth, v) for k, v in here.items()}},
    }))


if __name__ == "__main__":
    main()
