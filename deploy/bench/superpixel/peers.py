"""Divides images by other people's superpixels, on one thread, for the benchmark that drives it.

Reads one JSON request a line from standard input and answers each with one line:

  {"peer": "fast-slic", "pixels": FILE, "w": W, "h": H, "k": REGIONS}    FILE holds [H,W,3] RGB bytes
      -> {"ms": M, "regions": N}      M: processor milliseconds of this process, user and system, from RGB to final labels
  with "labels": FILE, also writes the labels there, [H,W] little-endian uint16
"""

import functools
import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import cv2
import numpy as np
from fast_slic.avx2 import SlicAvx2
from skimage.segmentation import slic

cv2.setNumThreads(1)


def fast_slic(rgb, k):
    """Its defaults: compactness 10, ten iterations, CIELAB."""
    return SlicAvx2(num_components=int(round(k)), num_threads=1).iterate(rgb)


def opencv(rgb, k):
    """Its defaults: ruler 10, ten iterations, pieces under a quarter of a region merged."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    size = max(1, int(round((rgb.shape[0] * rgb.shape[1] / k) ** 0.5)))
    s = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLIC, size, 10.0)
    s.iterate(10)
    s.enforceLabelConnectivity(25)
    return s.getLabels()


def scikit_image(rgb, k):
    """Its defaults: compactness 10, ten iterations, CIELAB."""
    return slic(rgb, n_segments=int(round(k)), start_label=0)


PEERS = {"fast-slic": fast_slic, "OpenCV": opencv, "scikit-image": scikit_image}


@functools.lru_cache(maxsize=256)
def load(path, w, h):
    return np.fromfile(path, np.uint8).reshape(h, w, 3)


def answer(q):
    rgb = load(q["pixels"], q["w"], q["h"])
    divide = PEERS[q["peer"]]
    start = time.process_time()
    labels = divide(rgb, q["k"])
    took = time.process_time() - start
    if q.get("labels"):
        labels.astype("<u2").tofile(q["labels"])
    return {"ms": took * 1e3, "regions": int(np.unique(labels).size)}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
