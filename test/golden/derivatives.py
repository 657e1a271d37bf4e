"""Derivatives of functions (torch.autograd.functional), and gradients of single samples (torch.func)."""
import torch
from torch.autograd import functional
from torch.func import functional_call, grad, vmap

from inplace import numbers, uniform
from store import dump


def several(x, y):
    return x.exp() * y.sum(), (x.reshape(1, 3) @ y.reshape(3, 2)).tanh()


def single(x, y):
    return (x.sin() * y.reshape(3, 2).sum(1)).sum().square() + y.pow(3).sum()


def derivatives():
    x, y = uniform(3, low=-1.2), uniform(6, low=0.3, high=1.1)
    vx, vy, wide, narrow = uniform(3), uniform(6), uniform(3), uniform(1, 2)
    flat = lambda v: numbers(v.detach()) if isinstance(v, torch.Tensor) else [flat(each) for each in v]
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(uniform(*p.shape))
    images, labels = uniform(5, 3), uniform(5, 2)

    def loss(params, image, label):
        return (functional_call(model, params, (image,)) - label).square().mean()

    samples = vmap(grad(loss), in_dims=(None, 0, 0))(dict(model.named_parameters()), images, labels)
    dump("derivatives", {
        "inputs": [flat(v) for v in (x, y, vx, vy, wide, narrow)],
        "results": {
            "jacobian": flat(functional.jacobian(several, (x, y))),
            "hessian": flat(functional.hessian(single, (x, y))),
            "vjp": flat(functional.vjp(several, (x, y), (wide, narrow))[1]),
            "jvp": flat(functional.jvp(several, (x, y), (vx, vy))[1]),
            "hvp": flat(functional.hvp(single, (x, y), (vx, vy))[1]),
            "vhp": flat(functional.vhp(single, (x, y), (vx, vy))[1]),
        },
        "model": {name: flat(p) for name, p in model.named_parameters()},
        "images": flat(images),
        "labels": flat(labels),
        "samples": {name: flat(g) for name, g in samples.items()},
    })
