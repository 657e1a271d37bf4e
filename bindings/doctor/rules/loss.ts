// Faults between the output and the loss.
import type { Data } from '../data.ts';
import type { Evidence } from '../evidence.ts';
import type { OutputFact } from '../facts.ts';
import { n, type Said } from '../finding.ts';

const outputOf = ({ before, after }: Evidence): OutputFact | null => (before ?? after)?.output ?? null;

export function softmaxTwice(e: Evidence): Said | null {
  const output = outputOf(e);
  const { form } = e;
  if (!output) return null;
  const outside = form?.act === 'softmax' && output.core === 'crossEntropy';
  const sigmoid =
    output.core === 'bceWithLogits' &&
    (output.op === 'sigmoid' || form?.act === 'sigmoid' || (output.op === 'softmax' && output.unit));
  const twice = output.core === 'crossEntropy' && output.probabilities;
  if (!outside && !sigmoid && !twice) return null;
  const what = sigmoid ? 'sigmoid' : 'softmax';
  const inside = form?.act === '' || !form ? output.path : null;
  return {
    id: 'softmax-twice',
    where: inside,
    confidence: 0.95,
    what: `The loss, ${sigmoid ? 'binaryCrossEntropyWithLogits' : 'crossEntropy'}, computes the ${what} itself and gets what is one already${inside ? ` (of ${inside})` : ''}.`,
    why: 'Of numbers from 0 to 1 a second one is almost even: gradients are small, and the loss cannot come near 0.',
    remedy:
      inside !== null
        ? `// leave out ${inside || 'it'}: the loss takes the numbers before\nconst logits = model.forward(x);\nconst loss = functional.${sigmoid ? 'binaryCrossEntropyWithLogits' : 'crossEntropy'}(logits, y);`
        : `const loss = functional.${sigmoid ? 'binaryCrossEntropyWithLogits' : 'crossEntropy'}(model.forward(x), y); // without ${what}`,
  };
}

export function softmaxMissing(e: Evidence): Said | null {
  const output = outputOf(e);
  if (!output) return null;
  const { core } = output;
  const bare = core === 'nll' && !output.logarithms && !output.probabilities;
  const outside = core === 'bce' && !output.unit;
  const logs = (core === 'log' || core === 'klDiv') && output.low < 0 && !output.probabilities && output.columns > 1;
  const { data, last, first } = e;
  const falls = last < -1 && last < first - 1;
  const free = core === '' && data?.target.integer === true && output.columns > 1 && falls;
  if (!bare && !outside && !logs && !free) return null;
  return {
    id: 'softmax-missing',
    where: output.path || null,
    confidence: 0.95,
    what: bare
      ? `nllLoss takes logarithms of probabilities, and gets numbers from ${n(output.low)} to ${n(output.high)} whose exponentials do not sum to 1.`
      : free
        ? `The loss goes from ${n(first)} to ${n(last)} and has no lower end: outputs go into it as they are.`
        : `The loss takes probabilities, and gets numbers from ${n(output.low)} to ${n(output.high)}.`,
    why: 'Then the loss has no lower end: outputs grow without bound, and nothing is learned.',
    remedy: bare
      ? 'const loss = functional.nllLoss(functional.logSoftmax(output, 1), y); // or crossEntropy(output, y), which does both'
      : 'const loss = functional.binaryCrossEntropyWithLogits(output, y); // which has the sigmoid in it',
  };
}

interface Fitting {
  readonly e: Evidence;
  readonly output: OutputFact;
  readonly target: Data['target'];
  readonly rows: number;
}
/** What does not fit, what mends it, and how sure that is. */
type Misfit = readonly [what: string, remedy: string, confidence: number];

const DIFFERENCES = ['square', 'abs', 'huber', 'smoothL1'];

function byClasses({ output }: Fitting): Misfit | null {
  const { core, columns } = output;
  if (core === 'crossEntropy' || core === 'nll') {
    if (columns < 2)
      return [
        `${core} of a single class is 0 whatever the model says.`,
        "const loss = functional.binaryCrossEntropyWithLogits(output.squeeze(1), y.to('f32'));",
        0.98,
      ];
    if (core === 'nll' && output.probabilities)
      return [
        'nllLoss takes logarithms of probabilities, and gets probabilities.',
        'const loss = functional.crossEntropy(logits, y); // of the numbers before the softmax',
        0.95,
      ];
    return null;
  }
  const held = output.target;
  if (core.startsWith('bce') && held && (held.low < 0 || held.high > 1))
    return [
      `The loss takes targets from 0 to 1, and gets ${n(held.low)} to ${n(held.high)}.`,
      'const loss = functional.crossEntropy(output, y); // for classes; or bring y to 0 and 1',
      0.95,
    ];
  return null;
}

/** Probabilities of classes that are none: of several labels at once, or quantities. */
function bySums({ e, output, target }: Fitting): Misfit | null {
  const { sums } = target;
  const isEntropy = output.core === 'logSoftmax' && output.op !== 'logSoftmax' && e.form?.act === '';
  const [low, high] = sums ?? [1, 1];
  if (!isEntropy || (target.shape[1] ?? 0) < 2 || (Math.abs(low - 1) < 0.05 && Math.abs(high - 1) < 0.05)) return null;
  return [
    `Rows of targets sum to ${n(low)} to ${n(high)}, and crossEntropy takes them as probabilities of classes, of which one is right.`,
    'const loss = functional.binaryCrossEntropyWithLogits(output, y); // for several labels at once; mseLoss for quantities',
    0.9,
  ];
}

