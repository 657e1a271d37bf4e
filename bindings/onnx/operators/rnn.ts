// Recurrent layers. Gates stand in another order here than in ONNX; what our layers do not have, such as peepholes, is
// put together step by step.
import { full, tensor } from '../../creation.ts';
import * as A from '../../functional/activation.ts';
import { constantFor } from '../../functional/arguments.ts';
import * as F from '../../functional/elementwise.ts';
import { indexSelect } from '../../functional/indexing.ts';
import { linear } from '../../functional/linear.ts';
import * as S from '../../functional/shape.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { type Ran, type RunLayer, runGRU, runLSTM, runRNN, stepwise, type Weights } from '../../nn/rnn-steps.ts';
import type { Tensor } from '../../tensor.ts';
import type { Call, Family, Operator } from '../operator.ts';

type Activation = (x: Tensor) => Tensor;

/** Activations by their names in lower case, with alpha and beta. */
const ACTIVATIONS: Readonly<Record<string, (alpha?: number, beta?: number) => Activation>> = {
  relu: () => F.relu,
  tanh: () => F.tanh,
  sigmoid: () => F.sigmoid,
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      F.add(F.mul(x, alpha), beta),
  leakyrelu:
    (alpha = 0.01) =>
    (x) =>
      A.leakyRelu(x, alpha),
  thresholdedrelu:
    (alpha = 1) =>
    (x) =>
      F.where(F.gt(x, alpha), x, 0),
  scaledtanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      F.mul(F.tanh(F.mul(x, beta)), alpha),
  hardsigmoid:
    (alpha = 0.2, beta = 0.5) =>
    (x) =>
      F.clamp(F.add(F.mul(x, alpha), beta), 0, 1),
  elu:
    (alpha = 1) =>
    (x) =>
      A.elu(x, alpha),
  softsign: () => A.softsign,
  softplus: () => (x) => A.softplus(x),
};

/** One direction of a layer. */
interface Direction {
  readonly reverse: boolean;
  readonly activations: readonly string[];
  /** As ONNX orders it. */
  readonly w: Tensor;
  readonly r: Tensor;
  readonly wb: Tensor | null;
  readonly rb: Tensor | null;
  readonly peepholes: Tensor | null;
  readonly size: number;
  readonly fns: readonly Activation[];
}

/** What a kind of layer is. */
interface Kind {
  readonly gates: number;
  readonly states: number;
  readonly usual: readonly string[];
  /** Ours, with gates in our order; null where the settings ask for what it has not. */
  readonly fast: (call: Call, direction: Direction) => { run: RunLayer; order: readonly number[] } | null;
  readonly step: (call: Call, direction: Direction) => (a: Tensor, states: readonly Tensor[]) => readonly Tensor[];
}

/** Blocks of rows, one for each gate, in another order. */
const ordered = (x: Tensor | null, order: readonly number[], size: number): Tensor | null =>
  x && S.cat(order.map((gate) => S.narrow(x, 0, gate * size, size)));

const part = (x: Tensor, gate: number, size: number): Tensor => S.narrow(x, -1, gate * size, size);

const clipped = (call: Call, x: Tensor): Tensor => {
  const clip = call.attr('clip');
  return clip === null ? x : F.clamp(x, -clip, clip);
};

