// What is said of faults between the output and the loss.
import { n, type Words } from '../finding.ts';

type Range = readonly [low: number, high: number];
const LOGITS = 'binaryCrossEntropyWithLogits';

/** Remedies of losses that do not fit the output. */
const misfits = {
  oneClass: (core: string): [string, string] => [
    `${core} of a single class is 0 whatever the model says.`,
    `const loss = functional.${LOGITS}(output.squeeze(1), y.to('f32'));`,
  ],
  noLogarithms: (): [string, string] => [
    'nllLoss takes logarithms of probabilities, and gets probabilities.',
    'const loss = functional.crossEntropy(logits, y); // of the numbers before the softmax',
  ],
  severalLabels: ([low, high]: Range): [string, string] => [
    `Outputs of a row sum to 1, as of a softmax, and targets to ${n(low)} to ${n(high)}: of several labels at once not one can be sure.`,
    `const loss = functional.${LOGITS}(logits, y); // of the numbers before the softmax`,
  ],
  beyondUnit: ([low, high]: Range): [string, string] => [
    `The loss takes targets from 0 to 1, and gets ${n(low)} to ${n(high)}.`,
    'const loss = functional.crossEntropy(output, y); // for classes; or bring y to 0 and 1',
  ],
  sums: ([low, high]: Range): [string, string] => [
    `Rows of targets sum to ${n(low)} to ${n(high)}, and crossEntropy takes them as probabilities of classes, of which one is right.`,
    `const loss = functional.${LOGITS}(output, y); // for several labels at once; mseLoss for quantities`,
  ],
  shapes: (output: readonly number[], target: readonly number[]): [string, string] => [
    `Outputs have shape [${output}] and targets [${target}]: the loss stretches them against each other, every output with every target.`,
    'const loss = functional.mseLoss(model.forward(x).squeeze(1), y); // or y.unsqueeze(1)',
  ],
  quantities: (classes: number): [string, string] => [
    `The targets are the numbers of ${classes} classes, and the loss takes them as quantities: class 2 is no mean of 1 and 3.`,
    `const head = new nn.Linear(width, ${classes}); // an output for each class\nconst loss = functional.crossEntropy(output, y);`,
  ],
  range: (op: string, path: string, [low, high]: Range, target: Range): [string, string] => [
    `The output goes through ${op}, which gives ${low} to ${high}, and targets lie from ${n(target[0])} to ${n(target[1])}.`,
    `// leave out ${path || op} behind the last layer, or bring the targets into its range`,
  ],
};
type Misfits = typeof misfits;
/** Why a loss does not fit, by name, with its figures. */
export type Misfit = { [K in keyof Misfits]: readonly [K, ...Parameters<Misfits[K]>] }[keyof Misfits];

export const loss = {
  /** @param by what takes one itself @param inside the path of the module that has it; null: it is outside */
  twice: (by: string, inside: string | null): Words => {
    const [name, what] = by.startsWith('bce') ? [LOGITS, 'sigmoid'] : ['crossEntropy', 'softmax'];
    return [
      `The loss, ${by === 'logSoftmax' ? 'by logSoftmax' : name}, computes the ${what} itself and gets what is one already${inside ? ` (of ${inside})` : ''}.`,
      'Of numbers from 0 to 1 a second one is almost even: gradients are small, and the loss cannot come near 0.',
      inside === null
        ? `const loss = functional.${name}(model.forward(x), y); // without ${what}`
        : `// leave out ${inside || 'it'}: the loss takes the numbers before\nconst logits = model.forward(x);\nconst loss = functional.${name}(logits, y);`,
    ];
  },

  missing: (by: 'nllLoss' | 'klDiv' | 'free' | 'other', outputs: Range, losses: Range): Words => [
    by === 'free'
      ? `The loss goes from ${n(losses[0])} to ${n(losses[1])} and has no lower end: outputs go into it as they are.`
      : by === 'other'
        ? `The loss takes probabilities, and gets numbers from ${n(outputs[0])} to ${n(outputs[1])}.`
        : `${by} takes logarithms of probabilities, and gets numbers from ${n(outputs[0])} to ${n(outputs[1])} whose exponentials do not sum to 1.`,
    'Then the loss has no lower end: outputs grow without bound, and nothing is learned.',
    by === 'klDiv'
      ? "const loss = functional.klDiv(functional.logSoftmax(output, 1), y, { reduction: 'batchmean' });"
      : by === 'nllLoss'
        ? 'const loss = functional.nllLoss(functional.logSoftmax(output, 1), y); // or crossEntropy(output, y), which does both'
        : `const loss = functional.${LOGITS}(output, y); // which has the sigmoid in it`,
  ],

  misfit: ([name, ...figures]: Misfit): Words => {
    const [what, remedy] = (misfits[name] as (...figures: unknown[]) => [string, string])(...figures);
    return [what, 'The loss is least for other outputs than those that are right.', remedy];
  },

  /** @param cosine of the steps with the way down; null: it is the loss itself that is negative */
  sign: (cosine: number | null, [first, last]: Range, maximises: boolean): Words => [
    cosine === null
      ? 'The loss is the negative of an error: it gets less as the error grows.'
      : `Steps go up the gradient of the loss (cosine with the way down ${n(cosine)}), and it goes from ${n(first)} to ${n(last)}.`,
    'Then training makes the model worse, step by step.',
    maximises
      ? 'new optim.Adam(model.parameters(), { lr, maximize: false })'
      : 'const loss = functional.crossEntropy(output, y); // without the minus\nloss.backward();',
  ],
};
