"""Ops that move, find, sort and count: values and gradients with PyTorch's options."""
import itertools

import torch

from store import Compact, f32, integers, made, source

seeds = itertools.count()


def uniform(*shape):
    return made(next(seeds), *shape)


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Moves(Compact):
    def fn(self, name, args, *inputs, torch_args=None, home=torch, call=None, pick=None, options=None, **extra):
        """A function of input 0 and `args`; those that are "$1" … are inputs. `pick` is one of several results."""
        theirs = getattr(home, name) if hasattr(home, name) else getattr(torch.Tensor, name)

        def answer(*tensors):
            def fill(a):
                if isinstance(a, str) and a.startswith("$"):
                    return tensors[int(a[1:])]
                return [fill(item) for item in a] if isinstance(a, list) else a

            keywords = {key: fill(value) for key, value in (options or {}).items()}
            result = theirs(*[fill(a) for a in (torch_args if torch_args is not None else ["$0", *args])], **keywords)
            result = result if pick is None else result[pick] if isinstance(pick, int) else getattr(result, pick)
            return result

        ours = [*(args if args[:1] == [["$0", "$1"]] else ["$0", *args]), *([{camel(k): v for k, v in options.items()}] if options else [])]
        title = f"{name} {args} {options or ''} {list(inputs[0].shape)} {'' if pick is None else pick}"
        self.case(title, call or camel(name), ours, answer, *inputs, **({} if pick is None else {"pick": pick}), **extra)


def shapes(golden):
    x, m, v = uniform(2, 3, 4), uniform(3, 5), uniform(6)
    for dims in ([1, 2], [-1], [0, 1, 2]):
        golden.fn("flip", [dims], x)
    golden.fn("flip", [[0]], integers(5, high=9))
    golden.fn("fliplr", [], m)
    golden.fn("flipud", [], m)
    for args in ([1], [-2], [[1, -1], [0, 2]], [3, 1], [[2, 1], [1, 1]]):
        golden.fn("roll", args, x)
    for args in ([], [2], [-1], [1, [1, 2]], [1, [2, 0]]):
        golden.fn("rot90", args, x)
    for name in ("repeat", "tile"):
        for sizes in ([2, 1, 3], [2, 2, 1, 1], [0, 1, 2]):
            golden.fn(name, [sizes], x)
    golden.fn("repeat", [[1, 1, 1]], x)
    golden.fn("tile", [[2]], x)
    golden.fn("tile", [[3, 2]], x)
    golden.fn("broadcast_to", [[2, 3, 4]], uniform(3, 1))
    for name in ("expand_as", "view_as", "reshape_as"):
        golden.fn(name, ["$1"], uniform(3, 1) if name == "expand_as" else uniform(4, 6), uniform(2, 3, 4))
    for args in ([0, 2], [-1, 0], [[0, 1], [2, 0]]):
        golden.fn("movedim", args, x)
    golden.fn("moveaxis", [-1, 0], x)
    golden.fn("swapaxes", [0, 2], x)
    golden.fn("swapdims", [1, -1], x)
    for args in ([], [1], [-2], [0, 1, 2], [1, -1, 0], [9]):
        golden.fn("diagonal", args, x)
    for args in ([], [2], [-1]):
        golden.fn("diag", args, v)
        golden.fn("diag", args, m)
        golden.fn("diagflat", args, uniform(2, 2))
    for args in ([], [1], [-1, 0, 2], [0, 2, 1]):
        golden.fn("diag_embed", args, m)
    for args in ([1, 2, 1], [0, 2, 2], [-1, 3, 1], [2, 4, 3]):
        golden.fn("unfold", args, x)
    for args in ([], [1], [-2], [-9]):
        golden.fn("tril", args, x)
        golden.fn("triu", args, x)
    golden.fn("tril", [], integers(4, 4, high=9))
    for name in ("tril_indices", "triu_indices"):
        for args in ([3, 4], [4, 3, 1], [4, 3, -2], [2, 5, 3], [0, 3], [3, 2, -5]):
            golden.case(f"{name} {args}", camel(name), args, lambda *_: getattr(torch, name)(*args))
    for args, count in (([2], 2), ([3, 2], 2), ([5, 1], 3), ([4, -1], 4)):
        golden.fn("chunk", args, x, pick=count - 1)
    for args in ([2, 2], [3, 1], [[1, 2], 1], [[-1], 2], [[2, 1], 2], [[7], 0]):
        golden.fn("tensor_split", args, x, pick=1)
    golden.fn("hsplit", [3], x, pick=1)
    golden.fn("hsplit", [2], v, pick=1)
    golden.fn("vsplit", [[1]], x, pick=1)
    for name in ("hstack", "vstack", "dstack", "column_stack"):
        for a, b in ((uniform(3), uniform(3)), (uniform(2, 3), uniform(2, 3)), (x, x)):
            golden.fn(name, [["$0", "$1"]], a, b, torch_args=[["$0", "$1"]])
    for indexing in ("ij", "xy"):
        for pick in (0, 1):
            golden.fn("meshgrid", [["$0", "$1"]], uniform(3), uniform(2), torch_args=["$0", "$1"], options={"indexing": indexing}, pick=pick)
    golden.fn("broadcast_tensors", [["$0", "$1"]], uniform(3, 1), uniform(2), torch_args=["$0", "$1"], pick=1)


