// The cases of every op. The type asks for each op of the table, so that one without a case does not compile.
import type { Dtype } from '../../../bindings/dtypes.ts';
import { type OpName, table } from '../../../bindings/ops/table.ts';
import { activationCases } from './activation.ts';
import { attentionCases } from './attention.ts';
import { batchNormCases } from './batch-norm.ts';
import { binaryCases } from './binary.ts';
import { classLossCases } from './class-loss.ts';
import { columnCases } from './columns.ts';
import { convCases } from './conv.ts';
import { ctcCases } from './ctc.ts';
import { embeddingCases } from './embedding.ts';
import { groupNormCases } from './groupnorm.ts';
import { hostCases } from './host.ts';
import { indexingCases } from './indexing.ts';
import { inplaceCases } from './inplace.ts';
import { lossCases } from './loss.ts';
import { matmulCases } from './matmul.ts';
import { normCases } from './norm.ts';
import { optimCases } from './optim.ts';
import { optimizerCases } from './optimizers.ts';
import { orderCases } from './order.ts';
import { padCases } from './pad.ts';
import { poolCases } from './pool.ts';
import { randomCases } from './random.ts';
import { rearrangeCases } from './rearrange.ts';
import { reduceCases } from './reduce.ts';
import { resampleCases } from './resample.ts';
import { rnnCases } from './rnn.ts';
import { sequenceCases } from './rnn-sequences.ts';
import { flagOf } from './samples.ts';
import { samplingCases } from './sampling.ts';
import { scatterCases } from './scatter.ts';
import { shapeCases } from './shape.ts';
import { softmaxCases } from './softmax.ts';
import { sparseCases } from './sparse.ts';
import { specialCases } from './special.ts';
import { type AllCases, type AnyCase, type Fill, placesOf, type Spec, uniform } from './types.ts';
import { unaryCases } from './unary.ts';
import { withinCases } from './within.ts';

export const cases: AllCases = {
  ...unaryCases,
  ...activationCases,
  ...binaryCases,
  ...reduceCases,
  ...softmaxCases,
  ...matmulCases,
  ...convCases,
  ...shapeCases,
  ...indexingCases,
  ...randomCases,
  ...lossCases,
  ...classLossCases,
  ...normCases,
  ...batchNormCases,
  ...groupNormCases,
  ...columnCases,
  ...padCases,
  ...poolCases,
  ...embeddingCases,
  ...sparseCases,
  ...resampleCases,
  ...attentionCases,
  ...rnnCases,
  ...sequenceCases,
  ...rearrangeCases,
  ...orderCases,
  ...scatterCases,
  ...inplaceCases,
  ...optimCases,
  ...optimizerCases,
  ...hostCases,
  ...withinCases,
  ...ctcCases,
  ...samplingCases,
  ...specialCases,
};

/** Numbers that the dtype holds: half of them small, so that some are equal, half so large that results wrap. */
const whole: Readonly<Record<Dtype, Fill>> = {
  f32: uniform(),
  i32: (n, next) => Array.from({ length: n }, () => Math.floor((next() - 0.5) * (next() < 0.5 ? 6 : 2 ** 26))),
  u8: (n, next) => Array.from({ length: n }, () => Math.floor(next() * (next() < 0.5 ? 4 : 256))),
};

/**
 * A case with its samples once more for every other dtype that the op takes and no sample has: what is f32 and may be
 * of that dtype becomes it. References compute in f64; the checks wrap what they give.
 */
function inEveryDtype(op: OpName, testCase: AnyCase): AnyCase {
  const specs = new Map(table[op].inputs.map((spec) => [spec.name, spec]));
  const has = (name: string, dtype: Dtype): boolean =>
    testCase.samples.some(({ inputs }) =>
      placesOf(inputs).some((place) => place.name === name && place.spec?.dtype === dtype),
    );
  const missing = new Set(
    [...specs].flatMap(([name, spec]) => spec.dtypes.filter((dtype) => dtype !== 'f32' && !has(name, dtype))),
  );
  const converted = [...missing].flatMap((dtype) =>
    testCase.samples.map((sample) => {
      const one = (name: string, spec: Spec | null): Spec | null =>
        spec?.dtype === 'f32' && specs.get(name)?.dtypes.includes(dtype)
          ? { shape: spec.shape, dtype, fill: whole[dtype] }
          : spec;
      const inputs = Object.entries(sample.inputs).map(([name, slot]) => [
        name,
        Array.isArray(slot) ? slot.map((spec: Spec) => one(name, spec)) : one(name, slot as Spec | null),
      ]);
      return { ...sample, inputs: Object.fromEntries(inputs) as typeof sample.inputs };
    }),
  );
  return { ...testCase, samples: [...testCase.samples, ...converted] };
}

export const list: readonly (readonly [OpName, AnyCase])[] = Object.entries(cases).map(([name, testCase]) => {
  const op = name as OpName;
  return [op, inEveryDtype(op, testCase as unknown as AnyCase)];
});

const sum = (f: (testCase: AnyCase) => number): number => list.reduce((n, [, testCase]) => n + f(testCase), 0);
const differentiable = (testCase: AnyCase): number =>
  sumOf(testCase.samples, ({ inputs }) => placesOf(inputs).filter((place) => flagOf(testCase, place) === true).length);
const sumOf = <T>(all: readonly T[], f: (x: T) => number): number => all.reduce((n, x) => n + f(x), 0);

/**
 * What is derived from the table, in one build: ops, their input sets, and the checks made of them (a value and two
 * layouts a set, a first and a second derivative a differentiable input, the errors, and what no input may be).
 */
export const totals = {
  ops: Object.keys(table).length,
  samples: sum(({ samples }) => samples.length),
  checks: sum(
    (testCase) =>
      3 * testCase.samples.length +
      2 * differentiable(testCase) +
      testCase.errors.length +
      placesOf(testCase.samples[0]?.inputs ?? {}).length,
  ),
};
