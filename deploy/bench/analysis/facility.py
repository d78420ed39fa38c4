"""Facility location of a peer: k of the n vectors in a file of float32, by the cosine, no less than 0; for `make bench-analysis`.

facility.py PEER FILE N DIM K writes one line of JSON: the picks, and the processor and clock seconds from the vectors to the picks.
"""

import heapq
import json
import resource
import sys
import time

import numpy


def cosines(x):
    s = x @ x.T
    return numpy.maximum(s, 0, out=s)


def lazy_numpy(x, k):
    s = cosines(x)
    best = numpy.zeros(len(s), s.dtype)
    scratch = numpy.empty_like(best)
    queue = [(-float(g), i, 0) for i, g in enumerate(s.sum(axis=1))]
    heapq.heapify(queue)
    picks = []
    while len(picks) < k:
        gain, i, when = queue[0]
        if when == len(picks):
            heapq.heappop(queue)
            picks.append(i)
            numpy.maximum(best, s[i], out=best)
            continue
        numpy.subtract(s[i], best, out=scratch)
        numpy.maximum(scratch, 0, out=scratch)
        heapq.heapreplace(queue, (-float(scratch.sum()), i, len(picks)))
    return picks


def lazy_apricot(x, k):
    from apricot import FacilityLocationSelection

    s = cosines(x).astype(numpy.float64)
    picker = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
    return [int(i) for i in picker.fit(s).ranking]


def main():
    peer, path, n, dim, k = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    x = numpy.fromfile(path, numpy.float32).reshape(n, dim)
    run = {"numpy": lazy_numpy, "apricot": lazy_apricot}[peer]
    run(x[:200], 5)  # compiles what is compiled at its first use
    used, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    picks = run(x, k)
    now = resource.getrusage(resource.RUSAGE_SELF)
    processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    json.dump({"picks": picks, "processor": processor, "clock": time.perf_counter() - began}, sys.stdout)


if __name__ == "__main__":
    main()
