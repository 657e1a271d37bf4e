"""Writes explain.json: what Captum and SHAP answer in f64, for test/explain/.

Run `python3 test/golden/explain.py` where PyTorch, Captum and shap are installed; generate.py does not. Weights and inputs
are made of seeds, which tests know, and answers of more than a few numbers are the largest of them and two sums.
"""
import copy
import json
import math
import sys

sys.dont_write_bytecode = True

import captum.attr as attr
import captum.attr._utils.lrp_rules as attr_rules
import captum.metrics as metrics
import shap
import torch
from captum._utils.models.linear_model import SkLearnRidge
from torch import nn

from store import HERE, digest, made, number

torch.set_default_dtype(torch.float64)


def fill(model, seed):
    """Weights of seeds, which tests make again."""
    for i, p in enumerate(model.parameters()):
        bound = 0.5 if p.ndim < 2 else 1.5 / math.sqrt(p[0].numel())
        p.data = made(seed + i, *p.shape, low=-bound, high=bound)
    return model.eval()


def draw(seed, *shape, low=-1.5, high=1.5):
    return made(seed, *shape, low=low, high=high)


class Two(nn.Module):
    """Two inputs, one of them of another width."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 3)
        self.tanh, self.relu = nn.Tanh(), nn.ReLU()

    def forward(self, x, y):
        return self.out(self.relu(self.a(x)) + self.tanh(self.b(y)))


# The same networks stand in test/explain/networks.ts.
NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)), [(3, 5)]),
    "relus": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3)), [(3, 5)]),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)
        ),
        [(2, 2, 8, 8)],
    ),
    "two": (Two, [(3, 4), (3, 3)]),
}
TARGETS = {"mlp": [0, 2, 1], "relus": 1, "cnn": [2, 0], "two": 2}


def numbers(x):
    return [number(v) for v in x.detach().flatten().tolist()]


def pack(x):
    xs = x if isinstance(x, (tuple, list)) else [x]
    return [{"shape": list(each.shape), **({"sums": digest(each)} if each.numel() > 6 else {"data": numbers(each)})} for each in xs]


def leaf(x):
    return tuple(each.clone().requires_grad_() for each in x)


CASES = []


def case(network, call, options, result, delta=None, **more):
    CASES.append({"network": network, "call": call, "options": options, "result": pack(result),
                  **({} if delta is None else {"delta": numbers(delta)}), **more})


def networks():
    content = {}
    for seed, (name, (make, shapes)) in enumerate(NETWORKS.items()):
        model = fill(make(), 1000 + 100 * seed)
        xs = tuple(draw(100 + 10 * seed + i, *shape) for i, shape in enumerate(shapes))
        bs = tuple(draw(200 + 10 * seed + i, *shape, low=-0.5, high=0.5) for i, shape in enumerate(shapes))
        content[name] = (model, xs, bs, TARGETS[name])
    return content


def gradients(nets):
    for name, (model, xs, bs, target) in nets.items():
        kw = {"target": target}
        case(name, "saliency", kw, attr.Saliency(model).attribute(leaf(xs), **kw))
        case(name, "saliency", {**kw, "abs": False}, attr.Saliency(model).attribute(leaf(xs), abs=False, **kw))
        case(name, "inputXGradient", kw, attr.InputXGradient(model).attribute(leaf(xs), **kw))
        ig = attr.IntegratedGradients(model)
        for method, ours, steps in (("gausslegendre", "gausslegendre", 20), ("riemann_left", "riemannLeft", 7),
                                    ("riemann_right", "riemannRight", 7), ("riemann_middle", "riemannMiddle", 7)):
            found, delta = ig.attribute(xs, baselines=bs, n_steps=steps, method=method, return_convergence_delta=True, **kw)
            case(name, "integratedGradients", {**kw, "nSteps": steps, "method": ours}, found, delta, baseline="given")


MASKS = {"mlp": [[0, 1, 1, 2, 0]], "two": [[0, 1, 1, 2], [3, 0, 2]]}


def tuples(x):
    return x if len(x) > 1 else x[0]


def ablations(nets):
    for name, (model, xs, bs, target) in nets.items():
        kw = {"target": target}
        if name != "cnn":
            case(name, "featureAblation", kw, attr.FeatureAblation(model).attribute(xs, baselines=bs, **kw), baseline="given")
        shapes, strides = {"cnn": ([(2, 3, 3)], [(1, 2, 3)])}.get(name, ([(2,)] * len(xs), [(1,)] * len(xs)))
        found = attr.Occlusion(model).attribute(xs, tuple(shapes), strides=tuple(strides), baselines=bs, **kw)
        case(name, "occlusion", {**kw, "slidingWindowShapes": tuples(shapes), "strides": tuples(strides)}, found, baseline="given")
        if name in MASKS:
            masks = tuple(torch.tensor([mask]) for mask in MASKS[name])
            case(name, "featureAblation", kw, attr.FeatureAblation(model).attribute(xs, baselines=bs, feature_mask=masks, **kw),
                 baseline="given", mask=MASKS[name])
            found = attr.ShapleyValues(model).attribute(xs, baselines=bs, feature_mask=masks, **kw)
            for call in ("shapleyValues", "kernelShap"):
                case(name, call, kw, found, baseline="given", mask=MASKS[name])


def shaps(nets):
    model, (x,), (b,), _ = nets["relus"]
    pick = lambda rows: model(torch.tensor(rows)).detach().numpy()[:, 1]
    found = torch.stack([
        torch.tensor(shap.KernelExplainer(pick, b[i : i + 1].numpy()).shap_values(x[i].numpy(), nsamples=2**5, silent=True)) for i in range(3)
    ])
    for call in ("kernelShap", "shapleyValues"):
        case("relus", call, {"target": 1}, found, baseline="given", by="shap")


def rules(nets):
    for name, (model, xs, bs, target) in nets.items():
        kw = {"target": target}
        case(name, "guidedBackprop", kw, attr.GuidedBackprop(model).attribute(leaf(xs), **kw))
        case(name, "deconvolution", kw, attr.Deconvolution(model).attribute(leaf(xs), **kw))
        # Over max pools Captum's do not add up: its delta is 0.04 there, and ours 0.
        if name == "cnn":
            continue
        found, delta = attr.DeepLift(model).attribute(leaf(xs), baselines=bs, return_convergence_delta=True, **kw)
        case(name, "deepLift", kw, found, delta, baseline="given")
    for name in ("mlp", "relus", "cnn"):
        make = NETWORKS[name][0]
        _, xs, _, target = nets[name]
        index = list(nets).index(name)
        layers = [str(i) for i, layer in enumerate(make()) if hasattr(layer, "weight")]
        for rule, ours in ((attr_rules.EpsilonRule(0.05), {"rule": "epsilon", "epsilon": 0.05}),
                           (attr_rules.GammaRule(0.3), {"rule": "gamma", "gamma": 0.3}),
                           (attr_rules.Alpha1_Beta0_Rule(), {"rule": "zPlus"})):
            model = fill(make(), 1000 + 100 * index)
            for i in layers[:-1]:
                model[int(i)].rule = copy.copy(rule)
            for layer in model:
                if isinstance(layer, nn.Flatten):
                    layer.rule = attr_rules.EpsilonRule()
            found = attr.LRP(model).attribute(xs if len(xs) > 1 else xs[0], target=target)
            case(name, "lrp", {"target": target, "rules": {i: ours for i in layers[:-1]}}, found)


LAYERS = {"mlp": ("3", 2), "cnn": ("3", [1, 1, 0]), "two": ("relu", 4)}


def at_layer(model, layer, xs, target):
    kept = []
    handle = layer.register_forward_hook(lambda module, args, y: kept.append(y))
    y = model(*xs)
    handle.remove()
    picked = y[torch.arange(len(y)), torch.tensor(target)].sum()
    return kept[0], torch.autograd.grad(picked, kept[0])[0]


def conductance(model, layer, xs, bs, target, steps):
    rows = [at_layer(model, layer, [b + k / steps * (x - b) for x, b in zip(xs, bs)], target) for k in range(steps + 1)]
    return sum((a1 - a0) * (g0 + g1) / 2 for (a0, g0), (a1, g1) in zip(rows, rows[1:]))


def layers(nets):
    for name, (path, neuron) in LAYERS.items():
        model, xs, bs, target = nets[name]
        layer = model.get_submodule(path)
        kw = {"target": target}
        near = {"baseline": "given", "layer": path}
        case(name, "layerActivation", {}, attr.LayerActivation(model, layer).attribute(xs), layer=path)
        case(name, "layerGradientXActivation", kw, attr.LayerGradientXActivation(model, layer).attribute(xs, **kw), layer=path)
        found = attr.InternalInfluence(model, layer).attribute(xs, bs, n_steps=9, method="gausslegendre", **kw)
        case(name, "internalInfluence", {**kw, "nSteps": 9}, found, **near)
        found, delta = attr.LayerIntegratedGradients(model, layer).attribute(
            xs, bs, n_steps=9, method="gausslegendre", return_convergence_delta=True, **kw)
        case(name, "layerIntegratedGradients", {**kw, "nSteps": 9}, found, delta, **near)
        case(name, "layerConductance", {**kw, "nSteps": 9}, conductance(model, layer, xs, bs, target, 9), **near)
        if name == "two":
            continue  # of which one input has no part
        chosen = tuple(neuron) if isinstance(neuron, list) else neuron
        found = attr.NeuronConductance(model, layer).attribute(xs, chosen, baselines=bs, n_steps=9, method="gausslegendre", **kw)
        case(name, "neuronConductance", {**kw, "nSteps": 9, "neuron": neuron}, found, **near)


def cams(nets):
    model, xs, _, target = nets["cnn"]
    for path in ("1", "3"):
        layer = model.get_submodule(path)
        kw = {"target": target}
        for relu in (True, False):
            small = attr.LayerGradCam(model, layer).attribute(xs, relu_attributions=relu, **kw)
            case("cnn", "gradCam", {**kw, "relu": relu, "upsample": False}, small, layer=path)
            case("cnn", "gradCam", {**kw, "relu": relu}, nn.functional.interpolate(small, (8, 8), mode="bilinear"), layer=path)
        case("cnn", "guidedGradCam", kw, attr.GuidedGradCam(model, layer).attribute(leaf(xs), **kw), layer=path)
        y, g = at_layer(model, layer, xs, target)
        below = 2 * g**2 + y.sum((2, 3), keepdim=True) * g**3
        weights = (g**2 / torch.where(below == 0, 1, below) * g.relu()).sum((2, 3), keepdim=True)
        case("cnn", "gradCamPlusPlus", {**kw, "upsample": False}, (weights * y).sum(1, keepdim=True).relu(), layer=path)
        case("cnn", "layerCam", {**kw, "upsample": False}, (g.relu() * y).sum(1, keepdim=True).relu(), layer=path)


def at_layers(nets):
    """Captum's Layer… and Neuron… as the options layer and neuron of the ways themselves."""
    for name, (path, neuron) in LAYERS.items():
        model, xs, bs, target = nets[name]
        layer = model.get_submodule(path)
        kw = {"target": target}
        near = {"baseline": "given", "layer": path}
        case(name, "inputXGradient", kw, attr.LayerGradientXActivation(model, layer).attribute(xs, **kw), layer=path)
        found, delta = attr.LayerIntegratedGradients(model, layer).attribute(
            xs, bs, n_steps=9, method="gausslegendre", return_convergence_delta=True, **kw)
        case(name, "integratedGradients", {**kw, "nSteps": 9}, found, delta, **near)
        if name == "two":
            continue  # of which one input has no part
        chosen = tuple(neuron) if isinstance(neuron, list) else neuron
        own = {"neuron": neuron}
        found = attr.NeuronGradient(model, layer).attribute(leaf(xs), chosen)
        case(name, "saliency", {**own, "abs": False}, found, layer=path)
        found = attr.NeuronIntegratedGradients(model, layer).attribute(leaf(xs), chosen, baselines=bs, n_steps=9, method="gausslegendre")
        case(name, "integratedGradients", {**own, "nSteps": 9}, found, **near)
        if name == "mlp":
            found, delta = attr.LayerDeepLift(model, layer).attribute(leaf(xs), baselines=bs, return_convergence_delta=True, **kw)
            case(name, "deepLift", kw, found, delta, **near)
            found = attr.NeuronDeepLift(model, layer).attribute(leaf(xs), chosen, baselines=bs)
            case(name, "deepLift", own, found, **near)
            found = attr.NeuronFeatureAblation(model, layer).attribute(xs, chosen, baselines=bs)
            case(name, "featureAblation", own, found, **near)
        if name == "cnn":
            found = attr.NeuronGuidedBackprop(model, layer).attribute(leaf(xs), chosen)
            case(name, "guidedBackprop", own, found, layer=path)
    model, xs, _, target = nets["relus"]
    found = attr.LayerLRP(model, model[2]).attribute(xs[0], target=target)
    case("relus", "lrp", {"target": target}, found, layer="2")


