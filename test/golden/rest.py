"""Ops by index and counts, with what PyTorch allows of shapes: values and gradients."""
import torch

from moves import Moves
from store import integers, made, source as chance


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


def rest():
    chance.seed(77)  # so that it follows from no other file
    golden = Moves("rest")
    indexed(golden)
    golden.write()