def indexed(tensors, index):
    """Our list of indices as Python has it."""
    def one(i):
        if isinstance(i, str) and i.startswith("$"):
            t = tensors[int(i[1:])]
            return t.bool() if t.dtype == torch.uint8 else t
        if i == "...":
            return ...
        if isinstance(i, str):
            return slice(*[int(part) if part else None for part in i.split(":")])
        return i

    return tuple(one(i) for i in index)


def indices(golden):
    x = uniform(3, 4, 5)
    i, j = torch.tensor([2, 0, -1]), torch.tensor([[1], [-2]])
    mask, row = (integers(3, 4, high=2)).to(torch.uint8), torch.tensor([1, 0, 1], dtype=torch.uint8)
    cases = [
        [0], [-1, 2], [1, 2, 3], [":"], ["1:"], [":-1", "::2"], ["-2:", ":", "1:4:2"], ["5:"], ["..."], ["...", 0], [0, "...", "1:3"],
        [None], [0, None, ":"], ["...", None], [None, "1:2", None, 3],
        [[1, 2]], [":", [0, 3, 3]], [0, ":", [1, 3]], ["...", [[0, 1], [4, -1]]], ["$1"], [":", "$2"], ["$1", "$2"], [":", "$1", "$2"],
        ["$1", ":", "$2"], ["$1", None, "$2"], ["$1", 0, [1, 2, 3]], [1, "$1", [1, 2, 3]], ["1:", "$2", "$1"], [[], 1], [[True, False, True]], ["$5"],
    ]
    masks = [["$3"], ["$3", 1], ["$3", "1:3"], ["$4"], ["$4", [1, 0]], [None, "$4", "...", "::2"]]
    scalar = torch.tensor(1)
    inputs = (x, i, j, mask, row, scalar)
    for index in [*cases, *masks]:
        dynamic = {"dynamic": True} if index in masks else {}
        used = [int(name[1:]) for name in index if isinstance(name, str) and name.startswith("$")]
        tensors = [inputs[0], *(inputs[at] for at in used)]
        place = {f"${at}": f"${1 + n}" for n, at in enumerate(used)}
        index = [place.get(name, name) if isinstance(name, str) else name for name in index]
        golden.case(f"{index}", "at", ["$0", *index], lambda *t: t[0][indexed(t, index)], *tensors, **dynamic)

        def put(*t):
            y = t[0].clone()
            y[indexed(t, index)] = t[-1]
            return y

        shape = x[indexed(tensors, index)].shape
        golden.case(f"{index} of a number", "setAt", ["$0", index, 2.5], lambda *t: put(*t, torch.tensor(2.5).double()), *tensors, **dynamic)
        # Where an index comes twice, PyTorch may take any.
        if shape.numel() and index != [":", [0, 3, 3]] and not {1, 2} & {*used}:
            value = uniform(*shape)
            golden.case(f"{index} of all", "setAt", ["$0", index, f"${len(tensors)}"], lambda *t: put(*t), *tensors, value, **dynamic)
    for accumulate in (False, True):
        places = [torch.tensor([0, 2, 0]) if accumulate else torch.tensor([0, 2, 1]), torch.tensor([1, -1, 1])]
        for values in (uniform(3, 5), uniform(5), uniform()):
            golden.fn("index_put", [["$1", "$2"], "$3", accumulate], x, *places, values)
    golden.fn("index_put", [["$1"], "$2", True], integers(4, high=9), torch.tensor([1, 1, 3]), torch.tensor([5, 6, 7]))

    a, m = uniform(4, 3), torch.tensor([[0, 2, 1], [3, 3, 0], [1, 0, 2], [0, 1, 3], [2, 2, 2]])
    once = torch.tensor([[0, 2, 1], [3, 3, 0]])
    values = uniform(5, 4)
    golden.fn("scatter", [0, "$1", "$2"], a, once, uniform(2, 3))
    # PyTorch has no gradient for a source that is larger than the index.
    golden.case("scatter of a part", "scatter", ["$0", 0, "$1", "$2"], lambda t, i, s: t.scatter(0, i, s.detach()), a, once, values, partial=True)
    golden.fn("scatter", [0, "$1", 1.5], a, m)
    golden.fn("scatter", [1, "$1", "$2"], a, torch.tensor([[2, 0], [1, 2]]), uniform(2, 2))
    for reduce in ("add", "multiply"):
        golden.case(f"scatter {reduce}", "scatter", ["$0", 0, "$1", "$2", {"reduce": reduce}], lambda t, i, s: t.detach().scatter(0, i, s.detach(), reduce=reduce), a, m, values[:, :3].clone())
    golden.fn("scatter", [0, "$1", "$2"], integers(4, high=9), torch.tensor([1, 3]), torch.tensor([7, 8]))
    bits = torch.tensor([1, 0, 1, 0], dtype=torch.uint8)
    golden.fn("scatter", [0, "$1", "$2"], bits, torch.tensor([1, 0]), bits[:2])
    tied = f32([0, 1, 1, 2, 0, 2, 1, 3, 1, 1, 0, 2, 3, 1, 2, 0, 1, 1, 1, 0], 5, 4)
    with_zeros = f32([0, 1, 2, 0.5, 0, 3, 1, 1, 0, -2, 1.5, 2], 4, 3)
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for include in ({}, {"include_self": False}):
            # Without itself, PyTorch still counts what x has among those that share the gradient of an extreme.
            alike = [] if include and reduce in ("amax", "amin") else [(with_zeros, tied[:, :3].clone())]
            for x0, src in ((a, values[:, :3].clone()), *alike):
                golden.fn("scatter_reduce", [0, "$1", "$2", reduce], x0, m, src, options=include)
            if reduce != "sum":
                golden.fn("index_reduce", [0, "$1", "$2", reduce], a, torch.tensor([0, 3, 0, 1, 0]), values[:, :3].clone(), options=include)
        if reduce != "mean":
            golden.fn("scatter_reduce", [0, "$1", "$2", reduce], integers(3, high=5), torch.tensor([0, 2, 2, 0]), integers(4, high=9))
    for dim, source in ((0, uniform(2, 3)), (1, uniform(4, 2))):
        index = torch.tensor([2, 0])
        golden.fn("index_add", [dim, "$1", "$2"], a, index, source)
        golden.fn("index_add", [dim, "$1", "$2"], a, torch.tensor([1, 1]), source, options={"alpha": -1.5})
        golden.fn("index_copy", [dim, "$1", "$2"], a, index, source)
        golden.fn("index_fill", [dim, "$1", 2.5], a, index)
        golden.fn("index_fill", [dim, "$1", "$2"], a, index, uniform())
    golden.fn("index_add", [0, "$1", "$2"], integers(4, high=9), torch.tensor([1, 1]), torch.tensor([5, 6]), options={"alpha": 2})
    places = torch.tensor([[1, -1], [5, 0]])
    golden.fn("take", ["$1"], a, places)
    golden.fn("put", ["$1", "$2"], a, places, uniform(2, 2))
    golden.fn("put", ["$1", "$2", True], a, torch.tensor([1, 1, -1, 3]), uniform(2, 2))
    golden.fn("take_along_dim", ["$1", 0], a, torch.tensor([[1], [3]]))
    golden.fn("take_along_dim", ["$1", 1], uniform(1, 3), torch.tensor([[1], [2], [0]]))
    golden.fn("take_along_dim", ["$1"], a, torch.tensor([7, 0, 11]))
    which = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]], dtype=torch.uint8)
    for each in (which, torch.tensor([1, 0, 1], dtype=torch.uint8), which * 0):
        golden.case(f"maskedScatter {each.tolist()}", "maskedScatter", ["$0", "$1", "$2"], lambda t, w, s: t.masked_scatter(w.bool(), s), a, each, uniform(3, 4))
    for each in (which, integers(2, 2, 3, high=2) - 0, f32([0, -0.0, float("nan"), 2]), which * 0, f32([3])[0]):
        for name in ("nonzero", "argwhere"):
            golden.fn(name, [], each, dynamic=True)
        if each.dim():
            golden.case(f"nonzero {list(each.shape)} as lists", "nonzero", ["$0", {"asTuple": True}], lambda t: t.nonzero(as_tuple=True)[-1], each, pick=max(0, each.dim() - 1), dynamic=True)
            golden.case(f"whereIndices {list(each.shape)}", "whereIndices", ["$0"], lambda t: torch.where(t)[0], each, pick=0, dynamic=True)


