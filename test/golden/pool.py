"""Cases of pooling and of the norms of channels: functions with PyTorch's options, and layers with their state."""
import torch
import torch.nn.functional as F

from store import Golden, dump, f32, flat, uniform
from training import camel

PYTHON = {
    "ceilMode": "ceil_mode", "countIncludePad": "count_include_pad", "divisorOverride": "divisor_override", "returnIndices": "return_indices",
    "useInputStats": "use_input_stats",
}


def pools():
    golden = Golden("pool")
    nan, inf = float("nan"), float("inf")
    # Values repeat, so that windows have ties.
    wide, long = uniform(2, 7, 8), uniform(2, 1, 10)
    tied = f32([(i * i) % 5 for i in range(7 * 8)], 1, 7, 8)
    odd = f32([nan, 1, 2, nan, -inf, -inf, -inf, -inf, 0.5, nan, -inf, -inf, inf, 3, inf, -inf], 1, 4, 4)

    def case(name, fn, x, size, options, pick=None):
        arguments = {PYTHON.get(key, key): value for key, value in options.items()}
        picked = (lambda t: fn(t, size, **arguments)[pick]) if pick is not None else (lambda t: fn(t, size, **arguments))
        extra = {} if pick is None else {"pick": pick}
        golden.case(f"{name} {size} {options} of {list(x.shape)}{'' if pick is None else f' [{pick}]'}", f"F.{name}", ["$0", size, options], picked, x, **extra)

    windows = (
        (2, {}), (3, {}), (2, {"ceilMode": True}), (3, {"stride": 2, "padding": 1}), (3, {"stride": 1, "padding": 1}),
        (3, {"stride": 2, "padding": 1, "ceilMode": True}), ([2, 3], {"stride": [3, 2], "padding": [1, 0]}), ([1, 4], {"stride": 1}),
        (5, {"stride": 3, "padding": 2, "ceilMode": True}), (7, {}),
    )
    for size, options in windows:
        for x in (wide, tied):
            case("maxPool2d", F.max_pool2d, x, size, options)
            case("maxPool2d", F.max_pool2d, x, size, {**options, "returnIndices": True}, 1)
        for more in ({}, {"countIncludePad": False}, {"divisorOverride": 5}):
            case("avgPool2d", F.avg_pool2d, wide, size, {**options, **more})
    for size, options in ((2, {"dilation": 3}), (3, {"dilation": [2, 1], "stride": 2, "padding": 1}), (2, {"dilation": 4, "stride": 1, "padding": 1, "ceilMode": True})):
        for x in (wide, tied):
            case("maxPool2d", F.max_pool2d, x, size, options)
            case("maxPool2d", F.max_pool2d, x, size, {**options, "returnIndices": True}, 1)
    for size, options in ((2, {}), (2, {"stride": 1}), (3, {"stride": 1, "padding": 1}), (4, {})):
        case("maxPool2d", F.max_pool2d, odd, size, options)
        case("maxPool2d", F.max_pool2d, odd, size, {**options, "returnIndices": True}, 1)
        case("avgPool2d", F.avg_pool2d, odd, size, options)
    for size, options in ((2, {}), (3, {"stride": 2, "padding": 1}), (3, {"stride": 2, "ceilMode": True}), (4, {"stride": 1, "padding": 2})):
        for x in (long, f32([1, 1, 2, 2, 2, 1, 3, 3, 0, 3], 1, 10)):
            case("maxPool1d", F.max_pool1d, x, size, options)
            case("maxPool1d", F.max_pool1d, x, size, {**options, "returnIndices": True}, 1)
        for more in ({}, {"countIncludePad": False}):
            case("avgPool1d", F.avg_pool1d, long, size, {**options, **more})
    case("maxPool1d", F.max_pool1d, long, 3, {"dilation": 2, "stride": 1, "padding": 1})

    for size in (1, 2, 3, 5, 9, [2, None], [None, 3], [7, 8], [4, 2]):
        golden.case(f"adaptiveAvgPool2d {size}", "F.adaptiveAvgPool2d", ["$0", size], lambda t: F.adaptive_avg_pool2d(t, size), wide)
        for x in (wide, tied):
            golden.case(f"adaptiveMaxPool2d {size}", "F.adaptiveMaxPool2d", ["$0", size], lambda t: F.adaptive_max_pool2d(t, size), x)
            golden.case(
                f"adaptiveMaxPool2d {size} indices", "F.adaptiveMaxPool2d", ["$0", size, {"returnIndices": True}],
                lambda t: F.adaptive_max_pool2d(t, size, True)[1], x, pick=1,
            )
    golden.case("adaptiveMaxPool2d of NaN", "F.adaptiveMaxPool2d", ["$0", 3], lambda t: F.adaptive_max_pool2d(t, 3), odd)
    for size in (1, 3, 4, 10, 13):
        golden.case(f"adaptiveAvgPool1d {size}", "F.adaptiveAvgPool1d", ["$0", size], lambda t: F.adaptive_avg_pool1d(t, size), long)
        golden.case(f"adaptiveMaxPool1d {size}", "F.adaptiveMaxPool1d", ["$0", size], lambda t: F.adaptive_max_pool1d(t, size), long)
        golden.case(
            f"adaptiveMaxPool1d {size} indices", "F.adaptiveMaxPool1d", ["$0", size, {"returnIndices": True}],
            lambda t: F.adaptive_max_pool1d(t, size, True)[1], long, pick=1,
        )

    for shape, groups in (((2, 4, 3), 2), ((3, 6), 2), ((2, 6, 2, 3), 3), ((2, 3, 5), 1), ((1, 3, 4), 3)):
        x = uniform(*shape, low=-3, high=5)
        golden.case(f"groupNorm {list(shape)} {groups}", "F.groupNorm", ["$0", groups], lambda t: F.group_norm(t, groups), x)
        golden.case(
            f"groupNorm {list(shape)} {groups} with weight and bias", "F.groupNorm", ["$0", groups, {"weight": "$1", "bias": "$2", "eps": 0.01}],
            lambda t, w, b: F.group_norm(t, groups, w, b, 0.01), x, uniform(shape[1]), uniform(shape[1]),
        )
    for shape in ((2, 3, 5), (3, 2, 4, 3), (1, 3, 6)):
        c = shape[1]
        x = uniform(*shape, low=-3, high=5)
        weight, bias, mean, var = uniform(c), uniform(c), uniform(c), uniform(c, low=0.5, high=2)
        golden.case(f"instanceNorm {list(shape)}", "F.instanceNorm", ["$0"], lambda t: F.instance_norm(t), x)
        golden.case(
            f"instanceNorm {list(shape)} with weight and bias", "F.instanceNorm", ["$0", None, None, {"weight": "$1", "bias": "$2"}],
            lambda t, w, b: F.instance_norm(t, None, None, w, b), x, weight, bias,
        )
        for own in (True, False):
            running = [mean.clone(), var.clone()]
            golden.case(
                f"instanceNorm {list(shape)} with running statistics, own {own}", "F.instanceNorm",
                ["$0", "$3", "$4", {"weight": "$1", "bias": "$2", "useInputStats": own, "momentum": 0.3, "eps": 0.01}],
                lambda t, w, b, *_: F.instance_norm(t, *running, w, b, own, 0.3, 0.01), x, weight, bias, mean, var,
                running=lambda _: [golden.put(running[0]), golden.put(running[1])],
            )
    golden.write()


