// What one pass of a batch says, in numbers: activations, gradients by weight, and what stands before the loss.

import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { histc } from '../functional/count.ts';
import * as F from '../functional/functions.ts';
import type { Block } from '../memory/arena.ts';
import { kindOf } from '../nn/parameter.ts';
import { Tensor } from '../tensor.ts';
import { CLASSES, coreOf, type Held, isTaped, near, PLAIN, signOf, targetOf, tensorsOf } from './core.ts';
import { ownerOf, type Patient, type Weight } from './patient.ts';
import type { Noted, Pass } from './probe.ts';

/** An activation function that ran. */
export interface Activation {
  readonly op: string;
  /** Its module; of a function, the module around it. */
  readonly path: string;
  /** The layer whose result it is of; '' where there is none. */
  readonly feeder: string;
  readonly units: number;
  /** The share of units that are 0 for all of the batch: of ReLU. */
  readonly dead: number;
  /** The share of values where the slope is almost 0: of sigmoid and tanh. */
  readonly saturated: number;
  readonly rms: number;
  /** Whether the loss gets what it gives. */
  readonly last: boolean;
  /** How many values fall into each of 16 equal parts of their range. */
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
}

/** A weight of at least two dims, where it was used. */
export interface WeightFact {
  readonly path: string;
  readonly owner: string;
  /** How many ops of the model ran before its. */
  readonly order: number;
  readonly norm: number;
  /** The norm of its gradient; null where it has none. */
  readonly gradient: number | null;
  /** The root of the mean square, times that of the inputs of a unit: about 1 where it keeps the scale. */
  readonly gain: number;
}

/** What stands before the loss. */
export interface OutputFact {
  /** The op that made the output, and its module. */
  readonly op: string;
  readonly path: string;
  readonly rms: number;
  readonly low: number;
  readonly high: number;
  readonly shape: readonly number[];
  /** The op at the heart of the loss, such as `crossEntropy`; '' where it is none of those that are known. */
  readonly core: string;
  /** What the core gets: whether rows are of probabilities, or of logarithms of such. */
  readonly probabilities: boolean;
  readonly logarithms: boolean;
  /** The least number that the core gets. */
  readonly least: number;
  /**
   * Whether nothing but the core, sums and such stands between the output and the loss: no model of pairs or players.
   */
  readonly plain: boolean;
  /** Between 0 and 1 throughout. */
  readonly unit: boolean;
  readonly columns: number;
  /** Whether the core gets the logarithms of a softmax of a softmax, or as logits what a sigmoid gave. */
  readonly twice: boolean;
  /** How many numbers the core gets. */
  readonly size: number;
  /** What it holds them against, as it gets it; null: it is not known. */
  readonly target: Held | null;
  /** Whether the loss grows as its core does: −1 is a wrong sign; 0: unknown. */
  readonly sign: number;
}

/** What a pass says. */
export interface Facts {
  /** The first op that is not one of shape. */
  readonly entry: string;
  readonly loss: number | null;
  readonly activations: readonly Activation[];
  readonly weights: readonly WeightFact[];
  readonly output: OutputFact;
  /** By step of a sequence, the norm of the gradient of the input; empty where it is none. */
  readonly times: readonly number[];
  /** Pairs of the paths of a dropout and what follows it: a batch norm, or the loss as ''. */
  readonly drops: readonly { readonly path: string; readonly p: number; readonly before: string }[];
  /** Dropouts of the model. */
  readonly strong: readonly {
    readonly path: string;
    readonly p: number /** Whether it drops of the input. */;
    readonly input: boolean;
  }[];
  /** Paths of modules that drop or normalise by the batch: in training they do other things than in evaluation. */
  readonly modal: readonly string[];
  /** Batch norms, and over how many values they go. */
  readonly norms: readonly { readonly path: string; readonly values: number; readonly rows: number }[];
  /** Leaves that took part, want a gradient, and are no parameters of the model or the optimizer. */
  readonly strangers: readonly string[];
}

/** The root of the mean square. */
export const rmsOf = (x: Tensor): number => (x.size === 0 ? 0 : Math.sqrt(F.mean(F.square(x)).item()));
export const normOf = (x: Tensor): number => Math.sqrt(F.sum(F.square(x)).item());
export const shareOf = (mask: Tensor): number => F.mean(mask.to('f32')).item();

const SATURATED: Readonly<Record<string, (y: Tensor) => Tensor>> = {
  sigmoid: (y) => F.gt(F.abs(F.sub(y, 0.5)), 0.48),
  tanh: (y) => F.gt(F.abs(y), 0.97),
  rnn: (y) => F.gt(F.abs(y), 0.97),
};
const RECURRENT = new Set(['rnn', 'lstm', 'gru']);
const WATCHED = new Set([
  'relu',
  'sigmoid',
  'tanh',
  'rnn',
  'lstm',
  'gru',
  'gelu',
  'silu',
  'leakyRelu',
  'elu',
  'softplus',
]);

/** Who made what, and from which weights. */
class Lineage {
  readonly #makers = new Map<Block, number>();
  readonly #calls: readonly Noted[];
  readonly #weights: ReadonlyMap<Block, Weight>;