/** An output that is subtracted from a target of another shape, each from each. */
function byShape({ output, target }: Fitting): Misfit | null {
  const [o, t] = [output.shape, target.shape];
  const rows = o[0] ?? 1;
  const sizeOf = (shape: readonly number[]): number => shape.slice(1).reduce((a, b) => a * b, rows);
  if (output.size <= Math.max(sizeOf(o), sizeOf(t))) return null;
  return [
    `Outputs have shape [${o}] and targets [${[rows, ...t.slice(1)]}]: the loss stretches them against each other, every output with every target.`,
    'const loss = functional.mseLoss(model.forward(x).squeeze(1), y); // or y.unsqueeze(1)',
    0.97,
  ];
}

function byLabels({ output, target, rows }: Fitting): Misfit | null {
  const { whole, distinct, classes, low, integer } = target;
  const flat = target.shape.length === 1 || (target.shape.length === 2 && target.shape[1] === 1);
  // With an output a class, the loss makes them 0 and 1 itself.
  if (output.columns > 1 && output.size > (output.shape[0] ?? 1)) return null;
  if (!flat || !whole || low !== 0 || distinct < 3 || distinct > 50 || rows < 4 * distinct) return null;
  if (!integer && distinct !== classes) return null;
  return [
    `The targets are the numbers of ${classes} classes, and the loss takes them as quantities: class 2 is no mean of 1 and 3.`,
    `const head = new nn.Linear(width, ${classes}); // an output for each class\nconst loss = functional.crossEntropy(output, y);`,
    integer ? 0.9 : 0.76,
  ];
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  sigmoid: [0, 1],
  softmax: [0, 1],
  tanh: [-1, 1],
  relu: [0, Number.POSITIVE_INFINITY],
  softplus: [0, Number.POSITIVE_INFINITY],
};

/** Targets that the last function cannot reach, by a good part of how they spread. */
function byRange({ e, output }: Fitting): Misfit | null {
  const range = RANGES[output.op];
  const { target } = output;
  if (!range || !target || (e.train?.skill ?? 0) > 0.9) return null;
  const [low, high] = range;
  const far = 0.5 * target.std;
  if (!(target.low < low - far || target.high > high + far)) return null;
  return [
    `The output goes through ${output.op}, which gives ${low} to ${high}, and targets lie from ${n(target.low)} to ${n(target.high)}.`,
    `// leave out ${output.path || output.op} behind the last layer, or bring the targets into its range`,
    0.9,
  ];
}

export function misfit(e: Evidence): Said | null {
  const output = outputOf(e);
  if (!output || !e.data) return null;
  const fitting: Fitting = { e, output, target: e.data.target, rows: e.data.rows };
  const rules = DIFFERENCES.includes(output.core) ? [byShape, byLabels, byRange] : [byClasses, bySums];
  for (const rule of rules) {
    const found = rule(fitting);
    if (!found) continue;
    const [what, remedy, confidence] = found;
    const why = 'The loss is least for other outputs than those that are right.';
    return { id: 'loss-does-not-fit-output', where: output.path || null, confidence, what, why, remedy };
  }
  return null;
}

export function wrongSign(e: Evidence): Said | null {
  const { history, form } = e;
  const output = outputOf(e);
  const looks = history.closes.filter(({ descent }) => descent !== null && Math.abs(descent) > 0.02);
  const [first] = looks;
  // The first step has no momentum yet: whatever the optimizer, it goes down what it was given.
  const up = looks.filter(({ descent }) => (descent as number) < 0);
  const ascends =
    first !== undefined && (first.descent as number) < -0.05 && (first.step === 0 || up.length > 0.7 * looks.length);
  // Of logarithms it is right where what they are weighted by is: then nothing is learned.
  const logs = output?.core.startsWith('log') === true;
  const inside = output?.sign === -1 && (!logs || !((e.train?.skill ?? 0) > 0.05));
  const negated = form?.negated === true && history.closes.some(({ exact }) => exact);
  if (!inside && !ascends && !negated) return null;
  const maximises = e.patient.optimizer.paramGroups.some(
    (group) => (group as { maximize?: boolean }).maximize === true,
  );
  return {
    id: 'wrong-sign',
    where: null,
    confidence: 0.95,
    what:
      inside || negated
        ? 'The loss is the negative of an error: it gets less as the error grows.'
        : `Steps go up the gradient of the loss (cosine with the way down ${n(first?.descent ?? -1)}), and it goes from ${n(e.first)} to ${n(e.last)}.`,
    why: 'Then training makes the model worse, step by step.',
    remedy: maximises
      ? 'new optim.Adam(model.parameters(), { lr, maximize: false })'
      : 'const loss = functional.crossEntropy(output, y); // without the minus\nloss.backward();',
  };
}
