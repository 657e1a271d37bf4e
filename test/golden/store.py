"""Tensors from short numbers, and the JSON files they are written to."""
import json
import math
import random
import struct
from pathlib import Path

import torch

HERE = Path(__file__).parent
DTYPES = {torch.float64: "f32", torch.int64: "i32", torch.bool: "u8", torch.uint8: "u8"}
source = random.Random(20240229)


def f32(values, *shape):
    """A tensor of numbers that f32 holds exactly, so that both sides start from the same."""
    x = torch.tensor(values, dtype=torch.float32)
    return (x.reshape(shape) if shape else x).double()


def uniform(*shape, low=-2.0, high=2.0):
    """Random numbers with three decimals: short in JSON."""
    return f32([round(source.uniform(low, high), 3) for _ in range(math.prod(shape))]).reshape(shape)


def integers(*shape, high):
    return torch.tensor([source.randrange(high) for _ in range(math.prod(shape))]).reshape(shape)


def single(value):
    """`value` rounded to f32."""
    return struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 3e38 else value


def number(value):
    """As few digits as tell the same f32, else 9 of them; what JSON lacks as a string."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if short == value or single(short) == value:
            break
    return int(short) if short == int(short) and 0 < abs(short) < 1e9 else short or 0


class Golden:
    """One file of cases; equal tensors are stored once."""

    def __init__(self, name):
        self.path = HERE / f"{name}.json"
        self.tensors = []
        self.cases = []
        self.seen = {}

    def put(self, x):
        if x is None:
            return None
        values = [number(v) for v in x.detach().flatten().tolist()]
        entry = {"shape": list(x.shape), "data": values}
        dtype = DTYPES[x.dtype]
        if dtype != "f32":
            entry["dtype"] = dtype
        key = json.dumps(entry)
        if key not in self.seen:
            self.seen[key] = len(self.tensors)
            self.tensors.append(key)
        return self.seen[key]

    def case(self, name, call, args, fn, *inputs, **extra):
        """Records `fn(*inputs)`, and the gradients of the float inputs for a fixed output gradient if it has any."""
        leaves = [x.clone().requires_grad_(x.dtype == torch.float64) for x in inputs]
        output = fn(*leaves)
        entry = {"name": name, "call": call, "args": args, "inputs": [self.put(x) for x in inputs], "output": self.put(output)}
        if output.requires_grad:
            weights = random.Random(len(output.shape) * 1000 + output.numel())
            g = f32([round(weights.uniform(-1.5, 1.5), 2) for _ in range(output.numel())]).reshape(output.shape)
            output.backward(g)
            entry["gradOutput"] = self.put(g)
            entry["grads"] = [self.put(x.grad) for x in leaves]
        for key, value in extra.items():
            entry[key] = value(leaves) if callable(value) else value
        self.cases.append(entry)

    def write(self):
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in self.cases)
        tensors = ",\n".join(t.replace(", ", ",").replace(": ", ":") for t in self.tensors)
        self.path.write_text(f'{{"tensors":[\n{tensors}\n],"cases":[\n{lines}\n]}}\n')


def flat(x):
    """All numbers of a tensor."""
    return [number(v) for v in x.detach().flatten().tolist()]


def dump(name, value):
    """One line for every item of the outermost lists."""
    def lines(v):
        return "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in v) + "\n]" if isinstance(v, list) else json.dumps(v, separators=(",", ":"))

    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(f'"{key}":{lines(v)}' for key, v in value.items()) + "\n}\n")