  constructor(calls: readonly Noted[], weights: readonly Weight[]) {
    this.#calls = calls;
    this.#weights = new Map(weights.map((weight) => [weight.x.block, weight]));
    calls.forEach(({ outputs }, i) => {
      for (const y of tensorsOf(outputs)) this.#makers.set(y.block, i);
    });
  }

  makerOf(x: Tensor): Noted | null {
    const at = this.#makers.get(x.block);
    return at === undefined ? null : (this.#calls[at] as Noted);
  }

  /** The weights that a call reads. */
  weightsOf({ inputs }: Noted): Weight[] {
    return tensorsOf(inputs).flatMap((x) => this.#weights.get(x.block) ?? []);
  }

  /** The first call on the way from x to the input for which `holds`. */
  before(x: Tensor, holds: (call: Noted) => boolean): Noted | null {
    const todo = [x];
    const seen = new Set<Noted>();
    for (let next = todo.shift(); next; next = todo.shift()) {
      const call = this.makerOf(next);
      if (!call || seen.has(call)) continue;
      if (holds(call)) return call;
      seen.add(call);
      todo.push(...tensorsOf(call.inputs));
    }
    return null;
  }
}

/** The dims over which a unit is one: all but that of channels. */
function unitsOf(y: Tensor, channelsFirst: boolean): { dims: number[]; units: number } {
  const channel = channelsFirst && y.ndim > 2 ? 1 : y.ndim - 1;
  return { dims: y.sizes.map((_, d) => d).filter((d) => d !== channel), units: y.sizes[channel] ?? 1 };
}

const isWeighted =
  (lineage: Lineage) =>
  (call: Noted): boolean =>
    lineage.weightsOf(call).some(({ x }) => x.ndim > 1);

function activationsOf(pass: Pass, lineage: Lineage): Activation[] {
  return pass.calls.flatMap((call): Activation[] => {
    const { op, path, inputs, outputs } = call;
    const y = outputs.y;
    if (!WATCHED.has(op) || !y || y.size === 0 || y.block.freed) return [];
    const recurrent = RECURRENT.has(op);
    const fed = recurrent ? call : lineage.before(inputs.x as Tensor, isWeighted(lineage));
    const { dims, units } = unitsOf(y, fed?.op.startsWith('conv') ?? false);
    const dead = op === 'relu' && dims.length > 0 ? shareOf(F.le(F.amax(y, dims), 0)) : 0;
    const [low, high] = [F.min(y).item(), F.max(y).item()];
    const counts =
      Number.isFinite(high - low) && high > low ? [...histc(y.detach(), { bins: 16, min: low, max: high }).data] : [];
    const last = pass.output.block === y.block;
    const weight = fed && lineage.weightsOf(fed).find(({ x }) => x.ndim > 1);
    return [
      {
        op,
        path: path ?? '',
        feeder: weight ? ownerOf(weight.path) : '',
        units,
        dead,
        saturated: SATURATED[op] ? shareOf((SATURATED[op] as (y: Tensor) => Tensor)(y)) : 0,
        rms: rmsOf(y),
        last,
        histogram: { low, high, counts },
      },
    ];
  });
}

/** Whether x is the logSoftmax of a softmax; or what takes logits gets what a sigmoid gave. */
function isTwice(x: Tensor, core: string | undefined, calls: readonly Noted[]): boolean {
  const makerOf = (y: unknown): Noted | undefined => {
    const found = calls.findLast(
      ({ outputs }) => y instanceof Tensor && tensorsOf(outputs).some(({ block }) => block === y.block),
    );
    return found?.op === 'contiguous' ? makerOf(found.inputs.x) : found;
  };
  const last = makerOf(x);
  if (core === 'bceWithLogits') return last?.op === 'sigmoid';
  return last?.op === 'logSoftmax' && makerOf(last.inputs.x)?.op === 'softmax';
}

function outputOf(pass: Pass, lineage: Lineage): OutputFact {
  const { output, loss, after } = pass;
  const core = coreOf(after, pass.target);
  const made = lineage.makerOf(output);
  const sign = core && loss ? signOf(loss, core, after) : 0;
  return withoutTape(() => {
    const given =
      (core &&
        tensorsOf({
          ...(core.inputs.x !== undefined && { x: core.inputs.x }),
          ...(core.inputs.logp !== undefined && { x: core.inputs.logp }),
        })[0]) ||
      output;
    const x = given.detach();
    // Those of classes have them in the second dim, and what else there is behind it.
    const dim = (core && CLASSES.has(core.op)) || x.ndim === 4 ? 1 : x.ndim - 1;
    const columns = x.ndim > 1 ? (x.sizes[dim] as number) : 1;
    const [low, high] = [F.min(x).item(), F.max(x).item()];
    return {
      op: made?.op ?? '',
      path: made?.path ?? '',
      rms: rmsOf(output),
      low: F.min(output).item(),
      high: F.max(output).item(),
      shape: output.shape,
      core: core?.op ?? '',
      probabilities: columns > 1 && low >= 0 && near(F.sum(x, dim), 1),
      logarithms: columns > 1 && high <= 1e-6 && near(F.logsumexp(x, dim), 0),
      unit: low >= 0 && high <= 1,
      least: low,
      plain: x.size >= output.size && after.every(({ op, outputs }) => PLAIN.has(op) || !isTaped(outputs)),
      columns,
      twice: isTwice(given, core?.op, [...pass.calls, ...after]),
      size: x.size,
      target: core && targetOf(core, after),
      sign,
    };
  });
}

const VIEWS_AND_SUCH = new Set(['contiguous']);

function dropsOf(pass: Pass, lineage: Lineage): Facts['drops'] {
  const dropAt = (x: unknown): Noted | null => {
    const maker = x instanceof Tensor ? lineage.makerOf(x) : null;
    if (maker && VIEWS_AND_SUCH.has(maker.op)) return dropAt(maker.inputs.x);
    return maker?.op === 'dropout' ? maker : null;
  };
  const found = pass.calls
    .filter(({ op }) => op === 'batchNorm')
    .map(({ path, inputs }) => ({ drop: dropAt(inputs.x), before: path ?? '' }));
  // A softmax and the like between makes no difference.
  let end: unknown = pass.output;
  for (let maker = lineage.makerOf(pass.output); maker; ) {
    if (!['softmax', 'logSoftmax', 'sigmoid', 'contiguous'].includes(maker.op)) break;
    end = maker.inputs.x;
    maker = lineage.makerOf(end as Tensor);
  }
  found.push({ drop: dropAt(end), before: '' });
  return found.flatMap(({ drop, before }) =>
    drop ? [{ path: drop.path ?? '', p: (drop.attrs as { p: number }).p, before }] : [],
  );
}

/** What a pass says; its loss is differentiated by the weights. */
export function factsOf(patient: Patient, pass: Pass): Facts & { readonly gradients: ReadonlyMap<Tensor, Tensor> } {
  const weights = patient.weights();
  const lineage = new Lineage(pass.calls, weights);
  const { loss } = pass;
  const output = outputOf(pass, lineage);
  const wanted = weights.filter(({ x }) => x.requiresGrad).map(({ x }) => x);
  const gradients = new Map<Tensor, Tensor>();
  let times: number[] = [];
  if (loss?.requiresGrad) {
    const { input } = pass;
    const recurrent = pass.calls.some(({ op }) => RECURRENT.has(op));
    const asked = recurrent && input.ndim === 3 && input.requiresGrad ? [...wanted, input] : wanted;
    const got = asked.length > 0 ? grad(loss, asked, { allowUnused: true }) : [];
    asked.forEach((x, i) => {
      const g = got[i];
      if (g && x !== input) gradients.set(x, g);
      else if (g) {
        // The longer of the first two dims is that of time where it is not the batch's, as the hidden states tell.
        times = [...F.sqrt(F.sum(F.square(g), [0, 2])).data];
        const first = [...F.sqrt(F.sum(F.square(g), [1, 2])).data];
        if (spread(first) > spread(times)) times = first;
      }
    });
  }
  return withoutTape(() => {
    const facts: WeightFact[] = [];
    pass.calls.forEach((call, order) => {
      for (const { x, path } of lineage.weightsOf(call)) {
        if (x.ndim < 2 || facts.some((fact) => fact.path === path)) continue;
        const g = gradients.get(x);
        const inputs = x.size / (x.sizes[0] as number);
        facts.push({
          path,
          owner: ownerOf(path),
          order,
          norm: normOf(x),
          gradient: g ? normOf(g) : null,
          gain: rmsOf(x) * Math.sqrt(inputs),
        });
      }
    });
    const known = new Set(weights.map(({ x }) => x.block));
    const strangers = pass.calls.flatMap(({ inputs, path }) =>
      tensorsOf(inputs).some((x) => kindOf(x) === 'parameter' && x.requiresGrad && !known.has(x.block))
        ? [path ?? '']
        : [],
    );
    return {
      entry: pass.calls.find(({ op }) => op !== 'contiguous')?.op ?? '',
      loss: loss ? loss.item() : null,
      activations: activationsOf(pass, lineage),
      weights: facts,
      output,
      times,
      drops: dropsOf(pass, lineage),
      strangers,
      strong: pass.calls.flatMap(({ op, path, attrs, inputs }) => {
        if (op !== 'dropout') return [];
        const input = tensorsOf(inputs).some(({ block }) => block === pass.input.block);
        return [{ path: path ?? '', p: (attrs as { p: number }).p, input }];
      }),
      modal: pass.calls.flatMap(({ op, path }) => (op === 'dropout' || op === 'batchNorm' ? [path ?? ''] : [])),
      norms: pass.calls.flatMap(({ op, path, inputs }) => {
        const x = inputs.x;
        if (op !== 'batchNorm' || !(x instanceof Tensor)) return [];
        return [{ path: path ?? '', values: x.size / (x.sizes[1] ?? 1), rows: x.sizes[0] ?? 1 }];
      }),
      gradients,
    };
  });
}

const spread = (values: readonly number[]): number =>
  Math.abs(Math.log((values[0] || 1e-38) / (values.at(-1) || 1e-38)));
