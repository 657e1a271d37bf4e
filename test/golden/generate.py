#!/usr/bin/python3
"""Writes the golden values in this folder: what PyTorch answers, for the tests beside them to compare with.

Run `/usr/bin/python3 test/golden/generate.py` (Debian's python3-torch, 1.13). Inputs are f32 numbers and lie in the files,
PyTorch computes on them in f64, and results have 9 significant digits: a difference is ours, not PyTorch's rounding.

A file is `{ "tensors": [...], "cases": [...] }`. A case calls the public function `call` (a leading dot: a method) on `args`,
where "$2" is input 2; `inputs`, `output`, `gradOutput` and `grads` are positions in `tensors`.
"""
import json
import math
import random
import struct
from pathlib import Path

import torch
import torch.nn.functional as F

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


def method(name, *args):
    """A call of a method of input 0."""
    return f".{name}", ["$0", *args]


def elementwise():
    golden = Golden("elementwise")
    # Zeros, the kinks of every op here, both tails, and ordinary numbers.
    x = f32([-30, -6, -2.5, -1, -0.5, -0.125, 0, 0.25, 0.5, 1, 1.5, 2, 3.75, 6, 30, 0.375])
    ordinary = f32([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -0.3, 0.7, 2.2], 2, 5)
    positive = f32([0.001, 0.125, 0.7, 1, 1.75, 3, 40, 1000])
    for name in ("neg", "abs", "square", "sign", "floor", "ceil", "round", "trunc", "sin", "cos", "erf"):
        for at in (ordinary, f32([-1, 0, 2])):
            golden.case(name, *method(name), getattr(torch, name), at)
    for name in ("exp", "expm1", "tanh", "sigmoid", "relu"):
        golden.case(name, *method(name), getattr(torch, name), x)
    for name in ("log", "log1p", "sqrt", "rsqrt", "reciprocal"):
        golden.case(name, *method(name), getattr(torch, name), positive)
    for name, options in (
        ("relu", {}), ("leakyRelu", {}), ("leakyRelu", {"negativeSlope": 0.2}), ("elu", {}), ("elu", {"alpha": 0.5}), ("selu", {}),
        ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("softplus", {}), ("softplus", {"beta": 2, "threshold": 3}),
        ("softsign", {}), ("hardtanh", {}), ("hardtanh", {"minVal": -2.5, "maxVal": 0.5}), ("sigmoid", {}), ("tanh", {}),
    ):
        python = {"negativeSlope": "negative_slope", "minVal": "min_val", "maxVal": "max_val"}
        torch_name = {"leakyRelu": "leaky_relu"}.get(name, name)
        arguments = {python.get(key, key): value for key, value in options.items()}
        golden.case(
            f"{name} {options}", f"F.{name}", ["$0", options] if options else ["$0"],
            lambda t: getattr(F, torch_name)(t, **arguments), x,
        )
    for options in ({"min": -1}, {"max": 0.5}, {"min": -1, "max": 0.5}, {"min": 0.5, "max": 0.5}):
        golden.case(f"clamp {options}", *method("clamp", options), lambda t: t.clamp(**options), x)

    pairs = {
        "same shape": (uniform(3, 4), uniform(3, 4)),
        "a row": (uniform(3, 4), uniform(4)),
        "a column": (uniform(3, 4), uniform(3, 1)),
        "both stretched": (uniform(2, 1, 3), uniform(4, 1)),
        "a single number": (uniform(5), uniform()),
        "ties and zeros": (f32([0, 1, -1, 2, 3]), f32([1, 1, -1, 3, 2])),
    }
    for name in ("add", "sub", "mul", "div", "maximum", "minimum"):
        for kind, (a, b) in pairs.items():
            golden.case(f"{name} {kind}", *method(name, "$1"), getattr(torch, name), a, b)
    for kind, (a, b) in pairs.items():
        golden.case(f"pow {kind}", *method("pow", "$1"), torch.pow, a.abs() + 0.25, b)
    # Where the logarithm and the reciprocal are infinite, and where the base is negative.
    golden.case(
        "pow at its corners", *method("pow", "$1"), torch.pow,
        f32([0, 0, 0, 0, -2, -2, -2, -1, 2, 1]), f32([0, 1, 2, 0.5, 3, 2, 0, -1, 0, -3]),
    )
    for exponent in (0, 1, 2, 3, 0.5, -1):
        base = f32([0, 0.25, 1, 2.5]) if exponent >= 0 else f32([0.25, 1, 2.5, -2])
        golden.case(f"pow {exponent}", *method("pow", exponent), lambda t: t.pow(exponent), base)
    for name, fn in (("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div)):
        golden.case(f"{name} a number", *method(name, 1.5), lambda t: fn(t, 1.5), ordinary)
    for name in ("maximum", "minimum"):
        golden.case(f"{name} a number", *method(name, 0.5), lambda t: getattr(torch, name)(t, torch.tensor(0.5).double()), ordinary)
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        golden.case(name, *method(name, "$1"), getattr(torch, name), *pairs["ties and zeros"])
        golden.case(f"{name} integers", *method(name, "$1"), getattr(torch, name), integers(2, 3, high=3), integers(3, high=3))
    mask = torch.tensor([1, 0, 1], dtype=torch.uint8)
    golden.case("where", "where", ["$0", "$1", "$2"], lambda m, a, b: torch.where(m.bool(), a, b), mask, uniform(2, 3), uniform(2, 1))
    golden.case("where a number", "where", ["$0", "$1", -2], lambda m, a: torch.where(m.bool(), a, -2.0), mask, uniform(2, 3))
    golden.write()


def reductions():
    golden = Golden("reductions")
    x = uniform(2, 3, 4)
    names = {"max": "amax", "min": "amin", "variance": "var", "norm": "norm"}
    axes = ([], [0], [1], [-1], [0, 1], [[0, 2]], [[2, -3]])
    for name in ("sum", "mean", "max", "min", "logsumexp", "variance", "std", "norm"):
        for axis in axes:
            for keepdim in (False, True) if axis and axis != [0, 1] else (False,):
                dim = axis[0] if axis and axis != [0, 1] else [0, 1] if axis else list(range(3))

                def reduce(t):
                    options = {"dim": dim, "keepdim": keepdim}
                    if name == "norm":
                        return torch.linalg.vector_norm(t, **options)
                    if name in ("variance", "std"):
                        options["unbiased"] = True
                    return getattr(torch, names.get(name, name))(t, **options)

                args = [dim] if axis else []
                golden.case(f"{name} over {dim}", *method(name, *args, *([{"keepdim": True}] if keepdim else [])), reduce, x)
    tied = f32([3, 1, 3, 3, 1, 2, 3, 3, 1, 1, 1, 0], 2, 3, 2)
    for name in ("max", "min"):
        for dim in ([0], [2], [0, 2], [0, 1, 2]):
            golden.case(f"{name} with ties over {dim}", *method(name, dim), lambda t: getattr(torch, names[name])(t, dim), tied)
    for name in ("argmax", "argmin"):
        golden.case(name, *method(name), getattr(torch, name), x)
        for dim in (0, 1, -1):
            golden.case(f"{name} {dim}", *method(name, dim), lambda t: getattr(torch, name)(t, dim), x)
            golden.case(f"{name} {dim} kept", *method(name, dim, {"keepdim": True}), lambda t: getattr(torch, name)(t, dim, True), x)
    golden.case("argmax, the first of equals", *method("argmax", 1), lambda t: torch.argmax(t, 1), f32([1, 3, 3, 2, 2, 2], 2, 3))
    for correction in (0, 1, 2):
        for name in ("variance", "std"):
            fn = {"variance": torch.var, "std": torch.std}[name]
            golden.case(f"{name} correction {correction}", *method(name, 2, {"correction": correction}), lambda t: fn(t, (2,), correction=correction), x)
    flat = f32([2, 2, 2, 1, 2, 6], 2, 3)
    golden.case("std at its kink", *method("std", 1), lambda t: torch.std(t, 1), flat)
    golden.case("variance of one", *method("variance", 0, {"correction": 0}), lambda t: torch.var(t, 0, unbiased=False), uniform(1, 3))
    for p in (1, 2, 3, 0.5, "Infinity"):
        order = math.inf if p == "Infinity" else p
        for args, dim in (([], None), ([1], 1)):
            golden.case(
                f"norm {p} over {dim}", *method("norm", *(args or [[0, 1]]), {"p": p}),
                lambda t: torch.linalg.vector_norm(t, order, dim), uniform(2, 5),
            )
    golden.case("norm of zeros", *method("norm", 1), lambda t: torch.norm(t, dim=1), f32([0, 0, 3, 4], 2, 2))
    golden.case("norm 1 with a zero", *method("norm", 0, {"p": 1}), lambda t: torch.norm(t, 1, dim=0), f32([0, -2, 3, 4]))
    zeros = f32([2, 0, 3, 0, 5, 0, 1, 2, 4], 3, 3)
    golden.case("prod", *method("prod"), torch.prod, uniform(5))
    golden.case("prod of one zero", *method("prod"), torch.prod, f32([2, 0, 3]))
    for dim in (0, 1):
        golden.case(f"prod over {dim}", *method("prod", dim), lambda t: torch.prod(t, dim), zeros)
    golden.case("prod kept", *method("prod", 1, {"keepdim": True}), lambda t: torch.prod(t, 1, keepdim=True), uniform(2, 3))
    golden.case("logsumexp of large numbers", *method("logsumexp", 0), lambda t: torch.logsumexp(t, 0), f32([1000, 1001, -1000]))
    for dim in (0, 1, 2, -2):
        golden.case(f"cumsum {dim}", *method("cumsum", dim), lambda t: torch.cumsum(t, dim), x)
        for name, fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
            golden.case(f"{name} {dim}", *method(name, dim), lambda t: fn(t, dim), x)
    for name, fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        golden.case(f"{name} of large numbers", *method(name, 0), lambda t: fn(t, 0), f32([1000, 999, -1000, 0]))
    golden.write()


def products():
    golden = Golden("products")
    for a, b in (
        ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((1, 5), (5, 1)), ((4, 1), (1, 3)), ((2, 3, 4), (4, 2)),
        ((2, 2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((1, 2, 3), (2, 3, 2)), ((2, 3), (2, 3, 2)),
    ):
        golden.case(f"matmul {list(a)} {list(b)}", *method("matmul", "$1"), torch.matmul, uniform(*a), uniform(*b))
    for shape in ((3,), (4, 3), (2, 2, 3)):
        golden.case(f"linear {list(shape)}", "F.linear", ["$0", "$1", "$2"], F.linear, uniform(*shape), uniform(5, 3), uniform(5))
        golden.case(f"linear {list(shape)} without bias", "F.linear", ["$0", "$1"], F.linear, uniform(*shape), uniform(5, 3))
    golden.write()


def layouts():
    golden = Golden("layouts")
    x = uniform(2, 3, 4)
    for call, fn in (
        (method("reshape", [4, 6]), lambda t: t.reshape(4, 6)),
        (method("reshape", [3, -1]), lambda t: t.reshape(3, -1)),
        (method("flatten"), lambda t: t.flatten()),
        (method("flatten", 1), lambda t: t.flatten(1)),
        (method("flatten", 0, 1), lambda t: t.flatten(0, 1)),
        (method("transpose", 0, 2), lambda t: t.transpose(0, 2)),
        (method("transpose", -1, 1), lambda t: t.transpose(-1, 1)),
        (method("t"), lambda t: t.mT),
        (method("permute", [2, 0, 1]), lambda t: t.permute(2, 0, 1)),
        (method("unsqueeze", 0), lambda t: t.unsqueeze(0)),
        (method("unsqueeze", -1), lambda t: t.unsqueeze(-1)),
        (method("slice", 2, 1, 4, 2), lambda t: t[:, :, 1:4:2]),
        (method("slice", 1, -2), lambda t: t[:, -2:]),
        (method("slice", -1, 0, -1), lambda t: t[..., 0:-1]),
        (method("slice", 0, 5), lambda t: t[5:]),
        (method("narrow", 1, 1, 2), lambda t: t.narrow(1, 1, 2)),
        (method("select", 1, 2), lambda t: t.select(1, 2)),
        (method("select", 2, -1), lambda t: t.select(2, -1)),
        (method("contiguous"), lambda t: t.contiguous()),
        (method("clone"), lambda t: t.clone()),
    ):
        golden.case(f"{call[0][1:]} {call[1][1:]}", *call, fn, x)
    golden.case("expand", *method("expand", [2, 3, 4]), lambda t: t.expand(2, 3, 4), uniform(3, 1))
    golden.case("expand -1", *method("expand", [2, -1, 2]), lambda t: t.expand(2, -1, 2), uniform(3, 1))
    golden.case("squeeze", *method("squeeze"), lambda t: t.squeeze(), uniform(1, 3, 1))
    golden.case("squeeze 0", *method("squeeze", 0), lambda t: t.squeeze(0), uniform(1, 3, 1))
    golden.case("squeeze what is not 1", *method("squeeze", 1), lambda t: t.squeeze(1), uniform(1, 3, 1))
    for dim in (0, 1, -1):
        golden.case(f"concat {dim}", "concat", [["$0", "$1"], dim], lambda a, b: torch.cat((a, b), dim), uniform(2, 3), uniform(2, 3))
        golden.case(f"stack {dim}", "stack", [["$0", "$1", "$2"], dim], lambda *t: torch.stack(t, dim), uniform(2), uniform(2), uniform(2))
    golden.case("split", *method("split", 2, 1), lambda t: t.split(2, 1)[1], x, pick=1)
    golden.case("split sizes", *method("split", [1, 3], -1), lambda t: t.split([1, 3], -1)[1], x, pick=1)
    index = torch.tensor([2, 0, 2, 1])
    golden.case("indexSelect 1", *method("indexSelect", 1, "$1"), lambda t, i: t.index_select(1, i), x, index)
    golden.case("indexSelect -1", *method("indexSelect", -1, "$1"), lambda t, i: t.index_select(-1, i), x, index)
    for dim in (0, 1, 2):
        shape = [2, 3, 4]
        shape[dim] = 3
        golden.case(f"gather {dim}", *method("gather", dim, "$1"), lambda t, i: t.gather(dim, i), x, integers(*shape, high=2))
        golden.case(
            f"scatterAdd {dim}", *method("scatterAdd", dim, "$1", "$2"), lambda t, i, s: t.scatter_add(dim, i, s),
            x, integers(*shape, high=2), uniform(*shape),
        )
    golden.case("gather less", *method("gather", 2, "$1"), lambda t, i: t.gather(2, i), x, integers(1, 2, 3, high=4))
    golden.case("oneHot", "F.oneHot", ["$0", 4], lambda i: F.one_hot(i, 4).double(), integers(2, 3, high=4))
    for dtype, target in (("i32", torch.int64), ("u8", torch.uint8)):
        golden.case(f"to {dtype}", *method("to", dtype), lambda t: t.to(target), f32([0, 0.9, 1.5, 2.5, 200.7]))
    golden.write()


def norms():
    golden = Golden("norms")
    for shape, normalized in (((4, 5), [5]), ((2, 3, 4), [4]), ((2, 3, 4), [3, 4]), ((3,), [3])):
        x = uniform(*shape, low=-3, high=5)
        golden.case(f"layerNorm {list(shape)}", "F.layerNorm", ["$0", normalized], lambda t: F.layer_norm(t, normalized), x)
        golden.case(
            f"layerNorm {list(shape)} with weight and bias", "F.layerNorm",
            ["$0", normalized, {"weight": "$1", "bias": "$2", "eps": 0.01}],
            lambda t, w, b: F.layer_norm(t, normalized, w, b, 0.01), x, uniform(*normalized), uniform(*normalized),
        )
    for shape in ((5, 3), (3, 2, 4), (2, 2, 2, 3)):
        c = shape[1]
        x = uniform(*shape, low=-3, high=5)
        weight, bias, mean, var = uniform(c), uniform(c), uniform(c), uniform(c, low=0.5, high=2)
        golden.case(
            f"batchNorm {list(shape)} of the batch", "F.batchNorm", ["$0", None, None, {"training": True}],
            lambda t: F.batch_norm(t, None, None, training=True), x,
        )
        for training in (True, False):
            for momentum, eps in ((0.1, 1e-5), (0.5, 0.01)):
                running = [mean.clone(), var.clone()]
                golden.case(
                    f"batchNorm {list(shape)} training {training} momentum {momentum}", "F.batchNorm",
                    ["$0", "$3", "$4", {"weight": "$1", "bias": "$2", "training": training, "momentum": momentum, "eps": eps}],
                    lambda t, w, b, *_: F.batch_norm(t, *running, w, b, training, momentum, eps), x, weight, bias, mean, var,
                    running=lambda _: [golden.put(running[0]), golden.put(running[1])],
                )
    golden.write()


def losses():
    golden = Golden("losses")

    def each(name, fn, options, *inputs, kinds=("mean", "sum", "none"), names=()):
        """All reductions of a loss; `options` maps our options to values or "$i", `names` ours to PyTorch's."""
        rename = dict(names)
        for reduction in kinds:
            def call(*t):
                arguments = {rename.get(k, k): t[int(v[1:])] if isinstance(v, str) else v for k, v in options.items()}
                return fn(t[0], t[1], reduction=reduction, **arguments)

            ours = {**options, **({} if reduction == "mean" else {"reduction": reduction})}
            golden.case(f"{name} {reduction} {options}", f"F.{name}", ["$0", "$1", ours] if ours else ["$0", "$1"], call, *inputs)

    x, target = uniform(3, 4), uniform(3, 4)
    tied_x, tied = f32([1, -1, 0.5, 2, 0, 1.5]), f32([1, 0, 1, 1, 0.25, 1.5])
    for inputs in ((x, target), (tied_x, tied)):
        each("mseLoss", F.mse_loss, {}, *inputs)
        each("l1Loss", F.l1_loss, {}, *inputs)
        for beta in (1.0, 0.5, 0.0):
            each("smoothL1Loss", F.smooth_l1_loss, {"beta": beta} if beta != 1 else {}, *inputs)
        for delta in (1.0, 0.5):
            each("huberLoss", F.huber_loss, {"delta": delta} if delta != 1 else {}, *inputs)

    p, truth = uniform(3, 4, low=0.02, high=0.98), uniform(3, 4, low=0, high=1)
    weight = uniform(3, 4, low=0.2, high=2)
    plain_target = lambda fn: lambda a, b, **k: fn(a, b.detach(), **k)
    plain_weight = lambda fn: lambda a, b, weight, **k: fn(a, b, weight=weight.detach(), **k)
    each("bceLoss", plain_target(F.binary_cross_entropy), {}, p, truth)
    each("bceLoss", plain_target(plain_weight(F.binary_cross_entropy)), {"weight": "$2"}, p, truth, weight)
    edge = f32([0, 1, 1, 0, 0.5, 1e-30]), f32([0, 1, 0, 1, 1, 1])
    each("bceLoss", plain_target(F.binary_cross_entropy), {}, *edge, kinds=("none",))
    logits = f32([-100, -20, -3.5, -1, -0.25, 0, 0.5, 1, 2.75, 8, 20, 100], 3, 4)
    each("bceWithLogitsLoss", F.binary_cross_entropy_with_logits, {}, logits, truth)
    each(
        "bceWithLogitsLoss", lambda a, b, pos_weight, **k: F.binary_cross_entropy_with_logits(a, b, pos_weight=pos_weight.detach(), **k),
        {"posWeight": "$2"}, logits, truth, uniform(4, low=0.5, high=3), names=(("posWeight", "pos_weight"),),
    )
    each(
        "bceWithLogitsLoss",
        lambda a, b, weight, pos_weight, **k: F.binary_cross_entropy_with_logits(a, b, weight.detach(), pos_weight=pos_weight.detach(), **k),
        {"weight": "$2", "posWeight": "$3"}, logits, truth, weight, uniform(4, low=0.5, high=3), names=(("posWeight", "pos_weight"),),
    )

    logp = torch.log_softmax(uniform(3, 4), 1).float().double()
    share = f32([0.5, 0.25, 0.25, 0, 0.1, 0.2, 0.3, 0.4, 1, 0, 0, 0], 3, 4)
    kinds = ("mean", "sum", "none", "batchmean")
    each("klDivLoss", plain_target(F.kl_div), {}, logp, share, kinds=kinds)
    each("klDivLoss", F.kl_div, {"logTarget": True}, logp, torch.log_softmax(uniform(3, 4), 1).float().double(), kinds=kinds, names=(("logTarget", "log_target"),))

    names = (("ignoreIndex", "ignore_index"), ("labelSmoothing", "label_smoothing"))
    classes = uniform(4, low=0.2, high=2)
    still = lambda fn: lambda a, b, weight=None, **k: fn(a, b, weight=None if weight is None else weight.detach(), **k)
    for shape, targets in (((3, 4), torch.tensor([2, 0, 3])), ((2, 4, 3), integers(2, 3, high=4)), ((4,), torch.tensor(1)), ((2, 4, 2, 2), integers(2, 2, 2, high=4))):
        logits = uniform(*shape)
        for loss, fn in (("crossEntropy", F.cross_entropy), ("nllLoss", F.nll_loss)):
            data = torch.log_softmax(logits, 0 if len(shape) == 1 else 1).float().double() if loss == "nllLoss" else logits
            each(loss, still(fn), {}, data, targets, names=names)
            if len(shape) == 4:
                continue
            each(loss, still(fn), {"weight": "$2"}, data, targets, classes, names=names)
            if len(shape) == 1:
                continue
            each(loss, still(fn), {"ignoreIndex": 0}, data, targets, names=names)
            each(loss, still(fn), {"weight": "$2", "ignoreIndex": 3}, data, targets, classes, names=names)
            if loss == "crossEntropy":
                each(loss, still(fn), {"labelSmoothing": 0.1}, data, targets, names=names)
                each(loss, still(fn), {"weight": "$2", "labelSmoothing": 0.3, "ignoreIndex": 0}, data, targets, classes, names=names)
    targets = torch.tensor([1, -100, 3])
    each("crossEntropy", F.cross_entropy, {}, uniform(3, 4), targets)
    each("nllLoss", F.nll_loss, {}, torch.log_softmax(uniform(3, 4), 1).float().double(), targets)
    each("crossEntropy", F.cross_entropy, {}, f32([1000, -1000, 0, 500, 500, -2000], 2, 3), torch.tensor([1, 0]))
    for shape, dim in (((3, 4), 1), ((2, 4, 3), 1), ((4,), 0)):
        shares = torch.softmax(uniform(*shape), dim).float().double()
        for options in ({}, {"labelSmoothing": 0.1}, {"weight": "$2"}, {"weight": "$2", "labelSmoothing": 0.2}):
            each("crossEntropy", still(F.cross_entropy), options, uniform(*shape), shares, *([classes] if "weight" in options else []), names=names)
    golden.write()


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 0.001}),
    ("RMSprop", {"lr": 0.02, "weight_decay": 0.05}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.8}),
    ("RMSprop", {"lr": 0.02, "centered": True}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.8, "weight_decay": 0.05}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.05}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 0.001}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 0.001}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.5), "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.2}),
    ("AdamW", {"lr": 0.05, "betas": (0.8, 0.5), "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "maximize": True}),
]


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def flat(x):
    return [number(v) for v in x.detach().flatten().tolist()]


def dump(name, value):
    """One line for every item of the outermost lists."""
    def lines(v):
        return "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in v) + "\n]" if isinstance(v, list) else json.dumps(v, separators=(",", ":"))

    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(f'"{key}":{lines(v)}' for key, v in value.items()) + "\n}\n")


