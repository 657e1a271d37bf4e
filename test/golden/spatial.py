"""Functions and modules of images: values, gradients and second derivatives; the losses of 20 steps of small networks."""
import itertools
import json
import math
import re

import torch
import torch.nn.functional as F

from store import HERE, Compact, f32, made

seeds = itertools.count()
STEPS = 20


def uniform(*shape, low=-2.0, high=2.0):
    return made(next(seeds), *shape, low=low, high=high)


#: Options whose names PyTorch hides.
NAMES = {"randomSamples": "_random_samples"}


def snake(name):
    return re.sub(r"([a-z])([A-Z])", lambda m: f"{m[1]}_{m[2].lower()}", name)


def filled(arg, inputs):
    """`arg` with inputs in the place of "$0", "$1" …"""
    if isinstance(arg, str) and arg.startswith("$"):
        return inputs[int(arg[1:])]
    return type(arg)(filled(a, inputs) for a in arg) if isinstance(arg, (list, tuple)) else arg


class Spatial(Compact):
    def both(self, call, args, options, *inputs, pick=None, twice=True, fn=None, home="F.", plain=()):
        """`call` of functional: its value and gradients, and the derivative of these, each weighed, by inputs and g."""
        fn = fn or getattr(F if home else torch, snake(call))
        keyed = {NAMES.get(k, snake(k)): v for k, v in options.items()}
        leaves = [x.clone().requires_grad_(x.dtype == torch.float64 and i not in plain) for i, x in enumerate(inputs)]
        y = fn(*(filled(a, leaves) for a in args), **{k: filled(v, leaves) for k, v in keyed.items()})
        y = y if pick is None else y[pick]
        given = [*args, options] if options else args
        entry = {"call": home + call, "args": given, "inputs": [self.put(x) for x in inputs], "output": self.answer(y), **({} if pick is None else {"pick": pick})}
        if y.requires_grad:
            wanted = [x for x in leaves if x.requires_grad]
            g = self.weights(y.shape).requires_grad_()
            first = torch.autograd.grad(y, wanted, g, retain_graph=twice)
            each = iter(first)
            entry["grads"] = [self.answer(next(each)) if x.requires_grad else None for x in leaves]
            if twice:
                weights = [made(100 + i, *x.shape) for i, x in enumerate(wanted)]
                entry["second"] = [self.short(d) for d in self.derive_twice(y, wanted, g, weights)]
        self.cases.append(entry)


def pads(golden):
    x, image, volume = uniform(2, 3, 5), uniform(1, 2, 3, 4), uniform(1, 1, 3, 2, 3)
    for mode in ("constant", "reflect", "replicate", "circular"):
        for pad, of in (
            ([2, 1], x), ([-1, 2], x), ([2, -1], x), ([-1, -2], x), ([1, 2], x[0]), ([1, 2, 2, 1], image), ([3, 0, -1, 2], image), ([0, 0, 1, 0], image[0]),
            ([2, 1, 1, 1, 2, 0], volume), ([-1, 2, 0, 1, 1, -1], volume[0]),
        ):
            golden.both("pad", ["$0", pad], {"mode": mode}, of, twice=of is x)
    golden.both("pad", ["$0", [1, 2]], {"value": 1.5}, x)
    golden.both("pad", ["$0", [1, 0, -1, 1, 2, 0]], {"mode": "constant", "value": -0.5}, x)
    golden.both("pad", ["$0", [7, 9]], {"mode": "replicate"}, x)
    golden.both("pad", ["$0", [1, 2]], {"value": 7}, torch.tensor([[3, -4], [5, 6]]))
    golden.both("pad", ["$0", [1, 2]], {"value": 7}, torch.tensor([3, 4], dtype=torch.uint8))
    golden.both("pad", ["$0", [1, 2]], {"mode": "circular"}, torch.tensor([[3, -4, 1], [5, 6, 2]]))


