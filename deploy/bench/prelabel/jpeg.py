"""Decodes JPEG files by libjpeg-turbo, on one thread, for the benchmark that drives it.

Prints one line that names the decoders. Then reads the path of a file a line from standard input and answers each with one line:
the processor milliseconds of this process, user and system, that each decoder took from bytes in memory to an array of
[H,W,3] bytes, separated by spaces.
"""

import io
import sys
import time

import cv2
import numpy as np
from PIL import Image, features

cv2.setNumThreads(1)


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def timed(decode, data):
    start = time.process_time_ns()
    decode(data)
    return (time.process_time_ns() - start) / 1e6


print(f"Pillow {Image.__version__} (libjpeg-turbo {features.version('libjpeg_turbo')});OpenCV {cv2.__version__}", flush=True)
for path in sys.stdin:
    with open(path.rstrip("\n"), "rb") as f:
        data = f.read()
    print(timed(pillow, data), timed(opencv, data), flush=True)
