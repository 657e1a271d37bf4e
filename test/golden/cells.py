"""Steps of the recurrent cells: states, and the gradients of everything from those of the last state."""
import torch

from store import dump, flat, uniform


def cells():
    runs = []
    for inputs, hidden, batch, bias, given in ((3, 5, 2, True, True), (3, 5, 2, False, False), (4, 8, 1, True, False), (2, 3, None, True, True)):
        cell = torch.nn.LSTMCell(inputs, hidden, bias=bias).double()
        for p in cell.parameters():
            p.data.copy_(uniform(*p.shape, low=-0.8, high=0.8))
        lead = [] if batch is None else [batch]
        xs = [uniform(*lead, inputs).requires_grad_() for _ in range(3)]
        start = [uniform(*lead, hidden).requires_grad_() for _ in range(2)] if given else None
        state, states = start, []
        for x in xs:
            state = cell(x, state)
            states.append([flat(s) for s in state])
        weights = [uniform(*lead, hidden) for _ in range(2)]
        # h of the last step and c of the one before also alone: each result may go unused.
        (state[0] * weights[0]).sum().backward(retain_graph=True)
        (state[1] * weights[1]).sum().backward()
        runs.append({
            "inputSize": inputs, "hiddenSize": hidden, "bias": bias, "lead": lead,
            "state": [[k, list(v.shape), flat(v)] for k, v in cell.state_dict().items()],
            "xs": [flat(x) for x in xs], "start": start and [flat(s) for s in start],
            "states": states, "weights": [flat(w) for w in weights],
            "xGrads": [flat(x.grad) for x in xs], "startGrads": start and [flat(s.grad) for s in start],
            "grads": {k: flat(p.grad) for k, p in cell.named_parameters()},
        })
    dump("cells", {"runs": runs})
