"""Writes in place to a result and to views of it: what the whole and views made before and after hold, and all gradients."""
import math
import random
import re

import torch

from store import dump, f32

chance = random.Random(7)


def uniform(*shape, low=-2.0, high=2.0):
    """Of a generator of its own, so that other files stay as they are."""
    return f32([round(chance.uniform(low, high), 3) for _ in range(math.prod(shape))]).reshape(shape)


def numbers(x):
    """As many digits as the tolerance asks for, and one more."""
    short = [float(f"{v:.5g}") for v in x.flatten().tolist()]
    return [int(v) if v == int(v) else v for v in short]


# Where the write goes: a view of `base`, of shape [3, 4].
PLACES = {
    "whole": lambda base: base,
    "slice": lambda base: base.narrow(1, 1, 2),
    "transposed": lambda base: base.t(),
    "view of a view": lambda base: base.t().narrow(0, 1, 2).select(1, 1),
    "reshaped": lambda base: base.view(2, 6).select(0, 1).view(3, 2),
}
ONE = "abs ceil cos erf exp expm1 floor log log1p neg reciprocal relu round rsqrt sigmoid sign sin sqrt square tanh trunc zero".split()
TWO = "add sub mul div eq ne lt le gt ge copy".split()
SNAKE = {"maskedFill": "masked_fill", "scatterAdd": "scatter_add"}
CALLS = [(name, []) for name in ONE] + [(name, ["other"]) for name in TWO] + [
    ("add", [1.5]), ("clamp", [0.6, 1.1]), ("cumsum", [0]), ("fill", [0.75]), ("lerp", ["other", 0.3]), ("maskedFill", ["mask", 0.5]), ("pow", [2]),
    ("pow", ["other"]), ("scatterAdd", [0, "index", "source"]),
]
# Functions of torch.nn.functional: those that are asked to write, and those that always do.
ASKED = [
    ("relu", []), ("leakyRelu", [0.2]), ("elu", [0.7]), ("selu", []), ("silu", []), ("mish", []), ("hardtanh", [-0.4, 0.5]), ("relu6", []), ("celu", [0.7]),
    ("hardswish", []), ("threshold", [0.1, -0.5]), ("rrelu", [0.25, 0.25, True]), ("dropout", [1.0, True]),
]
ALWAYS = {"relu", "leakyRelu", "elu", "selu", "hardtanh", "celu", "threshold", "rrelu"}
# PyTorch has no second derivative of it.
ONCE = [("F.hardsigmoid", [True])]
CALLS += ONCE + [(f"F.{name}", [*args, True]) for name, args in ASKED] + [(f"F.{name}_", args) for name, args in ASKED if name in ALWAYS]


def run(call, args, place, leaf, other, weights, recorded):
    base = leaf * 1 if recorded else leaf.detach().clone()
    before = base.narrow(0, 1, 2)
    target = PLACES[place](base)
    # One number for all places, whatever their shape.
    given = {"other": other, "mask": torch.tensor(True)}
    if call == "scatterAdd":
        given |= {"index": torch.ones_like(target[:1], dtype=torch.int64), "source": other.expand_as(target[:1])}
    if call.startswith("F."):
        target.sub_(1)  # to both sides of 0
        fn = getattr(torch.nn.functional, re.sub("[A-Z]", lambda m: "_" + m[0].lower(), call[2:]))
        assert fn(target, *args) is target
    else:
        getattr(target, SNAKE.get(call, call) + "_")(*[given.get(a, a) if isinstance(a, str) else a for a in args])
    after = base.t().select(1, 2)
    total = (base * weights).sum() + (before.square() * weights[1:]).sum() + (after.square() * weights[0]).sum()
    return base, total


def inplace():
    leaf, other, weights = uniform(3, 4, low=0.3, high=1.9), uniform(1, low=0.4, high=1.4).reshape([]), uniform(3, 4)
    cases = []
    for call, args in CALLS:
        for place in ("whole", "view of a view") if call.startswith("F.") else PLACES:
            for recorded in (True, False):
                if not recorded and not {"other", "source"} & set(args) or not recorded and call in ("eq", "ne", "lt", "le", "gt", "ge"):
                    continue
                x, y = leaf.clone().requires_grad_(), other.clone().requires_grad_()
                base, total = run(call, args, place, x, y, weights, recorded)
                leaves = [x, y] if recorded else [y]
                first = torch.autograd.grad(total, leaves, create_graph=True, allow_unused=True, materialize_grads=True)
                whole = sum((d * d).sum() for d in first)
                second = torch.autograd.grad(whole, leaves, allow_unused=True, materialize_grads=True) if whole.requires_grad and (call, args) not in ONCE else [torch.zeros_like(d) for d in leaves]
                cases.append({
                    "call": call, "args": args, "place": place, "recorded": recorded, "values": numbers(base.detach()) if recorded else None,
                    "grads": [numbers(d.detach()) for d in first], "second": [numbers(d) for d in second] if place == "view of a view" and (call, args) not in ONCE else None,
                })
    dump("inplace", {"leaf": numbers(leaf), "other": numbers(other), "weights": numbers(weights), "cases": cases})
