"""Whole small networks as people write them: weights, one step's output and gradients, and the losses of twenty steps."""
import base64
import math
import random
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import optimizers_more  # noqa: F401 Muon multiplies in the precision of its input
import store
from store import DTYPES, dump, flat, integers, number, uniform

STEPS = 20
NETWORKS = {}


def network(make):
    """`make()` gives a model, its inputs, a step on them that returns the output and the loss, and what follows it."""
    NETWORKS[make.__name__] = make
    return make


def train(optimizer, loss_of, schedule=None, clip=None, parameters=None):
    """The loop that most of them have."""
    def step(*inputs):
        optimizer.zero_grad()
        output, loss = loss_of(*inputs)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        return output, loss
    return step, (schedule.step if schedule else lambda: None)


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.src_embed = nn.Embedding(9, 5, padding_idx=0)
        self.tgt_embed = nn.Embedding(8, 5)
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.decoder = nn.LSTM(5, 6, batch_first=True)
        self.attn = nn.Linear(6, 6, bias=False)
        self.out = nn.Linear(12, 8)

    def forward(self, src, lengths, tgt):
        packed = pack_padded_sequence(self.src_embed(src), lengths, batch_first=True, enforce_sorted=False)
        memory, state = self.encoder(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True)
        h, _ = self.decoder(self.tgt_embed(tgt), state)
        scores = torch.bmm(self.attn(h), memory.transpose(1, 2))
        mask = torch.arange(memory.size(1))[None, :] >= torch.tensor(lengths)[:, None]
        weights = scores.masked_fill(mask[:, None, :], float("-inf")).softmax(-1)
        return self.out(torch.cat([torch.bmm(weights, memory), h], -1))


@network
def seq2seq():
    model = Seq2Seq().double()
    src = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [2, 2, 5, 1, 0]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-2, total_steps=25)

    def loss_of(src, tgt, label):
        y = model(src, [3, 5, 4], tgt)
        return y, F.cross_entropy(y.flatten(0, 1), label.flatten(), ignore_index=-100, label_smoothing=0.1)
    label = integers(3, 4, high=8)
    label[0, 3] = -100
    return model, [src, integers(3, 4, high=8), label], *train(optimizer, loss_of, schedule, 1.0, [*model.parameters()])


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4, padding_idx=0)
        self.gru = nn.GRU(4, 3, num_layers=2, bidirectional=True, dropout=0.0, batch_first=True)
        self.drop = nn.Dropout(0.0)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        y, h = self.gru(self.embedding(x))
        return self.fc(self.drop(y)) + h.mean() * 0.1


@network
def tagger():
    model = Tagger().double()
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 7, gamma=0.5)
    criterion = nn.CrossEntropyLoss(ignore_index=0, weight=torch.tensor([1.0, 2, 0.5, 1], dtype=torch.float64))

    def loss_of(x, y):
        logits = model(x)
        return logits, criterion(logits.transpose(1, 2), y)
    x = torch.tensor([[1, 2, 3, 4, 0], [5, 6, 7, 0, 0]])
    y = torch.tensor([[1, 2, 3, 1, 0], [3, 2, 1, 0, 0]])
    return model, [x, y], *train(optimizer, loss_of, schedule)


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.lstm = nn.LSTM(6, 4, bidirectional=True)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = F.hardtanh(self.norm(self.conv(x)), 0, 20)
        x, _ = self.lstm(x.permute(2, 0, 1))
        return F.log_softmax(self.fc(x), dim=-1)


@network
def speech():
    model = Speech().double()
    optimizer = torch.optim.RAdam(model.parameters(), lr=2e-2)
    ctc = nn.CTCLoss(blank=0, zero_infinity=True)

    def loss_of(x, y):
        p = model(x)
        return p, ctc(p, y, torch.tensor([7, 6]), torch.tensor([3, 2]))
    return model, [uniform(2, 4, 13), torch.tensor([[1, 2, 2], [4, 3, 0]])], *train(optimizer, loss_of)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 4, padding_idx=0)
        self.pos = nn.Parameter(torch.randn(1, 6, 4) * 0.1)
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(4), enable_nested_tensor=False)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        mask = x == 0
        h = self.encoder(self.embed(x) * math.sqrt(4) + self.pos, src_key_padding_mask=mask)
        keep = (~mask).unsqueeze(-1)
        return self.head((h * keep).sum(1) / keep.sum(1))


