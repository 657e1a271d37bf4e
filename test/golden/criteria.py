"""Losses with margins, likelihoods and distances: values, gradients, second derivatives, and modules that are trained for 20 steps."""
import json

import torch
import torch.nn.functional as F

from second import Second
from store import Golden, f32, flat, number, uniform
from training import camel

SIGNS = f32([1, -1, 1, 1, -1], 5)


def focal(x, target, alpha=0.25, gamma=2.0, reduction="none"):
    """torchvision.ops.sigmoid_focal_loss."""
    p = torch.sigmoid(x)
    entropy = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    pt = p * target + (1 - p) * (1 - target)
    loss = entropy * (1 - pt) ** gamma
    if alpha >= 0:
        loss = (alpha * target + (1 - alpha) * (1 - target)) * loss
    return {"none": lambda: loss, "mean": loss.mean, "sum": loss.sum}[reduction]()


def calls():
    """(our name, PyTorch's function, options by PyTorch's names, inputs, how many of them have gradients)."""
    distances, signs = uniform(3, 4, low=0, high=2), f32([1, -1, -1, 1] * 3, 3, 4)
    for options in ({}, {"margin": 0.5}):
        yield "hingeEmbeddingLoss", F.hinge_embedding_loss, options, [distances, signs], 1
        yield "marginRankingLoss", F.margin_ranking_loss, options, [uniform(5), uniform(5), SIGNS], 2
        yield "cosineEmbeddingLoss", F.cosine_embedding_loss, options, [uniform(5, 3), uniform(5, 3), SIGNS], 2
    yield "cosineEmbeddingLoss", F.cosine_embedding_loss, {}, [uniform(3), uniform(3), f32(-1.0)], 2
    yield "softMarginLoss", F.soft_margin_loss, {}, [f32([-30, -3, 0.5, 12, 1.5, -0.25]), f32([1, -1, 1, -1, -1, 1])], 1
    classes = torch.tensor([2, 0, 3])
    for options in ({}, {"p": 2, "margin": 0.5}, {"weight": uniform(4, low=0.2, high=2)}):
        yield "multiMarginLoss", F.multi_margin_loss, options, [uniform(3, 4), classes], 1
    yield "multiMarginLoss", F.multi_margin_loss, {}, [uniform(4), torch.tensor(1)], 1
    listed = torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 0], [0, 1, 2, 3], [2, 2, -1, -1]])
    yield "multilabelMarginLoss", F.multilabel_margin_loss, {}, [uniform(4, 4), listed], 1
    yield "multilabelMarginLoss", F.multilabel_margin_loss, {}, [uniform(4), torch.tensor([1, 3, -1, 0])], 1
    bits = f32([0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0], 3, 4)
    for options in ({}, {"weight": uniform(4, low=0.2, high=2)}):
        yield "multilabelSoftMarginLoss", F.multilabel_soft_margin_loss, options, [uniform(3, 4), bits], 1
    for options in ({}, {"margin": 0.5, "p": 3, "swap": True}, {"p": 1, "eps": 0.01}):
        yield "tripletMarginLoss", F.triplet_margin_loss, options, [uniform(5, 3), uniform(5, 3), uniform(5, 3)], 3
    yield "tripletMarginWithDistanceLoss", F.triplet_margin_with_distance_loss, {"margin": 2, "swap": True}, [uniform(5, 3), uniform(5, 3), uniform(5, 3)], 3
    counts = f32([0, 1, 2, 5, 1, 0, 3, 12], 2, 4)
    for options in ({}, {"full": True}):
        yield "poissonNllLoss", F.poisson_nll_loss, options, [uniform(2, 4), counts], 1
    yield "poissonNllLoss", F.poisson_nll_loss, {"log_input": False, "eps": 0.01}, [uniform(2, 4, low=0.1, high=3), counts], 1
    variances = f32([0.5, 2, 0, 0.0625, 1.5, 0.25], 2, 3)
    yield "gaussianNllLoss", F.gaussian_nll_loss, {"eps": 0.125}, [uniform(2, 3), uniform(2, 3), variances], 3
    for options, shape in (({"full": True}, (2,)), ({"eps": 0.5}, (2, 1)), ({}, (2, 3))):
        yield "gaussianNllLoss", F.gaussian_nll_loss, options, [uniform(2, 3), uniform(2, 3), uniform(*shape, low=0.1, high=2)], 3
    for options in ({}, {"alpha": -1, "gamma": 1.5}, {"gamma": 0}):
        yield "sigmoidFocalLoss", focal, options, [f32([-30, -3, 0.5, 12, 1.5, -0.25, 0, 2, 40, -40, 1, -1], 3, 4), bits], 1


