"""Log-probabilities, entropies, means, variances and divergences of distributions, and gradients of the first two."""
import torch
import torch.distributions as D

from store import dump, f32, flat, made, uniform


def of(name, **options):
    kind, *dims = name.split()
    made = getattr(D, kind)(**options)
    return D.Independent(made, int(dims[0]), validate_args=options.get("validate_args")) if dims else made


def distributions():
    high = lambda seed, *shape: made(seed, *shape, low=0.2, high=2)
    positive = lambda *shape: uniform(*shape, low=0.2, high=2)
    share = f32([0.5, 0.25, 0.0625, 0.9375, 0.125, 0.75], 2, 3)
    value, bits = uniform(2, 3), f32([0, 1, 1, 1, 0, 1], 2, 3)
    each = [
        ("Normal", {"loc": uniform(2, 3), "scale": positive(3)}, {"loc": uniform(2, 3), "scale": positive(2, 3)}, value),
        ("Uniform", {"low": f32([-1, 0, -3]), "high": f32([2, 1, 5])}, {"low": f32([-2, 0, -2]), "high": f32([3, 1, 6])}, value),
        ("Bernoulli", {"probs": share}, {"probs": positive(2, 3) / 2}, bits),
        ("Bernoulli", {"logits": uniform(2, 3)}, {"logits": uniform(2, 3)}, bits),
        ("Categorical", {"probs": positive(2, 4)}, {"probs": positive(2, 4)}, torch.tensor([[0, 3], [1, 1], [2, 0]])),
        ("Categorical", {"logits": uniform(4)}, {"logits": uniform(4)}, torch.tensor([2, 0, 3])),
        # The dims of an event stand behind the name.
        ("Normal 1", {"loc": made(1, 2, 3), "scale": high(2, 3)}, {"loc": made(3, 2, 3), "scale": high(4, 2, 3)}, made(5, 2, 3)),
        ("Bernoulli 2", {"probs": share}, {"probs": high(6, 2, 3) / 2}, bits),
        ("Categorical 1", {"probs": high(7, 2, 4)}, {"probs": high(8, 2, 4)}, torch.tensor([[0, 3], [1, 1], [2, 0]])),
        ("Uniform 0", {"low": f32([-1, 0, -3]), "high": f32([2, 1, 5])}, {"low": f32([-2, 0, -2]), "high": f32([3, 1, 6])}, made(9, 2, 3)),
    ]
    stored = lambda options: {k: [list(v.shape), flat(v)] for k, v in options.items()}
    runs = []
    for name, options, others, at in each:
        rounded = {k: v.float().double() for k, v in others.items()}
        leaves = {k: v.float().double().requires_grad_() for k, v in options.items()}
        p, q = of(name, **leaves), of(name, **rounded)
        run = {"name": name, "options": stored(leaves), "others": stored(rounded), "value": [list(at.shape), flat(at)], "batchShape": list(p.batch_shape), "eventShape": list(p.event_shape)}
        inside = of(name, **leaves, validate_args=False)
        for what, y in (("logProb", inside.log_prob(at)), ("entropy", p.entropy())):
            for x in leaves.values():
                x.grad = None
            y.sum().backward(retain_graph=True)
            run[what] = [list(y.shape), flat(y)]
            run[what + "Grads"] = [flat(torch.zeros_like(x) if x.grad is None else x.grad) for x in leaves.values()]
        run["mean"], run["variance"], run["stddev"], run["kl"] = flat(p.mean), flat(p.variance), flat(p.stddev), flat(D.kl_divergence(p, q))
        runs.append(run)
    dump("distributions", {"runs": runs})


if __name__ == "__main__":
    distributions()