@network
def classifier():
    model = Classifier().double()
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=5e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 5))

    def loss_of(x, y):
        logits = model(x)
        return logits, F.cross_entropy(logits, y)
    x = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 8, 9, 0, 0, 0], [10, 11, 1, 2, 0, 0]])
    return model, [x, torch.tensor([0, 2, 1])], *train(optimizer, loss_of, schedule, 0.5, [*model.parameters()])


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.src = nn.Embedding(9, 4)
        self.tgt = nn.Embedding(9, 4)
        self.transformer = nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True)
        self.generator = nn.Linear(4, 9)

    def forward(self, src, tgt, src_pad, tgt_pad):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1), dtype=torch.float64)
        h = self.transformer(self.src(src), self.tgt(tgt), tgt_mask=mask, src_key_padding_mask=src_pad,
                             tgt_key_padding_mask=tgt_pad, memory_key_padding_mask=src_pad)
        return self.generator(h)


@network
def translator():
    model = Translator().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [
        torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)], [5])

    def loss_of(src, tgt):
        pad = lambda x: torch.zeros(x.shape, dtype=torch.float64).masked_fill(x == 0, float("-inf"))
        y = model(src, tgt[:, :-1], pad(src), pad(tgt[:, :-1]))
        return y, F.cross_entropy(y.reshape(-1, 9), tgt[:, 1:].reshape(-1), ignore_index=0)
    src = torch.tensor([[1, 2, 3, 4, 0], [5, 6, 7, 8, 1]])
    tgt = torch.tensor([[1, 3, 5, 7, 2], [1, 4, 6, 0, 0]])
    return model, [src, tgt], *train(optimizer, loss_of, schedule)


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(4, 12)
        self.c_proj = nn.Linear(4, 4)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(4, dim=2)
        q, k, v = (t.view(B, T, 2, C // 2).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class GPTBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1 = nn.LayerNorm(4)
        self.attn = CausalSelfAttention()
        self.ln2 = nn.LayerNorm(4, bias=False)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.GELU(approximate="tanh"), nn.Linear(8, 4))

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(11, 4), wpe=nn.Embedding(6, 4), h=nn.ModuleList([GPTBlock() for _ in range(2)]),
            ln_f=nn.LayerNorm(4)))
        self.lm_head = nn.Linear(4, 11, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(4))

    def forward(self, idx, targets):
        pos = torch.arange(0, idx.size(1))
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


@network
def gpt():
    model = GPT().double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5, 2, eta_min=1e-4)
    return (model, [integers(2, 6, high=11), integers(2, 6, high=11)],
            *train(optimizer, model, schedule, 1.0, [*model.parameters()]))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim * 3, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        attn = (q @ k.transpose(-2, -1) * (C // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 4, kernel_size=4, stride=4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.pos_embed = nn.Parameter(torch.empty(1, 5, 4))
        nn.init.trunc_normal_(self.pos_embed, std=0.2)
        self.norm1, self.norm2, self.norm = nn.LayerNorm(4, eps=1e-6), nn.LayerNorm(4, eps=1e-6), nn.LayerNorm(4)
        self.attn = Attention(4, 2)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
        self.ls = nn.Parameter(1e-1 * torch.ones(4))
        self.head = nn.Linear(4, 4)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        x = x + self.ls * self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm(x)[:, 0])


@network
def vit():
    model = ViT().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)

    def loss_of(x, y):
        logits = model(x)
        return logits, F.cross_entropy(logits, y)
    y = torch.tensor([[0.7, 0.3, 0, 0], [0, 0.25, 0, 0.75]], dtype=torch.float64)
    return model, [uniform(2, 3, 8, 8), y], *train(optimizer, loss_of, schedule)


