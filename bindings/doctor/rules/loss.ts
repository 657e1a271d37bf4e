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
  // With soft targets it is a logarithm of a softmax that is multiplied.
  const entropy = output.core === 'crossEntropy' || output.core === 'logSoftmax';
  const outside = form?.act === 'softmax' && entropy;
  const sigmoid =
    output.core === 'bceWithLogits' &&
    (output.op === 'sigmoid' || form?.act === 'sigmoid' || (output.op === 'softmax' && output.unit));
  const twice = entropy && output.probabilities;
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
    what:
      bare || divergence
        ? `${bare ? 'nllLoss' : 'klDiv'} takes logarithms of probabilities, and gets numbers from ${n(output.low)} to ${n(output.high)} whose exponentials do not sum to 1.`
        : free
          ? `The loss goes from ${n(first)} to ${n(last)} and has no lower end: outputs go into it as they are.`
          : `The loss takes probabilities, and gets numbers from ${n(output.low)} to ${n(output.high)}.`,
    why: 'Then the loss has no lower end: outputs grow without bound, and nothing is learned.',
    remedy: divergence
      ? "const loss = functional.klDiv(functional.logSoftmax(output, 1), y, { reduction: 'batchmean' });"
      : bare
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

function byClasses({ e, output }: Fitting): Misfit | null {
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
  const sums = e.data?.target.sums;
  if (core === 'bce' && output.probabilities && columns > 2 && sums && (sums[0] < 0.95 || sums[1] > 1.05))
    return [
      `Outputs of a row sum to 1, as of a softmax, and targets to ${n(sums[0])} to ${n(sums[1])}: of several labels at once not one can be sure.`,
      'const loss = functional.binaryCrossEntropyWithLogits(logits, y); // of the numbers before the softmax',
      0.95,
    ];
  if (core.startsWith('bce') && held && (held.low < 0 || held.high > 1))
    return [
      `The loss takes targets from 0 to 1, and gets ${n(held.low)} to ${n(held.high)}.`,
      'const loss = functional.crossEntropy(output, y); // for classes; or bring y to 0 and 1',
      0.95,
    ];
  return null;
}

/** Whether a loss is the library's cross entropy, or calls it: others weigh logarithms by what they like. */
const isCrossEntropy = (loss: unknown): boolean => {
  const name = typeof loss === 'function' ? `${loss.name} ${loss}` : (loss as object).constructor.name;
  return /crossEntropy/i.test(name);
};

/** Probabilities of classes that are none: of several labels at once, or quantities. */
function bySums({ e, output, target }: Fitting): Misfit | null {
  const { sums } = target;
  const isNamed = isCrossEntropy(e.loss);
  const isEntropy = output.core === 'logSoftmax' && output.op !== 'logSoftmax' && e.form?.act === '';
  const [low, high] = sums ?? [1, 1];
  if (!isNamed && (!target.several || target.low < 0)) return null;
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
