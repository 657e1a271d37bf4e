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


def mixed(seed, i):
    """24 bits by a counter; golden.ts has the same lines."""
    h = (seed * 0x9E3779B1 + i * 0x85EBCA77) & 0xFFFFFFFF
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97), (15, 1)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return h >> 8


def made(seed, *shape, low=-2.0, high=2.0):
    """As uniform(); a file of Compact says only which, since tests make the same numbers."""
    x = f32([low + (high - low) * (mixed(seed, i) % 4001) / 4000 for i in range(math.prod(shape))]).reshape(shape)
    x.made = {"seed": seed, **({} if (low, high) == (-2.0, 2.0) else {"range": [low, high]})}
    return x


def digest(x, sums=2):
    """The largest number and weighted sums of all: an element that differs or is in another place changes each sum."""
    values = x.detach().flatten().tolist()
    top = max(map(abs, values))

    def weight(seed, i):
        u = mixed(seed, i) / 2**24
        return u if u >= 0.5 else -(0.5 + u)

    digits = 6 - math.floor(math.log10(top)) if top else 0
    each = [top, *(math.fsum(v * weight(k, i) for i, v in enumerate(values)) for k in range(sums))]
    return [int(v) if v == int(v) else v for v in (round(v, digits) for v in each)]


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
    #: Of short answers, those of at most so many numbers are stored whole.
    WHOLE = 4

    def __init__(self, name):
        self.path = HERE / f"{name}.json"
        self.tensors = []
        self.cases = []
        self.seen = {}
        self.twice_known = set()

    def put(self, x):
        if x is None:
            return None
        return self.store(x, x.made if hasattr(x, "made") else {"data": [number(v) for v in x.detach().flatten().tolist()]})

    def store(self, x, content):
        dtype = DTYPES[x.dtype]
        key = json.dumps({"shape": list(x.shape), **content, **({} if dtype == "f32" else {"dtype": dtype})})
        if key not in self.seen:
            self.seen[key] = len(self.tensors)
            self.tensors.append(key)
        return self.seen[key]

    def answer(self, x):
        """What is to be expected."""
        return self.put(x)

    def short(self, x):
        whole = x is None or x.numel() <= self.WHOLE or not x.isfinite().all()
        return self.put(x) if whole else self.store(x, {"sums": digest(x)})

    def weights(self, shape):
        """The gradient of an output."""
        own = random.Random(len(shape) * 1000 + shape.numel())
        return f32([round(own.uniform(-1.5, 1.5), 2) for _ in range(shape.numel())]).reshape(shape)

    def tell(self, entry, g):
        entry["gradOutput"] = self.put(g)

    def case(self, name, call, args, fn, *inputs, twice=True, **extra):
        """Records `fn(*inputs)`, and the gradients of the float inputs for a fixed output gradient if it has any; the second ones unless `twice` says no."""
        leaves = [x.clone().requires_grad_(x.dtype == torch.float64) for x in inputs]
        output = fn(*leaves)
        entry = {"name": name, "call": call, "args": args, "inputs": [self.put(x) for x in inputs], "output": self.answer(output)}
        if output.requires_grad:
            g = self.weights(output.shape)
            output.backward(g)
            self.tell(entry, g)
            entry["grads"] = [self.answer(x.grad) for x in leaves]
        for key, value in extra.items():
            entry[key] = value(leaves) if callable(value) else value
        if twice and output.requires_grad:
            self.twice_if_new(entry, fn, inputs, [x.grad is not None for x in leaves], g)
        self.cases.append(entry)

    def twice_if_new(self, entry, fn, inputs, graded, g):
        """The second derivatives of the first case of each call, where PyTorch has them and they are finite."""
        key = entry["call"], tuple(graded)
        if key in self.twice_known:
            return
        leaves = [x.clone().requires_grad_(has) if x.dtype == torch.float64 else x for x, has in zip(inputs, graded)]
        g = g.clone().requires_grad_()
        wanted = [x for x, has in zip(leaves, graded) if has]
        weights = [made(100 + i, *x.shape) for i, x in enumerate(wanted)]
        try:
            second = self.derive_twice(fn(*leaves), wanted, g, weights)
        except RuntimeError as error:
            if "is not implemented" not in str(error):
                raise
            return
        if all(d is None or d.isfinite().all() for d in second):
            self.twice_known.add(key)
            entry["second"] = [self.short(d) for d in second]
            self.tell_weights(entry, weights)

    def derive_twice(self, y, wanted, g, weights):
        """Of the sum of all gradients, each weighed, by what these are of and by the gradient of the output."""
        first = torch.autograd.grad(y, wanted, g, create_graph=True)
        whole = sum((d * w).sum() for d, w in zip(first, weights))
        second = torch.autograd.grad(whole, [*wanted, g], allow_unused=True) if whole.requires_grad else [None] * (len(wanted) + 1)
        return [None if d is None else d + torch.zeros_like(d) for d in second]

    def tell_weights(self, entry, weights):
        entry["weights"] = [self.put(w) for w in weights]

    def write(self):
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in self.cases)
        tensors = ",\n".join(t.replace(", ", ",").replace(": ", ":") for t in self.tensors)
        self.path.write_text(f'{{"tensors":[\n{tensors}\n],"cases":[\n{lines}\n]}}\n')


class Compact(Golden):
    """Numbers that are made lie in the file as a seed, longer answers as digests, and cases as rows without keys or names."""
    ROW = ("call", "args", "inputs", "output", "grads", "second")

    def answer(self, x):
        return self.short(x)

    def weights(self, shape):
        return made(99, *shape)

    def tell(self, entry, g):
        """Each gradient of an output has the same seed."""

    def tell_weights(self, entry, weights):
        """Those of each place have the same seed, too."""

    def write(self):
        for i, case in enumerate(self.cases):
            rest = {key: value for key, value in case.items() if key not in (*self.ROW, "name")}
            row = [case.get(key) for key in self.ROW]
            while row[-1] is None:
                row.pop()
            self.cases[i] = [*row, *([rest] if rest else [])]
        super().write()


def flat(x):
    """All numbers of a tensor."""
    return [number(v) for v in x.detach().flatten().tolist()]


def dump(name, value):
    """One line for every item of the outermost lists."""
    def lines(v):
        return "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in v) + "\n]" if isinstance(v, list) else json.dumps(v, separators=(",", ":"))

    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(f'"{key}":{lines(v)}' for key, v in value.items()) + "\n}\n")
