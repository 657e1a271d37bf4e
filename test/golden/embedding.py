"""Rows of tables by index: embeddings and bags."""
import torch
import torch.nn.functional as F

from store import Golden, f32, integers, uniform


def embeddings():
    golden = Golden("embedding")
    weight, index = uniform(5, 3), torch.tensor([[4, 0, 4, 2], [1, 4, 0, 3]])
    for options in (
        {}, {"paddingIdx": 4}, {"paddingIdx": -5}, {"scaleGradByFreq": True}, {"paddingIdx": 0, "scaleGradByFreq": True},
        {"maxNorm": 1.5}, {"maxNorm": 1.5, "normType": 1}, {"maxNorm": 1, "normType": 3}, {"maxNorm": 1, "normType": "Infinity"},
    ):
        names = {"paddingIdx": "padding_idx", "scaleGradByFreq": "scale_grad_by_freq", "maxNorm": "max_norm", "normType": "norm_type"}
        given = {names[k]: float("inf") if v == "Infinity" else v for k, v in options.items()}
        golden.case(
            f"embedding {options}", "F.embedding", ["$0", "$1", options] if options else ["$0", "$1"],
            lambda i, w: F.embedding(i, w, **given), index, weight,
        )
    golden.case("embedding of one index", "F.embedding", ["$0", "$1"], F.embedding, integers(high=5), weight)
    flat, offsets, w8 = torch.tensor([4, 0, 4, 2, 1, 4, 0, 3]), torch.tensor([0, 3, 3, 6]), uniform(8)

    def bag(name, args, fn, *inputs, twice=True):
        golden.case(f"embeddingBag {name}", "F.embeddingBag", args, fn, *inputs, twice=twice)
    for mode in ("sum", "mean", "max"):
        bag(f"{mode} of rows", ["$0", "$1", {"mode": mode}], lambda i, w: F.embedding_bag(i, w, mode=mode), index, weight)
        bag(f"{mode} by offsets", ["$0", "$1", "$2", {"mode": mode}], lambda i, w, o: F.embedding_bag(i, w, o, mode=mode), flat, weight, offsets)
        bag(f"{mode} without padding", ["$0", "$1", "$2", {"mode": mode, "paddingIdx": -1}], lambda i, w, o: F.embedding_bag(i, w, o, mode=mode, padding_idx=-1), flat, weight, offsets)
        bag(f"{mode} of what is normalised", ["$0", "$1", {"mode": mode, "maxNorm": 1.5}], lambda i, w: F.embedding_bag(i, w, mode=mode, max_norm=1.5), index, weight)
    bag("to a last offset", ["$0", "$1", "$2", {"includeLastOffset": True}], lambda i, w, o: F.embedding_bag(i, w, o, include_last_offset=True), flat, weight, torch.tensor([0, 2, 8]))
    # PyTorch's own bag divides by the counts of other rows (2.13): so of rows that are taken one by one.
    for mode in ("sum", "mean"):
        def by_hand(i, w, o):
            rows = F.embedding(i, w, scale_grad_by_freq=True)
            bags = [rows[a:b] for a, b in ((0, 3), (3, 3), (3, 6), (6, 8))]
            return torch.stack([x.sum(0) / (max(1, len(x)) if mode == "mean" else 1) for x in bags])
        bag(f"{mode} by frequency", ["$0", "$1", "$2", {"mode": mode, "scaleGradByFreq": True}], by_hand, flat, weight, offsets, twice=False)  # PyTorch's second derivatives leave out the frequencies
    bag("weighed", ["$0", "$1", "$2", {"mode": "sum", "perSampleWeights": "$3"}], lambda i, w, o, p: F.embedding_bag(i, w, o, mode="sum", per_sample_weights=p), flat, weight, offsets, w8)
    bag("weighed, without padding", ["$0", "$1", "$2", {"mode": "sum", "perSampleWeights": "$3", "paddingIdx": 4}], lambda i, w, o, p: F.embedding_bag(i, w, o, mode="sum", per_sample_weights=p, padding_idx=4), flat, weight, offsets, w8)
    golden.write()


def activations():
    """Functions at their kinks, with their gradients."""
    golden = Golden("activations")
    x = f32([-30, -6, -3, -2.5, -1, -0.5, -0.125, 0, 0.25, 0.5, 1, 1.5, 3, 3.75, 6, 30])
    for name, options in (
        ("relu6", {}), ("celu", {}), ("celu", {"alpha": 0.5}), ("hardswish", {}), ("hardsigmoid", {}), ("hardshrink", {}), ("hardshrink", {"lambd": 1}),
        ("softshrink", {}), ("softshrink", {"lambd": 1}), ("tanhshrink", {}), ("logsigmoid", {}), ("rrelu", {}), ("rrelu", {"lower": 0.1, "upper": 0.2}),
        ("rrelu", {"lower": 0.5, "upper": 0.5, "training": True}),
    ):
        golden.case(f"{name} {options or ''}", f"F.{name}", ["$0", options] if options else ["$0"], lambda t: getattr(F, name)(t, **options), x)
    golden.case("threshold", "F.threshold", ["$0", 0.5, -2], lambda t: F.threshold(t, 0.5, -2), x)
    # At 0, PyTorch's second derivatives are those of the other side.
    golden.case("prelu", "F.prelu", ["$0", "$1"], F.prelu, x, f32([0.25]), twice=False)
    golden.case("prelu of channels", "F.prelu", ["$0", "$1"], F.prelu, uniform(2, 3, 2), uniform(3))
    golden.case("prelu of columns", "F.prelu", ["$0", "$1"], F.prelu, uniform(4, 3), uniform(3))
    for dim in (-1, 0):
        golden.case(f"glu {dim}", "F.glu", ["$0", dim], lambda t: F.glu(t, dim), uniform(4, 6))
        golden.case(f"softmin {dim}", "F.softmin", ["$0", dim], lambda t: F.softmin(t, dim), uniform(4, 3))
    golden.case("localResponseNorm", "F.localResponseNorm", ["$0", 2, 0.5, 0.6, 2], lambda t: F.local_response_norm(t, 2, 0.5, 0.6, 2), uniform(2, 4, 3))
    golden.case("localResponseNorm of one", "F.localResponseNorm", ["$0", 1], lambda t: F.local_response_norm(t, 1), uniform(2, 2, 3))
    for shape in ((), (3,), (2, 3)):
        golden.case(
            f"bilinear {list(shape)}", "F.bilinear", ["$0", "$1", "$2", "$3"], F.bilinear,
            uniform(*shape, 3) if shape else uniform(1, 3)[0], uniform(*shape, 2) if shape else uniform(1, 2)[0], uniform(4, 3, 2), uniform(4),
        )
    golden.write()
