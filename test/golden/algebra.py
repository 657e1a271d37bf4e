"""Products of tensors by all names that PyTorch has for them."""
import torch

from moves import Moves
from second import Second
from store import integers, uniform

#: Equations with the shapes of their operands.
EQUATIONS = (
    ("ij->ji", (2, 3)), ("ij", (3, 2)), ("ba", (3, 2)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("...ii->...i", (2, 3, 3)), ("i->", (4,)), ("ijk->j", (2, 3, 4)),
    ("...ij->...ji", (2, 3, 4)), ("iij->j", (2, 2, 3)), ("iii->i", (3, 3, 3)), ("...", (2, 3)), ("i...->...", (2, 3)), ("i...->i", (2, 3)),
    ("i,i->", (4,), (4,)), ("i,i", (4,), (4,)), ("i,j->ij", (2,), (3,)), ("i,j->", (2,), (3,)), ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)),
    ("ij , jk -> k i", (2, 3), (3, 4)), ("ij,kj->ik", (2, 3), (4, 3)), ("ij,ij->ij", (2, 3), (2, 3)), ("ij,ij->i", (2, 3), (2, 3)), ("ij,i->ij", (2, 3), (2,)),
    ("ij,ij->", (2, 3), (2, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), ("bij,bjk->kib", (2, 3, 4), (2, 4, 2)), ("b i d, b j d -> b i j", (2, 3, 2), (2, 4, 2)),
    ("bthd,bshd->bhts", (2, 3, 2, 4), (2, 2, 2, 4)), ("bhts,bshd->bthd", (2, 2, 3, 2), (2, 2, 2, 3)), ("abcd,cdef->abef", (2, 1, 2, 3), (2, 3, 2, 2)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)), ("...ij,jk->...ik", (2, 2, 3), (3, 2)), ("i...,i...->...", (2, 3), (2, 3)), ("i...,j->ij...", (2, 3), (2,)),
    ("ij,jk->ik", (2, 1), (3, 2)), ("ij,ij->ij", (1, 3), (2, 1)), ("ii,ij->j", (3, 3), (3, 2)), ("ijk,ilj->kl", (2, 3, 2), (2, 4, 3)), ("aB,Bc", (2, 3), (3, 2)), ("zA,Ab", (2, 3), (3, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("ij,jk,ki->", (2, 3), (3, 4), (4, 2)), ("i,j,k->ijk", (2,), (3,), (2,)), ("bi,ijk,bk->bj", (2, 3), (3, 4, 2), (2, 2)),
    ("...i,...i,...i->...", (2, 3), (1, 3), (3,)), ("ab,bc,cd,de->ae", (2, 3), (3, 2), (2, 4), (4, 2)), (",ij->ij", (), (2, 3)), ("i,->i", (3,), ()), ("ij,jk->ik", (2, 0), (0, 3)),
)


def einsums(golden):
    for equation, *shapes in EQUATIONS:
        operands = [uniform(*shape) for shape in shapes]
        places = [f"${i}" for i in range(len(operands))]
        golden.case(f"{equation} {shapes}", "einsum", [equation, *places], lambda *xs: torch.einsum(equation, *xs), *operands)
    golden.case("a list", "einsum", ["ij,jk", ["$0", "$1"]], lambda a, b: torch.einsum("ij,jk", [a, b]), uniform(2, 3), uniform(3, 2))
    for a, b, dims in (
        ((2, 3, 4), (3, 4, 2), None), ((2, 3), (3, 2), 1), ((2, 3), (2,), 0), ((2, 3, 4), (4, 3, 2), [[1, 2], [1, 0]]), ((2, 3, 4), (4, 3), [[-1], [0]]), ((2, 3), (2, 3), 0), ((2,), (2,), 1),
        ((2, 3, 4), (2, 5, 3), [[0, 1], [0, 2]]),
    ):
        golden.fn("tensordot", ["$1", *([] if dims is None else [dims])], uniform(*a), uniform(*b))


def products(golden):
    v, w, m, n = uniform(3), uniform(4), uniform(2, 3), uniform(3, 4)
    b, c = uniform(2, 2, 3), uniform(2, 3, 4)
    golden.fn("mm", ["$1"], m, n)
    golden.fn("bmm", ["$1"], b, c)
    golden.fn("mv", ["$1"], m, v)
    golden.fn("dot", ["$1"], v, uniform(3))
    golden.fn("vdot", ["$1"], v, uniform(3))
    golden.fn("outer", ["$1"], v, w)
    for left, right in ((v, uniform(3)), (m, v), (c, uniform(2, 4)), (uniform(), m), (m, uniform())):
        golden.fn("inner", ["$1"], left, right)
    for options in ({}, {"beta": 0.5}, {"alpha": -2}, {"beta": 0, "alpha": 3}, {"beta": 2, "alpha": 0.5}):
        for name, args, shape in (
            ("addmm", (m, n), (2, 4)), ("addmv", (m, v), (2,)), ("addr", (v, w), (3, 4)), ("addbmm", (b, c), (2, 4)), ("baddbmm", (b, c), (2, 2, 4)),
        ):
            golden.fn(name, ["$1", "$2"], uniform(*shape), *args, options=options)
    for name, args, shape in (("addmm", (m, n), (4,)), ("addmv", (m, v), ()), ("addr", (v, w), (3, 1)), ("addbmm", (b, c), (2, 1)), ("baddbmm", (b, c), (2, 1, 4))):
        golden.fn(name, ["$1", "$2"], uniform(*shape), *args)
    golden.fn("trace", [], uniform(3, 3))
    golden.fn("trace", [], m)
    for left, right, args in (((3,), (3,), []), ((2, 3), (2, 3), []), ((3, 3), (3, 3), []), ((3, 3), (3, 3), [1]), ((2, 3, 4), (2, 3, 1), [1]), ((2, 3), (1, 3), [-1])):
        golden.fn("cross", ["$1", *args], uniform(*left), uniform(*right))
    for left, right in (((2,), (3,)), ((2, 3), (2, 2)), ((2,), (2, 3)), ((2, 1, 2), (3, 2)), ((), (2,))):
        golden.fn("kron", ["$1"], uniform(*left), uniform(*right))
    golden.fn("kron", ["$1"], integers(2, 2, high=5), integers(2, 3, high=5))
    for power in (0, 1, 2, 3, 6, 7):
        golden.fn("matrix_power", [power], uniform(2, 3, 3, low=-1, high=1))
    for shapes in (((2, 3),), ((2, 3), (3, 2)), ((5, 2), (2, 6), (6, 1), (1, 3)), ((1, 4), (4, 3), (3, 5))):
        operands = [uniform(*shape) for shape in shapes]
        places = [f"${i}" for i in range(len(operands))]
        golden.case(f"{shapes}", "chainMatmul", places, torch.chain_matmul, *operands)


def algebra():
    golden = Moves("algebra")
    einsums(golden)
    products(golden)
    golden.write()
    second = Second("algebra-second")
    for equation, *shapes in (("bij,bjk->ik", (2, 2, 3), (2, 3, 2)), ("ii,ij,j->", (2, 2), (2, 3), (3,)), ("...i,ij->...j", (2, 2, 3), (3, 2)), ("ij,ij->i", (2, 3), (2, 3))):
        operands = [uniform(*shape) for shape in shapes]
        places = [f"${i}" for i in range(len(operands))]
        second.twice(equation, "einsum", [equation, *places], lambda *xs: torch.einsum(equation, *xs), *operands)
    second.twice("matrixPower", "matrixPower", ["$0", 3], lambda t: torch.matrix_power(t, 3), uniform(3, 3))
    second.twice("cross", "cross", ["$0", "$1"], lambda a, b: torch.cross(a, b, dim=0), uniform(3, 2), uniform(3, 2))
    second.twice("kron", "kron", ["$0", "$1"], torch.kron, uniform(2, 2), uniform(2, 1))
    second.write()
