"""Twenty optimizer steps of one module each, from its state: what it gives, all gradients, and the losses."""
import torch

from store import dump, flat, integers, number, uniform
from training import camel

# Module, arguments, options, and inputs: a shape of floats, or ("classes", shape, how many).
CASES = [
    ("Embedding", [6, 3], {}, [("classes", [2, 4], 6)]),
    ("Embedding", [6, 3], {"padding_idx": 2, "scale_grad_by_freq": True}, [("classes", [2, 4], 6)]),
    ("Embedding", [6, 3], {"max_norm": 0.9}, [("classes", [7], 6)]),
    ("EmbeddingBag", [6, 3], {}, [("classes", [3, 4], 6)]),
    ("EmbeddingBag", [6, 3], {"mode": "sum", "padding_idx": 1}, [("classes", [3, 4], 6)]),
    ("EmbeddingBag", [6, 3], {"mode": "max"}, [("classes", [3, 4], 6)]),
    ("Bilinear", [3, 4, 2], {}, [[5, 3], [5, 4]]),
    ("Bilinear", [2, 1, 3], {"bias": False}, [[2, 3, 2], [2, 3, 1]]),
    ("PReLU", [], {}, [[3, 4]]),
    ("PReLU", [3], {"init": 0.5}, [[2, 3, 2]]),
    ("RReLU", [], {"lower": 0.25, "upper": 0.25}, [[3, 4]]),
    ("GLU", [], {}, [[3, 4]]),
    ("GLU", [1], {}, [[2, 4, 3]]),
    ("ReLU6", [], {}, [[3, 4]]),
    ("CELU", [], {"alpha": 0.7}, [[3, 4]]),
    ("ELU", [], {"alpha": 0.7}, [[3, 4]]),
    ("GELU", [], {"approximate": "tanh"}, [[3, 4]]),
    ("Hardswish", [], {}, [[3, 4]]),
    ("Hardsigmoid", [], {}, [[3, 4]]),
    ("Hardshrink", [], {}, [[3, 4]]),
    ("Softshrink", [0.3], {}, [[3, 4]]),
    ("Tanhshrink", [], {}, [[3, 4]]),
    ("LogSigmoid", [], {}, [[3, 4]]),
    ("Softmin", [], {"dim": 1}, [[3, 4]]),
    ("Softmax2d", [], {}, [[2, 3, 2, 2]]),
    ("Threshold", [0.1, -0.5], {}, [[3, 4]]),
    ("LocalResponseNorm", [3], {"alpha": 0.5}, [[2, 5, 3]]),
    ("LocalResponseNorm", [4], {"alpha": 0.5, "beta": 1.5, "k": 2}, [[2, 5, 2, 2]]),
    ("BatchNorm3d", [2], {}, [[2, 2, 2, 1, 2]]),
    ("InstanceNorm3d", [2], {"affine": True}, [[2, 2, 2, 1, 2]]),
]
STEPS = 20


def inputs_of(spec):
    return integers(*spec[1], high=spec[2]) if spec[0] == "classes" else uniform(*spec)


def trained():
    runs = []
    for name, args, options, specs in CASES:
        module = getattr(torch.nn, name)(*args, **options).double()
        for p in module.parameters():
            p.data.copy_(uniform(*p.shape, low=-0.9, high=0.9))
        inputs = [inputs_of(spec) for spec in specs]
        entry = {
            "name": name, "args": [*args, {camel(k): v for k, v in options.items()}] if options else args,
            "state": [[k, list(v.shape), flat(v)] for k, v in module.state_dict().items()],
            "inputs": [{"shape": list(x.shape), "data": flat(x), **({} if x.is_floating_point() else {"dtype": "i32"})} for x in inputs],
        }
        # What is put in is trained with the parameters, so that its gradients count as well.
        leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
        params = [x for x in leaves if x.requires_grad] + list(module.parameters())
        optimizer = torch.optim.SGD(params, lr=0.2, momentum=0.5)
        target, losses = None, []
        for step in range(STEPS):
            optimizer.zero_grad()
            y = module(*leaves)
            if target is None:
                target = uniform(*y.shape, low=-1, high=1)
                entry.update(y=flat(y), target=flat(target))
            loss = ((y - target) ** 2).mean()
            loss.backward()
            if step == 0:
                entry["grads"] = [flat(p.grad) for p in params]
            optimizer.step()
            losses.append(number(loss.item()))
        entry["losses"] = losses
        runs.append(entry)
    dump("trained", {"runs": runs})
