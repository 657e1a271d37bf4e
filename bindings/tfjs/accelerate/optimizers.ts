// The optimizers of TensorFlow.js as one kernel a weight, in place, by its own formulas: where they are PyTorch's with
// other numbers, by PyTorch's kernels.
import { runtime } from '../../engine/engine.ts';
import type { Operand } from '../../kernels/descriptor.ts';
import type { Kernels } from '../../kernels/table.ts';
import type { Slots, TfModule, TfOptimizer, TfTensor, TfVariable } from './tensorflow.ts';

/** What is written for the kernels before each step, as many numbers as any of them reads. */
export const SETTINGS = 8;

/** A weight that is updated, with the gradient and what the optimizer keeps for it. */
interface Update {
  readonly p: Operand;
  readonly g: Operand;
  readonly n: number;
  readonly hyper: Operand;
  /** The slots in the order of `slots`; null where the rule has none. */
  readonly states: readonly (Operand | null)[];
}

/** An optimizer of tfjs by what its kernel needs. `O` is the class as tfjs has it. */
export interface Rule<O extends TfOptimizer = TfOptimizer> {
  /** The lists of slots, of which a weight has one each; null where this optimizer has none. */
  slots(optimizer: O): readonly (Slots | null)[];
  /** What the slots are called, which are made with the first step, and what they begin with. */
  readonly names: readonly string[];
  readonly initial?: (optimizer: O) => number;
  /** Other variables that a step reads and writes: powers of decays. */
  readonly counters?: (optimizer: O) => readonly TfVariable[];
  /** The numbers that the kernel reads. @param at the values of scalar tensors */
  settings(optimizer: O, at: (x: TfTensor) => number): readonly number[];
  update(k: Kernels, update: Update, optimizer: O): void;
  /** The next values of the counters. */
  readonly advance?: (optimizer: O, values: readonly number[]) => readonly number[];
}

const { fround, sqrt } = Math;

interface Sgd extends TfOptimizer {
  /** The learning rate, negative: setLearningRate() makes it anew. */
  readonly c: TfTensor;
}
interface Momentum extends Sgd {
  readonly m: TfTensor;
  readonly useNesterov: boolean;
  readonly accumulations: Slots;
}
interface Adam extends TfOptimizer {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly accBeta1: TfVariable;
  readonly accBeta2: TfVariable;
  readonly accumulatedFirstMoment: Slots;
  readonly accumulatedSecondMoment: Slots;
}
interface Adamax extends Adam {
  readonly decay: number;
  readonly iteration: TfVariable;
  readonly accumulatedWeightedInfNorm: Slots;
}
interface RmsProp extends TfOptimizer {
  readonly learningRate: number;
  readonly decay: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;
  readonly accumulatedMeanSquares: Slots;
  readonly accumulatedMoments: Slots;
  readonly accumulatedMeanGrads: Slots;
}
interface Adagrad extends TfOptimizer {
  readonly learningRate: number;
  readonly initialAccumulatorValue: number;
  readonly accumulatedGrads: Slots;
}
interface Adadelta extends TfOptimizer {
  readonly learningRate: number;
  readonly rho: number;
  readonly epsilon: number;
  readonly accumulatedGrads: Slots;
  readonly accumulatedUpdates: Slots;
}

/** The backend's epsilon, which Adagrad adds. */
const EPSILON = 1e-7;

/** The second number of the settings, which says that a step is not the first. */
const later = (hyper: Operand): Operand => ({
  block: hyper.block,
  byteOffset: hyper.byteOffset + 4 * (SETTINGS - 1),
});

const sgd = (k: Kernels, { p, g, n, hyper, states: [momentum = null] }: Update): void =>
  k.sgd_step_f32({ p, g, momentum, step: later(hyper), hyper, n });

/** The step of the rules in assembly/optim/tensorflow.ts. */
const byRule =
  (rule: 0 | 1 | 2) =>
  (k: Kernels, { p, g, n, hyper, states: [a, b = null, c = null] }: Update): void =>
    k.tensorflow_step_f32({ p, g, a: a as Operand, b, c, hyper, n, rule });