NAN = float("nan")


def picks(golden, name, args, x, **extra):
    """A function that gives values and indices; where PyTorch may take any of equal ones, only values."""
    golden.fn(name, args, x, pick="values", **extra)
    golden.fn(name, args, x, pick="indices", **extra)


def orders(golden):
    x, some = uniform(3, 5, 2), f32([2, NAN, -1, 0.5, NAN, 3, float("inf"), -float("inf")], 2, 4)
    tied = f32([1, 0, 1, 2, 0, 2, 1, 1, 0, 3], 2, 5)
    for args in ([], [1], [0, True], [-2, True]):
        picks(golden, "sort", args, x)
        golden.fn("argsort", args, x)
    for at in (some, tied, uniform(1)[0], uniform(2, 0)):
        for down in (False, True):
            picks(golden, "sort", [], at, options={"dim": -1, "descending": down, "stable": True})
            golden.fn("argsort", [], at, options={"dim": -1, "descending": down, "stable": True})
    picks(golden, "sort", [], integers(2, 6, high=100) - 50)
    picks(golden, "sort", [], torch.tensor([3, 255, 0, 7], dtype=torch.uint8))
    golden.fn("msort", [], x)
    for args in ([2], [3, 1], [1, 0, False], [2, 1, False, True], [0, 1], [5, 1]):
        picks(golden, "topk", args, x)
    golden.fn("topk", [2], some, pick="values")
    golden.fn("topk", [3], integers(9, high=100), pick="values")
    for args in ([1], [3, 1], [2, 0, True]):
        picks(golden, "kthvalue", args, x)
    for name in ("cummax", "cummin"):
        for dim in (0, 1, -1):
            picks(golden, name, [dim], x)
        for at in (some, tied, integers(2, 6, high=5)):
            picks(golden, name, [1], at)
        picks(golden, name, [0], uniform(1)[0])
    row, rows = f32([-1, 0, 0, 1.5, 2]), f32([-1, 0, 0, 1.5, 2, 0, 1, 2, 2, 3], 2, 5)
    values = f32([0, -2, 1.75, 2, 5, 1], 2, 3)
    for right in (False, True):
        for sequence in (row, rows):
            golden.fn("searchsorted", ["$1"], sequence, values, options={"right": right})
        golden.fn("searchsorted", ["$1"], integers(5, high=9).sort().values, integers(2, 3, high=9), options={"right": right})
        golden.fn("searchsorted", [1.0], row, options={"right": right})
        golden.fn("bucketize", ["$1"], values, row, options={"right": right})
    golden.fn("searchsorted", ["$1"], row, values, options={"side": "right"})
    golden.fn("searchsorted", ["$1"], f32([2, -1, 0, 1.5, 0]), values, torch.tensor([1, 2, 4, 3, 0]), options={"sorter": "$2"})