class DoubleConv(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc = DoubleConv(1, 3)
        self.down = nn.Sequential(nn.MaxPool2d(2), DoubleConv(3, 4))
        self.bottom = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 4))
        self.up1 = nn.ConvTranspose2d(4, 3, kernel_size=2, stride=2)
        self.conv1 = DoubleConv(7, 3)
        self.up2 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv2 = DoubleConv(6, 3)
        self.outc = nn.Conv2d(3, 1, 1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down(x1)
        y = self.up1(self.bottom(x2))
        dy, dx = x2.size(2) - y.size(2), x2.size(3) - y.size(3)
        y = F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        y = self.conv1(torch.cat([x2, y], dim=1))
        return self.outc(self.conv2(torch.cat([x1, self.up2(y)], dim=1)))


@network
def unet():
    model = UNet().double()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9)

    def loss_of(x, y):
        logits = model(x)
        p = logits.sigmoid()
        dice = 1 - (2 * (p * y).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + y.sum((1, 2, 3)) + 1)
        return logits, F.binary_cross_entropy_with_logits(logits, y) + dice.mean()
    return model, [uniform(1, 1, 12, 12), integers(1, 1, 12, 12, high=2).double()], *train(optimizer, loss_of)


class SqueezeExcite(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(c, 2, 1), nn.Conv2d(2, c, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class InvertedResidual(nn.Module):
    def __init__(self, inp, hidden, out, stride, act):
        super().__init__()
        self.use_res = stride == 1 and inp == out
        self.block = nn.Sequential(
            nn.Conv2d(inp, hidden, 1, bias=False), nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.01), act(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), act(),
            SqueezeExcite(hidden), nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        return x + self.block(x) if self.use_res else self.block(x)


@network
def mobilenet():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Hardswish(), InvertedResidual(4, 6, 4, 1, nn.ReLU6),
                          InvertedResidual(4, 6, 6, 2, nn.Hardswish), nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Dropout(0.0),
                          nn.Linear(6, 3)).double()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def loss_of(x, y):
        logits = model(x)
        return logits, criterion(logits, y)
    return model, [uniform(3, 3, 10, 10), torch.tensor([1, 0, 2])], *train(optimizer, loss_of, schedule)


class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.BatchNorm3d(3), nn.LeakyReLU(0.1, inplace=True), nn.MaxPool3d(2))
        self.dec = nn.ConvTranspose3d(3, 2, (2, 3, 2), stride=2, output_padding=(0, 1, 0), padding=(0, 1, 0))
        self.out = nn.Conv3d(2, 1, 1)
        self.drop = nn.Dropout3d(0.0)

    def forward(self, x):
        return self.out(F.softplus(self.dec(self.drop(self.enc(x)))))


@network
def volume():
    model = Volume().double()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05, lr_decay=0.01)

    def loss_of(x, y):
        out = model(x)
        return out, F.huber_loss(out, y, delta=0.7)
    return model, [uniform(2, 1, 4, 6, 4), uniform(2, 1, 4, 6, 4)], *train(optimizer, loss_of)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 8)
        self.fc21, self.fc22 = nn.Linear(8, 3), nn.Linear(8, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 8), nn.SELU(), nn.Linear(8, 10), nn.Sigmoid())

    def forward(self, x, eps):
        h = F.relu(self.fc1(x.view(-1, 10)))
        mu, logvar = self.fc21(h), self.fc22(h)
        std = torch.exp(0.5 * logvar)
        return self.decoder(mu + eps * std), mu, logvar


@network
def vae():
    model = VAE().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
    schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-3, 2e-2, step_size_up=4, cycle_momentum=False)

    def loss_of(x, eps):
        recon, mu, logvar = model(x, eps)
        bce = F.binary_cross_entropy(recon, x.view(-1, 10), reduction="sum")
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return recon, bce + kld
    return model, [uniform(4, 1, 2, 5, low=0, high=1), uniform(4, 3)], *train(optimizer, loss_of, schedule)