def shuffles(golden):
    image = uniform(2, 8, 2, 3)
    for x in (image, image[0], uniform(1, 2, 4, 1, 2), torch.arange(8).reshape(4, 1, 2)):
        golden.both("pixelShuffle", ["$0", 2], {}, x)
    for x in (uniform(2, 1, 4, 6), uniform(2, 6, 3)):
        golden.both("pixelUnshuffle", ["$0", 3 if x.dim() == 3 else 2], {}, x)
    for groups in (1, 2, 4):
        golden.both("channelShuffle", ["$0", groups], {}, image)
    for dim, sizes in ((1, [2, 4]), (-1, [3, 1]), (1, [2, -1, 2]), (0, [-1])):
        golden.both("unflatten", ["$0", dim, sizes], {}, image, home="")
    x, y = uniform(2, 2, 3, 4), uniform(2, 8, 6)
    for size, options in ((2, {}), ([2, 3], {"padding": [1, 0], "stride": [2, 1]}), (2, {"dilation": 2, "padding": 1, "stride": 3}), ([3, 1], {"dilation": [1, 2]})):
        golden.both("unfold", ["$0", size], options, x)
    golden.both("unfold", ["$0", 2], {"stride": 2}, x[0])
    for of, size, options in ((y, [3, 4], {}), (y, [5, 7], {"stride": [2, 3], "padding": [0, 1]}), (y[0], [3, 4], {}), (y, [4, 5], {"dilation": 2}), (y, [5, 9], {"padding": 1, "stride": [2, 3], "dilation": [3, 2]})):
        golden.both("fold", ["$0", size, 2], options, of)


def sizes(golden):
    line, image, volume = uniform(1, 2, 5), uniform(1, 1, 4, 5), uniform(1, 1, 3, 2, 3)
    for x, modes in ((line, ("nearest", "nearest-exact", "area", "linear")), (image, ("nearest", "nearest-exact", "area", "bilinear", "bicubic")), (volume, ("nearest", "nearest-exact", "area", "trilinear"))):
        spatial = x.dim() - 2
        for mode in modes:
            for align in (None, True) if mode.endswith(("linear", "cubic")) else (None,):
                aligned = {} if align is None else {"alignCorners": align}
                for size in ([7, 3, 5][:spatial], [2, 6, 1][:spatial]):
                    golden.both("interpolate", ["$0", size], {"mode": mode, **aligned}, x, twice=size[0] == 7)
                golden.both("interpolate", ["$0"], {"scaleFactor": [1.7, 0.6, 1.5][:spatial], "mode": mode, **aligned}, x, twice=False)
                if mode != "area":
                    golden.both("interpolate", ["$0"], {"scaleFactor": 1.7, "mode": mode, "recomputeScaleFactor": True, **aligned}, x, twice=False)
    golden.both("interpolate", ["$0"], {"scaleFactor": 2}, image)
    golden.both("interpolate", ["$0", [1, 1]], {"mode": "bicubic"}, image)
    golden.both("interpolate", ["$0", [3, 9]], {"mode": "bicubic"}, image[:, :, :2, :1])
    small, large = uniform(1, 1, 3, 9), uniform(1, 1, 7, 6)
    for mode in ("bilinear", "bicubic"):
        for x, options in ((small, {"size": [4, 4]}), (large, {"size": 3}), (large, {"scaleFactor": [0.4, 0.7]}), (small, {"size": [2, 5], "alignCorners": True}), (large, {"scaleFactor": [0.4, 0.7], "recomputeScaleFactor": True})):
            golden.both("interpolate", ["$0"], {**options, "mode": mode, "antialias": True}, x, twice="size" in options)


def grids(golden):
    image, volume = uniform(1, 2, 3, 4), uniform(1, 2, 3, 2, 2)
    flat2, flat3 = uniform(1, 2, 3, 2, low=-1.6, high=1.6), uniform(1, 2, 1, 3, 3, low=-1.6, high=1.6)
    for padding in ("zeros", "border", "reflection"):
        for align in (False, True):
            options = {"paddingMode": padding, "alignCorners": align}
            for mode in ("bilinear", "nearest", "bicubic"):
                golden.both("gridSample", ["$0", "$1"], {"mode": mode, **options}, image, flat2, twice=False)
            for mode in ("bilinear", "nearest"):
                golden.both("gridSample", ["$0", "$1"], {"mode": mode, **options}, volume, flat3, twice=False)
    golden.both("gridSample", ["$0", "$1"], {}, image, f32([-1, -1, 1, 1, 0, 0, -3, 0.5, 0.5, 3, 9, -9], 1, 2, 3, 2), twice=False)
    for size, theta in (([2, 3, 3, 4], uniform(2, 2, 3)), ([1, 1, 1, 5], uniform(1, 2, 3)), ([1, 2, 2, 3, 2], uniform(1, 3, 4))):
        for align in (False, True):
            golden.both("affineGrid", ["$0", size], {"alignCorners": align}, theta)