def statistics(golden):
    x, some = uniform(3, 5, 2), f32([2, NAN, -1, 0.5, 3, 3, 4, -2.5], 2, 4)
    tied = f32([1, 0, 1, 2, 0, 2, 1, 1, 0, 3], 2, 5)
    for name in ("median", "nanmedian"):
        for at in (x, some, tied, integers(7, high=50), uniform(1)[0]):
            golden.fn(name, [], at)
        for args in ([0], [1], [-1, True]):
            picks(golden, name, args, x)
        golden.fn(name, [1], some, pick="values")
        golden.fn(name, [1], f32([NAN, NAN, NAN, 1], 2, 2), pick="values")
    for name in ("quantile", "nanquantile"):
        for interpolation in ("linear", "lower", "higher", "nearest", "midpoint"):
            golden.fn(name, [0.3, 1], x, options={"interpolation": interpolation})
            golden.fn(name, ["$1", 1], some, f32([0, 0.25, 0.7, 1]), options={"interpolation": interpolation})
        golden.fn(name, [0.25], x)
        golden.fn(name, ["$1"], x, f32([0.1, 0.5]))
        golden.fn(name, ["$1", 0, True], x, f32([0.1, 0.5]))
        golden.fn(name, [0.6, -1, True], x)
        golden.fn(name, [0.6], x, options={"keepdim": True})
        golden.fn(name, [0.5], uniform(1)[0])
    for args in ([], [0], [0, True]):
        golden.fn("mode", args, tied, pick="values")
        golden.fn("mode", args, x, pick="values")
    golden.fn("mode", [], f32([1, 2, 3, 4, 4]), pick="values")
    golden.fn("mode", [], integers(3, 9, high=3), pick="values")


