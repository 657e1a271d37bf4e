"""Second derivatives: of the sum of the gradients of every input, each weighed, by the inputs and by the output gradient."""
import torch
import torch.nn.functional as F

from store import Compact, f32, made, uniform


class Second(Compact):
    def twice(self, name, call, args, fn, *inputs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        output = fn(*leaves)
        g = self.weights(output.shape).requires_grad_()
        first = torch.autograd.grad(output, leaves, g, retain_graph=True)
        self.cases.append({
            "call": call, "args": args, "inputs": [self.put(x) for x in inputs], "output": self.answer(output), "grads": [self.answer(d) for d in first],
            "second": [self.short(d) for d in self.derive_twice(output, leaves, g, [made(100 + i, *x.shape) for i, x in enumerate(inputs)])],
        })


def seconds():
    golden = Second("second")
    x, affine = uniform(3, 4, 5), {"weight": "$1", "bias": "$2"}
    golden.twice("layerNorm", "F.layerNorm", ["$0", [5], affine], lambda t, w, b: F.layer_norm(t, [5], w, b), x, uniform(5), uniform(5))
    golden.twice("layerNorm of two dims", "F.layerNorm", ["$0", [4, 5]], lambda t: F.layer_norm(t, [4, 5]), x)
    golden.twice("groupNorm", "F.groupNorm", ["$0", 2, affine], lambda t, w, b: F.group_norm(t, 2, w, b), x, uniform(4), uniform(4))
    golden.twice("instanceNorm", "F.instanceNorm", ["$0"], F.instance_norm, x)
    for shape in ((6, 3), (3, 4, 5), (2, 3, 2, 4)):
        w, b = uniform(shape[1]), uniform(shape[1])
        golden.twice(
            f"batchNorm {shape}, training", "F.batchNorm", ["$0", None, None, {**affine, "training": True}],
            lambda t, w, b: F.batch_norm(t, None, None, w, b, training=True), uniform(*shape), w, b,
        )
        golden.twice(
            f"batchNorm {shape}, without parameters", "F.batchNorm", ["$0", None, None, {"training": True}],
            lambda t: F.batch_norm(t, None, None, training=True), uniform(*shape),
        )
    zeros = {"none": [1.5, -2, 0.5, 3, 1], "one": [1.5, 0, 0.5, 3, 1], "two": [1.5, 0, 0.5, 0, 1], "three": [0, 0, 0.5, 0, 1]}
    for count, values in zeros.items():
        golden.twice(f"prod, zeros: {count}", ".prod", ["$0"], torch.prod, f32(values))
        golden.twice(f"prod of columns, zeros: {count}", ".prod", ["$0", 1], lambda t: t.prod(1), f32(values * 2, 2, 5))
    p, target = uniform(3, 4, low=0.05, high=0.95), uniform(3, 4, low=0, high=1)
    for reduction in ("none", "mean", "sum"):
        golden.twice(
            f"bceLoss {reduction}", "F.bceLoss", ["$0", "$1", {"reduction": reduction}],
            lambda q, t: F.binary_cross_entropy(q, t, reduction=reduction), p, target,
        )
    golden.twice("logcumsumexp", ".logcumsumexp", ["$0", 1], lambda t: t.logcumsumexp(1), uniform(3, 4, 2))
    for order in (0.5, 1, 1.5, 2, 3):
        golden.twice(f"norm of order {order}", ".norm", ["$0", order, 1], lambda t: t.norm(order, 1), uniform(3, 4))
    for d, size in ((1, [4]), (2, [3, 4])):
        x, bias = uniform(1, 2, *size), uniform(2)
        for name, fn in ((f"conv{d}d", getattr(F, f"conv{d}d")), (f"convTranspose{d}d", getattr(F, f"conv_transpose{d}d"))):
            golden.twice(name, f"F.{name}", ["$0", "$1", "$2", {"stride": 2, "padding": 1}], lambda *t: fn(*t, stride=2, padding=1), x, uniform(2, 2, *[2] * d), bias)
    golden.write()
