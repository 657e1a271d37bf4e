"""Cases of the losses: every reduction with every option."""
import torch
import torch.nn.functional as F

from store import Golden, f32, integers, uniform


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
            golden.case(f"{name} {reduction}{options or ''}", f"F.{name}", ["$0", "$1", ours] if ours else ["$0", "$1"], call, *inputs)

    x, target = uniform(3, 4), uniform(3, 4)
    tied_x, tied = f32([1, -1, 0.5, 2, 0, 1.5]), f32([1, 0, 1, 1, 0.25, 1.5])
    each("smoothL1Loss", F.smooth_l1_loss, {"beta": 0.0}, x, target)
    for inputs in ((x, target), (tied_x, tied)):
        each("mseLoss", F.mse_loss, {}, *inputs)
        each("l1Loss", F.l1_loss, {}, *inputs)
        for beta in (1.0, 0.5):
            each("smoothL1Loss", F.smooth_l1_loss, {"beta": beta} if beta != 1 else {}, *inputs)
        for delta in (1.0, 0.5):
            each("huberLoss", F.huber_loss, {"delta": delta} if delta != 1 else {}, *inputs)

    p, truth = uniform(3, 4, low=0.02, high=0.98), uniform(3, 4, low=0, high=1)
    weight = uniform(3, 4, low=0.2, high=2)
    # PyTorch has no gradients of weights, nor of probabilities of 0 in a divergence.
    still_target = lambda fn: lambda a, b, **k: fn(a, b.detach(), **k)
    still = lambda fn: lambda a, b, weight=None, **k: fn(a, b, weight=None if weight is None else weight.detach(), **k)
    each("binaryCrossEntropy", F.binary_cross_entropy, {}, p, truth)
    each("binaryCrossEntropy", still(F.binary_cross_entropy), {"weight": "$2"}, p, truth, weight)
    edge = f32([0, 1, 1, 0, 0.5, 1e-30]), f32([0, 1, 0, 1, 1, 1])
    each("binaryCrossEntropy", still_target(F.binary_cross_entropy), {}, *edge, kinds=("none",))
    logits = f32([-100, -20, -3.5, -1, -0.25, 0, 0.5, 1, 2.75, 8, 20, 100], 3, 4)
    each("binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits, {}, logits, truth)
    each(
        "binaryCrossEntropyWithLogits", lambda a, b, pos_weight, **k: F.binary_cross_entropy_with_logits(a, b, pos_weight=pos_weight.detach(), **k),
        {"posWeight": "$2"}, logits, truth, uniform(4, low=0.5, high=3), names=(("posWeight", "pos_weight"),),
    )
    each(
        "binaryCrossEntropyWithLogits",
        lambda a, b, weight, pos_weight, **k: F.binary_cross_entropy_with_logits(a, b, weight.detach(), pos_weight=pos_weight.detach(), **k),
        {"weight": "$2", "posWeight": "$3"}, logits, truth, weight, uniform(4, low=0.5, high=3), names=(("posWeight", "pos_weight"),),
    )

    logp = torch.log_softmax(uniform(3, 4), 1).float().double()
    share = f32([0.5, 0.25, 0.25, 0, 0.1, 0.2, 0.3, 0.4, 1, 0, 0, 0], 3, 4)
    kinds = ("mean", "sum", "none", "batchmean")
    each("klDiv", still_target(F.kl_div), {}, logp, share, kinds=kinds)
    each("klDiv", F.kl_div, {}, logp, uniform(3, 4, low=0.1, high=0.9), kinds=kinds)
    each("klDiv", F.kl_div, {"logTarget": True}, logp, torch.log_softmax(uniform(3, 4), 1).float().double(), kinds=kinds, names=(("logTarget", "log_target"),))

    names = (("ignoreIndex", "ignore_index"), ("labelSmoothing", "label_smoothing"))
    classes = uniform(4, low=0.2, high=2)
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
