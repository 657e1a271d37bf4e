"""Ops by index and counts, with what PyTorch allows of shapes: values and gradients."""
import math

import torch

from moves import Moves
from store import f32, integers, made, source as chance


def indexed(golden):
    """An index that is smaller than x, and a source that is larger than the index."""
    for seed, (shape, dim, index, src) in enumerate([
        ((3, 4), 0, (2, 3), (2, 3)), ((3, 4), 1, (2, 6), (3, 7)), ((3, 4), -2, (5, 4), (6, 5)), ((2, 3, 4), 1, (1, 2, 3), (2, 2, 4)), ((4,), 0, (2,), (5,)),
    ]):
        x, places, source = made(700 + seed, *shape), integers(*index, high=shape[dim]), made(720 + seed, *src)
        # PyTorch gives a larger source no gradient, but for the part that it takes.
        part = lambda s: s[tuple(slice(0, n) for n in index)]
        golden.case("", "scatterAdd", ["$0", dim, "$1", "$2"], lambda x, i, s: x.scatter_add(dim, i, part(s)), x, places, source)
        golden.case("", "scatterReduce", ["$0", dim, "$1", "$2", "sum"], lambda x, i, s: x.scatter_reduce(dim, i, part(s), "sum"), x, places, source)
        golden.fn("gather", [dim, "$1"], x, places)
        if index[dim] <= shape[dim]:  # PyTorch may take any of those that meet
            order = torch.arange(index[dim]).reshape([-1 if d == dim % len(shape) else 1 for d in range(len(shape))]).expand(index).contiguous()
            golden.case("", "scatter", ["$0", dim, "$1", "$2"], lambda x, i, s: x.scatter(dim, i, part(s)), x, order, source)


def histograms(golden):
    x, weight = made(740, 3, 5), made(741, 3, 5, low=0.1, high=2.0)
    edges = f32([-1.5, -0.25, 0.5, 1.75])
    for options in ({"bins": 4}, {"bins": 5, "range": [-1, 1.5]}, {"bins": 3, "range": [0.5, 0.5]}, {"bins": "$2"}):
        for more in ({}, {"weight": "$1"}, {"density": True}, {"weight": "$1", "density": True}):
            for pick in ("hist", "bin_edges") if not more else ("hist",):
                histogram(golden, "histogram", {**options, **more}, pick, x, weight, edges)
    histogram(golden, "histogram", {"bins": 3}, "bin_edges", f32([2, 2]), weight, edges)
    histogram(golden, "histogram", {"bins": 4, "range": [0, 2]}, "hist", f32([0, 0.5, 1, 1.5, 2, 2.5, -0.5, math.nan]), weight, edges)
    points, mass = made(742, 7, 2), made(743, 7, low=0.1, high=2.0)
    for options in ({"bins": 3}, {"bins": [2, 4]}, {"bins": [2, 3], "range": [-1, 1, -1.5, 2]}, {"bins": ["$2", "$2"]}):
        for more in ({}, {"weight": "$1", "density": True}):
            histogram(golden, "histogramdd", {**options, **more}, "hist", points, mass, edges)
    histogram(golden, "histogramdd", {"bins": [2, 2, 1]}, "hist", made(744, 2, 4, 3), mass, edges)


def histogram(golden, name, options, pick, *inputs):
    """PyTorch takes ranges as tuples."""
    inputs = inputs[: 1 + max([int(v[1]) for o in options.values() for v in (o if isinstance(o, list) else [o]) if isinstance(v, str)], default=0)]

    def answer(*tensors):
        fill = lambda a: [fill(v) for v in a] if isinstance(a, list) else tensors[int(a[1:])].detach() if isinstance(a, str) else a
        bins, *_ = [fill(v) for k, v in options.items() if k == "bins"]
        return getattr(getattr(torch, name)(tensors[0].detach(), bins, **{k: tuple(v) if k == "range" else fill(v) for k, v in options.items() if k != "bins"}), pick)

    rest = {k: v for k, v in options.items() if k != "bins"}
    golden.case("", name, ["$0", options["bins"], *([rest] if rest else [])], answer, *inputs, pick={"hist": "hist", "bin_edges": "binEdges"}[pick])


def rest():
    chance.seed(77)  # so that it follows from no other file
    golden = Moves("rest")
    indexed(golden)
    histograms(golden)
    golden.write()
