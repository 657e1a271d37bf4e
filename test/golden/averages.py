"""Twenty steps of a model with averages of its weights (torch.optim.swa_utils), and its batch norm made anew."""
import torch
from torch.optim import swa_utils

from schedules import camel
from store import dump, flat, uniform

STEPS = 20
CASES = [
    ("swa", {}),
    ("swa", {"use_buffers": True}),
    ("getSwaMultiAvgFn", {}),
    ("getSwaAvgFn", {}),
    ("getEmaAvgFn", {"use_buffers": True}),
    ("getEmaMultiAvgFn", {}),
    ("getEmaMultiAvgFn", {"use_buffers": True}),
    ("own", {}),
]
FUNCTIONS = {
    "swa": {},
    "getSwaMultiAvgFn": {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()},
    "getSwaAvgFn": {"avg_fn": swa_utils.get_swa_avg_fn()},
    "getEmaAvgFn": {"avg_fn": swa_utils.get_ema_avg_fn(0.8)},
    "getEmaMultiAvgFn": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.8)},
    # 0 / 0 for the first weights, where it is not called.
    "own": {"avg_fn": lambda averaged, current, n: averaged + (current - averaged) * n / (n * (n + 2))},
}


def floats(model):
    """Tensors by name, but for the counts of batches: ours are no integers."""
    return {key: {"shape": list(x.shape), "data": flat(x)} for key, x in model.state_dict().items() if "num_batches" not in key}


def averages():
    torch.manual_seed(3)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    start = {key: uniform(*x.shape, low=-1, high=1) for key, x in model.state_dict().items() if "running" not in key and "num" not in key}
    xs, ys = uniform(STEPS, 5, 3), uniform(STEPS, 5, 2)
    content = {"start": {key: flat(x) for key, x in start.items()}, "x": flat(xs), "y": flat(ys), "runs": []}
    for name, options in CASES:
        model.load_state_dict({**start, **nn.BatchNorm1d(4).double().state_dict(prefix="1.")} | start)
        averaged = swa_utils.AveragedModel(model, **FUNCTIONS[name], **options)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses = []
        for i in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(xs[i]), ys[i])
            loss.backward()
            optimizer.step()
            averaged.update_parameters(model)
            averaged.eval()
            losses.append(nn.functional.mse_loss(averaged(xs[i]), ys[i]))
            averaged.train()
        state = floats(averaged)
        swa_utils.update_bn([[x, y] for x, y in zip(xs, ys)], averaged)
        averaged.eval()
        content["runs"].append({
            "average": name, "options": {camel(key): value for key, value in options.items()},
            "keys": list(averaged.state_dict()), "losses": flat(torch.stack(losses)), "state": state,
            "anew": {key: x for key, x in floats(averaged).items() if "running" in key}, "output": flat(averaged(xs[0])),
        })
    dump("averages", content)


if __name__ == "__main__":
    averages()
