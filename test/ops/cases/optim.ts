// Cases of the optimizers' steps and of clipping.

import { type Nd, nd } from '../../../reference/nd.ts';
import { type Settings, type State, steps } from '../../../reference/optimizers.ts';
import {
  type Bad,
  type BadInputs,
  type Cases,
  dtypeError,
  type Fill,
  f32,
  freedError,
  i32,
  list,
  type Spec,
  shapeError,
  u8,
  uniform,
} from './types.ts';

export const shapes: readonly (readonly number[])[] = [[2, 3], [], [1], [0, 3], [17], [1009]];
export const positive = uniform(0.1, 2);
export const tolerance = { relative: 2e-6, absolute: 2e-7 };

/** How an optimizer reads its settings, and what it leaves of one element. */
export interface Rule<S extends Settings> {
  readonly settings: readonly S[];
  /** As assembly/optim.ts reads them, behind the three that all share. */
  hyper(settings: S): readonly number[];
  /** Buffers of a call with these settings; those whose name has a `?` are absent where `false`. */
  buffers(settings: S): Readonly<Record<string, Fill | null>>;
  /** State of one number, and which. */
  readonly numbers?: Readonly<Record<string, number>>;
  step(settings: S, state: never, g: number, t: number): State;
}

export const hyperOf = <S extends Settings>(rule: Rule<S>, s: S): number[] => [
  s.lr,
  s.weightDecay,
  Number(s.maximize),
  ...rule.hyper(s),
];

/** Every setting at every shape, at the first step and at a later one. */
export const samplesOf = <S extends Settings>(rule: Rule<S>): { inputs: Record<string, Spec | null> }[] =>
  rule.settings.flatMap((s) =>
    shapes.map((shape, i) => {
      const buffers = Object.entries(rule.buffers(s)).map(([name, fill]) => [name, fill && f32(shape, fill)]);
      const hyper = hyperOf(rule, s);
      return {
        inputs: {
          p: f32(shape),
          g: f32(shape),
          ...(Object.fromEntries(buffers) as Record<string, Spec | null>),
          ...Object.fromEntries(Object.entries(rule.numbers ?? {}).map(([name, x]) => [name, f32([], list(x))])),
          step: f32([], list(i % 2 === 0 ? 1 : 7)),
          hyper: f32([hyper.length], list(...hyper)),
        },
      };
    }),
  );

/** What the rule leaves of every element; the settings are told by their numbers. */
export function outcomeOf<S extends Settings>(rule: Rule<S>, inputs: Inputs): Record<string, Nd | null> {
  const { p, g, step, hyper } = inputs as Record<'p' | 'g' | 'step' | 'hyper', Nd>;
  const settings = rule.settings.find(
    (s) =>
      hyperOf(rule, s).every((value, i) => Math.fround(value) === hyper.data[i]) &&
      Object.entries(rule.buffers(s)).every(([name, fill]) => (fill === null) === (inputs[name] === null)),
  ) as S;
  const names = ['p', ...Object.keys(rule.buffers(settings))];
  const single = Object.keys(rule.numbers ?? {});
  const t = step.data[0] as number;
  const stepOf = (i: number): State => {
    const state: Record<string, number> = {};
    for (const name of names) if (inputs[name]) state[name] = inputs[name].data[i] as number;
    for (const name of single) state[name] = (inputs[name] as Nd).data[0] as number;
    return rule.step(settings, state as never, g.data[i] as number, t);
  };
  const after = Array.from(p.data, (_, i) => stepOf(i));
  // They do not depend on the element.
  const numbers = single.map((name) => [name, nd([], [stepOf(0)[name] as number])]);
  const results = Object.fromEntries(
    names.map((name) => [
      name,
      inputs[name]
        ? nd(
            p.shape,
            after.map((state) => state[name] as number),
          )
        : null,
    ]),
  );
  return { ...results, ...Object.fromEntries(numbers) };
}