const kinds: Readonly<Record<'LSTM' | 'GRU' | 'RNN', Kind>> = {
  LSTM: {
    gates: 4,
    states: 2,
    usual: ['sigmoid', 'tanh', 'tanh'],
    fast: (call, { peepholes }) =>
      peepholes || call.attr('input_forget') ? null : { run: runLSTM, order: [0, 2, 3, 1] },
    step: (call, { r, peepholes, size, fns }) => {
      const [f, g, h] = fns as [Activation, Activation, Activation];
      const look = (gate: number, cell: Tensor): Tensor | number =>
        peepholes ? F.mul(S.narrow(peepholes, 0, gate * size, size), cell) : 0;
      return (a, [hidden, cell]) => {
        const all = F.add(a, linear(hidden as Tensor, r));
        const gate = (i: number, by: Tensor | number): Tensor => clipped(call, F.add(part(all, i, size), by));
        const input = f(gate(0, look(0, cell as Tensor)));
        const forget = call.attr('input_forget') ? F.add(F.neg(input), 1) : f(gate(2, look(2, cell as Tensor)));
        const next = F.add(F.mul(forget, cell as Tensor), F.mul(input, g(gate(3, 0))));
        return [F.mul(f(gate(1, look(1, next))), h(next)), next];
      };
    },
  },
  GRU: {
    gates: 3,
    states: 1,
    usual: ['sigmoid', 'tanh'],
    fast: (call) => (call.attr('linear_before_reset') ? { run: runGRU, order: [1, 0, 2] } : null),
    step: (call, { r, rb, size, fns }) => {
      const [f, g] = fns as [Activation, Activation];
      const [first, inner] = [S.narrow(r, 0, 0, 2 * size), S.narrow(r, 0, 2 * size, size)];
      const bias = rb && S.narrow(rb, 0, 2 * size, size);
      return (a, [hidden]) => {
        const h = hidden as Tensor;
        const gates = f(clipped(call, F.add(S.narrow(a, 1, 0, 2 * size), linear(h, first))));
        const [update, reset] = [part(gates, 0, size), part(gates, 1, size)];
        const of = call.attr('linear_before_reset')
          ? F.mul(reset, linear(h, inner, bias))
          : linear(F.mul(reset, h), inner, bias);
        const next = g(clipped(call, F.add(part(a, 2, size), of)));
        return [F.add(next, F.mul(update, F.sub(h, next)))];
      };
    },
  },
  RNN: {
    gates: 1,
    states: 1,
    usual: ['tanh'],
    fast: (_, { activations: [name] }) =>
      name === 'tanh' || name === 'relu' ? { run: runRNN(name), order: [0] } : null,
    step: (call, { r, fns: [f] }) => {
      return (a, [h]) => [(f as Activation)(clipped(call, F.add(a, linear(h as Tensor, r))))];
    },
  },
};

/** Sequences as rows: those of the longest first, step by step. */
interface Rows {
  readonly x: Tensor;
  readonly batchSizes: readonly number[];
  /** Where each sequence stands among the sorted ones, and which stands where; null: as they are. */
  readonly order: readonly number[] | null;
  /** The rows of [steps, n], of which a place behind all is for zeros. */
  readonly back: readonly number[] | null;
}

const indexOf = (list: readonly number[]): Tensor => tensor(Int32Array.from(list));
const taken = (x: Tensor, list: readonly number[] | null): Tensor => (list ? indexSelect(x, 0, indexOf(list)) : x);
const inverse = (list: readonly number[]): number[] => {
  const back = new Array<number>(list.length);
  list.forEach((at, i) => {
    back[at] = i;
  });
  return back;
};

/** @param x [steps, n, width] */
function rowsOf(x: Tensor, lengths: readonly number[] | null): Rows {
  const [steps, n, width] = x.sizes as [number, number, number];
  const flat = S.reshape(x, [steps * n, width]);
  if (!lengths || lengths.every((length) => length === steps))
    return { x: flat, batchSizes: new Array<number>(steps).fill(n), order: null, back: null };
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  const rows: number[] = [];
  const batchSizes: number[] = [];
  for (let t = 0; t < steps; t++) {
    const living = order.filter((i) => (lengths[i] as number) > t);
    if (living.length === 0) break;
    batchSizes.push(living.length);
    rows.push(...living.map((i) => t * n + i));
  }
  const back = new Array<number>(steps * n).fill(rows.length);
  rows.forEach((at, i) => {
    back[at] = i;
  });
  return { x: taken(flat, rows), batchSizes, order, back };
}

function runDirection(call: Call, kind: Kind, direction: Direction, rows: Rows, start: readonly Tensor[] | null): Ran {
  const { w, r, wb, rb, size, reverse, activations } = direction;
  const { x, batchSizes, order } = rows;
  const begin = start?.map((state) => taken(state, order)) ?? null;
  const usual = kind === kinds.RNN || activations.every((name, i) => name === kind.usual[i]);
  const fast = usual && call.attr('clip') === null ? kind.fast(call, direction) : null;
  let ran: Ran;
  if (fast) {
    const by = (t: Tensor | null): Tensor | null => ordered(t, fast.order, size);
    const weights: Weights = {
      weightIh: by(w) as Tensor,
      weightHh: by(r) as Tensor,
      biasIh: by(wb),
      biasHh: by(rb),
      weightHr: null,
    };
    ran = fast.run(x, weights, begin, batchSizes, reverse);
  } else {
    // The candidate of a GRU has a bias of its own within.
    const outer =
      rb && kind === kinds.GRU ? S.cat([S.narrow(rb, 0, 0, 2 * size), F.mul(S.narrow(rb, 0, 2 * size, size), 0)]) : rb;
    const bias = wb && outer ? F.add(wb, outer) : wb;
    const zeros = (): Tensor => constantFor(x, 0, 'f32', [batchSizes[0] as number, size]);
    const first = begin ?? Array.from({ length: kind.states }, zeros);
    ran = stepwise(linear(x, w, bias), first, batchSizes, reverse, kind.step(call, direction));
  }
  return order ? { y: ran.y, states: ran.states.map((state) => taken(state, inverse(order))) } : ran;
}