@network
def gan():
    from torch.nn.utils.parametrizations import spectral_norm
    g = nn.Sequential(
        nn.ConvTranspose2d(4, 3, 3, 1, 0, bias=False), nn.BatchNorm2d(3), nn.ReLU(True),
        nn.ConvTranspose2d(3, 1, 4, 2, 1, bias=False), nn.Tanh())
    d = nn.Sequential(spectral_norm(nn.Conv2d(1, 3, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True), nn.Flatten(),
                      spectral_norm(nn.Linear(27, 1)))
    for m in g:
        if isinstance(m, nn.ConvTranspose2d):
            nn.init.normal_(m.weight, 0.0, 0.2)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
            nn.init.constant_(m.bias, 0)
    model = nn.ModuleDict({"g": g, "d": d}).double()
    opt_g = torch.optim.Adam(g.parameters(), lr=2e-3, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(d.parameters(), lr=2e-3, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()

    def step(real, z):
        opt_d.zero_grad()
        fake = g(z)
        loss_d = bce(d(real), torch.ones(2, 1, dtype=torch.float64)) + bce(d(fake.detach()), torch.zeros(2, 1, dtype=torch.float64))
        loss_d.backward()
        opt_d.step()
        opt_g.zero_grad()
        d.requires_grad_(False)
        loss_g = bce(d(fake), torch.ones(2, 1, dtype=torch.float64))
        loss_g.backward()
        d.requires_grad_(True)
        opt_g.step()
        return fake, loss_d + 2 * loss_g
    return model, [uniform(2, 1, 6, 6), uniform(2, 4, 1, 1)], step, lambda: None


class STN(nn.Module):
    def __init__(self):
        super().__init__()
        self.localization = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2, stride=2), nn.ReLU(True))
        self.fc_loc = nn.Sequential(nn.Linear(2 * 3 * 3, 4), nn.Tanh(), nn.Linear(4, 6))
        self.fc_loc[2].weight.data.mul_(0.3)
        self.fc_loc[2].bias.data.copy_(torch.tensor([0.9, 0.1, 0, -0.1, 0.8, 0.1], dtype=torch.float))
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        theta = self.fc_loc(self.localization(x).view(-1, 18)).view(-1, 2, 3)
        x = F.grid_sample(x, F.affine_grid(theta, x.size(), align_corners=False), padding_mode="border", align_corners=False)
        return F.log_softmax(self.fc(x.flatten(1)), dim=1)


@network
def stn():
    model = STN().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def loss_of(x, y):
        out = model(x)
        return out, F.nll_loss(out, y)
    return model, [uniform(2, 1, 8, 8), torch.tensor([2, 0])], *train(optimizer, loss_of)


class SuperResolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, padding=2, padding_mode="replicate")
        self.conv2 = nn.Conv2d(4, 4, 3, 1, 1)
        self.shuffle = nn.PixelShuffle(2)
        nn.init.orthogonal_(self.conv1.weight, nn.init.calculate_gain("relu"))

    def forward(self, x):
        skip = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
        return self.shuffle(self.conv2(torch.tanh(self.conv1(x)))) + skip


@network
def superres():
    model = SuperResolution().double()
    optimizer = torch.optim.Adam([{"params": model.conv1.parameters()}, {"params": model.conv2.parameters(), "lr": 1e-3}], lr=1e-2)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=20, power=2)

    def loss_of(x, y):
        out = model(x)
        charbonnier = ((out - y) ** 2 + 1e-3).sqrt().mean()
        tv = (out[:, :, 1:] - out[:, :, :-1]).abs().mean() + torch.diff(out, dim=3).abs().mean()
        return out, charbonnier + 0.1 * tv
    return model, [uniform(2, 1, 4, 5), uniform(2, 1, 8, 10)], *train(optimizer, loss_of, schedule)


