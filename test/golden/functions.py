"""Cases of the functions and methods: values and gradients with PyTorch's options."""
import math

import torch
import torch.nn.functional as F

from store import Golden, f32, integers, uniform


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
        ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}), ("softplus", {}), ("softplus", {"beta": 2, "threshold": 3}),
        ("softsign", {}), ("hardtanh", {}), ("hardtanh", {"minVal": -2.5, "maxVal": 0.5}), ("sigmoid", {}), ("tanh", {}),
    ):
        python = {"negativeSlope": "negative_slope", "minVal": "min_val", "maxVal": "max_val"}
        torch_name = {"leakyRelu": "leaky_relu"}.get(name, name)
        arguments = {python.get(key, key): value for key, value in options.items()}
        golden.case(
            f"{name}{options or ''}", f"F.{name}", ["$0", options] if options else ["$0"],
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
    for weight in (0, 0.25, 1, 2):
        golden.case(f"lerp {weight}", *method("lerp", "$1", weight), lambda t, end: torch.lerp(t, end, weight), *pairs["ties and zeros"])
    golden.case("lerp by a tensor", *method("lerp", "$1", "$2"), torch.lerp, *pairs["ties and zeros"], f32([0, 0.5, 1, -1, 0.25]))
    golden.case("where", "where", ["$0", "$1", "$2"], lambda m, a, b: torch.where(m.bool(), a, b), mask, uniform(2, 3), uniform(2, 1))
    golden.case("where a number", "where", ["$0", "$1", -2], lambda m, a: torch.where(m.bool(), a, -2.0), mask, uniform(2, 3))
    for name in ("add", "sub"):
        fn = getattr(torch, name)
        golden.case(f"{name} alpha", *method(name, "$1", {"alpha": -0.5}), lambda a, b: fn(a, b, alpha=-0.5), ordinary, f32([1, -2, 3, 0.5, 4]))
        golden.case(f"{name} number, alpha", *method(name, 1.5, {"alpha": 3}), lambda a: fn(a, 1.5, alpha=3), ordinary)
    golden.write()


def masks():
    """Integers and masks: arithmetic that wraps, bits, logic, selection."""
    golden = Golden("masks")
    a, b = integers(3, 4, high=200), integers(4, high=200)
    i32 = (a * 12345 - 700000, b - 100)
    u8 = (a.to(torch.uint8), b.to(torch.uint8))
    mask = (a % 3).to(torch.uint8)
    other = (b % 2).to(torch.uint8)
    for name in ("add", "sub", "mul", "maximum", "minimum"):
        for dtype, (x, y) in (("i32", i32), ("u8", u8)):
            golden.case(f"{name} {dtype}", *method(name, "$1"), getattr(torch, name), x, y)
    for dtype, (x, y) in (("i32", i32), ("u8", u8)):
        for name in ("bitwiseAnd", "bitwiseOr", "bitwiseXor"):
            fn = getattr(torch, name.replace("wise", "wise_").lower())
            golden.case(f"{name} {dtype}", *method(name, "$1"), fn, x, y)
        golden.case(f"bitwiseNot {dtype}", *method("bitwiseNot"), torch.bitwise_not, x)
        golden.case(f"sum {dtype}", *method("sum", 1), lambda t: t.long().sum(1), x)
        golden.case(f"where {dtype}", "where", ["$0", "$1", "$2"], lambda m, p, q: torch.where(m.bool(), p, q), mask, x, y)
    for name in ("logicalAnd", "logicalOr", "logicalXor"):
        fn = getattr(torch, name.replace("logical", "logical_").lower())
        golden.case(name, *method(name, "$1"), fn, mask, other)
    golden.case("logicalNot", *method("logicalNot"), torch.logical_not, mask)
    x = uniform(3, 4)
    for kind, m in (("a mask", mask), ("a row", other), ("nothing", mask * 0)):
        golden.case(f"maskedSelect by {kind}", *method("maskedSelect", "$1"), lambda t, m: torch.masked_select(t, m.bool()), x, m)
        golden.case(f"maskedFill by {kind}", *method("maskedFill", "$1", -2.5), lambda t, m: t.masked_fill(m.bool(), -2.5), x, m)
    golden.case("maskedSelect of integers", *method("maskedSelect", "$1"), lambda t, m: torch.masked_select(t, m.bool()), i32[0], mask)
    golden.case("indexSelect by a mask", *method("indexSelect", 1, "$1"), lambda t, m: t[:, m.bool()], x, other)
    torch.set_default_dtype(torch.float64)  # what integers become
    promotions(golden)
    torch.set_default_dtype(torch.float32)
    golden.write()


def promotions(golden):
    """Operands of two dtypes, and integers where floats are the rule."""
    kinds = {
        "f32": f32([0.5, -1.5, 2, 0, 3.25, -0.25], 2, 3), "i32": torch.tensor([[3, -2, 0], [5, 1, -7]]),
        "u8": torch.tensor([[1, 0, 1], [0, 1, 1]], dtype=torch.uint8),
    }
    row = {kind: x[1] for kind, x in kinds.items()}
    names = ("add", "sub", "mul", "div", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge")
    for left, x in kinds.items():
        for right, y in row.items():
            for name in names if left != right else ("div",):
                golden.case(f"{name} {left} and {right}", *method(name, "$1"), getattr(torch, name), x, y)
            if "f32" not in (left, right) and left != right:
                golden.case(f"bitwiseAnd {left} and {right}", *method("bitwiseAnd", "$1"), torch.bitwise_and, x, y)
            golden.case(f"logicalAnd {left} and {right}", *method("logicalAnd", "$1"), torch.logical_and, x, y)
            golden.case(f"where {left} and {right}", "where", ["$0", "$1", "$2"], lambda m, p, q: torch.where(m.bool(), p, q), kinds["u8"], x, y)
        if left == "f32":
            continue
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf", "tanh", "sigmoid"):
            golden.case(f"{name} of {left}", *method(name), lambda t: getattr(torch, name)(t.double()), x)
        for name in ("neg", "abs", "square", "sign", "floor", "ceil", "round", "trunc", "relu"):
            golden.case(f"{name} of {left}", *method(name), getattr(torch, name), x)
        for number in (2, 0.5):
            for name in names:
                golden.case(f"{name} {left} and {number}", *method(name, number), lambda t: getattr(torch, name)(t, torch.tensor(number).double() if number == 0.5 else torch.tensor(number)), x)
        for exponent in (0, 1, 2, 5):
            golden.case(f"pow {left} and {exponent}", *method("pow", exponent), lambda t: t.pow(exponent), x)
        golden.case(f"pow {left} and 0.5", *method("pow", 0.5), lambda t: t.double().pow(0.5), x)
        golden.case(f"clamp of {left}", *method("clamp", 0, 2), lambda t: t.clamp(0, 2), x)
        golden.case(f"clamp of {left} from below", *method("clamp", {"min": 1}), lambda t: t.clamp(min=1), x)
        for name, fn in (("amax", torch.amax), ("amin", torch.amin), ("argmax", torch.argmax), ("argmin", torch.argmin), ("cumsum", torch.cumsum)):
            golden.case(f"{name} of {left}", *method(name, 1), lambda t: fn(t, 1), x)
        golden.case(f"max of all of {left}", *method("max"), torch.max, x)
        golden.case(f"logsumexp of {left}", *method("logsumexp", 1), lambda t: t.double().logsumexp(1), x)
    for op in ("add", "mul", "sub"):
        golden.case(f"{op} u8 and a number that it does not hold", *method(op, -3), lambda t: getattr(torch, op)(t.long(), -3), kinds["u8"])


def reductions():
    golden = Golden("reductions")
    x = uniform(2, 3, 4)
    axes = ([], [0], [1], [-1], [0, 1], [[0, 2]], [[2, -3]])
    for name in ("sum", "mean", "amax", "amin", "logsumexp", "var", "std", "norm"):
        for axis in axes:
            for keepdim in (False, True) if axis and axis != [0, 1] else (False,):
                dim = axis[0] if axis and axis != [0, 1] else [0, 1] if axis else list(range(3))

                def reduce(t):
                    options = {"dim": dim, "keepdim": keepdim}
                    if name == "norm":
                        return torch.linalg.vector_norm(t, **options)
                    if name in ("var", "std"):
                        options["unbiased"] = True
                    return getattr(torch, name)(t, **options)

                args = [dim] if axis else []
                kept = [{"keepdim": True}] if keepdim else []
                # The first argument of norm is p.
                given = [{"dim": dim, **(kept[0] if kept else {})}] if name == "norm" and axis else [*args, *kept]
                golden.case(f"{name} over {dim}", *method(name, *given), reduce, x)
    tied = f32([3, 1, 3, 3, 1, 2, 3, 3, 1, 1, 1, 0], 2, 3, 2)
    for name in ("amax", "amin"):
        for dim in ([0], [2], [0, 2], [0, 1, 2]):
            golden.case(f"{name} with ties over {dim}", *method(name, dim), lambda t: getattr(torch, name)(t, dim), tied)
    for name in ("max", "min"):
        golden.case(f"{name} with ties", *method(name), getattr(torch, name), tied)
        golden.case(f"{name} of two", *method(name, "$1"), getattr(torch, name), x, uniform(3, 1))
        for dim in (0, 1, -1):
            for pick, out in enumerate(("values", "indices")):
                golden.case(
                    f"{name} {dim}, {out}", *method(name, dim), lambda t: getattr(torch, name)(t, dim)[pick], x, pick=out,
                )
    for name in ("argmax", "argmin"):
        golden.case(name, *method(name), getattr(torch, name), x)
        for dim in (0, 1, -1):
            golden.case(f"{name} {dim}", *method(name, dim), lambda t: getattr(torch, name)(t, dim), x)
            golden.case(f"{name} {dim} kept", *method(name, dim, {"keepdim": True}), lambda t: getattr(torch, name)(t, dim, True), x)
    golden.case("argmax, the first of equals", *method("argmax", 1), lambda t: torch.argmax(t, 1), f32([1, 3, 3, 2, 2, 2], 2, 3))
    for correction in (0, 1, 2):
        for name in ("var", "std"):
            fn = getattr(torch, name)
            golden.case(f"{name} correction {correction}", *method(name, 2, {"correction": correction}), lambda t: fn(t, (2,), correction=correction), x)
    flat = f32([2, 2, 2, 1, 2, 6], 2, 3)
    golden.case("std at its kink", *method("std", 1), lambda t: torch.std(t, 1), flat)
    golden.case("var of one", *method("var", 0, {"correction": 0}), lambda t: torch.var(t, 0, unbiased=False), uniform(1, 3))
    for p in (1, 2, 3, 0.5, "Infinity"):
        order = math.inf if p == "Infinity" else p
        for args, dim in (([], None), ([1], 1)):
            golden.case(
                f"norm {p} over {dim}", *method("norm", p, *(args or [[0, 1]])),
                lambda t: torch.linalg.vector_norm(t, order, dim), uniform(2, 5),
            )
    golden.case("norm of zeros", *method("norm", {"dim": 1}), lambda t: torch.norm(t, dim=1), f32([0, 0, 3, 4], 2, 2))
    golden.case("norm 1 with a zero", *method("norm", 1, 0), lambda t: torch.norm(t, 1, dim=0), f32([0, -2, 3, 4]))
    for p in (0.5, 1, 1.5, 2, 3, math.inf):
        golden.case(
            f"norm {p} with zeros and of zeros", *method("norm", "Infinity" if p == math.inf else p, 1),
            lambda t: torch.norm(t, p, dim=1), f32([0, -2, 3, 4, 0, 0, 0, 0], 2, 4),
        )
    zeros = f32([2, 0, 3, 0, 5, 0, 1, 2, 4], 3, 3)
    golden.case("prod", *method("prod"), torch.prod, uniform(5))
    golden.case("prod of one zero", *method("prod"), torch.prod, f32([2, 0, 3]))
    for dim in (0, 1):
        golden.case(f"prod over {dim}", *method("prod", dim), lambda t: torch.prod(t, dim), zeros)
    golden.case("prod kept", *method("prod", 1, {"keepdim": True}), lambda t: torch.prod(t, 1, keepdim=True), uniform(2, 3))
    golden.case("logsumexp of large numbers", *method("logsumexp", 0), lambda t: torch.logsumexp(t, 0), f32([1000, 1001, -1000]))
    for dim in (0, 1, 2, -2):
        golden.case(f"logcumsumexp {dim}", *method("logcumsumexp", dim), lambda t: torch.logcumsumexp(t, dim), x)
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
        (method("view", 6, 4), lambda t: t.view(6, 4)),
        (method("view", [2, -1]), lambda t: t.view(2, -1)),
        (method("flatten"), lambda t: t.flatten()),
        (method("flatten", 1), lambda t: t.flatten(1)),
        (method("flatten", 0, 1), lambda t: t.flatten(0, 1)),
        (method("transpose", 0, 2), lambda t: t.transpose(0, 2)),
        (method("transpose", -1, 1), lambda t: t.transpose(-1, 1)),
        (method("transpose", -2, -1), lambda t: t.mT),
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
        (method("view", [4, -1]), lambda t: t.view(4, -1)),
        (method("contiguous"), lambda t: t.contiguous()),
        (method("clone"), lambda t: t.clone()),
    ):
        golden.case(f"{call[0][1:]} {call[1][1:]}", *call, fn, x)
    golden.case("t", *method("t"), lambda t: t.t(), uniform(2, 3))
    golden.case("t of a vector", *method("t"), lambda t: t.t(), uniform(3))
    golden.case("expand", *method("expand", [2, 3, 4]), lambda t: t.expand(2, 3, 4), uniform(3, 1))
    golden.case("expand -1", *method("expand", [2, -1, 2]), lambda t: t.expand(2, -1, 2), uniform(3, 1))
    golden.case("squeeze", *method("squeeze"), lambda t: t.squeeze(), uniform(1, 3, 1))
    golden.case("squeeze 0", *method("squeeze", 0), lambda t: t.squeeze(0), uniform(1, 3, 1))
    golden.case("squeeze what is not 1", *method("squeeze", 1), lambda t: t.squeeze(1), uniform(1, 3, 1))
    for dim in (0, 1, -1):
        golden.case(f"cat {dim}", "cat", [["$0", "$1"], dim], lambda a, b: torch.cat((a, b), dim), uniform(2, 3), uniform(2, 3))
        golden.case(f"stack {dim}", "stack", [["$0", "$1", "$2"], dim], lambda *t: torch.stack(t, dim), uniform(2), uniform(2), uniform(2))
    golden.case("unbind", *method("unbind", 1), lambda t: t.unbind(1)[2], x, pick=2)
    golden.case("split", *method("split", 2, 1), lambda t: t.split(2, 1)[1], x, pick=1)
    golden.case("unbind", *method("unbind", 1), lambda t: t.unbind(1)[1], x, pick=1)
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
