"""Ten steps of every optimizer, gradient clipping, and small networks with their state."""
import math

import torch
import torch.nn.functional as F

from store import dump, flat, integers, number, uniform

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 0.001}),
    ("RMSprop", {"lr": 0.02, "weight_decay": 0.05}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.8}),
    ("RMSprop", {"lr": 0.02, "centered": True}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.8, "weight_decay": 0.05}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.05}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 0.001}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 0.001}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.5), "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.05}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.2}),
    ("AdamW", {"lr": 0.05, "betas": (0.8, 0.5), "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "maximize": True}),
]


def camel(name):
    """PyTorch's name in ours."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def optimizers():
    shapes = [[2, 3], [3]]
    start = [uniform(*shape) for shape in shapes]
    steps = [[uniform(*shape, low=-1, high=1) for shape in shapes] for _ in range(10)]
    # A gradient of zero, and a jump that makes amsgrad's maximum count.
    steps[3] = [torch.zeros_like(g) for g in steps[3]]
    steps[5] = [(g * 8).float().double() for g in steps[5]]
    runs = []
    for name, options in OPTIMIZERS:
        params = [p.clone().requires_grad_() for p in start]
        optimizer = getattr(torch.optim, name)(params, **options)
        after = []
        for gradients in steps:
            for p, g in zip(params, gradients):
                p.grad = g.clone()
            optimizer.step()
            after.append([flat(p) for p in params])
        runs.append({"optimizer": name, "options": {camel(k): v for k, v in options.items()}, "after": after})
    groups = [{"params": 0, "lr": 0.1, "momentum": 0.5}, {"params": 1, "weight_decay": 0.1}]
    params = [p.clone().requires_grad_() for p in start]
    optimizer = torch.optim.SGD([{**g, "params": [params[g["params"]]]} for g in groups], lr=0.02)
    after = []
    for i, gradients in enumerate(steps):
        if i == 5:
            optimizer.param_groups[0]["lr"] = 0.01  # as a schedule does
        for p, g in zip(params, gradients):
            p.grad = g.clone()
        optimizer.step()
        after.append([flat(p) for p in params])
    grouped = {"groups": [{camel(k): v for k, v in g.items()} for g in groups], "lr": 0.02, "lrFromStep5": 0.01, "after": after}

    clips = []
    gradients = steps[5]
    for kind, limit, p in (
        ("norm", 1.0, 2.0), ("norm", 1000.0, 2.0), ("norm", 1.0, math.inf), ("norm", 1.0, 1.0), ("norm", 1.0, 3.0), ("norm", 0.0, 2.0), ("value", 0.5, None),
    ):
        params = [q.clone().requires_grad_() for q in start]
        for q, g in zip(params, gradients):
            q.grad = g.clone()
        entry = {"kind": kind, "limit": limit}
        if kind == "norm":
            entry["normType"] = number(p)
            entry["total"] = number(torch.nn.utils.clip_grad_norm_(params, limit, p).item())
        else:
            torch.nn.utils.clip_grad_value_(params, limit)
        entry["after"] = [flat(q.grad) for q in params]
        clips.append(entry)
    dump("optimizers", {
        "shapes": shapes, "start": [flat(p) for p in start], "steps": [[flat(g) for g in s] for s in steps], "runs": runs, "grouped": grouped, "clips": clips,
    })


def modules():
    """Small networks with their state dicts, one forward and backward in training and in evaluation, and ten steps of training."""
    nn = torch.nn

    def state(model):
        return [[k, list(v.shape), flat(v)] for k, v in model.state_dict().items()]

    def fill(model):
        for p in list(model.parameters()) + [b for b in model.buffers() if b.dtype == torch.float64]:
            low, high = (0.5, 1.5) if p.dim() == 1 else (-0.8, 0.8)
            p.data.copy_(uniform(*p.shape, low=low, high=high))
        return model

    networks = []
    for layers in (
        [["Linear", 3, 2]],
        [["Linear", 3, 2, {"bias": False}]],
        [["Flatten"], ["Linear", 6, 4], ["ReLU"], ["Linear", 4, 2]],
        [["Linear", 3, 4], ["BatchNorm1d", 4], ["Tanh"], ["LayerNorm", 4], ["Linear", 4, 2], ["LogSoftmax", {"dim": 1}]],
        [["BatchNorm1d", 3, {"eps": 0.01, "momentum": 0.3}], ["GELU"], ["BatchNorm1d", 3, {"affine": False}]],
        [["BatchNorm1d", 3, {"track_running_stats": False}], ["Linear", 3, 3], ["LayerNorm", [3], {"elementwise_affine": False}]],
        [["Linear", 3, 5], ["Sigmoid"], ["Linear", 5, 5], ["LeakyReLU", {"negative_slope": 0.2}], ["Linear", 5, 5], ["ELU"], ["SELU"], ["SiLU"], ["Softplus"], ["Softsign"],
         ["Hardtanh", {"min_val": -0.5, "max_val": 0.8}], ["Linear", 5, 2], ["Softmax", {"dim": 1}]],
    ):
        model = nn.Sequential(*(
            getattr(nn, name)(*[a for a in args if not isinstance(a, dict)], **next((a for a in args if isinstance(a, dict)), {}))
            for name, *args in layers
        )).double()
        fill(model)
        x = uniform(4, 2, 3) if layers[0][0] == "Flatten" else uniform(4, 3)
        entry = {
            "layers": [[name, *({camel(k): v for k, v in a.items()} if isinstance(a, dict) else a for a in args)] for name, *args in layers],
            "state": state(model), "x": flat(x), "xShape": list(x.shape),
        }
        for mode in ("train", "eval"):
            getattr(model, mode)()
            model.zero_grad()
            leaf = x.clone().requires_grad_()
            y = model(leaf)
            g = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape) / y.numel()
            y.backward(g)
            entry[mode] = {"y": flat(y), "xGrad": flat(leaf.grad), "grads": {k: flat(p.grad) for k, p in model.named_parameters()}}
        entry["stateAfter"] = state(model)
        networks.append(entry)

    trainings = []
    for optimizer_name, options in (("SGD", {"lr": 0.2, "momentum": 0.9}), ("Adam", {"lr": 0.02}), ("RMSprop", {"lr": 0.01}), ("AdamW", {"lr": 0.05})):
        model = fill(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double())
        optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), **options)
        x, y = uniform(8, 4), integers(8, high=3)
        entry = {"optimizer": optimizer_name, "options": {camel(k): v for k, v in options.items()}, "state": state(model), "x": flat(x), "y": flat(y), "losses": []}
        for _ in range(10):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            entry["losses"].append(number(loss.item()))
        entry["stateAfter"] = state(model)
        trainings.append(entry)

    gains = [[name, None, number(nn.init.calculate_gain(name))] for name in ("linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu")]
    gains.append(["leaky_relu", 0.2, number(nn.init.calculate_gain("leaky_relu", 0.2))])
    dump("modules", {"networks": networks, "trainings": trainings, "gains": gains})