def counts(golden):
    values = f32([-1, 0, 0.1, 0.5, 0.99, 1, 1.5, 2, 2, NAN])
    for args in ([4, 0, 2], [3, -1, 1], [5, 0.5, 0.5]):
        golden.fn("histc", args, values[:9].clone())
    golden.fn("histc", [3, 0, 2], values)
    golden.fn("histc", [], uniform(2, 3))
    golden.fn("histc", [2], f32([3, 3]))
    n = integers(9, high=5)
    for args in ([], [None, 8], ["$1"], ["$1", 7]):
        golden.case(f"bincount {args}", "bincount", ["$0", *args], lambda t, w: torch.bincount(t, *[w.detach() if a == "$1" else a if a is not None else None for a in args[:1]], **({"minlength": args[1]} if args[1:] else {})), n, uniform(9), dynamic=True)
    golden.fn("bincount", [], torch.tensor([3, 1, 3], dtype=torch.uint8), dynamic=True)
    x = uniform(3, 4)
    for args in ([], [2], [1, 0], [0], [5, 1]):
        golden.fn("diff", args, x)
    golden.fn("diff", [1, 0, "$1", "$2"], x, uniform(1, 4), uniform(2, 4))
    golden.fn("diff", [], integers(5, high=9))
    for a, b in ((integers(2, 3, high=9), integers(4, high=9)), (f32([1, NAN, 2, 0]), f32([2, NAN, 0])), (f32([1, 2]), f32([])), (f32([1, 2]), f32([2])[0])):
        for invert in (False, True):
            golden.fn("isin", ["$1"], a, b, options={"invert": invert})
    for args in ([2], [3, 0], [2, 1], [0, 1]):
        golden.fn("repeat_interleave", args, x)
    golden.fn("repeat_interleave", ["$1", 0], x, torch.tensor([2, 0, 3]), dynamic=True)
    golden.fn("repeat_interleave", ["$1", 1], x, torch.tensor([2]), options={"output_size": 8})
    golden.fn("repeat_interleave", ["$1", 0], x, torch.tensor([1, 0, 3]), options={"output_size": 4})
    again = f32([2, 1, 2, -1, -1, 0, 2, 2], 2, 4)
    sets = {"output": 0, "inverseIndices": 1, "counts": 2}
    rows = torch.tensor([[1, 0, 2], [1, 0, 1], [1, 0, 2], [0, 3, 1], [0, 3, 1]])
    for name, fn in (("unique", torch.unique), ("uniqueConsecutive", torch.unique_consecutive)):
        for at, options in ((again, {}), (rows, {}), (rows, {"dim": 0}), (again, {"dim": 1}), (rows.to(torch.uint8), {}), (f32([]), {}), (f32([1, NAN, NAN, 1]), {})):
            for pick, which in sets.items():
                asked = {"returnInverse": True, "returnCounts": True, **options}
                golden.case(f"{name} {list(at.shape)} {options} {pick}", name, ["$0", asked], lambda t: fn(t.detach(), return_inverse=True, return_counts=True, **options)[which], at, pick=pick, dynamic=True)
        golden.case(f"{name} alone", name, ["$0"], lambda t: fn(t.detach()), again, dynamic=True)


def moves():
    # Numbers of its own, whatever was written before, so that the file changes with its cases alone.
    before = source.getstate()
    source.seed(10)
    golden = Moves("moves")
    shapes(golden)
    indices(golden)
    orders(golden)
    statistics(golden)
    counts(golden)
    golden.write()
    source.setstate(before)
