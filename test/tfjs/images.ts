// Calls of kernels on images at random, over a table of geometries: what the tests of the families hold against the cpu
// backend of TensorFlow.js, with guards behind all that is written.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { numelOf } from '../../bindings/sizes.ts';
import type { Backend } from '../../bindings/tfjs/backend.ts';
import { listen } from '../../bindings/tfjs/link.ts';

/** Numbers in [0, 1) that are the same in every run. */
export function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Given {
  readonly shape: number[];
  readonly values: ArrayLike<number>;
  readonly dtype?: 'int32';
}
/** Inputs by name: a shape of random numbers, or the numbers. */
export type Inputs = Readonly<Record<string, readonly number[] | Given>>;
const isGiven = (input: Inputs[string]): input is Given => !Array.isArray(input);

/** One kernel of tfjs, called. */
export interface Call {
  readonly kernel: string;
  readonly inputs: Inputs;
  readonly attrs: object;
}

/** Elements behind each result: neither read nor written. */
const GUARD = 67;

/** Runs `f` with guards behind all that kernels of ours write. @returns how many elements of guards were changed */
function guarded(backend: Backend, f: () => void): number {
  type Made = ReturnType<Backend['make']>;
  const guards: { data: Made['dataId']; n: number; copy: Uint8Array }[] = [];
  const bytes = ({ data, n }: { data: Made['dataId']; n: number }): Uint8Array => {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = data.look(n + GUARD).subarray(n);
    return new Uint8Array(buffer, byteOffset, GUARD * BYTES_PER_ELEMENT).slice();
  };
  const guard = (data: Made['dataId'], n: number): void => {
    data.look(n + GUARD).fill(Number.NaN, 0);
    data.size = n;
    guards.push({ data, n, copy: bytes({ data, n }) });
  };
  const { make, temporary } = backend;
  let changed = 0;
  const check = (): void => {
    for (const each of guards.splice(0)) {
      const now = bytes(each);
      changed += now.filter((byte, i) => byte !== each.copy[i]).length;
    }
  };
  Object.assign(backend, {
    make(shape: readonly number[], dtype: 'float32') {
      const made = make.call(backend, [numelOf(shape) + GUARD], dtype);
      guard(made.dataId, numelOf(shape));
      return { ...made, shape };
    },
    temporary(size: number, dtype: 'float32') {
      const data = temporary.call(backend, size + GUARD, dtype);
      guard(data, size);
      return data;
    },
  });
  const { run } = backend;
  // Temporaries are freed with the call, so they are looked at before.
  Object.assign(backend, {
    run: (row: Parameters<Backend['run']>[0], inputs: object, attrs: unknown) =>
      run.call(
        backend,
        {
          run: (...args: Parameters<typeof row.run>) => {
            const result = row.run(...args);
            check();
            return result;
          },
        },
        inputs,
        attrs,
      ),
  });
  try {
    f();
  } finally {
    for (const name of ['make', 'temporary', 'run']) delete (backend as unknown as Record<string, unknown>)[name];
  }
  return changed;
}

const valuesOf = (input: Inputs[string], random: () => number): number[] =>
  isGiven(input) ? Array.from(input.values) : Array.from({ length: numelOf(input) }, () => random() * 2 - 1);

/** The results of a call on the backend that is set. */
function resultsOf({ kernel, inputs, attrs }: Call): { shape: number[]; dtype: string; values: number[] }[] {
  return tf.tidy(() => {
    const random = stream(7);
    const tensors: Record<string, tf.Tensor> = {};
    for (const [name, input] of Object.entries(inputs)) {
      const shape = isGiven(input) ? input.shape : [...input];
      const dtype = (isGiven(input) && input.dtype) || 'float32';
      tensors[name] = tf.tensor(valuesOf(input, random), shape, dtype);
    }
    const results = tf.engine().runKernel(kernel, tensors, attrs as tf.NamedAttrMap) as tf.Tensor | tf.Tensor[];
    return [results].flat().map((result) => ({
      ...{ shape: result.shape, dtype: result.dtype, values: Array.from(result.dataSync()) },
    }));
  });
}

const CLOSE = 2e-5;

/**
 * Holds a call on the kernels of ours against the cpu backend's.
 * @param own whether ours must compute it; else the cpu backend's do
 */
export async function expectAlike(call: Call, own = true): Promise<void> {
  const text = JSON.stringify({
    ...call,
    inputs: Object.values(call.inputs).map((x) => (isGiven(x) ? x.shape : x)),
  });
  await tf.setBackend('cpu');
  const wanted = resultsOf(call);
  await tf.setBackend('retrograd');
  let isOwn = true;
  listen((kernel, ours) => {
    if (kernel === call.kernel) isOwn = ours;
  });
  let got: typeof wanted = [];
  const changed = guarded(tf.backend() as unknown as Backend, () => {
    got = resultsOf(call);
  });
  listen(null);
  expect(changed, `bytes written behind the results of ${text}`).toBe(0);
  expect(isOwn, text).toBe(own);
  expect(
    got.map(({ shape }) => shape),
    text,
  ).toEqual(wanted.map(({ shape }) => shape));
  wanted.forEach(({ values, dtype }, i) => {
    const ours = got[i] as (typeof wanted)[number];
    expect(ours.dtype, text).toBe(dtype);
    const scale = values.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-3);
    const wrong = values.findIndex((x, j) => {
      const y = ours.values[j] as number;
      return !(Object.is(x, y) || x === y || Math.abs(x - y) <= CLOSE * scale);
    });
    if (wrong >= 0) expect.fail(`${text}: result ${i}[${wrong}] is ${ours.values[wrong]}, on cpu ${values[wrong]}`);
  });
}