/** The activations of a direction, and what they are called. */
function activationsOf(call: Call, kind: Kind, d: number): [names: string[], fns: Activation[]] {
  const count = kind.usual.length;
  const all = call.texts('activations')?.map((name) => name.toLowerCase()) ?? [];
  const names = all.length > 0 ? all.slice(d * count, (d + 1) * count) : [...kind.usual];
  const fns = names.map((name, i) => {
    const make = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
    if (!make) throw new ArgumentError(`${call.node.op}: expected activations that there are, got '${name}'`);
    return make(call.ints('activation_alpha')?.[d * count + i], call.ints('activation_beta')?.[d * count + i]);
  });
  if (fns.length < count)
    throw new ArgumentError(`${call.node.op}: expected ${count} activations a direction, got ${fns.length}`);
  return [names, fns];
}

function directionOf(call: Call, kind: Kind, d: number, reverse: boolean): Direction {
  const one = (i: number): Tensor | null => call.maybe(i) && S.select(call.x(i), 0, d);
  const r = one(2) as Tensor;
  const size = r.sizes[1] as number;
  const bias = one(3);
  const [activations, fns] = activationsOf(call, kind, d);
  return {
    ...{ reverse, activations, fns, r, size, w: one(1) as Tensor },
    wb: bias && S.narrow(bias, 0, 0, kind.gates * size),
    rb: bias && S.narrow(bias, 0, kind.gates * size, kind.gates * size),
    peepholes: kind === kinds.LSTM ? one(7) : null,
  };
}

const layer = (kind: Kind, takes: string): Operator => ({
  takes,
  types: ({ types, wanted }) => wanted.map(() => types[0] as number),
  run: (call) => {
    const batchFirst = call.attr('layout') === 1;
    const x = batchFirst ? S.transpose(call.float(0), 0, 1) : call.float(0);
    const way = call.word('direction', 'forward', 'reverse', 'bidirectional');
    const ways = way === 'bidirectional' ? [false, true] : [way === 'reverse'];
    const rows = rowsOf(x, call.has(4) ? call.list(4) : null);
    const [steps, n] = x.sizes as [number, number];
    const ran = ways.map((reverse, d) => {
      const direction = directionOf(call, kind, d, reverse);
      const state = (i: number): Tensor =>
        call.has(i) ? S.select(call.x(i), batchFirst ? 1 : 0, d) : full([n, direction.size], 0);
      const start = [5, 6].slice(0, kind.states);
      const { y, states } = runDirection(
        ...([call, kind, direction, rows, start.some((i) => call.has(i)) ? start.map(state) : null] as const),
      );
      const padded = rows.back ? taken(S.cat([y, constantFor(y, 0, 'f32', [1, direction.size])]), rows.back) : y;
      return { y: S.reshape(padded, [steps, n, direction.size]), states };
    });
    const y = S.stack(
      ran.map((each) => each.y),
      1,
    );
    const last = Array.from({ length: kind.states }, (_, i) =>
      S.stack(
        ran.map(({ states }) => states[i] as Tensor),
        batchFirst ? 1 : 0,
      ),
    );
    return [batchFirst ? S.permute(y, [2, 0, 1, 3]) : y, ...last];
  },
});

const SETTINGS =
  'activation_alpha:floats activation_beta:floats activations:texts clip:float direction=forward hidden_size:int layout=0';
const INPUTS = 'X W R B? sequence_lens?# initial_h?';

export const recurrent: Family = {
  GRU: layer(kinds.GRU, `${INPUTS} | ${SETTINGS} linear_before_reset=0`),
  LSTM: layer(kinds.LSTM, `${INPUTS} initial_c? P? | ${SETTINGS} input_forget=0`),
  RNN: layer(kinds.RNN, `${INPUTS} | ${SETTINGS}`),
};
