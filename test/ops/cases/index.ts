// The cases of every op. The type asks for each op of the table, so that one without a case does not compile.
import { type OpName, table } from '../../../bindings/ops/table.ts';
import type { Dtype } from '../../../bindings/tensor.ts';
import type { Nd } from '../../support/tensors.ts';
import { binaryCases } from './binary.ts';
import { convCases } from './conv.ts';
import { groupNormCases } from './groupnorm.ts';
import { indexingCases } from './indexing.ts';
import { lossCases } from './loss.ts';
import { matmulCases } from './matmul.ts';
import { normCases } from './norm.ts';
import { poolCases } from './pool.ts';
import { randomCases } from './random.ts';
import { reduceCases } from './reduce.ts';
import { shapeCases } from './shape.ts';
import { softmaxCases } from './softmax.ts';
import type { Case, Spec } from './types.ts';
import { unaryCases } from './unary.ts';

export const cases: { readonly [K in OpName]: Case<K> } = {
  ...unaryCases,
  ...binaryCases,
  ...reduceCases,
  ...softmaxCases,
  ...matmulCases,
  ...convCases,
  ...shapeCases,
  ...indexingCases,
  ...randomCases,
  ...lossCases,
  ...normCases,
  ...groupNormCases,
  ...poolCases,
};

/** A case whose op is not known to the type system, for what loops over all. */
export type AnyCase = Omit<Case<OpName>, 'samples' | 'reference' | 'dtype'> & {
  readonly samples: readonly {
    readonly inputs: readonly (Spec | null)[];
    readonly attrs?: unknown;
    readonly valueOnly?: boolean;
  }[];
  reference(inputs: readonly (Nd | null)[], attrs: unknown): Nd;
  readonly dtype?: Dtype | ((attrs: unknown) => Dtype);
};
export const list = Object.entries(cases) as unknown as readonly (readonly [OpName, AnyCase])[];

const sum = (f: (testCase: AnyCase) => number): number => list.reduce((n, [, testCase]) => n + f(testCase), 0);
const differentiable = ({ gradients, samples }: AnyCase): number =>
  gradients === 'none'
    ? 0
    : samples.reduce(
        (n, { inputs }) =>
          n +
          inputs.filter((spec, i) => spec?.dtype === 'f32' && (gradients === 'all' || gradients[i] === true)).length,
        0,
      );

/**
 * What is derived from the table, in one build: ops, their input sets, and the checks made of them (a value and two layouts
 * a set, a first and a second derivative a differentiable input, the errors, and a freed tensor in the place of each input).
 */
export const totals = {
  ops: Object.keys(table).length,
  samples: sum(({ samples }) => samples.length),
  checks: sum(
    (testCase) =>
      3 * testCase.samples.length +
      2 * differentiable(testCase) +
      testCase.errors.length +
      (testCase.samples[0]?.inputs.length ?? 0),
  ),
};