/** All state is like the parameter; the step is one number, and the settings as many as the kernel reads. */
export function errorsOf(
  op: string,
  buffers: readonly string[],
  hyper: number,
  numbers: readonly string[] = [],
): [Bad, Bad, Bad, ...Bad[]] {
  const of = (shape: readonly number[]): BadInputs => ({
    p: f32([2]),
    g: f32([2]),
    ...Object.fromEntries(buffers.map((name) => [name, f32(shape, positive)])),
    ...Object.fromEntries(numbers.map((name) => [name, f32([], list(0.5))])),
    step: f32([], list(1)),
    hyper: f32([hyper], list(0.1)),
  });
  const right = of([2]);
  return [
    shapeError({ ...right, g: f32([3]) }, undefined, new RegExp(`^${op}: expected g of shape \\[2\\], got \\[3\\]`)),
    dtypeError({ ...right, g: i32([2]) }, undefined, new RegExp(`^${op}: expected dtype f32, got i32`)),
    freedError(right, undefined, 'p'),
    ...buffers.map((name) =>
      shapeError(
        { ...right, [name]: f32([1]) },
        undefined,
        new RegExp(`^${op}: expected ${name} of shape \\[2\\], got \\[1\\]`),
      ),
    ),
    ...numbers.map((name) =>
      shapeError(
        { ...right, [name]: f32([2]) },
        undefined,
        new RegExp(`^${op}: expected ${name} of shape \\[\\], got \\[2\\]`),
      ),
    ),
    shapeError(
      { ...right, step: f32([1]) },
      undefined,
      new RegExp(`^${op}: expected step of shape \\[\\], got \\[1\\]`),
    ),
    shapeError(
      { ...right, hyper: f32([hyper - 1]) },
      undefined,
      new RegExp(`^${op}: expected hyper of shape \\[${hyper}\\], got \\[${hyper - 1}\\]`),
    ),
  ];
}

export const base = { lr: 0.1, weightDecay: 0, maximize: false };
export const decaying = { lr: 0.01, weightDecay: 0.1, maximize: true };

const sgd: Rule<Parameters<typeof steps.sgd>[0]> = {
  settings: [
    { ...base, momentum: 0, dampening: 0, nesterov: false },
    { ...decaying, momentum: 0, dampening: 0, nesterov: false },
    { ...base, momentum: 0.9, dampening: 0, nesterov: false },
    { ...base, momentum: 0.9, dampening: 0.5, nesterov: false },
    { ...decaying, momentum: 0.9, dampening: 0, nesterov: true },
  ],
  hyper: ({ momentum, dampening, nesterov }) => [momentum, 1 - dampening, Number(nesterov)],
  buffers: ({ momentum }) => ({ momentum: momentum ? uniform() : null }),
  step: steps.sgd,
};

/** Which of Adam's settings use the largest square seen (AMSGrad) is told by the decay of the squares. */
const AMSGRAD = 0.99;
const adam: Rule<Parameters<typeof steps.adam>[0]> = {
  settings: [
    { ...base, betas: [0.9, 0.999], eps: 1e-8, decoupled: false },
    { ...decaying, betas: [0.9, 0.999], eps: 1e-8, decoupled: false },
    { ...decaying, betas: [0.5, 0.9], eps: 1e-3, decoupled: true },
    { ...base, betas: [0.9, AMSGRAD], eps: 1e-8, decoupled: false },
    { ...decaying, betas: [0.9, AMSGRAD], eps: 1e-8, decoupled: true },
  ],
  hyper: ({ betas, eps, decoupled }) => [1 - betas[0], 1 - betas[1], eps, Number(decoupled)],
  buffers: ({ betas }) => ({ average: uniform(), square: positive, maximum: betas[1] === AMSGRAD ? positive : null }),
  step: steps.adam,
};

