"""Twenty optimizer steps of one module each, from its state: what it gives, all gradients, and the losses."""
import warnings

import torch
import torch.nn.utils.parametrizations

from store import dump, flat, integers, number, source, uniform
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
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.weight_norm", {}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.weight_norm", {"dim": 1}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.weight_norm", {"dim": None}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.weight_norm", {"name": "bias"}),
    ("Conv1d", [2, 3, 2], {}, [[2, 2, 4]], "parametrizations.weight_norm", {}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.spectral_norm", {}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.spectral_norm", {"name": "bias"}),
    ("Conv2d", [2, 3, 2], {}, [[1, 2, 3, 3]], "parametrizations.spectral_norm", {"n_power_iterations": 2}),
    ("ConvTranspose1d", [2, 3, 2], {}, [[2, 2, 3]], "parametrizations.spectral_norm", {}),
    ("Linear", [3, 4], {}, [[2, 3]], "weight_norm", {}),
    ("Conv1d", [2, 3, 2], {}, [[2, 2, 4]], "weight_norm", {"dim": None}),
    ("Linear", [3, 4], {}, [[2, 3]], "spectral_norm", {}),
    ("ConvTranspose1d", [2, 3, 2], {}, [[2, 2, 3]], "spectral_norm", {"n_power_iterations": 2}),
    ("Linear", [4, 4], {}, [[2, 4]], "parametrizations.orthogonal", {}),
    ("Linear", [3, 5], {}, [[2, 3]], "parametrizations.orthogonal", {}),
    ("Linear", [5, 3], {}, [[2, 5]], "parametrizations.orthogonal", {"orthogonal_map": "matrix_exp"}),
    ("Linear", [4, 4], {}, [[2, 4]], "parametrizations.orthogonal", {"orthogonal_map": "cayley"}),
    ("Linear", [3, 5], {}, [[2, 3]], "parametrizations.orthogonal", {"orthogonal_map": "cayley"}),
    ("Linear", [7, 6], {}, [[2, 7]], "parametrizations.orthogonal", {"orthogonal_map": "householder"}),
    ("Linear", [5, 5], {}, [[2, 5]], "parametrizations.orthogonal", {"orthogonal_map": "householder", "use_trivialization": False}),
    ("Linear", [6, 3], {}, [[2, 6]], "parametrizations.orthogonal", {"use_trivialization": False}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.orthogonal", {"orthogonal_map": "matrix_exp", "use_trivialization": False}),
    ("Linear", [3, 4], {}, [[2, 3]], "parametrizations.orthogonal", {"orthogonal_map": "cayley", "use_trivialization": False}),
    ("Conv1d", [2, 3, 2], {}, [[2, 2, 4]], "parametrizations.orthogonal", {}),
    ("Conv1d", [3, 2, 2], {}, [[2, 3, 4]], "parametrizations.orthogonal", {}),
    ("CrossMapLRN2d", [3], {"alpha": 0.5}, [[2, 6, 2, 2]]),
    ("CrossMapLRN2d", [4], {"alpha": 0.5, "beta": 1.5, "k": 2}, [[1, 5, 2, 2]]),
    ("CrossMapLRN2d", [5], {"alpha": 2}, [[1, 2, 2, 1]]),
]
STEPS = 20
#: From this case on, numbers are drawn that leave those of other files as they are.
LATER = 43


class CrossMapLRN2d(torch.nn.CrossMapLRN2d):
    """PyTorch's, with the gradient of what it computes; its own one is that of the channels beside."""

    def forward(self, x):
        pad, channels = (self.size + 1) // 2, x.shape[1]
        squares = [x[:, c] ** 2 for c in range(channels)]
        sums = [sum(squares[j] for j in range(min(c + pad, channels)) if j == 0 or j > c - pad) for c in range(channels)]
        y = x / (self.k + self.alpha / self.size * torch.stack(sums, 1)) ** self.beta
        assert torch.allclose(y, super().forward(x))
        return y


OWN = {"CrossMapLRN2d": CrossMapLRN2d}


def inputs_of(spec):
    return integers(*spec[1], high=spec[2]) if spec[0] == "classes" else uniform(*spec)


def trained():
    runs = []
    torch.manual_seed(0)
    for name, args, options, specs, *wrap in CASES:
        if len(runs) == LATER:
            state = source.getstate()
        module = OWN.get(name, getattr(torch.nn, name))(*args, **options).double()
        entry = {}
        if wrap:
            path, given = wrap
            orthogonal = path.endswith("orthogonal")
            starts = orthogonal and (given.get("use_trivialization", True) or given.get("orthogonal_map", "householder") == "householder")
            if orthogonal:
                # Below the first number of a tall matrix nothing is left to reflect.
                module.weight.data.copy_(uniform(*module.weight.shape, low=-0.9, high=0.9))
                module.weight.data[..., 1:, 0] = 0
            entry["from"] = [flat(module.weight)]
            home = torch.nn.utils.parametrizations if "." in path else torch.nn.utils
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(home, path.split(".")[-1])(module, **given)
            entry["from"].append(flat(module.weight))
            if not starts:
                del entry["from"]
        for p in module.parameters():
            signs = p.data.diagonal(dim1=-2, dim2=-1).clone() if wrap and orthogonal and p.ndim > 1 else None
            p.data.copy_(uniform(*p.shape, low=-0.9, high=0.9))
            if signs is not None:
                p.data.diagonal(dim1=-2, dim2=-1).copy_(signs)
        inputs = [inputs_of(spec) for spec in specs]
        entry |= {
            "name": name, "args": [*args, {camel(k): v for k, v in options.items()}] if options else args,
            "state": [[k, list(v.shape), flat(v)] for k, v in module.state_dict().items()],
            "inputs": [{"shape": list(x.shape), "data": flat(x), **({} if x.is_floating_point() else {"dtype": "i32"})} for x in inputs],
        }
        if wrap:
            entry["wrap"] = [".".join(camel(part) for part in wrap[0].split(".")), {camel(k): camel(v) if k == "orthogonal_map" else v for k, v in wrap[1].items()}]
        # What is put in is trained with the parameters, so that its gradients count as well.
        leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
        params = [x for x in leaves if x.requires_grad] + list(module.parameters())
        optimizer = torch.optim.SGD(params, lr=0.2, momentum=0.5)
        y, losses = module(*leaves), []
        target = uniform(*y.shape, low=-1, high=1)
        entry.update(y=flat(y), target=flat(target))
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = ((module(*leaves) - target) ** 2).mean()
            loss.backward()
            if step == 0:
                entry["grads"] = [flat(p.grad) for p in params]
            optimizer.step()
            losses.append(number(loss.item()))
        entry["losses"] = losses
        runs.append(entry)
    dump("trained", {"runs": runs})
    source.setstate(state)
