// Cases of the steps of optimizers that fewer programs use.
import { nd } from '../../../reference/nd.ts';
import { lamb, type Settings, steps } from '../../../reference/optimizers.ts';
import {
  base,
  decaying,
  errorsOf,
  hyperOf,
  type Inputs,
  outcomeOf,
  positive,
  type Rule,
  samplesOf,
  shapes,
  tolerance,
} from './optim.ts';
import { type Cases, f32, list, shapeError, uniform } from './types.ts';

type Betas = readonly [number, number];

/** What all cases of elementwise steps have. */
const caseOf = <S extends Settings>(op: string, rule: Rule<S>, hyper: number) => ({
  samples: samplesOf(rule),
  reference: (inputs: Inputs) => outcomeOf(rule, inputs),
  tolerance,
  gradients: 'none' as const,
  errors: errorsOf(op, Object.keys(rule.buffers(rule.settings[0] as S)), hyper, Object.keys(rule.numbers ?? {})),
});

const moments = (betas: Betas, eps: number, ...rest: number[]): number[] => [
  ...[1 - betas[0], 1 - betas[1], eps],
  ...rest,
];

const nadam: Rule<Parameters<typeof steps.nadam>[0]> = {
  settings: [
    { ...base, betas: [0.9, 0.999], eps: 1e-8, momentumDecay: 4e-3, decoupled: false },
    { ...decaying, betas: [0.9, 0.99], eps: 1e-8, momentumDecay: 0.1, decoupled: false },
    { ...decaying, betas: [0.5, 0.9], eps: 1e-3, momentumDecay: 0.5, decoupled: true },
  ],
  hyper: ({ betas, eps, decoupled, momentumDecay }) => moments(betas, eps, Number(decoupled), momentumDecay),
  buffers: () => ({ average: uniform(), square: positive }),
  numbers: { product: 0.5 },
  step: steps.nadam,
};

const radam: Rule<Parameters<typeof steps.radam>[0]> = {
  settings: [
    { ...base, betas: [0.9, 0.999], eps: 1e-8, decoupled: false },
    { ...decaying, betas: [0.9, 0.99], eps: 1e-8, decoupled: false },
    { ...decaying, betas: [0.5, 0.9], eps: 1e-3, decoupled: true },
  ],
  hyper: ({ betas, eps, decoupled }) => moments(betas, eps, Number(decoupled)),
  buffers: () => ({ average: uniform(), square: positive }),
  step: steps.radam,
};

const adadelta: Rule<Parameters<typeof steps.adadelta>[0]> = {
  settings: [
    { ...base, rho: 0.9, eps: 1e-6 },
    { ...decaying, rho: 0.5, eps: 1e-3 },
  ],
  hyper: ({ rho, eps }) => [1 - rho, eps],
  buffers: () => ({ square: positive, delta: positive }),
  step: steps.adadelta,
};

const adamax: Rule<Parameters<typeof steps.adamax>[0]> = {
  settings: [
    { ...base, betas: [0.9, 0.999], eps: 1e-8 },
    { ...decaying, betas: [0.5, 0.9], eps: 1e-3 },
  ],
  hyper: ({ betas, eps }) => moments(betas, eps),
  buffers: () => ({ average: uniform(), norm: positive }),
  step: steps.adamax,
};

const lion: Rule<Parameters<typeof steps.lion>[0]> = {
  settings: [
    { ...base, betas: [0.9, 0.99] },
    { ...decaying, betas: [0.5, 0.9] },
  ],
  hyper: ({ betas }) => [1 - betas[0], 1 - betas[1]],
  buffers: () => ({ average: uniform() }),
  step: steps.lion,
};

