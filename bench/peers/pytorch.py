"""Solves benchmark problems with PyTorch on one thread.

Reads requests from standard input: a line of JSON, then the arrays it announces, as raw f32 or i32 in the machine's order.
Answers each with a line of JSON, then an array of f32 where it says so.
  {"do": "prepare", "problem": {...}, "arrays": [[name, dtype, length], ...]}  ->  {"known": bool}
  {"do": "answer"}   ->  {"length": n} and n f32
  {"do": "time", "count": n}  ->  {"seconds": s}
Anything that goes wrong: {"error": text}.
"""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def blas():
    """The BLAS library in this process, which decides the speed of matrix products."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "/" in line}
    names = sorted({os.path.basename(os.path.realpath(path)) for path in paths})
    fast = [name for name in names if any(kind in name for kind in ("openblas", "mkl", "blis", "atlas"))]
    plain = [name for name in names if name.startswith("libblas")]
    return ", ".join(fast or ["the reference BLAS, %s" % name for name in plain])


class Repeat:
    """`solve` gives the result; one repetition is a call whose result is dropped."""

    def __init__(self, solve, answer=None):
        self.solve = solve
        self.answer = answer or (lambda: solve().detach())


def gemm(p, arrays):
    layout, m, n, k = p["layout"], p["m"], p["n"], p["k"]
    a = arrays["a"].view((k, m) if layout == "TN" else (m, k))
    b = arrays["b"].view((n, k) if layout == "NT" else (k, n))
    a = a.t() if layout == "TN" else a
    b = b.t() if layout == "NT" else b
    return Repeat(lambda: torch.mm(a, b))


def linear(p, arrays):
    x = arrays["x"].view(p["rows"], p["inner"])
    weight = arrays["weight"].view(p["out"], p["inner"])
    return Repeat(lambda: F.relu(F.linear(x, weight, arrays["bias"])))


def conv(p, arrays):
    x = arrays["x"].view(p["n"], p["channels"], p["height"], p["width"])
    weight = arrays["weight"].view(p["filters"], p["channels"] // p["groups"], p["kernel"], p["kernel"])

    def forward():
        return F.conv2d(x, weight, None, p["stride"], p["padding"], 1, p["groups"])

    if p["direction"] == "forward":
        return Repeat(forward)
    by = x if p["direction"] == "dInput" else weight
    by.requires_grad_()
    y = forward()
    g = arrays["g"].view(y.shape)
    return Repeat(lambda: torch.autograd.grad(y, by, g, retain_graph=True)[0])


def op(p, arrays):
    shape = (p["rows"], p["cols"])
    x = arrays["x"].view(shape)
    y = arrays["y"].view(-1, p["cols"]) if "y" in arrays else None
    weight, bias = arrays.get("weight"), arrays.get("bias")
    target = arrays["target"].long() if "target" in arrays else None
    name = p["op"]
    if name in ("Lion", "LAMB"):
        return None
    if name in ("embedding, Adam", "embedding, SparseAdam"):
        sparse = name == "embedding, SparseAdam"
        table = torch.nn.Parameter(x.clone())
        chosen = torch.optim.SparseAdam if sparse else torch.optim.Adam
        optimizer = chosen([table], lr=p["adam"]["lr"])

        def table_step():
            optimizer.zero_grad()
            F.embedding(target, table, sparse=sparse).backward(y)
            optimizer.step()

        def table_after():
            for _ in range(p["adam"]["steps"]):
                table_step()
            return table.detach().clone()

        return Repeat(table_step, table_after)
    if name == "Adam" or hasattr(torch.optim, name):
        q = torch.nn.Parameter(x.clone())
        q.grad = y
        options = {"lr": p["adam"]["lr"], "betas": tuple(p["adam"]["betas"]), "eps": p["adam"]["eps"]} if name == "Adam" else {}
        optimizer = getattr(torch.optim, name)([q], **options)

        def answer():
            for _ in range(p["adam"]["steps"]):
                optimizer.step()
            return q.detach().clone()

        return Repeat(optimizer.step, answer)
    if name == "crossEntropy gradient":
        x.requires_grad_()
        return Repeat(lambda: torch.autograd.grad(F.cross_entropy(x, target), x)[0])
    if name in ("relu gradient", "embedding gradient"):
        x.requires_grad_()
        forward = F.relu(x) if name == "relu gradient" else F.embedding(target, x)
        return Repeat(lambda: torch.autograd.grad(forward, x, y, retain_graph=True)[0])
    if name == "scatter amax":
        index, into = target[:, None].expand(shape).contiguous(), torch.zeros(shape)
    return Repeat(
        {
            "add": lambda: x + y,
            "bias+relu": lambda: F.relu(x + bias),
            "sum": lambda: x.sum(),
            "exp": lambda: x.exp(),
            "tanh": lambda: x.tanh(),
            "sigmoid": lambda: x.sigmoid(),
            "gelu": lambda: F.gelu(x),
            "softmax": lambda: F.softmax(x, 1),
            "layerNorm": lambda: F.layer_norm(x, (p["cols"],), weight, bias, p["eps"]),
            "dropout": lambda: F.dropout(x, p["dropout"]),
            "embedding": lambda: F.embedding(target, x),
            "crossEntropy": lambda: F.cross_entropy(x, target),
            "sort": lambda: x.sort()[0],
            "topk": lambda: x.topk(10)[0],
            "cummax": lambda: x.cummax(1)[0],
            "scatter amax": lambda: into.scatter_reduce(0, index, x, "amax"),
        }[name]
    )


class MeanOfStates(torch.nn.Module):
    """A recurrent layer, and the mean of the states of all elements."""

    def __init__(self, q):
        super().__init__()
        self.rnn = getattr(torch.nn, q["kind"])(q["inputs"], q["hidden"], batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0].mean(1)


# What a weight is called in a problem.
RECURRENT = {"rnn.weight_ih_l0": "weightIh", "rnn.weight_hh_l0": "weightHh", "rnn.bias_ih_l0": "biasIh", "rnn.bias_hh_l0": "biasHh"}


def attention(p, arrays):
    shape = (p["heads"], p["length"], p["width"])
    q, k, v, g = (arrays[name].view(shape).transpose(0, 1).contiguous().transpose(0, 1).unsqueeze(0) for name in "qkvg")
    leaves = [x.requires_grad_() for x in (q, k, v)]

    def solve():
        return torch.autograd.grad(F.scaled_dot_product_attention(*leaves, is_causal=True), leaves, g)

    return Repeat(solve, lambda: sum(solve()).contiguous())


def image(p, arrays):
    shape = p["shape"]
    x, channels = arrays["x"].view(shape), shape[1]
    y = arrays.get("y")
    if y is not None:
        y = y.view([shape[0], *shape[2:], 2] if p["op"] == "gridSample" else [channels, channels, 2, 2, 2])
    return Repeat(
        {
            "interpolate": lambda: F.interpolate(x, scale_factor=2, mode="bilinear"),
            "gridSample": lambda: F.grid_sample(x, y, align_corners=False),
            "pad": lambda: F.pad(x, (2, 2, 2, 2), "reflect"),
            "unfold": lambda: F.unfold(x, 3, padding=1),
            "maxPool3d": lambda: F.max_pool3d(x, 2),
            "convTranspose3d": lambda: F.conv_transpose3d(x, y, None, 2),
        }[p["op"]]
    )


def rare(p, arrays):
    name, rows, cols = p["op"], p["rows"], p["cols"]
    lead = {"einsum": (8, rows // 8), "ctc": (rows, 8)}.get(name, (rows,))
    x = arrays["x"].view(*lead, cols)
    y = arrays["y"].view(-1, *lead[1:], cols) if "y" in arrays else None
    target = arrays["target"].long() if "target" in arrays else None
    if name == "Muon":
        q = torch.nn.Parameter(x.clone())
        q.grad = y
        optimizer = torch.optim.Muon([q])

        def answer():
            optimizer.step()
            return q.detach().clone()

        return Repeat(optimizer.step, answer)
    if name == "LBFGS":
        q, scale = torch.nn.Parameter(x.clone()), x.abs() + 1

        def steps():
            with torch.no_grad():
                q.copy_(x)
            optimizer = torch.optim.LBFGS([q])

            def closure():
                optimizer.zero_grad()
                loss = ((q - y).square() * scale).sum()
                loss.backward()
                return loss

            optimizer.step(closure)
            return q.detach().clone()

        return Repeat(steps)
    if name == "ctc":
        scores, texts = F.log_softmax(x, 2), target.view(8, rows // 4)
        lengths = [torch.full((8,), n) for n in (rows, rows // 4)]
    return Repeat(
        {
            "sin": lambda: x.sin(),
            "atan": lambda: x.atan(),
            "erf": lambda: x.erf(),
            "erfinv": lambda: x.erfinv(),
            "einsum": lambda: torch.einsum("bij,bkj->bik", x, y),
            "cdist": lambda: torch.cdist(x, y),
            "indexPut": lambda: x.index_put((target,), y, True),
            "multinomial": lambda: torch.multinomial(x, 16, True).float(),
            "ctc": lambda: F.ctc_loss(scores, texts, *lengths),
        }[name]
    )


def train(p, arrays):
    make = {
        "linear": lambda q: torch.nn.Linear(q["inputs"], q["outputs"]),
        "conv": lambda q: torch.nn.Conv2d(q["channels"], q["filters"], q["kernel"], padding="same"),
        "pool": lambda q: torch.nn.MaxPool2d(2),
        "flatten": lambda q: torch.nn.Flatten(),
        "relu": lambda q: torch.nn.ReLU(),
        "tanh": lambda q: torch.nn.Tanh(),
        "LSTM": MeanOfStates,
        "GRU": MeanOfStates,
    }
    model = torch.nn.Sequential(*(make[layer["kind"]](layer) for layer in p["layers"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            place, own = name.split(".", 1)
            parameter.copy_(arrays["layers.%s.%s" % (place, RECURRENT.get(own, own))].view(parameter.shape))
    x = arrays["x"].view(p["batch"], *p["input"])
    if p["loss"] == "mse":
        y, loss_of = arrays["y"].view(p["batch"], p["outputs"]), F.mse_loss
    else:
        y, loss_of = arrays["y"].long(), F.cross_entropy
    optimizer = getattr(torch.optim, p["optimizer"]["name"])(model.parameters(), lr=p["optimizer"]["lr"])

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return Repeat(step, lambda: torch.tensor([step().item() for _ in range(p["checked"])]))


KINDS = {"gemm": gemm, "linear": linear, "conv": conv, "op": op, "image": image, "rare": rare, "attention": attention, "train": train}


def read_array(dtype, length):
    data = bytearray(sys.stdin.buffer.read(4 * length))
    return torch.frombuffer(data, dtype=torch.float32 if dtype == "f32" else torch.int32)


def main():
    def reply(message, data=b""):
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + data)
        sys.stdout.buffer.flush()

    torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    reply({"version": torch.__version__, "blas": blas()})
    current = None
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        arrays = {name: read_array(dtype, length) for name, dtype, length in request.get("arrays", [])}
        try:
            if request["do"] == "prepare":
                current = None
                problem = request["problem"]
                make = KINDS.get(problem["kind"])
                current = make(problem, arrays) if make else None
                reply({"known": current is not None})
            elif request["do"] == "answer":
                data = current.answer().contiguous().view(-1).numpy().tobytes()
                reply({"length": len(data) // 4}, data)
            else:
                solve = current.solve
                started = time.perf_counter()
                for _ in range(request["count"]):
                    solve()
                reply({"seconds": time.perf_counter() - started})
        except Exception as error:  # told to the other side, which goes on
            reply({"error": "%s: %s" % (type(error).__name__, error)})


main()
