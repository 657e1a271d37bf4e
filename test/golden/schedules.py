"""A hundred steps of every learning-rate schedule: schedules.json, for schedules.test.ts."""
import torch
from torch.optim import lr_scheduler, swa_utils

from store import dump

LENGTH = 100
# What both sides call functions.
FUNCTIONS = {"inverse": lambda epoch: 1 / (1 + epoch), "power": lambda epoch: 0.95**epoch, "wave": lambda x: 1 / (5 ** (x * 0.01))}

# Name, arguments, the optimizer where it is not SGD, and of compositions their parts in place of the first argument.
ROWS = [
    ("LambdaLR", {"lr_lambda": "inverse"}),
    ("LambdaLR", {"lr_lambda": ["inverse", "power"]}),
    ("MultiplicativeLR", {"lr_lambda": "power"}),
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 30, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [30, 10, 30, 80], "gamma": 0.3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 20}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 60}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 80, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 30}),
    ("CosineAnnealingLR", {"T_max": 100, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7, "T_mult": 2, "eta_min": 0.001}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": [0.1, 0.2], "step_size_up": 9}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 12, "step_size_down": 20, "mode": "triangular2", "base_momentum": 0.7}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10, "mode": "exp_range", "gamma": 0.98}, "Adam"),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10, "scale_fn": "wave", "scale_mode": "iterations", "cycle_momentum": False}, "Adagrad"),
    ("OneCycleLR", {"max_lr": [0.1, 0.2], "total_steps": 100}),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 12, "steps_per_epoch": 10, "pct_start": 0.4, "anneal_strategy": "linear", "div_factor": 10.0, "base_momentum": 0.8}, "Adam"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 110, "three_phase": True, "final_div_factor": 100.0}, "Adam"),
    ("ReduceLROnPlateau", {"patience": 3}),
    ("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 2, "threshold": 0.01, "threshold_mode": "abs", "cooldown": 4, "min_lr": [0.01, 0.001]}),
    ("SequentialLR", {"milestones": [20]}, "SGD", [("ConstantLR", {"factor": 0.1, "total_iters": 20}), ("ExponentialLR", {"gamma": 0.95})]),
    ("SequentialLR", {"milestones": [10, 50]}, "SGD", [("LinearLR", {"total_iters": 10}), ("CosineAnnealingLR", {"T_max": 40}), ("StepLR", {"step_size": 9})]),
    ("SequentialLR", {"milestones": [15]}, "Adam", [("CosineAnnealingWarmRestarts", {"T_0": 10}), ("CosineAnnealingWarmRestarts", {"T_0": 7, "T_mult": 2})]),
    ("ChainedScheduler", {}, "SGD", [("ConstantLR", {"factor": 0.1, "total_iters": 20}), ("ExponentialLR", {"gamma": 0.95})]),
    ("ChainedScheduler", {}, "SGD", [("LinearLR", {"total_iters": 30}), ("MultiplicativeLR", {"lr_lambda": "power"}), ("StepLR", {"step_size": 25})]),
    ("SWALR", {"swa_lr": 0.02}),
    ("SWALR", {"swa_lr": [0.02, 0.5], "anneal_epochs": 40, "anneal_strategy": "linear"}),
    ("SequentialLR", {"milestones": [60]}, "SGD", [("CosineAnnealingLR", {"T_max": 60}), ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 15})]),
]


def metric(i):
    """What ReduceLROnPlateau looks at: better for a while, then no more."""
    return max(1 / (1 + i), 0.05) - (0.02 if i == 60 else 0)


def camel(name):
    head, *rest = name.lower().split("_")
    return head + "".join(word.capitalize() for word in rest)


def words(value):
    return camel(value) if isinstance(value, str) else value


def python(options):
    def of(value):
        if isinstance(value, list):
            return [of(x) for x in value]
        return FUNCTIONS.get(value, value) if isinstance(value, str) else value

    return {name: of(value) for name, value in options.items()}


def make(optimizer, name, options, _=None, parts=None):
    kind = getattr(swa_utils, name, None) or getattr(lr_scheduler, name)
    if name == "SequentialLR":
        return kind(optimizer, [make(optimizer, *part) for part in parts], **options)
    if name == "ChainedScheduler":
        return kind([make(optimizer, *part) for part in parts], **options)
    return kind(optimizer, **python(options))


def runs(values):
    """[value, how often] of neighbours that are the same."""
    found = []
    for value in values:
        short = float(f"{value:.9g}")
        if found and found[-1][0] == short:
            found[-1][1] += 1
        else:
            found.append([short, 1])
    return [value if count == 1 else [value, count] for value, count in found]


def stored(name, options, optimizer="SGD", parts=None):
    entry = {"name": name, "options": {camel(key): words(value) for key, value in options.items()}, "optimizer": optimizer}
    return {**entry, "parts": [stored(*part) for part in parts]} if parts else entry


def schedules():
    rows = []
    for row in ROWS:
        name, kind = row[0], row[2] if len(row) > 2 else "SGD"
        weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        more = {"momentum": 0.9} if kind == "SGD" else {}
        optimizer = getattr(torch.optim, kind)([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.1}], lr=0.5, **more)
        schedule = make(optimizer, *row)
        lrs, others, momenta = [], [], []
        for i in range(LENGTH):
            lrs.append(schedule.get_last_lr()[0])
            group = optimizer.param_groups[1]
            others.append(group["lr"])
            momenta.append(group["betas"][0] if "betas" in group else group.get("momentum", 0))
            optimizer.step()
            if name == "ReduceLROnPlateau":
                schedule.step(metric(i) * (-1 if row[1].get("mode") == "max" else 1))
            else:
                schedule.step()
        rows.append({**stored(*row), "lrs": runs(lrs), "others": runs(others[::10]), "momenta": runs(momenta)})
    dump("schedules", {"length": LENGTH, "rows": rows})


if __name__ == "__main__":
    schedules()
