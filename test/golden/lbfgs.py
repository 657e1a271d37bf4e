"""Calls of L-BFGS on small problems: lbfgs.json, for test/training/lbfgs.test.ts."""
import torch

from optimizers_more import saved, words
from schedules import camel
from store import dump, flat

POINTS = torch.tensor([[1, 0.5, 1], [-0.5, 2, 1], [2, -1, 1], [-1, -1.5, 1], [0.3, 0.2, 1], [-2, 0.4, 1]], dtype=torch.float64)
LABELS = torch.tensor([1, 0, 1, 0, 0, 1], dtype=torch.float64)
PROBLEMS = {
    "quadratic": ([1, -2, 0.5, 3], lambda w: (w * torch.tensor([1, 4, 9, 0.5], dtype=torch.float64) * w).sum() + w.sum()),
    "valley": ([-1.2, 1], lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2),
    "logistic": ([0, 0, 0], lambda w: torch.nn.functional.binary_cross_entropy_with_logits(POINTS @ w, LABELS) + 0.01 * (w * w).sum()),
}
# Problem, options, calls: few enough that rounding has not yet grown to another path.
ROWS = [
    ("quadratic", {"lr": 0.1, "max_iter": 4}, 4),
    ("quadratic", {"line_search_fn": "strong_wolfe", "max_iter": 3}, 3),
    ("valley", {"line_search_fn": "strong_wolfe", "max_iter": 4}, 4),
    ("valley", {"lr": 1e-3, "max_iter": 3}, 4),
    ("logistic", {"max_iter": 2, "history_size": 2}, 4),
    ("logistic", {"line_search_fn": "strong_wolfe", "max_iter": 2, "max_eval": 5, "history_size": 3}, 2),
]


def lbfgs():
    rows = []
    for problem, options, calls in ROWS:
        start, loss_of = PROBLEMS[problem]
        at = len(start) // 2
        params = [torch.tensor(part, dtype=torch.float32).double().requires_grad_() for part in (start[:at], start[at:])]
        optimizer = torch.optim.LBFGS(params, **options)

        def closure():
            optimizer.zero_grad()
            loss = loss_of(torch.cat(params))
            loss.backward()
            return loss

        losses, middle = [], None
        for i in range(calls):
            if i == calls // 2:
                state = optimizer.state_dict()
                middle = {"weights": flat(torch.cat(params)), "state": saved({**state, "state": {k: {n: x for n, x in v.items() if n != "al"} for k, v in state["state"].items()}})}
                middle["state"]["param_groups"][0]["line_search_fn"] = options.get("line_search_fn")
            losses.append(float(f"{optimizer.step(closure).item():.9g}"))
        rows.append({"problem": problem, "options": {camel(k): words(v) for k, v in options.items()}, "losses": losses, "weights": flat(torch.cat(params)), "evaluations": optimizer.state[params[0]]["func_evals"], "middle": middle})
    dump("lbfgs", {"rows": rows})


if __name__ == "__main__":
    lbfgs()