/** Whether RMSprop is centered is told by eps. */
const CENTERED = 1e-2;
const rmsprop: Rule<Parameters<typeof steps.rmsprop>[0]> = {
  settings: [
    { ...base, alpha: 0.99, eps: 1e-8, momentum: 0 },
    { ...decaying, alpha: 0.9, eps: 1e-8, momentum: 0.5 },
    { ...base, alpha: 0.9, eps: CENTERED, momentum: 0 },
    { ...decaying, alpha: 0.9, eps: CENTERED, momentum: 0.9 },
  ],
  hyper: ({ alpha, eps, momentum }) => [1 - alpha, eps, momentum],
  buffers: ({ eps, momentum }) => ({
    square: uniform(1, 3),
    average: eps === CENTERED ? uniform(-0.5, 0.5) : null,
    momentum: momentum ? uniform() : null,
  }),
  step: steps.rmsprop,
};

const adagrad: Rule<Parameters<typeof steps.adagrad>[0]> = {
  settings: [
    { ...base, lrDecay: 0, eps: 1e-10 },
    { ...decaying, lrDecay: 0.1, eps: 1e-10 },
  ],
  hyper: ({ lrDecay, eps }) => [lrDecay, eps],
  buffers: () => ({ sum: positive }),
  step: steps.adagrad,
};

export type Inputs = Readonly<Record<string, Nd | null>>;
const stepCases = {
  sgdStep: {
    samples: samplesOf(sgd),
    reference: (inputs: Inputs) => outcomeOf(sgd, inputs),
    tolerance,
    gradients: 'none',
    errors: errorsOf('sgdStep', ['momentum'], 6),
  },
  adamStep: {
    samples: samplesOf(adam),
    reference: (inputs: Inputs) => outcomeOf(adam, inputs),
    tolerance,
    gradients: 'none',
    errors: errorsOf('adamStep', ['average', 'square', 'maximum'], 7),
  },
  rmspropStep: {
    samples: samplesOf(rmsprop),
    reference: (inputs: Inputs) => outcomeOf(rmsprop, inputs),
    tolerance,
    gradients: 'none',
    errors: errorsOf('rmspropStep', ['square', 'average', 'momentum'], 6),
  },
  adagradStep: {
    samples: samplesOf(adagrad),
    reference: (inputs: Inputs) => outcomeOf(adagrad, inputs),
    tolerance,
    gradients: 'none',
    errors: errorsOf('adagradStep', ['sum'], 5),
  },
};

export const optimCases = {
  ...(stepCases as unknown as Pick<Required<Cases>, keyof typeof stepCases>),
  advanceStep: {
    samples: [f32([], list(1000)), f32([0]), f32([5], list(0, 1, 2, 3, 1e6))].map((step) => ({ inputs: { step } })),
    reference: ({ step }) => ({
      step: nd(
        step.shape,
        Array.from(step.data, (n) => n + 1),
      ),
    }),
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      dtypeError({ step: i32([]) }, undefined, /^advanceStep: expected dtype f32, got i32/),
      dtypeError({ step: u8([3]) }, undefined, /^advanceStep: expected dtype f32, got u8/),
      freedError({ step: f32([]) }, undefined, 'step'),
    ],
  },
  clipCoefficient: {
    samples: [0, 0.3, 4, 1e30].flatMap((square) =>
      [0, 0.5, 2, Number.POSITIVE_INFINITY].map((maxNorm) => ({
        inputs: { square: f32([], list(square)) },
        attrs: { maxNorm },
      })),
    ),
    reference: ({ square }, { maxNorm }) =>
      nd([], [Math.min(1, maxNorm / (Math.sqrt(square.data[0] as number) + 1e-6))]),
    tolerance: { relative: 3e-7 },
    gradients: 'none',
    errors: [
      shapeError(
        { square: f32([1]) },
        { maxNorm: 1 },
        /^clipCoefficient: expected the squared norm of shape \[\], got/,
      ),
      dtypeError({ square: i32([]) }, { maxNorm: 1 }, /^clipCoefficient: expected dtype f32, got i32/),
      freedError({ square: f32([]) }, { maxNorm: 1 }, 'square'),
    ],
  },
} satisfies Cases;