/** One sample with an average that begins, one that has. */
const asgd: Rule<Parameters<typeof steps.asgd>[0]> = {
  settings: [
    { ...base, lambd: 1e-4, alpha: 0.75, t0: 1e6 },
    { ...decaying, lambd: 0.1, alpha: 0.5, t0: 3 },
  ],
  hyper: ({ lambd, alpha, t0 }) => [lambd, alpha, t0],
  buffers: () => ({ average: uniform() }),
  numbers: { eta: 0.05, mu: 0.25 },
  step: steps.asgd,
};

const rprop: Rule<Parameters<typeof steps.rprop>[0]> = {
  settings: [
    { ...base, etas: [0.5, 1.2], stepSizes: [1e-6, 50] },
    { ...base, maximize: true, etas: [0.3, 1.5], stepSizes: [0.5, 1] },
  ],
  hyper: ({ etas, stepSizes }) => [...etas, ...stepSizes],
  buffers: () => ({ previous: uniform(), size: positive }),
  step: steps.rprop,
};

const lambs: readonly Parameters<typeof lamb>[0][] = [
  { ...base, betas: [0.9, 0.999], eps: 1e-6, biasCorrection: true },
  { ...decaying, betas: [0.5, 0.9], eps: 1e-3, biasCorrection: false },
];
const lambRule = {
  hyper: ({ betas, eps, biasCorrection }: Parameters<typeof lamb>[0]) => moments(betas, eps, Number(biasCorrection)),
} as unknown as Rule<Parameters<typeof lamb>[0]>;
const right = {
  ...{ p: f32([2]), g: f32([2]), average: f32([2]), square: f32([2]), u: f32([2]), squares: f32([2]) },
  ...{ step: f32([]), hyper: f32([7]) },
};

const cases = {
  nadamStep: caseOf('nadamStep', nadam, 8),
  radamStep: caseOf('radamStep', radam, 7),
  adadeltaStep: caseOf('adadeltaStep', adadelta, 5),
  adamaxStep: caseOf('adamaxStep', adamax, 6),
  lionStep: caseOf('lionStep', lion, 5),
  asgdStep: caseOf('asgdStep', asgd, 6),
  rpropStep: caseOf('rpropStep', rprop, 7),
  lambStep: {
    samples: lambs.flatMap((s) =>
      shapes.map((shape, i) => {
        const hyper = hyperOf(lambRule, s);
        return {
          inputs: {
            ...{ p: f32(shape), g: f32(shape), average: f32(shape), square: f32(shape, positive), u: f32(shape) },
            squares: f32([2]),
            step: f32([], list(i % 2 === 0 ? 1 : 7)),
            hyper: f32([hyper.length], list(...hyper)),
          },
        };
      }),
    ),
    reference: (inputs: Inputs) => {
      const { p, g, average, square, step, hyper } = inputs as Readonly<Record<string, ReturnType<typeof nd>>> &
        Record<'p' | 'g' | 'average' | 'square' | 'step' | 'hyper', ReturnType<typeof nd>>;
      const s = lambs.find((each) =>
        hyperOf(lambRule, each).every((x, i) => Math.fround(x) === hyper.data[i]),
      ) as Parameters<typeof lamb>[0];
      const t = step.data[0] as number;
      const state = { p: p.data, g: g.data, average: average.data, square: square.data };
      const { squares, ...after } = lamb(s, state, t);
      return {
        ...Object.fromEntries(Object.entries(after).map(([name, x]) => [name, nd(p.shape, x)])),
        squares: nd([2], squares),
      };
    },
    tolerance: { relative: 3e-6, absolute: 5e-7 },
    gradients: 'none' as const,
    errors: [
      ...errorsOf('lambStep', ['average', 'square', 'u'], 7).map((bad) => ({
        ...bad,
        inputs: { squares: f32([2]), ...bad.inputs },
      })),
      shapeError({ ...right, squares: f32([3]) }, undefined, /^lambStep: expected squares of shape \[2\], got \[3\]/),
    ],
  },
};

export const optimizerCases = cases as unknown as Pick<Required<Cases>, keyof typeof cases>;