class GatedBlock(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        from torch.nn.utils.parametrizations import weight_norm
        self.pad = nn.ConstantPad1d((dilation, 0), 0.0)
        self.conv = weight_norm(nn.Conv1d(4, 8, 2, dilation=dilation))
        self.res, self.skip = nn.Conv1d(4, 4, 1), nn.Conv1d(4, 5, 1)

    def forward(self, x):
        a = F.glu(self.conv(self.pad(x)), dim=1)
        return x + self.res(a), self.skip(a)


class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 4)
        self.blocks = nn.ModuleList([GatedBlock(2 ** i) for i in range(3)])
        self.end = nn.utils.weight_norm(nn.Conv1d(5, 6, 1), dim=None)

    def forward(self, x):
        x, skips = self.embed(x).transpose(1, 2), 0
        for block in self.blocks:
            x, skip = block(x)
            skips = skips + skip
        return self.end(F.relu(skips))


@network
def wavenet():
    model = WaveNet().double()
    optimizer = torch.optim.ASGD(model.parameters(), lr=0.1, weight_decay=1e-3)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5, threshold=0.05)
    last = []

    def loss_of(x):
        y = model(x[:, :-1])
        loss = F.cross_entropy(y, x[:, 1:])
        last[:] = [loss.item()]
        return y, loss
    step, _ = train(optimizer, loss_of)
    return model, [integers(2, 11, high=6)], step, lambda: plateau.step(last[0])


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 4))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        a, b = x.chunk(2, dim=-1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=-1)
        s = self.scale * torch.tanh(s)
        b = b * s.exp() + t
        return torch.cat((b, a) if self.flip else (a, b), -1), s.sum(-1)


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Coupling(i % 2 == 1) for i in range(3)])
        self.register_buffer("loc", torch.zeros(4))
        self.register_buffer("log_scale", torch.zeros(4))

    def log_prob(self, x):
        total = 0
        for layer in self.layers:
            x, logdet = layer(x)
            total = total + logdet
        return x, torch.distributions.Normal(self.loc, self.log_scale.exp()).log_prob(x).sum(-1) + total


@network
def flow():
    model = Flow().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss_of(x):
        z, p = model.log_prob(x)
        return z, -p.mean()
    return model, [uniform(6, 4)], *train(optimizer, loss_of, None, 5.0, [*model.parameters()])


class MDN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 6), nn.Softsign())
        self.pi, self.mu, self.sigma = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        h = self.body(x)
        return F.log_softmax(self.pi(h), -1), self.mu(h), F.softplus(self.sigma(h)) + 1e-3


@network
def mdn():
    model = MDN().double()
    optimizer = torch.optim.Adafactor(model.parameters(), lr=0.05)

    def loss_of(x, y):
        log_pi, mu, sigma = model(x)
        log_p = -0.5 * ((y - mu) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)
        return mu, -torch.logsumexp(log_pi + log_p, dim=-1).mean()
    return model, [uniform(7, 1), uniform(7, 1)], *train(optimizer, loss_of)


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.SiLU())
        self.value, self.advantage = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        h = self.body(x)
        a = self.advantage(h)
        return self.value(h) + a - a.mean(dim=1, keepdim=True)


@network
def dqn():
    import copy
    online = QNet()
    target = copy.deepcopy(online)
    model = nn.ModuleDict({"online": online, "target": target}).double()
    optimizer = torch.optim.RMSprop(online.parameters(), lr=5e-3, alpha=0.95, eps=0.01, centered=True)

    def step(state, action, reward, following, done):
        q = online(state).gather(1, action.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            best = online(following).argmax(1, keepdim=True)
            expected = reward + 0.9 * target(following).gather(1, best).squeeze(1) * (1 - done)
        loss = F.smooth_l1_loss(q, expected)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(online.parameters(), 0.05)
        optimizer.step()
        with torch.no_grad():
            for p, t in zip(online.parameters(), target.parameters()):
                t.mul_(0.9).add_(p, alpha=0.1)
        return q, loss
    return (model, [uniform(6, 4), integers(6, high=3), uniform(6), uniform(6, 4), integers(6, high=2).double()], step,
            lambda: None)


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(4, 8)
        self.actor, self.critic = nn.Linear(8, 3), nn.Linear(8, 1)
        self.log_std = nn.Parameter(torch.zeros(1, 2))
        self.mean = nn.Linear(8, 2)
        nn.init.orthogonal_(self.actor.weight, 0.01)

    def forward(self, x):
        h = torch.tanh(self.shared(x))
        return (torch.distributions.Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1),
                torch.distributions.Normal(self.mean(h), self.log_std.exp()))


