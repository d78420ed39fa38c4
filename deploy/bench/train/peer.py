"""Training steps of an ONNX file by jitted JAX, one request a line on the standard input, one answer a line on the output.

load: {"do": "load", "slot", "model", "layout": "nchw"|"nhwc", "type": "float32"|"float64", "parameters": [names]}
step: {"do": "step", "slot", "batch": file, "shape": of the images, "rate", "momentum", "start": file or "", "end": file or ""}

A batch is the images and then the labels, as float32; the labels' number is the batch size. start gives the parameters that the step
begins with, else they are the slot's own; momenta are always the slot's own. end is written the parameters after the step. Both hold
float64, the parameters in the order of load. An answer to step has "ms" of the clock, "processor" ms of this process, and "loss".

The first argument is the number of threads: XLA's pool has as many as the process may use processors.
"""
import json
import os
import sys
import time

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx.numpy_helper


class Network:
    """The forward pass of a file in one layout, and its parameters."""

    def __init__(self, path, layout, kind, parameters):
        graph = onnx.load(path).graph
        self.last = layout == "nhwc"
        self.nodes = graph.node
        self.input, self.output = graph.input[0].name, graph.output[0].name
        weights = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.names = parameters
        self.shapes = [weights[n].shape for n in parameters]
        self.fixed = {n: w for n, w in weights.items() if n not in parameters}
        self.kernels = {n.input[1] for n in self.nodes if n.op_type == "Conv"}
        self.kind = kind

    def place(self, arrays):
        """Parameters as this layout keeps them: kernels are HWIO where channels are last."""
        moved = [np.transpose(a, (2, 3, 1, 0)) if self.last and n in self.kernels else a for n, a in zip(self.names, arrays)]
        return [jnp.asarray(a, self.kind) for a in moved]

    def take(self, arrays):
        return [np.transpose(a, (3, 2, 0, 1)) if self.last and n in self.kernels else np.asarray(a) for n, a in zip(self.names, arrays)]

    def forward(self, parameters, x):
        values = dict(self.fixed)
        values.update(zip(self.names, parameters))
        values[self.input] = x
        for n in self.nodes:
            a = {k.name: onnx.helper.get_attribute_value(k) for k in n.attribute}
            values[n.output[0]] = getattr(self, n.op_type)(a, *[values[i] for i in n.input])
        return values[self.output]

    def places(self):
        return (1, 2) if self.last else (2, 3)

    def channels(self, v, x):
        return v if self.last or x.ndim == 2 else v[None, :, None, None]

    def Conv(self, a, x, w, bias=None):
        p = a.get("pads", [0, 0, 0, 0])
        form = ("NHWC", "HWIO", "NHWC") if self.last else ("NCHW", "OIHW", "NCHW")
        y = jax.lax.conv_general_dilated(x, w, a.get("strides", [1, 1]), ((p[0], p[2]), (p[1], p[3])), dimension_numbers=form)
        return y if bias is None else y + self.channels(bias, y)

    def normal(self, x, scale, bias, axes, epsilon):
        mean = x.mean(axes, keepdims=True)
        variance = ((x - mean) ** 2).mean(axes, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + epsilon) * self.channels(scale, x) + self.channels(bias, x)

    def InstanceNormalization(self, a, x, scale, bias):
        return self.normal(x, scale, bias, self.places(), a.get("epsilon", 1e-5))

    def BatchNormalization(self, a, x, scale, bias, mean, variance):
        return self.normal(x, scale, bias, (0, *self.places()), a.get("epsilon", 1e-5))

    def Relu(self, a, x):
        return jax.nn.relu(x)

    def Add(self, a, x, y):
        return x + y

    def AveragePool(self, a, x):
        k = a["kernel_shape"]
        assert k == a["strides"] and not any(a.get("pads", [])), "only pooling of tiles is written here"
        h, w = self.places()
        shape = list(x.shape)
        split = shape[:h] + [shape[h] // k[0], k[0], shape[w] // k[1], k[1]] + shape[w + 1:]
        return x.reshape(split).mean((h + 1, h + 3))

    def GlobalAveragePool(self, a, x):
        return x.mean(self.places(), keepdims=True)

    def Flatten(self, a, x):
        if self.last and x.ndim == 4:
            x = jnp.transpose(x, (0, 3, 1, 2))
        return x.reshape(x.shape[0], -1)

    def Gemm(self, a, x, w, bias=None):
        y = x @ (w.T if a.get("transB", 0) else w) * a.get("alpha", 1.0)
        return y if bias is None else y + bias


class Slot:
    def __init__(self, q):
        self.net = Network(q["model"], q["layout"], q["type"], q["parameters"])
        self.momenta = None
        self.parameters = None

        def step(parameters, momenta, x, labels, rate, momentum):
            def loss(p):
                logs = jax.nn.log_softmax(self.net.forward(p, x))
                return -jnp.take_along_axis(logs, labels[:, None], 1).mean()

            value, gradients = jax.value_and_grad(loss)(parameters)
            momenta = [momentum * m + g for m, g in zip(momenta, gradients)]
            return [p - rate * m for p, m in zip(parameters, momenta)], momenta, value

        self.jitted = jax.jit(step, donate_argnums=(0, 1))

    def step(self, q):
        net = self.net
        if q["start"]:
            flat = np.fromfile(q["start"], np.float64)
            cuts = np.cumsum([int(np.prod(s)) for s in net.shapes])[:-1]
            self.parameters = net.place([a.reshape(s) for a, s in zip(np.split(flat, cuts), net.shapes)])
        if self.momenta is None:
            self.momenta = [jnp.zeros_like(p) for p in self.parameters]
        numbers = np.fromfile(q["batch"], np.float32)
        size = int(np.prod(q["shape"]))
        images = numbers[:size].reshape(q["shape"])
        if net.last:
            images = np.transpose(images, (0, 2, 3, 1))
        arguments = [jnp.asarray(images, net.kind), jnp.asarray(numbers[size:], jnp.int32), jnp.asarray(q["rate"], net.kind), jnp.asarray(q["momentum"], net.kind)]
        jax.block_until_ready(arguments)
        clock, processor = time.perf_counter(), time.process_time()
        self.parameters, self.momenta, loss = self.jitted(self.parameters, self.momenta, *arguments)
        jax.block_until_ready(self.parameters)
        answer = {"ms": (time.perf_counter() - clock) * 1e3, "processor": (time.process_time() - processor) * 1e3, "loss": float(loss)}
        if q["end"]:
            np.concatenate([np.asarray(a, np.float64).ravel() for a in net.take(self.parameters)]).tofile(q["end"])
        return answer


slots = {}
for line in sys.stdin:
    q = json.loads(line)
    if q["do"] == "load":
        slots[q["slot"]] = Slot(q)
        answer = {}
    else:
        answer = slots[q["slot"]].step(q)
    print(json.dumps(answer), flush=True)