const rules: { readonly [name: string]: Rule<never> } = {
  SGDOptimizer: {
    names: [],
    slots: () => [],
    settings: ({ c }, at) => [-at(c), 0, 0, 0, 1, 0, 0, 2],
    update: sgd,
  } satisfies Rule<Sgd>,
  MomentumOptimizer: {
    names: ['momentum'],
    slots: ({ accumulations }) => [accumulations],
    settings: ({ c, m, useNesterov }, at) => [-at(c), 0, 0, at(m), 1, Number(useNesterov), 0, 2],
    update: sgd,
  } satisfies Rule<Momentum>,
  AdamOptimizer: {
    names: ['m', 'v'],
    slots: ({ accumulatedFirstMoment, accumulatedSecondMoment }) => [accumulatedFirstMoment, accumulatedSecondMoment],
    counters: ({ accBeta1, accBeta2 }) => [accBeta1, accBeta2],
    // tfjs has the powers of its decays as f32, of which 1 - 0.999 is off by 1e-5. The kernel's own corrections, those
    // of a first step, are taken out, and tfjs's put in.
    settings: ({ learningRate, beta1, beta2, epsilon, accBeta1, accBeta2 }, at) => {
      const [take1, take2] = [1 - beta1, 1 - beta2];
      const k = sqrt(fround(1 - at(accBeta2)) / fround(take2));
      const rate = ((learningRate * k) / fround(1 - at(accBeta1))) * fround(take1);
      return [rate, 0, 0, take1, take2, epsilon * k, 0, 1];
    },
    update: (k, { p, g, n, hyper, states: [average, square] }) =>
      k.adam_step_f32({
        ...{ p, g, average: average as Operand, square: square as Operand, maximum: null },
        ...{ step: later(hyper), hyper, n },
      }),
    advance: ({ beta1, beta2 }, [power1, power2]) => [
      (power1 as number) * fround(beta1),
      (power2 as number) * fround(beta2),
    ],
  } satisfies Rule<Adam>,
  AdamaxOptimizer: {
    names: ['m', 'v'],
    slots: ({ accumulatedFirstMoment, accumulatedWeightedInfNorm }) => [
      accumulatedFirstMoment,
      accumulatedWeightedInfNorm,
    ],
    counters: ({ iteration, accBeta1 }) => [iteration, accBeta1],
    settings: ({ learningRate, beta1, beta2, epsilon, decay, iteration, accBeta1 }, at) => {
      const rate = fround(learningRate / fround(fround(at(iteration) * decay) + 1));
      return [rate / fround(1 - at(accBeta1)), beta1, 1 - beta1, epsilon, beta2, 0, 0, 0];
    },
    update: byRule(2),
    advance: ({ beta1 }, [iteration, power]) => [(iteration as number) + 1, (power as number) * fround(beta1)],
  } satisfies Rule<Adamax>,
  RMSPropOptimizer: {
    names: ['rms', 'momentum', 'mg'],
    slots: ({ accumulatedMeanSquares, accumulatedMoments, accumulatedMeanGrads, centered }) => [
      accumulatedMeanSquares,
      accumulatedMoments,
      centered ? accumulatedMeanGrads : null,
    ],
    // Centered, tfjs takes epsilon away.
    settings: ({ learningRate, decay, momentum, epsilon, centered }) => [
      ...[learningRate, decay, 1 - decay, centered ? -epsilon : epsilon, momentum, 0, 0, 0],
    ],
    update: byRule(0),
  } satisfies Rule<RmsProp>,
  AdagradOptimizer: {
    names: ['accumulator'],
    slots: ({ accumulatedGrads }) => [accumulatedGrads],
    initial: ({ initialAccumulatorValue }) => initialAccumulatorValue,
    settings: ({ learningRate }) => [learningRate, 1, 1, EPSILON, 0, 0, 0, 0],
    update: byRule(0),
  } satisfies Rule<Adagrad>,
  AdadeltaOptimizer: {
    names: ['accum_grad', 'accum_var'],
    slots: ({ accumulatedGrads, accumulatedUpdates }) => [accumulatedGrads, accumulatedUpdates],
    settings: ({ learningRate, rho, epsilon }) => [learningRate, rho, 1 - rho, epsilon, 0, 0, 0, 0],
    update: byRule(1),
  } satisfies Rule<Adadelta>,
};

/** The rule of an optimizer class, by its name in tfjs. */
export const ruleOf = (name: string): Rule => rules[name] as unknown as Rule;

/** Writes settings where kernels read them. */
export function writeSettings({ block, byteOffset }: Operand, values: readonly number[]): void {
  runtime().arena.f32.set(values, (((block as { ptr: number }).ptr + byteOffset) / 4) >>> 0);
}

/** Sees to it that weight i has its slots, as tfjs makes them with the first step. */
export function makeSlots(tf: TfModule, rule: Rule, optimizer: TfOptimizer, weight: TfVariable, i: number): void {
  rule.slots(optimizer).forEach((slots, kind) => {
    if (!slots || slots[i]) return;
    const value = rule.initial?.(optimizer);
    const variable = tf.tidy(() =>
      (value === undefined ? tf.zerosLike(weight) : tf.fill(weight.shape, value)).variable(false),
    );
    slots[i] = { originalName: `${weight.name}/${rule.names[kind]}`, variable };
  });
}
