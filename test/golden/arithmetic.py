"""Rare functions of elements, comparisons, and reductions that are rare."""
import math

import torch

from moves import Moves, camel
from second import Second
from store import f32, integers, uniform

INF, NAN = math.inf, math.nan


class Arithmetic(Moves):
    def answer(self, x):
        # Zeros that PyTorch has no memory for.
        return super().answer(x + torch.zeros_like(x) if x is not None and x.dtype == torch.float64 else x)

    def special(self, name, x, fn=None):
        golden_fn = fn or getattr(torch, name)
        self.case(f"{name} {list(x.shape)}", camel(name), ["$0"], golden_fn, x)


def elements(golden):
    inside = f32([-0.984375, -0.75, -0.5, -0.125, -0.0009765625, 0, 0.0009765625, 0.25, 0.5, 0.875, 0.9990234375])
    wide = f32([-30, -4.5, -1.5, -1, -0.25, -0.0009765625, 0, 0.0009765625, 0.375, 1, 2.5, 9, 60])
    above = f32([1.0009765625, 1.125, 2, 5, 1000, 1e15])
    for name in ("asin", "acos", "atanh", "erfinv", "atan", "sinh", "cosh", "asinh", "erfc", "tan", "sinc"):
        golden.special(name, inside)
    for name in ("atan", "sinh", "cosh", "asinh", "erfc", "exp2", "deg2rad", "rad2deg", "frac"):
        golden.special(name, wide)
    golden.special("acosh", above)
    for name in ("log2", "log10"):
        golden.special(name, f32([0.001, 0.125, 1, 1.0009765625, 8, 1000, 1e30]))
    # Limits, which have no gradients.
    edges = f32([0, INF, -INF, NAN])
    for name in ("atan", "sinh", "cosh", "asinh", "acosh", "erfc"):
        golden.case(f"{name} at its limits", camel(name), ["$0"], lambda t: getattr(torch, name)(t.detach()), edges)
    for name in ("asin", "acos", "atanh", "erfinv", "acosh"):
        golden.case(f"{name} at its ends", camel(name), ["$0"], lambda t: getattr(torch, name)(t.detach()), f32([1, -1, 1.5, -2, NAN, INF]))
    for x in (torch.tensor([-2, 0, 1, 3]), torch.tensor([0, 1, 3], dtype=torch.uint8)):
        for name in ("atan", "sinh", "cosh", "asinh", "erfc", "exp2", "tan", "deg2rad"):
            golden.special(name, x, lambda t: getattr(torch, name)(t.double()))
    for args in ([], [0.1], [0.4]):
        golden.fn("logit", args, f32([0.03125, 0.25, 0.5, 0.625, 0.96875]))


def pairs(golden):
    a, b = f32([-2, -1, -0.5, 0.25, 1, 3], 2, 3), f32([1.5, -2, 0.75])
    for name in ("atan2", "hypot", "logaddexp", "logaddexp2", "fmax", "fmin"):
        golden.fn(name, ["$1"], a, b)
        golden.fn(name, ["$1"], b, a)
    golden.fn("atan2", ["$1"], f32([0, 0, 1, -1, 2, -2, 3, 3]), f32([1, -1, 0, 0, 2, 2, -3, 0.0009765625]))
    limits = f32([INF, -INF, INF, -INF, 1, 0, -1]), f32([INF, INF, -INF, -INF, INF, 0, 2])
    for name in ("atan2", "hypot", "logaddexp"):
        golden.case(f"{name} at its limits", name, ["$0", "$1"], lambda p, q: getattr(torch, name)(p.detach(), q.detach()), *limits)
    golden.fn("hypot", ["$1"], f32([3e30, 3e-30, 5, 1e-30]), f32([4e30, 4e-30, 12, 1]))
    golden.fn("xlogy", ["$1"], f32([0, 0, 2, -1.5]), f32([0.5, 2, 3, 0.125]))
    golden.fn("xlogy", [2], f32([0, 1.5]))
    golden.case("xlogy of 0 and what has no logarithm", "xlogy", ["$0", "$1"], lambda p, q: torch.xlogy(p.detach(), q.detach()), f32([0, 0, 0, 0]), f32([0, -1, INF, NAN]))
    golden.fn("xlog1py", ["$1"], f32([0, 2, -1.5]), f32([-0.5, 2, 0.001]), home=torch.special)
    golden.fn("float_power", ["$1"], f32([1.5, 2, 0.25]), f32([2, -0.5, 3]))
    golden.case("floatPower of integers", "floatPower", ["$0", 2], lambda t: torch.float_power(t, 2), integers(4, high=5))
    golden.case("floatPower of a number", "floatPower", [2, "$0"], lambda t: torch.float_power(2, t), f32([0.5, 3]))
    golden.fn("copysign", ["$1"], a, b)
    golden.case("copysign of zeros", "copysign", ["$0", -1], lambda t: torch.copysign(t, -1.0), f32([0, 2, -3]))
    for fn in ("addcmul", "addcdiv"):
        for options in ({}, {"value": -0.5}):
            golden.fn(fn, ["$1", "$2"], a, b, f32([2, -4], 2, 1), options=options)
    golden.case("addcmul of integers", "addcmul", ["$0", "$1", "$2", {"value": 3}], lambda x, p, q: torch.addcmul(x, p, q, value=3), *(integers(3, high=9) for _ in range(3)))
    divisions(golden)


