"""Rows of tables by index: embeddings and bags."""
import torch
import torch.nn.functional as F

from store import Golden, integers, uniform


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
    golden.write()
