// ONNX Runtime, which runs what was exported.

import { env, InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-web';
import { expect } from 'vitest';
import { nn, noGrad, ones, tensor } from '../../bindings/index.ts';
import { tensorsOf } from '../../bindings/onnx/export/trace.ts';
import { type ExportOptions, exportOnnx, loadOnnx } from '../../bindings/onnx/index.ts';
import { mapTensors } from '../../bindings/program/key.ts';
import type { Dtype, Tensor } from '../../bindings/tensor.ts';
import { expectClose, toNd } from '../support/tensors.ts';
import { keep } from './checker.ts';

env.wasm.numThreads = 1;
env.logLevel = 'error';

const TYPES = { f32: 'float32', i32: 'int32', u8: 'uint8' } as const satisfies Record<Dtype, string>;

export interface Answer {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What the runtime makes of a model, its inputs in order. */
export class Runtime {
  readonly #session: InferenceSession;
  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** @param options more of the runtime's own */
  static async load(bytes: Uint8Array, options: InferenceSession.SessionOptions = {}): Promise<Runtime> {
    if (!options.externalData?.length) keep(bytes);
    return new Runtime(await InferenceSession.create(bytes, { executionProviders: ['wasm'], ...options }));
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  async run(inputs: readonly Tensor[]): Promise<Answer[]> {
    const feeds = Object.fromEntries(
      inputs.map((x, i) => [this.#session.inputNames[i] as string, new RuntimeTensor(TYPES[x.dtype], x.data, x.shape)]),
    );
    const results = await this.#session.run(feeds);
    return this.#session.outputNames.map((name) => {
      const { type, dims, data } = results[name] as RuntimeTensor;
      return { name, dtype: type, shape: dims, data: data as ArrayLike<number> };
    });
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** Holds an answer against our numbers: shape, and max|a − b| / max|b|. */
export function closeTo(
  answer: Pick<Answer, 'shape' | 'data'> | undefined,
  { shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  what: string,
  { relative = 1e-5, absolute = 0 }: { relative?: number; absolute?: number | undefined } = {},
): void {
  expect(answer?.shape, `${what}: shape`).toEqual(shape);
  const finite = Array.from(data).filter(Number.isFinite);
  const largest = finite.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
  expectClose(answer?.data ?? [], data, { relative, absolute: relative * largest + absolute }, what);
}

export type Forward = { forward(...args: unknown[]): unknown };

/** Exports a model, and holds what the runtime makes of `args` against what we do. */
export async function holds(
  model: nn.Module,
  given: readonly unknown[],
  others: readonly (readonly unknown[])[] = [],
  options: ExportOptions = { dynamicBatch: others.length > 0 },
): Promise<void> {
  const bytes = await exportOnnx(model, given, options);
  const runtime = await Runtime.load(bytes);
  // Back again: what we make of it is what it was made of.
  const own = (await loadOnnx<Tensor | Tensor[], Tensor[]>(bytes)).eval();
  try {
    for (const args of [given, ...others]) {
      const answers = await runtime.run(tensorsOf(args));
      const again = noGrad(() => own.forward(...tensorsOf(args)));
      const loaded = Array.isArray(again) ? again : [again];
      const ours: Tensor[] = [];
      const y = noGrad(() => (model.eval() as unknown as Forward).forward(...args));
      mapTensors(y, (x) => ours.push(x));
      expect(answers).toHaveLength(ours.length);
      ours.forEach((x, i) => {
        closeTo(answers[i], toNd(x), `output ${i}`);
        closeTo(loaded[i], toNd(x), `output ${i} of the model that was loaded`);
      });
    }
  } finally {
    await runtime.release();
  }
}

/** A module of one function. */
export class Of extends nn.Module {
  readonly weight = new nn.Parameter(
    tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  );
  readonly buffer = new nn.Buffer(ones([3]));
  readonly #fn: (this: Of, ...xs: never[]) => unknown;
  constructor(fn: (this: Of, ...xs: never[]) => unknown) {
    super();
    this.#fn = fn;
  }
  forward(...xs: never[]): unknown {
    return this.#fn.apply(this, xs);
  }
}