def plain():
    """Distances: as calls(), without reductions."""
    for options, shapes in (({}, ((3, 4), (3, 4))), ({"dim": -1}, ((2, 3, 4), (3, 4))), ({"dim": 0, "eps": 3.0}, ((4,), (4,)))):
        yield "cosineSimilarity", F.cosine_similarity, options, [uniform(*shape) for shape in shapes]
    yield "cosineSimilarity", F.cosine_similarity, {}, [f32([[0, 0], [1e-9, 0], [1, 2]]), uniform(3, 2)]
    for options in ({}, {"p": 1, "keepdim": True}, {"p": 3.5, "eps": 0.01}, {"p": float("inf")}):
        yield "pairwiseDistance", F.pairwise_distance, options, [uniform(3, 4), uniform(3, 4)]
    yield "pairwiseDistance", F.pairwise_distance, {}, [uniform(2, 3, 4), uniform(4)]
    for options in ({}, {"p": 1}, {"p": 3}, {"p": float("inf")}):
        yield "cdist", torch.cdist, options, [uniform(3, 4), uniform(5, 4)]
        yield "pdist", F.pdist, options, [uniform(5, 3)]
    same = uniform(4, 2)
    yield "cdist", torch.cdist, {}, [same, same]
    yield "cdist", torch.cdist, {"compute_mode": "use_mm_for_euclid_dist"}, [uniform(2, 4, 3), uniform(5, 3)]
    yield "cdist", torch.cdist, {}, [uniform(27, 3), uniform(2, 3)]
    yield "pdist", F.pdist, {}, [uniform(1, 3)]
    for options in ({}, {"p": 1, "dim": 0}, {"p": 3, "dim": -1}, {"dim": (0, 1), "eps": 9}):
        yield "normalize", F.normalize, options, [uniform(3, 4)]


def sequences(golden):
    """CTC: rows of targets and one after the other, lengths as tensors and lists, repeated labels, none, too many, one sample."""
    rows = torch.tensor([[1, 2, 2, 3, 1], [3, 1, 0, 0, 0], [4, 4, 4, 4, 4], [0, 0, 0, 0, 0]])
    frames, lengths = torch.tensor([7, 5, 6, 3]), torch.tensor([5, 2, 3, 0])
    flat_rows = torch.cat([row[:n] for row, n in zip(rows, lengths)])
    logp = torch.log_softmax(uniform(7, 4, 5), 2).float().double()
    for reduction in ("mean", "sum", "none"):
        options = {"reduction": reduction}
        golden.case(f"ctcLoss rows {reduction}", "F.ctcLoss", ["$0", "$1", "$2", "$3", options], lambda x, t, a, b: F.ctc_loss(x, t, a, b, reduction=reduction), logp, rows, frames, lengths)
    golden.case("ctcLoss in a line", "F.ctcLoss", ["$0", "$1", "$2", "$3"], lambda x, t, a, b: F.ctc_loss(x, t, a, b), logp, flat_rows, frames, lengths)
    golden.case("ctcLoss, lists", "F.ctcLoss", ["$0", "$1", frames.tolist(), lengths.tolist(), {"blank": 0}], lambda x, t: F.ctc_loss(x, t, frames, lengths), logp, flat_rows)
    long = torch.tensor([5, 2, 5, 0])
    for reduction in ("mean", "none"):
        options = {"blank": 2, "reduction": reduction, "zeroInfinity": True}
        golden.case(f"ctcLoss without a way {reduction}", "F.ctcLoss", ["$0", "$1", "$2", "$3", options], lambda x, t, a, b: F.ctc_loss(x, t, a, b, 2, reduction, True), logp, torch.where(rows == 2, 0, rows), frames, long)
    golden.case("ctcLoss, infinite", "F.ctcLoss", ["$0", "$1", "$2", "$3", {"reduction": "none"}], lambda x, t, a, b: F.ctc_loss(x.detach(), t, a, b, reduction="none"), logp, rows, frames, long)
    one = torch.log_softmax(uniform(9, 4), 1).float().double()
    for reduction in ("mean", "none"):
        golden.case(f"ctcLoss of one {reduction}", "F.ctcLoss", ["$0", "$1", 9, 4, {"reduction": reduction}], lambda x, t: F.ctc_loss(x, t, torch.tensor(9), torch.tensor(4), reduction=reduction), one, torch.tensor([1, 3, 3, 2]))
    # Long enough that probabilities are far from what f32 holds; a loss of f32 steps is that of f64 all the same.
    far = torch.log_softmax(uniform(64, 1, 3) * 4, 2).float().double()
    golden.case("ctcLoss, long", "F.ctcLoss", ["$0", "$1", [64], [20], {"reduction": "sum"}], lambda x, t: F.ctc_loss(x, t, torch.tensor([64]), torch.tensor([20]), reduction="sum"), far, torch.tensor([[1, 2] * 10]))