@network
def actorCritic():
    model = ActorCritic().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, eps=1e-5)

    def loss_of(state, action, move, returns, old):
        policy, value, gauss = model(state)
        advantage = returns - value.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        ratio = (policy.log_prob(action) + gauss.log_prob(move).sum(1) - old).exp()
        clipped = torch.clamp(ratio, 0.8, 1.2)
        loss = -torch.min(ratio * advantage, clipped * advantage).mean() + 0.5 * F.mse_loss(value, returns)
        return value, loss - 0.01 * (policy.entropy().mean() + gauss.entropy().sum(-1).mean())
    return (model, [uniform(6, 4), integers(6, high=3), uniform(6, 2), uniform(6), uniform(6, low=-5, high=-2)],
            *train(optimizer, loss_of, None, 0.5, [*model.parameters()]))


class Factors(nn.Module):
    def __init__(self):
        super().__init__()
        self.user, self.item = nn.Embedding(5, 3), nn.Embedding(6, 3)
        self.user_bias, self.item_bias = nn.Embedding(5, 1), nn.Embedding(6, 1)
        self.tags = nn.EmbeddingBag(7, 3, mode="mean")
        self.mu = nn.Parameter(torch.tensor(0.0))

    def forward(self, u, i, tags, offsets):
        v = self.item(i) + self.tags(tags, offsets)
        return (self.user(u) * v).sum(1) + self.user_bias(u).squeeze() + self.item_bias(i).squeeze() + self.mu


@network
def factors():
    model = Factors().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-2)

    def loss_of(u, i, tags, offsets, r):
        y = model(u, i, tags, offsets)
        return y, ((y - r) ** 2).mean() + 1e-2 * model.user.weight.norm() + 1e-2 * sum(p.abs().sum() for p in model.item.parameters())
    return (model, [integers(4, high=5), integers(4, high=6), integers(9, high=7), torch.tensor([0, 2, 5, 6]), uniform(4)],
            *train(optimizer, loss_of))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.CELU(), nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.Linear(6, 4))

    def forward(self, x):
        return F.normalize(self.net(x), dim=1)


@network
def siamese():
    model = Siamese().double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    triplet = nn.TripletMarginLoss(margin=1.0, p=2, swap=True)

    def loss_of(a, p, n, same):
        x, y, z = model(a), model(p), model(n)
        logits = x @ y.T / 0.5
        nce = F.cross_entropy(logits, torch.arange(len(x)))
        return x, triplet(x, y, z) + F.cosine_embedding_loss(x, z, same, margin=0.2) + nce + (1 - F.cosine_similarity(x, y)).mean()
    return model, [uniform(4, 2, 7), uniform(4, 2, 7), uniform(4, 2, 7), torch.tensor([1.0, -1, -1, 1]).double()], *train(optimizer, loss_of)


class MixerBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(6), nn.LayerNorm(6)
        self.tokens = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))
        self.channels = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


