"""Whole architectures as programs in PyTorch have them: a file of each state, and what it computes."""
import torch
import torch.nn.functional as F
from torch import nn

from store import HERE, dump, flat, integers, source, uniform


class BasicBlock(nn.Module):
    """Of a ResNet: running statistics, and a shortcut that may be a layer of layers."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)) if stride > 1 else None

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3, padding=1)
        self.layers = nn.ModuleList([BasicBlock(2, 2, 1), BasicBlock(2, 3, 2)])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        x = self.conv1(x)
        for layer in self.layers:
            x = layer(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Block(nn.Module):
    """Of a GPT: a mask that is not saved, layers by name."""

    def __init__(self, width, heads, length):
        super().__init__()
        self.n_head = heads
        self.ln_1 = nn.LayerNorm(width)
        self.W_qkv = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width, bias=False)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "act": nn.GELU(approximate="tanh"), "c_proj": nn.Linear(4 * width, width)})
        self.register_buffer("causal_mask", torch.ones(length, length).tril(), persistent=False)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = (part.reshape(n, length, self.n_head, -1).transpose(1, 2) for part in self.W_qkv(self.ln_1(x)).split(width, 2))
        scores = q @ k.transpose(2, 3) / (width // self.n_head) ** 0.5
        scores = scores.masked_fill(self.causal_mask[:length, :length] == 0, float("-inf")).softmax(3)
        x = x + self.c_proj((scores @ v).transpose(1, 2).reshape(n, length, width))
        return x + self.mlp["c_proj"](self.mlp["act"](self.mlp["c_fc"](self.ln_2(x))))


class GPT(nn.Module):
    """The embedding of tokens is used again for the logits."""

    def __init__(self):
        super().__init__()
        self.token_embedding = nn.Parameter(torch.empty(7, 4))
        self.position_embedding = nn.ParameterList([torch.empty(5, 4)])
        self.transformer = nn.ModuleDict({"h": nn.ModuleList([Block(4, 2, 5), Block(4, 1, 5)]), "ln_f": nn.LayerNorm(4)})
        self.lm_head = nn.Linear(4, 7, bias=False)
        self.lm_head.weight = self.token_embedding

    def forward(self, tokens):
        x = self.token_embedding[tokens] + self.position_embedding[0][: tokens.shape[1]]
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))


class Tagger(nn.Module):
    """Recurrent, with parameters of its own by name."""

    def __init__(self):
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(3, 4), nn.LSTMCell(4, 2)])
        self.head = nn.ParameterDict({"W": torch.empty(2, 3), "b": torch.empty(3)})

    def forward(self, x):
        states = [None, None]
        outputs = []
        for t in range(x.shape[1]):
            h = x[:, t]
            for i, cell in enumerate(self.cells):
                states[i] = cell(h, states[i])
                h = states[i][0]
            outputs.append(h @ self.head["W"] + self.head["b"])
        return torch.stack(outputs, 1)


class AutoEncoder(nn.Module):
    """Down and up again, its layers by name."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential()
        self.encoder.add_module("convIn", nn.Conv1d(2, 4, 3, stride=2, padding=1))
        self.encoder.add_module("norm", nn.GroupNorm(2, 4))
        self.encoder.add_module("act", nn.SiLU())
        self.decoder = nn.Sequential(nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1, output_padding=1), nn.InstanceNorm1d(3, affine=True, track_running_stats=True), nn.Conv1d(3, 2, 1))

    def forward(self, x):
        return self.decoder(self.encoder(x))


def architectures():
    from safetensors.torch import save_file

    source.seed(20261126)  # the same alone as after the others
    folder = HERE / "architectures"
    folder.mkdir(exist_ok=True)
    written = []
    for name, model, x in (
        ("ResNet", ResNet(), uniform(3, 1, 6, 6)),
        ("GPT", GPT(), integers(2, 4, high=7)),
        ("Tagger", Tagger(), uniform(2, 3, 3)),
        ("AutoEncoder", AutoEncoder(), uniform(2, 2, 8)),
    ):
        for p in list(model.parameters()) + [b for b in model.buffers() if b.is_floating_point() and b.dim() == 1]:
            p.data.copy_(uniform(*p.shape, low=0.5, high=1.5) if p.dim() == 1 else uniform(*p.shape, low=-0.8, high=0.8))
        # Cloned, because files hold no tensor twice: the shared one is there under both names, as in the state.
        save_file({key: value.clone() for key, value in model.state_dict().items()}, folder / f"{name}.safetensors")
        entry = {
            "name": name, "x": flat(x), "xShape": list(x.shape), "tokens": x.dtype == torch.int64,
            "state": [[key, list(value.shape)] for key, value in model.state_dict().items()],
            "parameters": [key for key, _ in model.named_parameters()],
            "buffers": [key for key, _ in model.named_buffers()],
            "modules": [key for key, _ in model.named_modules()],
        }
        model.double()
        for mode in ("eval", "train"):
            getattr(model, mode)()
            model.zero_grad()
            y = model(x)
            (y * torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape) / y.numel()).sum().backward()
            entry[mode] = {"y": flat(y), "grads": {key: flat(p.grad) for key, p in model.named_parameters()}}
        entry["after"] = {key: flat(value) for key, value in model.state_dict().items() if "running" in key or "num_batches" in key}
        written.append(entry)
    dump("architectures", {"architectures": written})
