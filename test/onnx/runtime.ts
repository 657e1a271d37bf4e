// ONNX Runtime, which runs what was exported.

import { env, InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-web';
import { expect } from 'vitest';
import type { Dtype, Tensor } from '../../bindings/tensor.ts';
import { expectClose } from '../support/tensors.ts';
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
    keep(bytes);
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
  answer: Answer | undefined,
  { shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  what: string,
  { relative = 1e-5, absolute = 0 }: { relative?: number; absolute?: number | undefined } = {},
): void {
  expect(answer?.shape, `${what}: shape`).toEqual(shape);
  const finite = Array.from(data).filter(Number.isFinite);
  const largest = finite.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
  expectClose(answer?.data ?? [], data, { relative, absolute: relative * largest + absolute }, what);
}