def optimizers():
    shapes = [[2, 3], [3]]
    start = [uniform(*shape) for shape in shapes]
    steps = [[uniform(*shape, low=-1, high=1) for shape in shapes] for _ in range(10)]
    # A gradient of zero, and a jump that makes amsgrad's maximum count.
    steps[3] = [torch.zeros_like(g) for g in steps[3]]
    steps[5] = [(g * 8).float().double() for g in steps[5]]
    runs = []
    for name, options in OPTIMIZERS:
        params = [p.clone().requires_grad_() for p in start]
        optimizer = getattr(torch.optim, name)(params, **{"lr": 0.01, **options} if name == "SGD" else options)
        after = []
        for gradients in steps:
            for p, g in zip(params, gradients):
                p.grad = g.clone()
            optimizer.step()
            after.append([flat(p) for p in params])
        runs.append({"optimizer": name, "options": {camel(k): v for k, v in options.items()}, "after": after})
    groups = [{"params": 0, "lr": 0.1, "momentum": 0.5}, {"params": 1, "weight_decay": 0.1}]
    params = [p.clone().requires_grad_() for p in start]
    optimizer = torch.optim.SGD([{**g, "params": [params[g["params"]]]} for g in groups], lr=0.02)
    after = []
    for i, gradients in enumerate(steps):
        if i == 5:
            optimizer.param_groups[0]["lr"] = 0.01  # as a schedule does
        for p, g in zip(params, gradients):
            p.grad = g.clone()
        optimizer.step()
        after.append([flat(p) for p in params])
    grouped = {"groups": [{camel(k): v for k, v in g.items()} for g in groups], "lr": 0.02, "lrFromStep5": 0.01, "after": after}

    clips = []
    gradients = steps[5]
    for kind, limit, p in (
        ("norm", 1.0, 2.0), ("norm", 1000.0, 2.0), ("norm", 1.0, math.inf), ("norm", 1.0, 1.0), ("norm", 1.0, 3.0), ("norm", 0.0, 2.0), ("value", 0.5, None),
    ):
        params = [q.clone().requires_grad_() for q in start]
        for q, g in zip(params, gradients):
            q.grad = g.clone()
        entry = {"kind": kind, "limit": limit}
        if kind == "norm":
            entry["normType"] = number(p)
            entry["total"] = number(torch.nn.utils.clip_grad_norm_(params, limit, p).item())
        else:
            torch.nn.utils.clip_grad_value_(params, limit)
        entry["after"] = [flat(q.grad) for q in params]
        clips.append(entry)
    dump("optimizers", {
        "shapes": shapes, "start": [flat(p) for p in start], "steps": [[flat(g) for g in s] for s in steps], "runs": runs, "grouped": grouped, "clips": clips,
    })