def unpools(golden):
    for d, x, size in ((1, uniform(2, 2, 6), 2), (2, uniform(1, 2, 4, 6), [2, 3]), (3, uniform(1, 1, 4, 2, 4), 2), (2, uniform(2, 4, 4), 2)):
        y, index = getattr(F, f"max_pool{d}d")(x, size, return_indices=True)
        golden.both(f"maxUnpool{d}d", ["$0", "$1", size], {}, y, index)
    x = uniform(1, 2, 5, 7)
    y, index = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    golden.both("maxUnpool2d", ["$0", "$1", 3, 2, 1], {"outputSize": [5, 7]}, y, index, twice=False)
    y, index = F.max_pool2d(x, 2, return_indices=True)
    golden.both("maxUnpool2d", ["$0", "$1", 2], {"outputSize": [1, 2, 5, 7]}, y, index, twice=False)
    golden.both("maxUnpool1d", ["$0", "$1", 3, 2], {"padding": 1}, uniform(1, 1, 3), torch.tensor([[[0, 4, 2]]]))


def volumes(golden):
    x = uniform(1, 1, 4, 4, 4)
    tied = f32([(i * i) % 5 for i in range(64)], 1, 4, 4, 4)
    odd = f32([float("nan"), 1, 2, float("-inf"), 0.5, float("nan"), float("inf"), 3] * 3, 1, 3, 2, 4)
    for size, options in (
        (2, {}), (2, {"stride": 1}), (3, {"stride": 2, "padding": 1}), ([2, 3, 1], {"stride": [1, 2, 3], "padding": [1, 1, 0]}),
        (2, {"stride": 3, "ceilMode": True}), (2, {"dilation": [1, 2, 3], "stride": 1}), (3, {"padding": 1, "ceilMode": True, "stride": 2}),
    ):
        twice = size == 2
        golden.both("maxPool3d", ["$0", size], options, x, twice=twice)
        golden.both("maxPool3d", ["$0", size], {**options, "returnIndices": True}, tied, pick=1)
        if "dilation" not in options:
            for more in ({}, {"countIncludePad": False}, {"divisorOverride": 3}):
                golden.both("avgPool3d", ["$0", size], {**options, **more}, x[0] if more else x, twice=twice and not more)
    golden.both("maxPool3d", ["$0", [2, 1, 2]], {"stride": 1, "returnIndices": True}, odd, pick=1)
    golden.both("maxPool3d", ["$0", [2, 1, 2]], {"stride": 1}, odd, twice=False)
    for size in (1, 2, 3, [2, None, 3], [None, 4, 1]):
        golden.both("adaptiveAvgPool3d", ["$0", size], {}, x, twice=size == 2)
        golden.both("adaptiveMaxPool3d", ["$0", size], {}, x[0], twice=size == 2)
        golden.both("adaptiveMaxPool3d", ["$0", size], {"returnIndices": True}, tied, pick=1)


def powers(golden):
    for d, of in ((1, uniform(2, 2, 6, low=0.2)), (2, uniform(1, 2, 4, 5, low=0.2)), (3, uniform(1, 3, 4, 3, low=0.2))):
        golden.both(f"lpPool{d}d", ["$0", 2, 2], {}, of)
        golden.both(f"lpPool{d}d", ["$0", 1.5, 3], {"stride": 1}, of, twice=False)
        golden.both(f"lpPool{d}d", ["$0", 3, 2], {"stride": 3, "ceilMode": True}, of, twice=False)
    image, volume = uniform(1, 2, 5, 6), uniform(1, 1, 5, 4, 5)
    samples2, samples3 = uniform(1, 2, 2, low=0.02, high=0.98), uniform(1, 1, 3, low=0.02, high=0.98)
    tied = f32([(i * i) % 3 for i in range(36)], 1, 6, 6)
    for x, samples, sizes in ((image, samples2, ([3, 4], 2, [5, 1])), (volume, samples3, ([3, 2, 3], 2)), (image[0], samples2[:1], ([3, 2],)), (tied, samples2[:1, :1], (4, [2, 3]))):
        d = samples.shape[-1]
        for size in sizes:
            golden.both(f"fractionalMaxPool{d}d", ["$0", 2 if size != [5, 1] else 1], {"outputSize": size, "randomSamples": "$1"}, x, samples, twice=False, plain=[1])
            golden.both(f"fractionalMaxPool{d}d", ["$0", 2 if size != [5, 1] else 1], {"outputSize": size, "returnIndices": True, "randomSamples": "$1"}, x, samples, pick=1, plain=[1])
        golden.both(f"fractionalMaxPool{d}d", ["$0", 2], {"outputRatio": [0.5, 0.6, 0.4][:d], "randomSamples": "$1"}, x, samples, twice=False, plain=[1])


