#!/usr/bin/python3
"""Writes conv.json: convolutions and transposed convolutions, as functions and as layers.

Run `/usr/bin/python3 test/golden/conv.py` (Debian's python3-torch, 1.13). generate.py says what the file holds; a call
`nn.Conv2d` is a layer made with `args`, whose inputs are x, its weight and its bias.
"""
import sys

sys.dont_write_bytecode = True  # no caches beside the sources

import torch
import torch.nn.functional as F

from store import Golden, uniform
from training import camel

CONVOLUTIONS = [
    (1, (2, 3, 8), (4, 3, 3), {}),
    (1, (2, 4, 9), (4, 2, 3), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
    (1, (3, 7), (2, 3, 4), {"padding": "same"}),
    (1, (2, 3, 6), (2, 3, 1), {"padding": "valid"}),
    (2, (2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    (2, (2, 3, 6, 5), (4, 3, 3, 2), {"stride": [2, 1], "padding": [0, 1], "dilation": [1, 2]}),
    (2, (1, 2, 9, 9), (3, 2, 3, 3), {"stride": 3, "padding": 2}),
    (2, (2, 3, 6, 7), (2, 3, 2, 4), {"padding": "same"}),
    (2, (1, 2, 7, 7), (2, 2, 2, 3), {"padding": "same", "dilation": 2}),
    (2, (3, 4, 5), (2, 3, 1, 1), {}),
    (2, (1, 3, 6, 6), (5, 3, 1, 1), {"stride": 2}),
    (2, (1, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    (2, (2, 3, 6, 6), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
    (2, (2, 3, 7, 6), (3, 1, 3, 3), {"groups": 3, "padding": 1, "stride": 2}),
    (2, (1, 2, 8, 8), (4, 1, 3, 3), {"groups": 2, "padding": 2, "dilation": 2}),
    (3, (1, 2, 3, 4, 5), (3, 2, 2, 3, 2), {"padding": [0, 1, 1], "stride": [1, 2, 1]}),
    (3, (2, 2, 3, 4), (2, 1, 2, 2, 2), {"groups": 2, "dilation": [1, 2, 1]}),
]
TRANSPOSED = [
    (1, (2, 3, 5), (3, 2, 3), {}),
    (1, (2, 4, 5), (4, 2, 3), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2}),
    (1, (3, 4), (3, 2, 3), {"stride": 2}),
    (2, (2, 3, 4, 3), (3, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    (2, (1, 2, 3, 3), (2, 3, 2, 2), {"stride": 2}),
    (2, (1, 2, 3, 4), (2, 3, 3, 2), {"stride": [2, 3], "padding": [1, 0], "output_padding": [1, 2], "dilation": [2, 1]}),
    (2, (1, 2, 3, 3), (2, 1, 3, 3), {"dilation": 2, "output_padding": 1}),
    (2, (1, 2, 3, 3), (2, 1, 2, 2), {"stride": 4}),
    (2, (2, 3, 4, 4), (3, 1, 3, 3), {"groups": 3, "stride": 2, "padding": 1, "output_padding": 1}),
]
LAYERS = [
    ("Conv1d", (4, 6, 3), {"padding": 1, "groups": 2}, (2, 4, 5)),
    ("Conv2d", (3, 4, [3, 2]), {"stride": 2}, (2, 3, 5, 6)),
    ("Conv2d", (3, 4, 3), {"padding": "same", "bias": False}, (1, 3, 4, 4)),
    ("Conv3d", (2, 3, 2), {"dilation": 2}, (1, 2, 4, 4, 4)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "groups": 2}, (2, 4, 3)),
    ("ConvTranspose2d", (3, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (1, 3, 3, 3)),
]


def ours(options):
    return {camel(key): value for key, value in options.items()}


def functions(golden):
    for kind, name, list_of in (("conv", "conv", CONVOLUTIONS), ("conv_transpose", "convTranspose", TRANSPOSED)):
        for dims, x, weight, options in list_of:
            groups = options.get("groups", 1)
            out = weight[0] if kind == "conv" else weight[1] * groups
            fn = getattr(F, f"{kind}{dims}d")
            case = f"{name}{dims}d {list(x)} {list(weight)} {ours(options) or ''}".strip()
            inputs = [uniform(*x), uniform(*weight), uniform(out)]
            golden.case(case, f"F.{name}{dims}d", ["$0", "$1", "$2", ours(options)], lambda a, w, b: fn(a, w, b, **options), *inputs)
            if not options:
                golden.case(f"{case} no bias", f"F.{name}{dims}d", ["$0", "$1"], lambda a, w: fn(a, w), *inputs[:2])


def layers(golden):
    for name, sizes, options, x in LAYERS:
        layer = getattr(torch.nn, name)(*sizes, **options).double()
        parameters = [uniform(*p.shape) for p in layer.parameters()]

        def call(a, *given):
            return torch.nn.utils.stateless.functional_call(layer, dict(zip(layer.state_dict(), given)), (a,))

        golden.case(
            f"{name} {list(sizes)} {ours(options)}", f"nn.{name}", [*sizes, ours(options)], call, uniform(*x), *parameters,
            keys=list(layer.state_dict()),
        )


golden = Golden("conv")
functions(golden)
layers(golden)
golden.write()
