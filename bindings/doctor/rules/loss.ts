// Faults between the output and the loss.
import type { Data } from '../data.ts';
import type { Evidence } from '../evidence.ts';
import type { OutputFact } from '../facts.ts';
import type { Said } from '../said.ts';
import type { Misfit } from '../words/loss.ts';

const outputOf = ({ before, after }: Evidence): OutputFact | null => (before ?? after)?.output ?? null;

export function softmaxTwice(e: Evidence): Said | null {
  const output = outputOf(e);
  const { form } = e;
  if (!output) return null;
  // With soft targets it is a logarithm of a softmax that is multiplied.
  const entropy = output.core === 'crossEntropy' || output.core === 'logSoftmax';
  const outside = form?.act === 'softmax' && entropy;
  const sigmoid =
    output.core === 'bceWithLogits' &&
    (output.twice || output.op === 'sigmoid' || form?.act === 'sigmoid' || (output.op === 'softmax' && output.unit));
  const twice = (entropy && output.probabilities) || output.twice;
  if (!outside && !sigmoid && !twice) return null;
  const inside = form?.act === '' || !form || (output.twice && output.op === 'softmax') ? output.path : null;
  return {
    id: 'softmax-twice',
    where: inside,
    confidence: 0.95,
    told: ['twice', output.twice && !sigmoid ? 'logSoftmax' : output.core, inside],
  };
}

export function softmaxMissing(e: Evidence): Said | null {
  const output = outputOf(e);
  if (!output) return null;
  const { core } = output;
  const bare = core === 'nll' && !output.logarithms && !output.probabilities;
  const outside = core === 'bce' && !output.unit;
  const divergence = core === 'klDiv' && !output.logarithms;
  const logs = core === 'log' && output.least < 0 && output.columns > 1;
  const { data, last, first } = e;
  const falls = last < -1 && last < first - 1;
  const free = core === '' && output.plain && data?.target.integer === true && output.columns > 1 && falls;
  if (!bare && !outside && !logs && !free && !divergence) return null;
  return {
    id: 'softmax-missing',
    where: output.path || null,
    confidence: 0.95,
    told: [
      'missing',
      divergence ? 'klDiv' : bare ? 'nllLoss' : free ? 'free' : 'other',
      [output.low, output.high],
      [first, last],
    ],
  };
}

interface Fitting {
  readonly e: Evidence;
  readonly output: OutputFact;
  readonly target: Data['target'];
  readonly rows: number;
}
/** What does not fit, and how sure that is. */
type Found = readonly [why: Misfit, confidence: number];

const DIFFERENCES = ['square', 'abs', 'huber', 'smoothL1'];

function byClasses({ e, output }: Fitting): Found | null {
  const { core, columns } = output;
  if (core === 'crossEntropy' || core === 'nll') {
    if (columns < 2) return [['oneClass', core], 0.98];
    if (core === 'nll' && output.probabilities) return [['noLogarithms'], 0.95];
    return null;
  }
  const held = output.target;
  const sums = e.data?.target.sums;
  if (core === 'bce' && output.probabilities && columns > 2 && sums && (sums[0] < 0.95 || sums[1] > 1.05))
    return [['severalLabels', sums], 0.95];
  if (core.startsWith('bce') && held && (held.low < 0 || held.high > 1))
    return [['beyondUnit', [held.low, held.high]], 0.95];
  return null;
}

/** Whether a loss is the library's cross entropy, or calls it: others weigh logarithms by what they like. */
const isCrossEntropy = (loss: unknown): boolean => {
  const name = typeof loss === 'function' ? `${loss.name} ${loss}` : (loss as object).constructor.name;
  return /crossEntropy/i.test(name);
};

/** Probabilities of classes that are none: of several labels at once, or quantities. */
function bySums({ e, output, target }: Fitting): Found | null {
  const { sums } = target;
  const isNamed = isCrossEntropy(e.loss);
  const isEntropy = output.core === 'logSoftmax' && output.op !== 'logSoftmax' && e.form?.act === '';
  const [low, high] = sums ?? [1, 1];
  if (!isNamed && (!target.several || target.low < 0)) return null;
  if (!isEntropy || (target.shape[1] ?? 0) < 2 || (Math.abs(low - 1) < 0.05 && Math.abs(high - 1) < 0.05)) return null;
  return [['sums', [low, high]], 0.9];
}