@network
def mixer():
    model = nn.Sequential(nn.Unfold(3, stride=3), nn.Identity(), MixerBlockInput(), MixerBlock(), nn.LayerNorm(6)).double()
    optimizer = torch.optim.Muon([p for p in model.parameters() if p.ndim == 2], lr=0.02)
    other = torch.optim.AdamW([p for p in model.parameters() if p.ndim != 2], lr=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        other.zero_grad()
        out = model(x).mean(1)
        loss = F.mse_loss(out, y)
        loss.backward()
        optimizer.step()
        other.step()
        return out, loss
    return model, [uniform(3, 1, 6, 6), uniform(3, 6)], step, lambda: None


class MixerBlockInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(9, 6)

    def forward(self, x):
        return torch.einsum("bct,dc->btd", x, self.fc.weight) + self.fc.bias


class GraphConv(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(a, b))
        self.bias = nn.Parameter(torch.zeros(b))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, src, dst, n):
        degree = torch.zeros(n, dtype=x.dtype).index_add(0, dst, torch.ones(dst.shape[0], dtype=x.dtype))
        norm = degree.clamp(min=1).rsqrt()
        messages = (x @ self.weight)[src] * (norm[src] * norm[dst]).unsqueeze(-1)
        return torch.zeros(n, self.bias.shape[0], dtype=x.dtype).index_add_(0, dst, messages) + self.bias


class GNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GraphConv(4, 6), GraphConv(6, 6)
        self.score = nn.Linear(6, 1)
        self.fc = nn.Linear(6, 2)

    def forward(self, x, edges, batch):
        src, dst = edges
        h = F.relu(self.conv1(x, src, dst, 6))
        h = F.dropout(self.conv2(h, src, dst, 6), p=0.0, training=self.training)
        top = torch.zeros(2, 6, dtype=x.dtype).scatter_reduce(0, batch.unsqueeze(1).expand(-1, 6), h, "amax", include_self=False)
        weights = torch.sigmoid(self.score(h))
        pooled = torch.zeros(2, 6, dtype=x.dtype).scatter_add(0, batch[:, None].expand_as(h), h * weights)
        return self.fc(pooled + top)


@network
def gnn():
    model = GNN().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)

    def loss_of(x, edges, batch, y):
        out = model(x, edges, batch)
        return out, F.cross_entropy(out, y)
    edges = torch.tensor([[0, 1, 1, 2, 3, 4, 5, 5], [1, 0, 2, 1, 4, 5, 3, 4]])
    return model, [uniform(6, 4), edges, torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([1, 0])], *train(optimizer, loss_of)


def rotate_half(x):
    a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return torch.cat((-b, a), dim=-1)


class LlamaAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.k_proj, self.v_proj = nn.Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False)

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        q = self.q_proj(x).view(B, T, 2, 4).transpose(1, 2)
        k = self.k_proj(x).view(B, T, 1, 4).transpose(1, 2)
        v = self.v_proj(x).view(B, T, 1, 4).transpose(1, 2)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))


class LlamaMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = (nn.Linear(*s, bias=False) for s in ((8, 6), (8, 6), (6, 8)))

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(10, 8)
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(8, eps=1e-6), nn.RMSNorm(8, eps=1e-6)
        self.self_attn, self.mlp = LlamaAttention(), LlamaMLP()
        self.norm = nn.RMSNorm(8)
        inv_freq = 1.0 / (10000.0 ** (torch.arange(0, 4, 2).float() / 4))
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        freqs = torch.outer(torch.arange(ids.shape[1], dtype=torch.float64), self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        x = x + self.self_attn(self.input_layernorm(x), emb.cos(), emb.sin())
        x = x + self.mlp(self.post_attention_layernorm(x))
        return F.linear(self.norm(x), self.embed_tokens.weight)


@network
def llama():
    model = Llama().double()
    params = list(model.parameters())
    momentum = [torch.zeros_like(p) for p in params]

    def step(ids):
        for p in params:
            p.grad = None
        logits = model(ids)
        loss = F.cross_entropy(logits[..., :-1, :].flatten(0, 1), ids[..., 1:].flatten())
        loss.backward()
        for p, m in zip(params, momentum):  # Lion
            update = torch.sign(0.9 * m + 0.1 * p.grad)
            p.data.mul_(1 - 1e-3 * 0.1).sub_(1e-3 * update)
            m.mul_(0.99).add_(0.01 * p.grad)
        return logits, loss
    return model, [integers(2, 6, high=10)], step, lambda: None


class ODE(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        for m in self.f.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.3)
                nn.init.zeros_(m.bias)

    def forward(self, y, t):
        path = [y]
        for a, b in zip(t[:-1], t[1:]):
            here = lambda y: self.f(torch.cat([y ** 3, a.expand(y.shape[0], 1)], 1))
            k1 = here(y)
            k2 = here(y + (b - a) / 2 * k1)
            y = y + (b - a) * k2
            path.append(y)
        return torch.stack(path)


@network
def ode():
    model = ODE().double()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=2, history_size=5)

    def step(y, t, target):
        outs = []

        def closure():
            optimizer.zero_grad()
            out = model(y, t)
            loss = F.mse_loss(out, target)
            loss.backward()
            outs.append((out, loss))
            return loss
        optimizer.step(closure)
        return outs[0]
    return model, [uniform(3, 2, low=-1, high=1), torch.linspace(0, 1, 5).double(), uniform(5, 3, 2, low=-1, high=1)], step, lambda: None