def divisions(golden):
    a = f32([7, -7, 7.5, -7.5, 0, 1e9, 3, 5.25, 2**31], 9)
    b = f32([3, 3, -2, -2, 4, 7, 0.1, -5.25, 3], 9)
    i, j = torch.tensor([7, -7, 7, -7, 0, 16777217, -16777219, 5]), torch.tensor([3, 3, -2, -2, 4, 2, 3, 5])
    u, v = torch.tensor([200, 7, 0, 255], dtype=torch.uint8), torch.tensor([7, 9, 3, 255], dtype=torch.uint8)
    for name in ("remainder", "fmod", "floor_divide"):
        for p, q in ((i, j), (u, v), (i[:4], v)):
            golden.fn(name, ["$1"], p, q)
        golden.case(f"{name} of a number", camel(name), ["$0", 3], lambda t: getattr(torch, name)(t, 3), i)
        # PyTorch divides integers by 2.5 in f32.
        golden.case(f"{name} of a fraction", camel(name), ["$0", 2.5], lambda t: getattr(torch, name)(t.double(), 2.5), i[:4])
        golden.case(f"{name} at its limits", camel(name), ["$0", "$1"], lambda p, q: getattr(torch, name)(p.detach(), q.detach()), f32([1, 0, INF, 5, -5, NAN, 1e30, -3]), f32([0, 0, 2, INF, INF, 1, 1, 0]))
    golden.case("remainder of a number by a tensor", "remainder", [7, "$0"], lambda t: torch.remainder(7, t), j)
    golden.fn("remainder", ["$1"], a, b)
    golden.fn("fmod", ["$1"], a, b)
    golden.case("floorDivide of floats", "floorDivide", ["$0", "$1"], lambda p, q: torch.floor_divide(p.detach(), q.detach()), a, b)
    golden.case("remainder of quotients above 2^28", "remainder", ["$0", "$1"], lambda p, q: torch.remainder(p.detach(), q.detach()), f32([3e30, -3e30, 1e20]), f32([7, 0.375, -3]))
    for x, n in ((torch.tensor([1, -5, 1000, 16777217, -1]), torch.tensor([3, 1, 0, 4, 31])), (torch.tensor([1, 200, 255], dtype=torch.uint8), torch.tensor([3, 1, 7], dtype=torch.uint8))):
        for name in ("bitwise_left_shift", "bitwise_right_shift"):
            # Of 32 bits here, where PyTorch has 64.
            kind = torch.int32 if x.dtype == torch.int64 else torch.uint8
            golden.case(f"{name} {kind}", camel(name), ["$0", "$1"], lambda p, q: getattr(torch, name)(p.to(kind), q.to(kind)).to(p.dtype), x, n)
    golden.case("a shift by a number", "bitwiseLeftShift", ["$0", 2], lambda t: t << 2, torch.tensor([3, -4]))


def comparisons(golden):
    x = f32([0, -1.5, 2, INF, -INF, NAN])
    for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit"):
        golden.case(name, name, ["$0"], getattr(torch, name), x)
        golden.case(f"{name} of integers", name, ["$0"], getattr(torch, name), torch.tensor([0, -2, 3]))
    for name in ("sgn", "positive"):
        golden.fn(name, [], f32([-2, 0, 3.5]))
    a, b = f32([1, 1, INF, NAN, 100, INF, 0]), f32([1.00001, 1.1, INF, NAN, 100.0005, 5, 1e-9])
    for options in ({}, {"equal_nan": True}, {"rtol": 0.2, "atol": 0}):
        golden.fn("isclose", ["$1"], a, b, options=options)
    golden.case("isclose of integers", "isclose", ["$0", "$1"], torch.isclose, torch.tensor([1, 2]), torch.tensor([1, 3]))
    golden.case("heaviside", "heaviside", ["$0", "$1"], lambda p, q: torch.heaviside(p.detach(), q.detach()), f32([-1, 0, 0, 2]), f32([5, 0.5, -1, 2]))
    for options in ({}, {"nan": 7}, {"posinf": 3, "neginf": -4}):
        golden.fn("nan_to_num", [], f32([1, NAN, 2, -3]) if not options.get("posinf") else x, options=options)
    for name, pick in (("clamp_min", 0.5), ("clamp_max", 0.5)):
        golden.fn(name, [pick], f32([-1, 0.5, 2]))
        golden.fn(name, ["$1"], f32([-1, 0.25, 2]), f32([0, 1, 1]))
        golden.fn(name, [1], torch.tensor([0, 1, 3]))
    golden.fn("clip", [-1, 1], f32([-2, 0.5, 2]))
    golden.fn("true_divide", ["$1"], uniform(2, 2), f32([2, 4]))
    golden.case("fmax with NaN", "fmax", ["$0", "$1"], torch.fmax, f32([NAN, 1, NAN, 3]), f32([2, NAN, NAN, 3]))
    golden.case("fmin with NaN", "fmin", ["$0", "$1"], torch.fmin, f32([NAN, 1, NAN, 3]), f32([2, NAN, NAN, 3]))