def layers():
    """One layer each: its state before and after, a pass forward and back in training and in evaluation."""
    nn = torch.nn
    made = []
    for name, args, options, shape in (
        ("MaxPool1d", [3], {"stride": 2, "padding": 1}, (2, 3, 7)),
        ("MaxPool2d", [2], {}, (2, 3, 5, 4)),
        ("MaxPool2d", [[3, 2]], {"stride": 1, "dilation": 2, "ceil_mode": True}, (3, 6, 5)),
        ("AvgPool1d", [2], {"stride": 1, "padding": 1, "count_include_pad": False}, (2, 5)),
        ("AvgPool2d", [3], {"stride": 2, "padding": 1, "divisor_override": 4}, (1, 2, 5, 6)),
        ("AdaptiveAvgPool1d", [3], {}, (2, 2, 7)),
        ("AdaptiveAvgPool2d", [1], {}, (2, 3, 5, 4)),
        ("AdaptiveAvgPool2d", [[None, 2]], {}, (2, 3, 5)),
        ("AdaptiveMaxPool1d", [4], {}, (3, 6)),
        ("AdaptiveMaxPool2d", [[2, 3]], {}, (1, 2, 5, 4)),
        ("BatchNorm2d", [3], {}, (2, 3, 2, 4)),
        ("BatchNorm2d", [2], {"momentum": 0.4, "eps": 0.01, "affine": False}, (1, 2, 3, 3)),
        ("BatchNorm2d", [2], {"track_running_stats": False}, (3, 2, 1, 1)),
        ("GroupNorm", [2, 4], {}, (2, 4, 3)),
        ("GroupNorm", [1, 3], {"affine": False, "eps": 0.1}, (2, 3, 2, 2)),
        ("InstanceNorm1d", [3], {}, (2, 3, 4)),
        ("InstanceNorm1d", [2], {"affine": True, "track_running_stats": True}, (2, 5)),
        ("InstanceNorm2d", [2], {"affine": True}, (2, 3, 4)),
        ("InstanceNorm2d", [3], {"track_running_stats": True, "momentum": 0.5}, (2, 3, 2, 3)),
    ):
        layer = getattr(nn, name)(*args, **options).double()
        for tensor in list(layer.parameters()) + [b for b in layer.buffers() if b.dtype == torch.float64]:
            tensor.data.copy_(uniform(*tensor.shape, low=0.5, high=1.5))

        def state():
            return [[k, list(v.shape), flat(v)] for k, v in layer.state_dict().items()]

        x = uniform(*shape)
        entry = {"layer": name, "args": [*args, {camel(k): v for k, v in options.items()}], "state": state(), "x": flat(x), "xShape": list(shape)}
        for mode in ("train", "eval"):
            getattr(layer, mode)()
            layer.zero_grad()
            leaf = x.clone().requires_grad_()
            y = layer(leaf)
            y.backward(torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape) / y.numel())
            entry[mode] = {"y": flat(y), "yShape": list(y.shape), "xGrad": flat(leaf.grad), "grads": {k: flat(p.grad) for k, p in layer.named_parameters()}}
        entry["stateAfter"] = state()
        made.append(entry)
    dump("poollayers", {"layers": made})
