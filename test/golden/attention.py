"""Attention, transformers and RMS norm: outputs, gradients, second derivatives, and 20 steps of training."""
import random

import torch
import torch.nn.functional as F

from store import Golden, dump, flat, number, source, uniform
from second import Second
from training import camel

inf = float("inf")


def bools(*shape, share=0.7, seed=1):
    own = random.Random(seed)
    n = 1
    for size in shape:
        n *= size
    return torch.tensor([own.random() < share for _ in range(n)]).reshape(shape)


def cases():
    """Calls of functions: rows of call, arguments of PyTorch, and inputs."""
    def qkv(lead, queries, keys, width, values, kv_lead=None):
        kv = lead if kv_lead is None else kv_lead
        return uniform(*lead, queries, width), uniform(*kv, keys, width), uniform(*kv, keys, values)

    rows = []

    def attention(name, tensors, mask=None, **options):
        rows.append((name, "F.scaledDotProductAttention", F.scaled_dot_product_attention, tensors, mask, options))

    attention("plain", qkv([2, 3], 4, 5, 3, 6))
    attention("of two dims", qkv([], 4, 5, 3, 3))
    attention("causal", qkv([2, 2], 5, 5, 4, 4), is_causal=True)
    attention("causal, more keys", qkv([1, 2], 3, 7, 4, 2), is_causal=True)
    attention("causal, more queries", qkv([2, 1], 7, 3, 4, 2), is_causal=True)
    attention("scaled", qkv([1, 2], 3, 4, 5, 2), scale=0.3)
    attention("scaled below 0", qkv([1, 2], 3, 4, 5, 2), scale=-0.7)
    attention("grouped", qkv([2, 6], 4, 5, 3, 3, [2, 2]), enable_gqa=True)
    attention("grouped and causal", qkv([1, 4], 5, 5, 2, 3, [1, 1]), is_causal=True, enable_gqa=True)
    attention("broadcast batch", qkv([2, 3], 2, 3, 2, 2, [1, 3]))
    attention("mask of pairs", qkv([2, 2], 4, 5, 3, 3), bools(4, 5))
    attention("mask of keys", qkv([2, 2], 4, 5, 3, 3), bools(2, 1, 1, 5, share=0.6))
    attention("mask of queries", qkv([1, 2], 3, 4, 2, 2), bools(3, 1, share=0.5, seed=3))
    attention("mask with queries that look nowhere", qkv([1, 2], 4, 3, 2, 2), torch.tensor([[1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]).bool())
    attention("numbers that are added", qkv([2, 2], 3, 4, 2, 2), uniform(2, 1, 3, 4))
    minus = torch.where(bools(1, 2, 3, 4, share=0.6, seed=4), uniform(1, 2, 3, 4), torch.tensor(-inf).double())
    minus[0, 0, 1] = -inf
    attention("numbers and -inf", qkv([2, 2], 3, 4, 2, 2), minus)
    return rows


def functions():
    golden = Golden("attention")
    for name, call, fn, tensors, mask, options in cases():
        extra = {"attnMask": "$3", **{camel(k): v for k, v in options.items()}} if mask is not None else {camel(k): v for k, v in options.items()}
        inputs = [*tensors, *([] if mask is None else [mask])]
        golden.case(name, call, ["$0", "$1", "$2", extra], lambda *x, options=options: fn(*x[:3], attn_mask=x[3] if len(x) > 3 else None, **options), *inputs)
    for name, shape, dims, weight, eps in (("rows", [3, 4], [4], True, None), ("no weight, eps", [2, 5], [5], False, 0.01), ("two dims", [2, 3, 4], [3, 4], True, 1e-5)):
        inputs = [uniform(*shape), *([uniform(*dims)] if weight else [])]
        args = ["$0", dims, {**({"weight": "$1"} if weight else {}), **({} if eps is None else {"eps": eps})}]
        golden.case(f"rms norm: {name}", "F.rmsNorm", args, lambda x, w=None, dims=dims, eps=eps: F.rms_norm(x, dims, w, torch.finfo(torch.float32).eps if eps is None else eps), *inputs)
    golden.write()


def seconds():
    golden = Second("attention-second")
    def qkv(lead, queries, keys, width, values):
        return uniform(*lead, queries, width), uniform(*lead, keys, width), uniform(*lead, keys, values)

    fn, call = F.scaled_dot_product_attention, "F.scaledDotProductAttention"
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        golden.twice("attention", call, ["$0", "$1", "$2"], fn, *qkv([1, 2], 3, 4, 2, 3))
        golden.twice("attention, causal", call, ["$0", "$1", "$2", {"isCausal": True, "scale": 0.4}], lambda q, k, v: fn(q, k, v, is_causal=True, scale=0.4), *qkv([1, 2], 4, 4, 2, 2))
        golden.twice("attention, numbers that are added", call, ["$0", "$1", "$2", {"attnMask": "$3"}], fn, *qkv([1, 2], 3, 4, 2, 3), uniform(3, 4))
    golden.twice("rmsNorm", "F.rmsNorm", ["$0", [5], {"weight": "$1", "eps": 0.01}], lambda t, w: F.rms_norm(t, [5], w, 0.01), uniform(2, 3, 5), uniform(5))
    golden.twice("rmsNorm of two dims", "F.rmsNorm", ["$0", [3, 5], {"eps": 0.01}], lambda t: F.rms_norm(t, [3, 5], None, 0.01), uniform(2, 3, 5))
    golden.write()


def fill(model):
    for name, p in model.named_parameters():
        low, high = (0.5, 1.5) if p.dim() == 1 and "weight" in name else (-0.5, 0.5)
        p.data.copy_(uniform(*p.shape, low=low, high=high))
    return model


def state(model):
    return [[k, list(v.shape), flat(v)] for k, v in model.state_dict().items()]


def put(x):
    if x is None:
        return None
    return {"shape": list(x.shape), "data": [number(float(v)) for v in x.detach().flatten().tolist()], "dtype": "u8" if x.dtype == torch.bool else "f32"}


def runs():
    """Modules: what they are made with and called with; then 20 steps of Adam from the same weights."""
    nn = torch.nn
    causal = nn.Transformer.generate_square_subsequent_mask(5).double()
    pad = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]).bool()
    square = ~bools(5, 5, share=0.8, seed=5) & ~torch.eye(5).bool()

    def inputs(*shapes):
        return [uniform(*shape, low=-1, high=1) for shape in shapes]

    def layer(kind, *args, **options):
        return getattr(nn, kind)(*args, **options)

    def mha(*args, **options):
        return ("MultiheadAttention", args, options)

    one = [(2, 5, 4)]
    rows = [
        (mha(4, 2, batch_first=True), one, "self", {}),
        (mha(4, 2, batch_first=True), one, "self", {"need_weights": False}),
        (mha(4, 2), [(5, 2, 4)], "self", {"attn_mask": causal, "average_attn_weights": False}),
        (mha(4, 2), [(5, 4)], "self", {"attn_mask": causal, "is_causal": True, "need_weights": False}),
        (mha(4, 1, bias=False, batch_first=True), one, "self", {"key_padding_mask": pad, "attn_mask": square}),
        (mha(4, 2, batch_first=True), one, "self", {"key_padding_mask": pad, "attn_mask": causal, "is_causal": True, "need_weights": False}),
        (mha(4, 2, add_bias_kv=True, add_zero_attn=True), [(5, 2, 4)], "self", {"key_padding_mask": pad, "attn_mask": square, "need_weights": False}),
        (mha(4, 2, add_bias_kv=True, batch_first=True), one, "self", {}),
        (mha(4, 2, kdim=3, vdim=2, batch_first=True), [(2, 3, 4), (2, 5, 3), (2, 5, 2)], "all", {"key_padding_mask": pad}),
        (mha(4, 2), [(3, 2, 4), (5, 2, 4)], "memory", {"need_weights": False}),
        (mha(4, 2, batch_first=True), [(2, 3, 4), (2, 5, 4), (2, 5, 4)], "all", {"attn_mask": uniform(4, 3, 5)}),
        (mha(4, 2), [(3, 4), (5, 4)], "memory", {"key_padding_mask": pad[1]}),
        (("TransformerEncoderLayer", (4, 2, 6, 0.0), {}), [(5, 2, 4)], "all", {}),
        (("TransformerEncoderLayer", (4, 2, 6, 0.0), {"activation": "gelu", "batch_first": True, "norm_first": True, "layer_norm_eps": 0.01}), one, "all", {"src_mask": causal, "is_causal": True}),
        (("TransformerEncoderLayer", (4, 2, 6, 0.0), {"bias": False, "batch_first": True}), one, "all", {"src_mask": square, "src_key_padding_mask": pad}),
        (("TransformerDecoderLayer", (4, 2, 6, 0.0), {"batch_first": True}), [(2, 5, 4), (2, 3, 4)], "all", {"tgt_mask": causal, "tgt_is_causal": True, "tgt_key_padding_mask": pad}),
        (("TransformerDecoderLayer", (4, 2, 6, 0.0), {"norm_first": True, "activation": "gelu"}), [(3, 4), (5, 4)], "all", {"memory_key_padding_mask": pad[1]}),
        (("TransformerEncoder", (2,), {"norm": True, "layer": (4, 2, 6, 0.0)}), [(5, 2, 4)], "all", {"mask": causal, "src_key_padding_mask": pad}),
        (("TransformerDecoder", (2,), {"layer": (4, 2, 6, 0.0)}), [(3, 2, 4), (5, 2, 4)], "all", {"memory_key_padding_mask": pad}),
        (("Transformer", (4, 2, 1, 1, 6, 0.0), {"batch_first": True}), [(2, 5, 4), (2, 5, 4)], "all", {"tgt_mask": causal, "tgt_is_causal": True, "src_key_padding_mask": pad}),
        (("RMSNorm", (4,), {"eps": 1e-5}), [(3, 4)], "all", {}),
    ]
    out = []
    for (kind, args, options), shapes, how, call in rows:
        own = {k: v for k, v in options.items() if k not in ("layer", "norm")}
        if "layer" in options:
            # Layers of a stack start from the same weights, which fill() then tells apart.
            inner = getattr(nn, f"{kind}Layer")(*options["layer"])
            model = getattr(nn, kind)(inner, *args, norm=nn.LayerNorm(options["layer"][0]) if options.get("norm") else None)
        else:
            model = getattr(nn, kind)(*args, **own)
        fill(model.double().train())
        xs = inputs(*shapes)
        entry = {
            "module": kind, "args": list(args), "options": {camel(k): v for k, v in own.items()},
            "layer": list(options.get("layer", [])) or None, "norm": bool(options.get("norm")), "how": how, "state": state(model),
            "inputs": [put(x) for x in xs], "call": {camel(k): put(v) if torch.is_tensor(v) else v for k, v in call.items()},
        }

        def forward(leaves):
            given = {"self": lambda: [leaves[0]] * 3, "memory": lambda: [leaves[0], leaves[1], leaves[1]], "all": lambda: leaves}[how]()
            result = model(*given, **call)
            return list(result) if isinstance(result, tuple) else [result]

        leaves = [x.clone().requires_grad_() for x in xs]
        ys = [y for y in forward(leaves) if y is not None]
        weights = [uniform(*y.shape, low=-1, high=1) for y in ys]
        sum((y * w).sum() for y, w in zip(ys, weights)).backward()
        entry["outputs"], entry["weights"] = [put(y) for y in ys], [put(w) for w in weights]
        entry["inputGrads"] = [flat(x.grad) for x in leaves]
        entry["grads"] = {k: flat(p.grad) for k, p in model.named_parameters()}
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        entry["losses"] = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = sum((y - w).square().mean() for y, w in zip([y for y in forward(xs) if y is not None], weights))
            loss.backward()
            optimizer.step()
            entry["losses"].append(number(loss.item()))
        out.append(entry)
    dump("transformers", {"runs": out})


def attention():
    # Numbers of its own, whatever is written before and after it.
    before = source.getstate()
    source.seed(17)
    functions()
    seconds()
    runs()
    source.setstate(before)
