"""Ops that move, find, sort and count: values and gradients with PyTorch's options."""
import torch

from store import Golden, f32, integers, source, uniform


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Moves(Golden):
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
    for dims in ([0], [1, 2], [-1], [0, 1, 2]):
        golden.fn("flip", [dims], x)
    golden.fn("flip", [[0]], integers(5, high=9))
    golden.fn("fliplr", [], m)
    golden.fn("flipud", [], m)
    for args in ([1], [-2], [7], [[1, -1], [0, 2]], [3, 1], [[2, 1], [1, 1]]):
        golden.fn("roll", args, x)
    for args in ([], [2], [3], [-1], [1, [1, 2]], [1, [2, 0]]):
        golden.fn("rot90", args, x)
    for name in ("repeat", "tile"):
        for sizes in ([2, 1, 3], [2, 2, 1, 1], [1, 1, 1], [0, 1, 2]):
            golden.fn(name, [sizes], x)
    golden.fn("tile", [[2]], x)
    golden.fn("tile", [[3, 2]], x)
    golden.fn("broadcast_to", [[2, 3, 4]], uniform(3, 1))
    for name in ("expand_as", "view_as", "reshape_as"):
        golden.fn(name, ["$1"], uniform(3, 1) if name == "expand_as" else uniform(4, 6), uniform(2, 3, 4))
    for name in ("movedim", "moveaxis"):
        for args in ([0, 2], [-1, 0], [[0, 1], [2, 0]]):
            golden.fn(name, args, x)
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
    for args in ([], [1], [-2], [4], [-9]):
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


def moves():
    # Numbers of its own, whatever was written before, so that the file changes with its cases alone.
    before = source.getstate()
    source.seed(10)
    golden = Moves("moves")
    shapes(golden)
    golden.write()
    source.setstate(before)