def reductions(golden):
    m = f32([0, 1, 0, 2, 0, 0, NAN, 0, 3, -1, 0, 0], 2, 3, 2)
    for args in ([], [0], [1, True], [[0, 2]], [[0, 1], True]):
        golden.case(f"any {args}", "any", ["$0", *args], lambda t: torch.any(t, *args), m)
        golden.case(f"all {args}", "all", ["$0", *args], lambda t: torch.all(t, *args), m)
    for name in ("any", "all"):
        golden.case(f"{name} of nothing", name, ["$0", 1], lambda t: getattr(torch, name)(t, 1).bool(), torch.zeros(2, 0, dtype=torch.uint8))
    for args in ([], [0], [-1], [[0, 2]]):
        golden.case(f"countNonzero {args}", "countNonzero", ["$0", *args], lambda t: torch.count_nonzero(t, *args), m)
    x = uniform(2, 3, 4)
    for dim in (0, 1, -1):
        golden.fn("cumprod", [dim], x)
    for values in ([1.5, 0, 2, 3], [0, 2, 0, 1.5], [0, 0, 0]):
        golden.fn("cumprod", [0], f32(values))
    golden.fn("cumprod", [1], torch.tensor([[1, 2, 3, 4], [5, -1, 2, 0]]))
    holes = f32([1, NAN, 2, -3, NAN, 1.5, 0.5, 4], 2, 4)
    for name in ("nansum", "nanmean"):
        for args in ([], [0], [1], [1, True]):
            golden.fn(name, args, holes)
    golden.case("nanmean of nothing", "nanmean", ["$0"], lambda t: torch.nanmean(t.detach()), f32([NAN, NAN]))
    for name in ("var_mean", "std_mean"):
        for pick in (0, 1):
            golden.fn(name, [1], x, pick=pick)
            golden.fn(name, [[0, 2]], x, options={"correction": 0, "keepdim": True}, pick=pick)
            golden.case(f"{name} of all {pick}", camel(name), ["$0"], lambda t: getattr(torch, name)(t)[pick], x, pick=pick)
    for pick in ("min", "max"):
        golden.fn("aminmax", [], x, pick=pick)
        golden.fn("aminmax", [], f32([3, 1, 3, 1], 2, 2), options={"dim": 0, "keepdim": True}, pick=pick)
    for p in (1, 2, 3):
        golden.fn("dist", ["$1", p], x, uniform(3, 1))
        golden.fn("renorm", [p, 1, 2.5], x)
    golden.fn("renorm", [2, -1, 1], x)
    v = uniform(3, 5)
    for options in ({}, {"correction": 0}):
        golden.fn("cov", [], v, options=options)
    golden.fn("cov", [], uniform(5))
    f, w = torch.tensor([1, 2, 1, 3, 1]), uniform(5, low=0.5, high=2)
    golden.case("cov by counts", "cov", ["$0", {"fweights": "$1"}], lambda t, c: torch.cov(t, fweights=c), v, f)
    golden.case("cov by both", "cov", ["$0", {"fweights": "$1", "aweights": "$2"}], lambda t, c, d: torch.cov(t, fweights=c, aweights=d.detach()), v, f, w)
    golden.fn("corrcoef", [], v)
    for name in ("trapezoid", "cumulative_trapezoid"):
        golden.fn(name, [], v)
        golden.fn(name, [], v, options={"dx": 0.5, "dim": 0})
        golden.fn(name, ["$1"], v, f32([0, 1, 1.5, 4, 5]))
        golden.fn(name, ["$1"], v, f32([0, 1, 3]), options={"dim": 0})
        golden.fn(name, ["$1"], v, uniform(3, 5))


def arithmetic():
    golden = Arithmetic("arithmetic")
    elements(golden)
    pairs(golden)
    comparisons(golden)
    reductions(golden)
    golden.write()
    second = Second("arithmetic-second")
    inside, wide = f32([-0.75, -0.25, 0.125, 0.5, 0.875]), f32([-2.5, -0.5, 0.25, 1.5])
    for name, x in (
        *((name, inside) for name in ("asin", "acos", "atanh", "erfinv")), *((name, wide) for name in ("atan", "sinh", "cosh", "asinh", "erfc", "tan", "exp2", "sinc")),
        ("acosh", f32([1.25, 3])), ("log2", f32([0.5, 3])), ("logit", f32([0.25, 0.625])),
    ):
        second.twice(name, name, ["$0"], getattr(torch, name), x)
    for name in ("atan2", "hypot", "logaddexp", "xlogy"):
        second.twice(name, name, ["$0", "$1"], getattr(torch, name), f32([0.5, 1.5, 2]), f32([1.25, 0.75, 3]))
    for values in ([1.5, -2, 0.5], [1.5, 0, 2, 3]):
        second.twice(f"cumprod {values}", "cumprod", ["$0", 0], lambda t: t.cumprod(0), f32(values))
    second.write()