def limes(nets):
    """Of all sets of features, weighed by how near they are to all of them."""
    width, alpha = 0.6, 0.5
    for name in ("mlp", "relus", "two"):
        model, xs, bs, target = nets[name]
        sizes = [x.shape[1] for x in xs]
        count = sum(sizes)
        targets = target if isinstance(target, list) else [target] * len(xs[0])
        rows = []
        for i in range(len(xs[0])):
            sets = iter([[(k >> b) & 1 for b in range(count)] for k in range(2**count)])

            def near(_, __, z, **kwargs):
                cosine = math.sqrt(z.sum().item() / count)
                return math.exp(-((1 - cosine) ** 2) / (2 * width**2))

            def put(z, original, **kwargs):
                masks = z.split(sizes, 1)
                return tuple(torch.where(mask > 0, x[i : i + 1], b[i : i + 1]) for mask, x, b in zip(masks, xs, bs))

            base = attr.LimeBase(
                model, SkLearnRidge(alpha=alpha), near, lambda *args, **kwargs: torch.tensor([next(sets)]),
                True, put, None)
            rows.append(base.attribute(tuple(x[i : i + 1] for x in xs), target=targets[i], n_samples=2**count))
        found = torch.cat(rows).split(sizes, 1)
        case(name, "lime", {"target": target, "kernelWidth": width, "alpha": alpha, "nSamples": 2**count}, found, baseline="given")


def write():
    nets = networks()
    for part in PARTS:
        part(nets)
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in CASES)
    (HERE / "explain.json").write_text(f"[\n{lines}\n]\n")


PARTS = [gradients, ablations, shaps, rules, layers, cams, at_layers, limes]
if __name__ == "__main__":
    write()
