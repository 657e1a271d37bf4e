"""Writes models.json: small models that PyTorch exports, what they give, and the losses of 20 steps from their weights.

    python3 test/onnx/models.py      # with torch and onnx installed
"""
import base64
import copy
import io
import json
import warnings
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn

warnings.filterwarnings('ignore')
torch.manual_seed(12)


class Net(nn.Module):
    """A convolutional network whose flattening is of Shape, Gather and Concat, so that the batch may differ."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, groups=2)
        self.head = nn.Linear(6 * 3 * 3, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2, ceil_mode=True)
        x = nn.functional.hardswish(self.conv2(x))
        return self.head(x.reshape(x.shape[0], -1))


class Tagger(nn.Module):
    """A bidirectional LSTM over embeddings."""

    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.rnn = kind(4, 5, bidirectional=kind is nn.LSTM, batch_first=True)
        self.head = nn.Linear(10 if kind is nn.LSTM else 5, 3)

    def forward(self, x):
        y, _ = self.rnn(self.embedding(x))
        return self.head(y.mean(1))


class Encoder(nn.Module):
    """Attention by hand, with masks, as exporters write it out."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 8)
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        n, t = x.shape
        h = self.embedding(x)
        q, k, v = self.qkv(self.norm(h)).reshape(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        mask = torch.tril(torch.ones(t, t, dtype=torch.bool))
        scores = (q @ k.transpose(-2, -1) / 2).masked_fill(~mask, float('-inf'))
        h = h + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, 8))
        return self.head((h + self.mlp(h)).mean(1))


def tokens(n, t=6):
    return torch.randint(0, 7, (n, t))


MODELS = {
    'mlp': (nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)), lambda n: torch.randn(n, 5), True),
    'cnn': (Net(), lambda n: torch.randn(n, 1, 14, 14), False),
    'lstm': (Tagger(nn.LSTM), tokens, False),
    'gru': (Tagger(nn.GRU), tokens, True),
    'attention': (Encoder(), tokens, True),
}


def export(model, x, fold):
    file = io.BytesIO()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    norms = any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    mode = torch.onnx.TrainingMode.TRAINING if norms else torch.onnx.TrainingMode.EVAL
    model.train(norms)
    torch.onnx.export(
        model, (x,), file, dynamo=False, opset_version=17, do_constant_folding=fold, training=mode,
        input_names=['x'], output_names=['y'], dynamic_axes={'x': {0: 'n'}, 'y': {0: 'n'}},
    )
    proto = onnx.load_from_string(file.getvalue())
    for node in proto.graph.node:
        node.ClearField('doc_string')  # stack traces
    # Tracing has moved running statistics.
    for initial in proto.graph.initializer:
        if initial.name in state:
            initial.CopyFrom(numpy_helper.from_array(state[initial.name].numpy(), initial.name))
    return proto.SerializeToString()


def losses(model, x, target):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def flat(x):
    return [round(v, 6) if isinstance(v, float) else v for v in x.flatten().tolist()]


rows = []
for name, (model, draw, fold) in MODELS.items():
    x = draw(5)
    data = export(copy.deepcopy(model), draw(2), fold)
    x = torch.tensor(flat(x), dtype=x.dtype).reshape(x.shape)
    exact = copy.deepcopy(model).double()
    if x.dtype == torch.float32:
        x = x.double()
    target = torch.arange(5) % 3
    y = copy.deepcopy(exact).eval()(x)
    rows.append({
        'name': name, 'model': base64.b64encode(data).decode(), 'x': flat(x), 'shape': list(x.shape),
        'tokens': x.dtype == torch.int64, 'target': target.tolist(), 'y': flat(y), 'losses': losses(exact, x, target),
        'y_trained': flat(exact.eval()(x)), 'parameters': [key for key, _ in model.named_parameters()],
    })
text = ',\n'.join(json.dumps(row) for row in rows)
Path(__file__).with_name('models.json').write_text(f'[\n{text}\n]\n')
