"""Tables with sparse gradients: twenty steps of the optimizers that take them, of embeddings and of bags."""
import torch
import torch.nn.functional as F

from schedules import camel
from store import dump, f32, flat

ROWS, WIDTH, STEPS, KEPT = 7, 5, 20, (1, 2, 5, 20)
# PyTorch normalises in place before the step, so that maxNorm is a part of what is learned.
TABLES = [
    ("Embedding", {}),
    ("Embedding", {"padding_idx": 2}),
    ("Embedding", {"padding_idx": 2, "max_norm": 0.9}),
    ("EmbeddingBag", {"mode": "sum"}),
    ("EmbeddingBag", {"mode": "mean", "padding_idx": 2}),
    ("EmbeddingBag", {"mode": "sum", "padding_idx": 2, "weighed": True}),
]
OPTIMIZERS = [
    ("SparseAdam", {"lr": 0.05}),
    ("SparseAdam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "maximize": True}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3}),
]


def sparse():
    draw = torch.Generator().manual_seed(5)
    # Rows that come again, rows that come late, and a step of padding alone.
    indices = [torch.randint(0, 2 + t % (ROWS - 1), (2, 3), generator=draw) for t in range(STEPS)]
    indices[3] = torch.full((2, 3), 2)

    def uniform(*shape):
        return f32((torch.rand(shape, generator=draw) * 4 - 2).mul(100).round().div(100).tolist())

    targets = [uniform(2, 3, WIDTH) for _ in range(STEPS)]
    weights = [uniform(2, 3) for _ in range(STEPS)]
    start = uniform(ROWS, WIDTH)

    def loss(kind, options, table, t):
        given = {k: v for k, v in options.items() if k != "weighed"}
        if kind == "Embedding":
            return ((F.embedding(indices[t], table, sparse=True, **given) - targets[t]) ** 2).sum()
        samples = weights[t] if "weighed" in options else None
        return ((F.embedding_bag(indices[t], table, sparse=True, per_sample_weights=samples, **given) - targets[t][:, 0]) ** 2).sum()

    runs, states = [], []
    for which, (kind, given) in enumerate(TABLES):
        for name, options in OPTIMIZERS if which == 1 else OPTIMIZERS[:1] + OPTIMIZERS[3:4]:
            table = start.clone().requires_grad_()
            optimizer = getattr(torch.optim, name)([table], **options)
            after, gradients, rows = {}, {}, {}
            for t in range(STEPS):
                optimizer.zero_grad()
                loss(kind, given, table, t).backward()
                if t + 1 in KEPT[1:3] and name == "SparseAdam":
                    gradients[t + 1] = flat(table.grad.to_dense())
                    rows[t + 1] = table.grad.coalesce().indices()[0].tolist()
                optimizer.step()
                if t + 1 in KEPT:
                    after[t + 1] = flat(table.detach())
                if t + 1 == 5 and which == 1 and name != "SGD":
                    state = optimizer.state_dict()
                    assert not any(isinstance(v, torch.Tensor) and v.is_sparse for v in state["state"][0].values())
                    entry = {k: {"shape": list(v.shape), "data": flat(v)} if isinstance(v, torch.Tensor) else v for k, v in state["state"][0].items()}
                    states.append({"run": len(runs), "state": {"state": {"0": entry}, "param_groups": state["param_groups"]}})
            named = [{camel(k): v for k, v in o.items()} for o in (given, options)]
            runs.append({"table": kind, "given": named[0], "optimizer": name, "options": named[1], "after": after, "gradients": gradients, "rows": rows})
    dump("sparse", {
        "case": {
            "shape": [ROWS, WIDTH], "start": flat(start), "indices": [x.tolist() for x in indices],
            "targets": [flat(x) for x in targets], "weights": [flat(x) for x in weights],
        },
        "runs": runs, "states": states,
    })


if __name__ == "__main__":
    sparse()