def arguments(options, inputs):
    """The call's arguments, and its inputs with those of the options behind."""
    tensors = [v for v in options.values() if isinstance(v, torch.Tensor)]
    ours = {camel(k): f"${len(inputs) + tensors.index(v)}" if isinstance(v, torch.Tensor) else "Infinity" if v == float("inf") else camel(v) if isinstance(v, str) else list(v) if isinstance(v, tuple) else v for k, v in options.items()}
    return [f"${i}" for i in range(len(inputs))], ours, [*inputs, *tensors]


def values(golden):
    for name, fn, options, inputs, graded in calls():
        places, ours, all_inputs = arguments(options, inputs)
        for reduction in ("none",) if options else ("mean", "sum", "none"):
            def call(*t):
                given = [x if i < graded or x.dtype != torch.float64 else x.detach() for i, x in enumerate(t[: len(inputs)])]
                rest = iter(t[len(inputs):])
                return fn(*given, reduction=reduction, **{k: next(rest).detach() if isinstance(v, torch.Tensor) else v for k, v in options.items()})

            settings = {**ours, "reduction": reduction}
            golden.case(f"{name} {reduction} {ours or ''}", f"F.{name}", [*places, settings], call, *all_inputs)
    for name, fn, options, inputs in plain():
        places, ours, all_inputs = arguments(options, inputs)
        golden.case(f"{name} {ours or ''}", name if name == "cdist" else f"F.{name}", [*places, ours], lambda *t: fn(*t, **options), *all_inputs)
    sequences(golden)
    golden.write()


def seconds():
    golden = Second("criteria-second")

    def twice(name, fn, *inputs, **options):
        golden.twice(name, name if name == "cdist" else f"F.{name}", [*(f"${i}" for i in range(len(inputs))), {camel(k): camel(v) if isinstance(v, str) else v for k, v in options.items()}], lambda *t: fn(*t, **options), *inputs)

    a, b, c, shares = uniform(4, 3), uniform(4, 3), uniform(4, 3), uniform(4, 3, low=0.2, high=0.9)
    twice("softMarginLoss", lambda x, y: torch.log1p(torch.exp(-x * y)).mean(), a, b)  # PyTorch has no gradient of the target
    twice("tripletMarginLoss", F.triplet_margin_loss, a, b, c, margin=5.0)
    twice("gaussianNllLoss", F.gaussian_nll_loss, a, b, shares)
    twice("poissonNllLoss", F.poisson_nll_loss, a, b)
    twice("multilabelSoftMarginLoss", F.multilabel_soft_margin_loss, a, shares)
    twice("sigmoidFocalLoss", focal, a, shares, reduction="sum")
    twice("cosineSimilarity", F.cosine_similarity, a, b)
    twice("pairwiseDistance", F.pairwise_distance, a, b)
    twice("normalize", F.normalize, a)
    twice("cdist", torch.cdist, a, b, compute_mode="use_mm_for_euclid_dist")
    golden.write()