def modules():
    """Small networks with their state dicts, one forward and backward in training and in evaluation, and ten steps of training."""
    nn = torch.nn

    def state(model):
        return [[k, list(v.shape), flat(v)] for k, v in model.state_dict().items()]

    def fill(model):
        for p in list(model.parameters()) + [b for b in model.buffers() if b.dtype == torch.float64]:
            low, high = (0.5, 1.5) if p.dim() == 1 else (-0.8, 0.8)
            p.data.copy_(uniform(*p.shape, low=low, high=high))
        return model

    networks = []
    for layers in (
        [["Linear", 3, 2]],
        [["Linear", 3, 2, {"bias": False}]],
        [["Flatten"], ["Linear", 6, 4], ["ReLU"], ["Linear", 4, 2]],
        [["Linear", 3, 4], ["BatchNorm1d", 4], ["Tanh"], ["LayerNorm", 4], ["Linear", 4, 2], ["LogSoftmax", 1]],
        [["BatchNorm1d", 3, {"eps": 0.01, "momentum": 0.3}], ["GELU"], ["BatchNorm1d", 3, {"affine": False}]],
        [["BatchNorm1d", 3, {"track_running_stats": False}], ["Linear", 3, 3], ["LayerNorm", [3], {"elementwise_affine": False}]],
        [["Linear", 3, 5], ["Sigmoid"], ["Linear", 5, 5], ["LeakyReLU", 0.2], ["Linear", 5, 5], ["ELU"], ["SELU"], ["SiLU"], ["Softplus"], ["Softsign"],
         ["Hardtanh", -0.5, 0.8], ["Linear", 5, 2], ["Softmax", 1]],
    ):
        model = nn.Sequential(*(
            getattr(nn, name)(*[a for a in args if not isinstance(a, dict)], **next((a for a in args if isinstance(a, dict)), {}))
            for name, *args in layers
        )).double()
        fill(model)
        x = uniform(4, 2, 3) if layers[0][0] == "Flatten" else uniform(4, 3)
        entry = {
            "layers": [[name, *({camel(k): v for k, v in a.items()} if isinstance(a, dict) else a for a in args)] for name, *args in layers],
            "state": state(model), "x": flat(x), "xShape": list(x.shape),
        }
        for mode in ("train", "eval"):
            getattr(model, mode)()
            model.zero_grad()
            leaf = x.clone().requires_grad_()
            y = model(leaf)
            g = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape) / y.numel()
            y.backward(g)
            entry[mode] = {"y": flat(y), "xGrad": flat(leaf.grad), "grads": {k: flat(p.grad) for k, p in model.named_parameters()}}
        entry["stateAfter"] = state(model)
        networks.append(entry)

    trainings = []
    for optimizer_name, options in (("SGD", {"lr": 0.2, "momentum": 0.9}), ("Adam", {"lr": 0.02}), ("RMSprop", {"lr": 0.01}), ("AdamW", {"lr": 0.05})):
        model = fill(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double())
        optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), **options)
        x, y = uniform(8, 4), integers(8, high=3)
        entry = {"optimizer": optimizer_name, "options": {camel(k): v for k, v in options.items()}, "state": state(model), "x": flat(x), "y": flat(y), "losses": []}
        for _ in range(10):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            entry["losses"].append(number(loss.item()))
        entry["stateAfter"] = state(model)
        trainings.append(entry)

    gains = [[name, None, number(nn.init.calculate_gain(name))] for name in ("linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu")]
    gains.append(["leaky_relu", 0.2, number(nn.init.calculate_gain("leaky_relu", 0.2))])
    dump("modules", {"networks": networks, "trainings": trainings, "gains": gains})


if __name__ == "__main__":
    for write in (elementwise, reductions, products, layouts, norms, losses, optimizers, modules):
        write()
