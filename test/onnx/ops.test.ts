// Every op of the table as ONNX: each has a writer, and ONNX Runtime computes what we do, on the samples of its case;
// or it stands in the list of those that ONNX has no place for, with the reason.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, nn, scope, shutdown, type Tensor } from '../../bindings/index.ts';
import { writers } from '../../bindings/onnx/export/table.ts';
import { exportOnnx } from '../../bindings/onnx/index.ts';
import { decode } from '../../bindings/onnx/proto.ts';
import { type OpName, table } from '../../bindings/ops/table.ts';
import type { Nd } from '../../reference/nd.ts';
import { list as cases } from '../ops/cases/index.ts';
import { leaves, outcomeOf, runSample, type Sample, type Tensors, valuesOf, writtenBy } from '../ops/cases/samples.ts';
import { byName, placesOf } from '../ops/cases/types.ts';
import { checksModels } from './checker.ts';
import { missing } from './missing.ts';
import { closeTo, Runtime } from './runtime.ts';

/** The op on all samples of its case at once: so each has one session. */
class Every extends nn.Module {
  readonly #op: OpName;
  readonly #samples: readonly Sample[];
  constructor(op: OpName, samples: readonly Sample[]) {
    super();
    this.#op = op;
    this.#samples = samples;
  }

  forward(...all: Tensors[]): Record<string, Tensor>[] {
    return this.#samples.map((sample, i) => {
      // What is written has to be the graph's own.
      const written = new Set(writtenBy(this.#op));
      const own = placesOf(sample.inputs).map(({ name }, j) => {
        const x = (all[i] as Tensors)[j] ?? null;
        return x && written.has(name) ? x.clone() : x;
      });
      const results = runSample(this.#op, sample, own);
      const bag = byName(sample.inputs, own);
      for (const name of written) if (bag[name]) results[name] = bag[name] as Tensor;
      return results;
    });
  }
}

/** What belongs to training alone. */
const isTraining = ({ attrs = {} }: Sample): boolean => {
  const { training = false, p = 0 } = attrs as { training?: boolean; p?: number };
  return training || p > 0;
};

/** Samples with elements and without NaN: runtimes differ in what they make of those. */
const fits = (sample: Sample, values: readonly (Nd | null)[]): boolean =>
  !isTraining(sample) &&
  values.every((x) => !x || (x.data.length > 0 && Array.from(x.data).every((v) => !Number.isNaN(v))));

beforeAll(() => init());
afterAll(() => shutdown());

/** The first version of the operators that has all the samples ask for. */
const opsets: Partial<Record<OpName, number>> = {
  ...{ bitwiseNot: 18, bitwiseAnd: 18, bitwiseOr: 18, bitwiseXor: 18, col2im: 18, scatter: 18 },
  gridSample: 20,
};
/** Which operators a model is made of, and with which attributes. */
const kindsOf = (bytes: Uint8Array): string =>
  JSON.stringify(
    decode('ModelProto', bytes).graph?.node.map(({ opType, input, attribute }) => [
      opType,
      input.length,
      attribute.map(({ name }) => name),
    ]),
  );

it.each(cases.filter(([op]) => Object.hasOwn(writers, op)))(
  '%s is what ONNX Runtime computes',
  async (op, testCase) => {
    const tried = testCase.samples
      .map((sample, i) => ({ sample, values: valuesOf(op, sample, i) }))
      .filter(({ sample, values }) => fits(sample, values));
    expect(tried.length).toBeGreaterThan(0);
    const inputs = tried.map(({ sample, values }) => leaves(sample, values));
    const expected = tried.flatMap(({ sample, values }) =>
      scope(() => Object.values(outcomeOf(op, sample, leaves(sample, values)))).filter((x) => x !== null),
    );
    const model = new Every(
      op,
      tried.map(({ sample }) => sample),
    );
    const [first, last] = (await Promise.all(
      [opsets[op] ?? 17, 23].map((opset) => exportOnnx(model, inputs, { opset })),
    )) as [Uint8Array, Uint8Array];
    // What has other operators since is tried with both.
    for (const bytes of kindsOf(first) === kindsOf(last) ? [first] : [first, last]) {
      const runtime = await Runtime.load(bytes, { graphOptimizationLevel: 'disabled' });
      try {
        const answers = await runtime.run(inputs.flat().filter((x) => x !== null));
        expect(answers).toHaveLength(expected.length);
        for (const [i, x] of expected.entries())
          closeTo(answers[i], x as Nd, `${op} ${i}`, { absolute: testCase.tolerance.absolute });
      } finally {
        await runtime.release();
      }
    }
  },
);

describe('the ops that are left out', () => {
  it('are those without a writer, each for a reason', () => {
    const without = Object.keys(table).filter((op) => !Object.hasOwn(writers, op));
    expect(Object.keys(missing).sort()).toEqual(without.sort());
    expect(Object.keys(writers).filter((op) => !Object.hasOwn(table, op))).toEqual([]);
  });
});

checksModels();