def transposed(golden):
    for shape, weight, options in (
        ((1, 2, 2, 3, 2), (2, 3, 2, 2, 2), {}), ((2, 2, 3, 2), (2, 2, 3, 1, 2), {"stride": 2, "padding": 1, "outputPadding": 1}),
        ((1, 4, 2, 2, 2), (4, 1, 2, 3, 2), {"groups": 2, "stride": [1, 2, 3], "dilation": [2, 1, 1]}),
    ):
        out = weight[1] * options.get("groups", 1)
        golden.both("convTranspose3d", ["$0", "$1", "$2"], options, uniform(*shape), uniform(*weight), uniform(out), twice=not options)
    for options in ({"stride": [1, 2, 1], "padding": [1, 0, 1]}, {"padding": "same", "dilation": [2, 1, 1]}, {"groups": 2, "padding": "valid"}):
        golden.both("conv3d", ["$0", "$1", "$2"], options, uniform(1, 2, 3, 4, 3), uniform(2, 2 // options.get("groups", 1), 2, 2, 2), uniform(2), twice="groups" in options)


def functions():
    golden = Spatial("spatial")
    for part in FUNCTIONS:
        part(golden)
    golden.write()


FUNCTIONS = [pads, shuffles, sizes, grids, unpools, volumes, powers, transposed]

CONV1 = ["Conv1d", 2, 2, 3, {"padding": 1}]
CONV2 = ["Conv2d", 2, 2, 3, {"padding": 1}]
CONV3 = ["Conv3d", 2, 1, 2]
CONVS = {1: CONV1, 2: CONV2, 3: CONV3}
SIZES = {1: (2, 2, 6), 2: (2, 2, 4, 5), 3: (1, 2, 3, 4, 3)}


def networks():
    """[layers, shape of the input]"""
    for d in (1, 2, 3):
        for name, args in (("ConstantPad", [list(range(2 * d)), 0.5]), ("ZeroPad", [2]), ("ReflectionPad", [1]), ("ReplicationPad", [[2, 1] * d]), ("CircularPad", [1])):
            yield [CONVS[d], [f"{name}{d}d", *args], ["Tanh"]], SIZES[d]
        for mode in ("reflect", "replicate", "circular"):
            padding = {1: [2], 2: [1, 2], 3: [1, 0, 1]}[d]
            yield [[f"Conv{d}d", 2, 2, 2, {"padding": padding, "padding_mode": mode, "stride": 2}], ["Tanh"]], SIZES[d]
    yield [["Conv2d", 2, 2, [3, 2], {"padding": "same", "padding_mode": "reflect", "dilation": [1, 2]}], ["Tanh"]], SIZES[2]
    yield [["Conv1d", 2, 2, 4, {"padding": "same", "padding_mode": "circular"}], ["Tanh"]], SIZES[1]
    yield [["Conv2d", 2, 2, 2, {"padding": "valid", "padding_mode": "replicate"}], ["Tanh"]], SIZES[2]
    yield [["Conv3d", 2, 4, 2, {"padding": "same", "groups": 2}], ["Tanh"]], SIZES[3]
    yield [["Conv2d", 2, 8, 3, {"padding": 1}], ["PixelShuffle", 2], ["Tanh"]], SIZES[2]
    yield [["PixelUnshuffle", 2], ["Conv2d", 4, 2, 2], ["Tanh"]], (2, 1, 4, 6)
    yield [["Conv2d", 2, 4, 3, {"groups": 2}], ["ChannelShuffle", 2], ["Conv2d", 4, 2, 1, {"groups": 2}], ["Tanh"]], SIZES[2]
    yield [["Conv2d", 2, 2, 3], ["Unfold", 2, {"padding": 1, "stride": 2}], ["Linear", 4, 3], ["Tanh"]], SIZES[2]
    yield [["Linear", 6, 6], ["Fold", [3, 4], 2], ["Tanh"]], (2, 8, 6)
    yield [["Linear", 6, 8], ["Unflatten", -1, [2, 4]], ["Tanh"]], (3, 6)
    yield [["Conv2d", 2, 2, 3], ["Upsample", {"scale_factor": 2}], CONV2, ["Tanh"]], SIZES[2]
    yield [["Conv1d", 2, 2, 3], ["Upsample", 7, {"mode": "linear"}], CONV1, ["Tanh"]], SIZES[1]
    yield [["Conv2d", 2, 2, 3], ["Upsample", {"scale_factor": (1.6, 2.2), "mode": "bicubic"}], CONV2, ["Tanh"]], SIZES[2]
    yield [CONV3, ["Upsample", {"scale_factor": 1.5, "mode": "trilinear", "align_corners": True, "recompute_scale_factor": True}], ["Tanh"]], SIZES[3]
    yield [["Conv2d", 2, 2, 3], ["UpsamplingNearest2d", [5, 7]], CONV2, ["Tanh"]], SIZES[2]
    yield [["Conv2d", 2, 2, 3], ["UpsamplingBilinear2d", {"scale_factor": 2}], CONV2, ["Tanh"]], SIZES[2]
    for d in (1, 2, 3):
        yield [CONVS[d], [f"LPPool{d}d", 2, 2], ["Tanh"]], SIZES[d]
    yield [CONV3, ["MaxPool3d", 2, {"stride": 1}], ["Tanh"]], SIZES[3]
    yield [CONV3, ["AvgPool3d", 2, {"stride": 1, "padding": 1}], ["Tanh"]], SIZES[3]
    yield [CONV3, ["AdaptiveMaxPool3d", [1, 2, 2]], ["Tanh"]], SIZES[3]
    yield [CONV3, ["AdaptiveAvgPool3d", [None, 2, 1]], ["Tanh"]], SIZES[3]
    yield [["ConvTranspose3d", 2, 2, 2, {"stride": [1, 2, 2], "output_padding": [0, 1, 0], "groups": 2}], ["Tanh"]], SIZES[3]
    yield [["ConvTranspose1d", 2, 3, 3, {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2}], ["Tanh"]], SIZES[1]


def camel(name):
    return re.sub(r"_(\w)", lambda m: m[1].upper(), name)


def modules():
    """20 steps of SGD: from which numbers a network starts, by their seeds, and its losses."""
    runs = []
    for layers, shape in networks():
        model = torch.nn.Sequential(*(
            getattr(torch.nn, name)(*(a for a in args if not isinstance(a, dict)), **next((a for a in args if isinstance(a, dict)), {}))
            for name, *args in layers
        )).double()
        assert len(model.state_dict()) == len(list(model.parameters()))
        for i, p in enumerate(model.parameters()):
            p.data.copy_(made(i, *p.shape, low=-0.7, high=0.7))
        x = made(10, *shape)
        target = made(11, *model(x).shape, low=-0.8, high=0.8)
        entry = {
            "layers": [[name, *({camel(k): v for k, v in a.items()} if isinstance(a, dict) else a for a in args)] for name, *args in layers],
            "state": [[k, list(v.shape)] for k, v in model.state_dict().items()], "x": list(shape), "target": list(target.shape), "losses": [],
        }
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.6)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), target)
            loss.backward()
            optimizer.step()
            entry["losses"].append(float(f"{loss.item():.7g}"))
        runs.append(json.dumps(entry, separators=(",", ":")))
    (HERE / "spatial-modules.json").write_text('{"networks":[\n' + ",\n".join(runs) + "\n]}\n")


def spatial():
    functions()
    modules()


if __name__ == "__main__":
    spatial()