class LoRA(nn.Module):
    def __init__(self, rows, cols, rank=2, alpha=4):
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, cols) * 0.3)
        self.b = nn.Parameter(torch.randn(rows, rank) * 0.3)
        self.scale = alpha / rank

    def forward(self, w):
        return w + self.scale * (self.b @ self.a)


@network
def lora():
    import torch.nn.utils.parametrize as parametrize
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    for layer in (model[0], model[2]):
        parametrize.register_parametrization(layer, "weight", LoRA(*layer.weight.shape).double())
    for name, p in model.named_parameters():
        p.requires_grad = name.split(".")[-1] in ("a", "b")
    model[0].register_forward_hook(lambda m, args, out: out * 0.5)
    model[2].register_full_backward_hook(lambda m, gin, gout: (gin[0] * 2,))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)

    def loss_of(x, y):
        out = model(x)
        return out, F.kl_div(F.log_softmax(out, -1), y, reduction="batchmean")
    return model, [uniform(4, 5), uniform(4, 3, low=0.1, high=1).div(2).float().double()], *train(optimizer, loss_of)


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv1d(3, 5, 1), nn.BatchNorm1d(5, track_running_stats=False), nn.ReLU(), nn.Conv1d(5, 6, 1))
        self.anchors = nn.Parameter(torch.randn(4, 3))
        self.fc = nn.Bilinear(6, 4, 3)

    def forward(self, x):
        far = torch.cdist(x, self.anchors).min(dim=1).values
        feature = torch.max(self.mlp(x.transpose(1, 2)), 2)[0]
        return self.fc(feature, torch.log1p(far))


@network
def pointnet():
    model = PointNet().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, maximize=True)

    def loss_of(x, y):
        out = model(x)
        value, index = out.topk(2, dim=1)
        return out, -(F.soft_margin_loss(out, y) + value.mean() * 0.1)
    return model, [uniform(3, 6, 3), torch.tensor([[1.0, -1, 1], [-1, -1, 1], [1, 1, -1]]).double()], *train(optimizer, loss_of)


def packed(x):
    """The numbers of a tensor as f32, in base64."""
    values = x.detach().flatten().tolist()
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def stored(x):
    entry = {"shape": list(x.shape), "data": flat(x)}
    return entry if DTYPES[x.dtype] == "f32" else {**entry, "dtype": DTYPES[x.dtype]}


def run(name, make):
    torch.manual_seed(7)
    store.source = random.Random(name)
    model, inputs, step, after = make()
    with torch.no_grad():
        for t in [*model.parameters(), *model.buffers()]:
            t.copy_(t.float())
    state = [[key, list(t.shape), packed(t)] for key, t in model.state_dict().items()]
    losses = []
    for i in range(STEPS):
        output, loss = step(*inputs)
        losses.append(number(loss.item()))
        if i == 0:
            first = packed(output)
            grads = {key: None if p.grad is None else packed(p.grad) for key, p in model.named_parameters()}
        after()
    return {"name": name, "state": state, "inputs": [stored(x) for x in inputs], "output": first, "grads": grads, "losses": losses}


def networks():
    dump("networks", {"networks": [run(name, make) for name, make in NETWORKS.items()]})