def modules():
    """Twenty steps of SGD on a linear layer under each loss; `ready` is what the outputs go through first."""
    nn = torch.nn
    weights = uniform(4, 3, low=-0.8, high=0.8), uniform(4, low=-0.5, high=0.5)
    xs = [uniform(5, 3) for _ in range(3)]
    real, bits, classes = uniform(5, 4), f32([0, 1, 1, 0, 1] * 4, 5, 4), torch.tensor([2, 0, 3, 1, 2])
    shares = torch.softmax(uniform(5, 4), 1).float().double()
    w, row = uniform(4, low=0.5, high=2), uniform(5, 4, low=0.5, high=2)
    listed = torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 0], [0, 1, 2, 3], [2, 2, -1, -1], [1, -1, -1, -1]])
    each = [
        ("MSELoss", {}, None, 1, [real]), ("MSELoss", {"reduction": "sum"}, None, 1, [real]), ("L1Loss", {}, None, 1, [real]),
        ("HuberLoss", {"delta": 0.5}, None, 1, [real]), ("SmoothL1Loss", {"beta": 0.5}, None, 1, [real]),
        ("CrossEntropyLoss", {}, None, 1, [classes]), ("CrossEntropyLoss", {"weight": w, "ignore_index": 3, "label_smoothing": 0.1}, None, 1, [classes]),
        ("CrossEntropyLoss", {"label_smoothing": 0.2}, None, 1, [shares]),
        ("NLLLoss", {"weight": w}, "logSoftmax", 1, [classes]), ("BCELoss", {"weight": row}, "sigmoid", 1, [bits]),
        ("BCEWithLogitsLoss", {"weight": row, "pos_weight": w}, None, 1, [bits]), ("KLDivLoss", {"reduction": "batchmean"}, "logSoftmax", 1, [shares]),
        ("KLDivLoss", {"log_target": True}, "logSoftmax", 1, [torch.log(shares).float().double()]),
        ("PoissonNLLLoss", {"full": True}, None, 1, [f32([0, 1, 2, 5] * 5, 5, 4)]), ("GaussianNLLLoss", {"full": True}, None, 1, [real, row]),
        ("HingeEmbeddingLoss", {"margin": 0.5}, None, 1, [torch.sign(real)]), ("MarginRankingLoss", {"margin": 0.5}, None, 2, [torch.sign(real)]),
        ("MultiMarginLoss", {"p": 2, "weight": w}, None, 1, [classes]), ("MultiLabelMarginLoss", {}, None, 1, [listed]),
        ("MultiLabelSoftMarginLoss", {"weight": w}, None, 1, [bits]), ("SoftMarginLoss", {}, None, 1, [torch.sign(real)]),
        ("TripletMarginLoss", {"swap": True}, None, 3, []), ("TripletMarginWithDistanceLoss", {"margin": 0.5}, None, 3, []),
        ("CosineEmbeddingLoss", {"margin": 0.1}, None, 2, [SIGNS]),
        ("CTCLoss", {"blank": 3}, "logSoftmax", 1, [torch.tensor([[1, 0, 2]]), torch.tensor([5]), torch.tensor([3])]),
    ]
    ready = {None: lambda y: y, "logSoftmax": lambda y: torch.log_softmax(y, 1), "sigmoid": torch.sigmoid}
    tensors = Golden("criteria-modules")
    runs = []
    for name, options, before, inputs, targets in each:
        model = nn.Linear(3, 4).double()
        model.weight.data.copy_(weights[0])
        model.bias.data.copy_(weights[1])
        loss = getattr(nn, name)(**options)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            value = loss(*(ready[before](model(x)) for x in xs[:inputs]), *targets)
            value.backward()
            optimizer.step()
            losses.append(number(value.item()))
        runs.append({
            "loss": name, "options": {camel(k): f"${tensors.put(v)}" if isinstance(v, torch.Tensor) else v for k, v in options.items()},
            "ready": before, "inputs": inputs, "targets": [tensors.put(t) for t in targets], "state": list(loss.state_dict()), "losses": losses,
            "after": flat(model.weight),
        })
    start = [tensors.put(x) for x in (*weights, *xs)]
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
    stored = ",\n".join(t.replace(", ", ",").replace(": ", ":") for t in tensors.tensors)
    tensors.path.write_text(f'{{"tensors":[\n{stored}\n],"start":{json.dumps(start)},"runs":[\n{lines}\n]}}\n')


def criteria():
    values(Golden("criteria"))
    seconds()
    modules()


if __name__ == "__main__":
    criteria()