/** An output that is subtracted from a target of another shape, each from each. */
function byShape({ output, target }: Fitting): Found | null {
  const [o, t] = [output.shape, target.shape];
  const rows = o[0] ?? 1;
  const sizeOf = (shape: readonly number[]): number => shape.slice(1).reduce((a, b) => a * b, rows);
  if (output.size <= Math.max(sizeOf(o), sizeOf(t))) return null;
  return [['shapes', o, [rows, ...t.slice(1)]], 0.97];
}

function byLabels({ output, target, rows }: Fitting): Found | null {
  const { whole, distinct, classes, low, integer } = target;
  const flat = target.shape.length === 1 || (target.shape.length === 2 && target.shape[1] === 1);
  // With an output a class, the loss makes them 0 and 1 itself.
  if (output.columns > 1 && output.size > (output.shape[0] ?? 1)) return null;
  if (!flat || !whole || low !== 0 || distinct < 3 || distinct > 50 || rows < 4 * distinct) return null;
  if (!integer && distinct !== classes) return null;
  return [['quantities', classes], integer ? 0.9 : 0.76];
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  sigmoid: [0, 1],
  softmax: [0, 1],
  tanh: [-1, 1],
  relu: [0, Number.POSITIVE_INFINITY],
  softplus: [0, Number.POSITIVE_INFINITY],
};

/** Targets that the last function cannot reach, by a good part of how they spread. */
function byRange({ e, output }: Fitting): Found | null {
  const range = RANGES[output.op];
  const { target } = output;
  if (!range || !target || (e.train?.skill ?? 0) > 0.9) return null;
  const [low, high] = range;
  const far = 0.5 * target.std;
  if (!(target.low < low - far || target.high > high + far)) return null;
  return [['range', output.op, output.path, range, [target.low, target.high]], 0.9];
}

export function misfit(e: Evidence): Said | null {
  const output = outputOf(e);
  if (!output || !e.data) return null;
  const fitting: Fitting = { e, output, target: e.data.target, rows: e.data.rows };
  const rules = DIFFERENCES.includes(output.core) ? [byShape, byLabels, byRange] : [byClasses, bySums];
  for (const rule of rules) {
    const found = rule(fitting);
    if (!found) continue;
    const [why, confidence] = found;
    return { id: 'loss-does-not-fit-output', where: output.path || null, confidence, told: ['misfit', why] };
  }
  return null;
}

export function wrongSign(e: Evidence): Said | null {
  const { history, form } = e;
  const output = outputOf(e);
  const maximises = e.patient.optimizer.paramGroups.some(
    (group) => (group as { maximize?: boolean }).maximize === true,
  );
  const plain = output?.plain === true && output.core !== '';
  // Of a loss of its own only the program knows which end is good.
  const looks = history.closes.filter(
    ({ descent, exact }) => descent !== null && Math.abs(descent) > 0.02 && (plain || (exact && !maximises)),
  );
  const [first] = looks;
  // The first step has no momentum yet: whatever the optimizer, it goes down what it was given.
  const up = looks.filter(({ descent }) => (descent as number) < 0);
  const ascends =
    first !== undefined && (first.descent as number) < -0.05 && (first.step === 0 || up.length > 0.7 * looks.length);
  // Of logarithms it is right where what they are weighted by is: then nothing is learned.
  const logs = output?.core.startsWith('log') === true;
  // What logarithms are multiplied with is a probability, or a class: rewards have both signs.
  const weighted = logs && (e.data?.target.low ?? 0) < 0;
  const inside = output?.sign === -1 && !weighted && (!logs || !((e.train?.skill ?? 0) > 0.05));
  const negated = plain && form?.negated === true && history.closes.some(({ exact }) => exact);
  if (!inside && !ascends && !negated) return null;
  return {
    id: 'wrong-sign',
    where: null,
    confidence: 0.95,
    told: ['sign', inside || negated ? null : (first?.descent ?? -1), [e.first, e.last], maximises],
  };
}
