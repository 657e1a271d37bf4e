"""Recurrent layers and cells over sequences: outputs, gradients of everything, second ones, losses of twenty steps; and packed sequences.

Numbers that go in follow from their place (see `numbers_of`), so that only those that come out are stored.
"""
import math

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence, unpad_sequence

from store import dump
from training import camel

SIZES = {"input_size": 2, "hidden_size": 3}
# name, options, shape of x, lengths of packed ones, whether there are first states
CASES = [
    ("RNN", {}, [4, 2, 2], None, True),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}, [3, 2, 2], None, False),
    ("RNN", {"bias": False, "bidirectional": True}, [4, 3, 2], [2, 4, 1], True),
    ("LSTM", {}, [4, 2, 2], None, True),
    ("LSTM", {"batch_first": True, "bias": False}, [2, 3, 2], None, False),
    ("LSTM", {"num_layers": 2, "bidirectional": True}, [3, 2, 2], None, True),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}, [3, 2, 2], None, True),
    ("LSTM", {"bidirectional": True}, [5, 3, 2], [1, 5, 3], True),
    ("LSTM", {"proj_size": 1}, [4, 3, 2], [4, 2, 2], False),
    ("LSTM", {}, [3, 2], None, True),
    ("GRU", {}, [4, 2, 2], None, True),
    ("GRU", {"batch_first": True, "bias": False}, [2, 3, 2], None, False),
    ("GRU", {"num_layers": 2, "bidirectional": True}, [3, 2, 2], None, True),
    ("GRU", {"bidirectional": True}, [5, 4, 2], [5, 2, 2, 1], False),
    ("GRU", {"bidirectional": True}, [3, 2], None, False),
    ("RNNCell", {}, [2, 2], None, True),
    ("RNNCell", {"nonlinearity": "relu"}, [2, 2], None, False),
    ("LSTMCell", {}, [2, 2], None, True),
    ("LSTMCell", {"bias": False}, [2], None, True),
    ("GRUCell", {}, [2, 2], None, True),
    ("GRUCell", {"bias": False}, [2], None, False),
]


def number(value):
    """Six digits: the tests ask for four."""
    short = float(f"{value:.6g}")
    return int(short) if short == int(short) else short


def flat(x):
    return [number(v) for v in x.detach().flatten().tolist()]


def numbers_of(shape, seed):
    """Numbers from -1 to 1 that f32 holds, by their place and a seed."""
    n = math.prod(shape)
    return torch.tensor([((i * 7919 + seed * 3571) % 257 - 128) / 128 for i in range(n)], dtype=torch.float64).reshape(shape)


def states_of(name, options, shape, n):
    """Shapes of the first states."""
    hidden = SIZES["hidden_size"]
    if name.endswith("Cell"):
        return [[*shape[:-1], hidden]] * (2 if name == "LSTMCell" else 1)
    lead = [options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1), *([n] if len(shape) == 3 else [])]
    sizes = [options.get("proj_size") or hidden] + ([hidden] if name == "LSTM" else [])
    return [[*lead, size] for size in sizes]


def results_of(name, answer):
    """The tensors of what a module gives."""
    if name.endswith("Cell"):
        return list(answer) if name == "LSTMCell" else [answer]
    output, states = answer
    return [output.data if isinstance(output, torch.nn.utils.rnn.PackedSequence) else output, *(states if name == "LSTM" else [states])]


def weighed(xs, seed):
    return sum((x * numbers_of(x.shape, seed + k)).sum() for k, x in enumerate(xs))


def rnns():
    runs = []
    for name, options, shape, lengths, given in CASES:
        module = getattr(torch.nn, name)(**SIZES, **options).double()
        names = [key for key, _ in module.named_parameters()]

        def reset():
            for k, p in enumerate(module.parameters()):
                p.data.copy_(numbers_of(p.shape, 11 + k))

        n = shape[0 if options.get("batch_first") else 1] if len(shape) == 3 else 1
        x = numbers_of(shape, 1).requires_grad_()
        states = [numbers_of(s, 2 + k).requires_grad_() for k, s in enumerate(states_of(name, options, shape, n))] if given else []

        def run():
            data = pack_padded_sequence(x, lengths, enforce_sorted=False) if lengths else x
            if not states:
                return results_of(name, module(data))
            return results_of(name, module(data, tuple(states) if name.startswith("LSTM") else states[0]))

        reset()
        results = run()
        leaves = [x, *states, *module.parameters()]
        first = torch.autograd.grad(weighed(results, 5), leaves, create_graph=True)
        second = torch.autograd.grad(weighed(first, 23), leaves, allow_unused=True)
        losses = []
        optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
        for _ in range(20):
            optimizer.zero_grad()
            loss = sum(((y - numbers_of(y.shape, 40 + k)) ** 2).mean() for k, y in enumerate(run()))
            loss.backward()
            optimizer.step()
            losses.append(number(loss.item()))
        runs.append({
            "module": name, "options": {camel(k): v for k, v in {**SIZES, **options}.items()}, "shape": shape, "lengths": lengths, "states": [list(s.shape) for s in states],
            "keys": names, "results": [flat(y) for y in results], "first": [flat(g) for g in first],
            "second": [flat(g) if g is not None else None for g in second], "losses": losses,
        })
    sequences = []
    for lengths, rest, batch_first, total, side in (([2, 4, 1], [2], True, 5, "right"), ([3, 3, 1], [], False, None, "left"), ([1], [2, 2], False, 2, "right")):
        given = [numbers_of([length, *rest], 3 + k) for k, length in enumerate(lengths)]
        padded = pad_sequence(given, batch_first=batch_first, padding_value=0.5, padding_side=side)
        packed = pack_padded_sequence(padded, lengths, batch_first=batch_first, enforce_sorted=False)
        again, counts = pad_packed_sequence(packed, batch_first=batch_first, padding_value=-1.0, total_length=total)
        sequences.append({
            "lengths": lengths, "rest": rest, "batchFirst": batch_first, "totalLength": total, "paddingSide": side, "padded": [list(padded.shape), flat(padded)],
            "packed": [list(packed.data.shape), flat(packed.data)], "batchSizes": packed.batch_sizes.tolist(), "sortedIndices": packed.sorted_indices.tolist(),
            "unsortedIndices": packed.unsorted_indices.tolist(), "again": [list(again.shape), flat(again)], "counts": counts.tolist(),
            "unpadded": [flat(x) for x in unpad_sequence(padded, torch.tensor(lengths), batch_first)],
        })
    dump("rnn", {"runs": runs, "sequences": sequences})
