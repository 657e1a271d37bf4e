"""Trains multilayer perceptrons by Adam with native JAX, on all cores that it finds.

Reads requests from standard input, a line of JSON each, and answers each with a line of JSON.
  {"do": "prepare", "sizes": [784, 128, 10], "batch": 64, "folder": path}  ->  {"losses": [three of them]}
  {"do": "time", "count": n}  ->  {"seconds": s}, for one step
The folder has x, the classes y, and w0, b0, w1 … [outputs, inputs], raw and in the machine's order.
"""
import json
import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


def loss_of(weights, x, y):
    for i, (w, b) in enumerate(weights):
        x = x @ w.T + b
        if i < len(weights) - 1:
            x = jax.nn.relu(x)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1))


def step(state, x, y):
    weights, mean, square, count = state
    loss, grads = jax.value_and_grad(loss_of)(weights, x, y)
    count = count + 1
    tree = jax.tree_util.tree_map
    mean = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, grads)
    square = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, grads)
    size, root = LR / (1 - BETA1**count), jnp.sqrt(1 - BETA2**count)
    weights = tree(lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + EPS), weights, mean, square)
    return (weights, mean, square, count), loss


# What a step replaces it may overwrite.
run = jax.jit(step, donate_argnums=0)


def prepare(request):
    def load(name, shape, dtype=np.float32):
        return jnp.asarray(np.fromfile(os.path.join(request["folder"], name), dtype).reshape(shape))

    sizes, batch = request["sizes"], request["batch"]
    weights = [(load("w%d" % i, (m, k)), load("b%d" % i, (m,))) for i, (k, m) in enumerate(zip(sizes, sizes[1:]))]
    zeros = [jax.tree_util.tree_map(jnp.zeros_like, weights) for _ in range(2)]
    return (weights, *zeros, jnp.float32(0)), load("x", (batch, sizes[0])), load("y", (batch,), np.int32)


def main():
    print(json.dumps({"version": jax.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "prepare":
            state, x, y = prepare(request)
            losses = []
            for _ in range(3):
                state, loss = run(state, x, y)
                losses.append(float(loss))
            answer = {"losses": losses}
        else:
            started = time.perf_counter()
            for _ in range(request["count"]):
                state, loss = run(state, x, y)
            loss.block_until_ready()
            answer = {"seconds": (time.perf_counter() - started) / request["count"]}
        print(json.dumps(answer), flush=True)


main()
