"""Twenty steps of the optimizers beyond SGD, RMSprop, Adagrad and Adam, and states that PyTorch saved."""
import math

import torch

from schedules import camel
from store import dump, flat, uniform

OPTIMIZERS = [
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-4, "weight_decay": 0.05}),
    ("Adadelta", {"maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.05}),
    ("Adamax", {"lr": 0.05, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.05, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.05}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.5), "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 5, "weight_decay": 0.05}),
    ("ASGD", {"lr": 0.1, "t0": 0, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.02, 0.5)}),
    ("Rprop", {"maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-4, 0.1), "d": 1.5, "weight_decay": 0.05}),
    ("Adafactor", {"lr": 0.2, "maximize": True}),
    ("Muon", {}),
    ("Muon", {"lr": 0.05, "weight_decay": 0.02, "momentum": 0.8, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
    ("Muon", {"lr": 0.05, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 3, "adjust_lr_fn": "original"}),
]
SHAPES = {"Muon": [[2, 3], [4, 2]], "Adafactor": [[2, 3], [3], [2, 3, 2]]}
STEPS = 20
# Those steps that a file keeps.
KEPT = [1, 2, 5, 6, 20]

# Muon multiplies in bfloat16, whose rounding is a percent: here in the precision of its input, as ours.
torch.Tensor.bfloat16 = lambda x: x.clone()


def gradients(shapes):
    steps = [[uniform(*shape, low=-1, high=1) for shape in shapes] for _ in range(STEPS)]
    steps[3] = [torch.zeros_like(g) for g in steps[3]]
    steps[5] = [(g * 8).float().double() for g in steps[5]]
    return steps


def step(optimizer, params, grads):
    for p, g in zip(params, grads):
        p.grad = g.clone()
    optimizer.step()


def words(value):
    return camel(value) if isinstance(value, str) else value


def saved(value):
    """A state as JSON: tensors as [shape, numbers]."""
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "data": flat(value)}
    if isinstance(value, dict):
        return {str(k): saved(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [saved(v) for v in value]
    return value


def optimizers_more():
    cases = {}
    runs = []
    for name, options in OPTIMIZERS:
        shapes = SHAPES.get(name, [[2, 3], [3]])
        key = str(shapes)
        if key not in cases:
            cases[key] = {"shapes": shapes, "start": [uniform(*shape) for shape in shapes], "steps": gradients(shapes)}
        case = cases[key]
        params = [p.clone().requires_grad_() for p in case["start"]]
        optimizer = getattr(torch.optim, name)(params, **options)
        after = {}
        for i, grads in enumerate(case["steps"]):
            step(optimizer, params, grads)
            if i + 1 in KEPT:
                after[i + 1] = [flat(p) for p in params]
        runs.append({"optimizer": name, "case": list(cases).index(key), "options": {camel(k): words(v) for k, v in options.items()}, "after": after})

    # States of PyTorch's, after five steps, and where its next five lead.
    case = cases[str([[2, 3], [3]])]
    states = []
    for name, options in (
        ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}), ("RMSprop", {"centered": True, "momentum": 0.8}), ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
        ("Adam", {"lr": 0.05, "amsgrad": True}), ("AdamW", {"lr": 0.05}), ("Adadelta", {}), ("Adamax", {}), ("NAdam", {}), ("RAdam", {}), ("ASGD", {"t0": 3}), ("Rprop", {}),
        ("Adafactor", {}), ("Muon", {"adjust_lr_fn": "match_rms_adamw"}),
    ):
        count = 1 if name == "Muon" else 2
        params = [p.clone().requires_grad_() for p in case["start"][:count]]
        groups = [{"params": params[:1], "lr": 0.03}, {"params": params[1:]}] if count > 1 else params
        optimizer = getattr(torch.optim, name)(groups, **options)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if name == "Adam" else None
        for grads in case["steps"][:5]:
            step(optimizer, params, grads)
            if schedule:
                schedule.step()
        entry = {"optimizer": name, "weights": [flat(p) for p in params], "state": saved(optimizer.state_dict())}
        for grads in case["steps"][5:10]:
            step(optimizer, params, grads)
        states.append({**entry, "after": [flat(p) for p in params]})
    dump("optimizers-more", {
        "cases": [{**c, "start": [flat(p) for p in c["start"]], "steps": [[flat(g) for g in s] for s in c["steps"]]} for c in cases.values()],
        "runs": runs, "states": states,
    })


if __name__ == "__main__":
    optimizers_more()
