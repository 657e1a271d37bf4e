// init() and shutdown() in any order, and what calls say when nothing runs.
import { afterEach, describe, expect, it } from 'vitest';
import { onStart } from '../../bindings/engine/engine.ts';
import * as r from '../../bindings/index.ts';
import { BackendError, type Tensor } from '../../bindings/index.ts';
import { type Signature, signatures } from '../../bindings/signature.ts';
import { random } from '../../reference/random.ts';

const A = { simd: 'strict', threads: 1, tile: '4x8' } as const;
const B = { ...A, tile: '6x8' } as const;
const C = { ...A, locate: (file: string) => `./nowhere/${file}` } as const;

afterEach(() => r.shutdown());

describe('init and shutdown', () => {
  it('run what was asked for last', async () => {
    r.init(A); // whoever does not await it is not told
    r.shutdown();
    await r.init(B);
    expect(r.backend().tile).toBe('6x8');
    r.shutdown();
    r.shutdown();
    expect(() => r.backend()).toThrow(BackendError);
  });

  it('tell whoever awaits that they overtook it', async () => {
    const first = r.init(A);
    const second = r.init(A);
    r.shutdown();
    const third = r.init(A);
    await expect(first).rejects.toThrow(/^init: expected time to start, got a shutdown\(\) before it had/);
    await expect(second).rejects.toThrow(BackendError);
    await third;
    expect(r.zeros([2]).sum().item()).toBe(0);
  });

  it('refuse other options while they start, and let the first ones run', async () => {
    const first = r.init(A);
    await expect(r.init(B)).rejects.toThrow(/^init: expected the options of the running backend, got others/);
    await first;
    await expect(r.init(B)).rejects.toThrow(BackendError);
    expect(r.backend().tile).toBe('4x8');
  });

  it('start anew after a start that failed, at once or later', async () => {
    await expect(r.init(C)).rejects.toThrow(BackendError);
    expect(() => r.zeros([1])).toThrow(BackendError);
    await r.init(A);
    r.shutdown();
    let fails = true;
    onStart(() => {
      if (fails) throw new r.OutOfMemoryError(1, 1, 1);
    });
    await expect(r.init(A)).rejects.toThrow(r.OutOfMemoryError);
    expect(() => r.zeros([1])).toThrow(BackendError);
    fails = false;
    await r.init(B);
    expect(r.backend().tile).toBe('6x8');
  });

  it('are refused inside of a compiled function', async () => {
    await r.init(A);
    expect(() => r.compile(() => r.shutdown())()).toThrow(r.RecordingError);
    expect(r.ones([2]).sum().item()).toBe(2);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('in a random order, run %i: as one would expect', async (seed) => {
    const next = random(`order ${seed}`);
    /** What runs when all that was begun is over. */
    let wanted: typeof A | typeof B | null = null;
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      const kind = next();
      if (kind < 0.5) {
        const options = next() < 0.5 ? A : B;
        const call = r.init(options);
        if (wanted && wanted !== options) waiting.push(expect(call).rejects.toThrow(BackendError));
        else wanted = options;
      } else if (kind < 0.8) {
        r.shutdown();
        wanted = null;
      } else await Promise.all([...waiting, wanted && r.init(wanted)]);
    }
    await Promise.all([...waiting, wanted && r.init(wanted)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (wanted) expect(r.backend().tile).toBe(wanted.tile);
    else expect(() => r.backend()).toThrow(BackendError);
  });
});

describe('when nothing runs', () => {
  const SHAPES = [[4], [4, 4], [1, 4], [4, 4, 4], [4, 4, 4, 4], [4, 4, 4, 4, 4]];
  const DTYPES = ['f32', 'i32', 'u8'] as const;
  type Make = (shape: readonly number[], dtype: r.Dtype) => Tensor;
  /** What stands for arguments of a name, or else of a kind; for all others 1. */
  const NAMES: Readonly<Record<string, unknown>> = { end: 2, high: 2, length: 2, data: [1] };
  const KINDS: Readonly<Record<string, unknown>> = { dtype: 'u8', 'int[]': [1], function: () => 1 };

  /** Arguments for all that is required: tensors of one shape, x in f32 and the others in `dtype`. */
  function argumentsOf({ parameters }: Signature, dead: Make, shape: readonly number[], dtype: r.Dtype): unknown[] {
    const required = parameters.filter((p) => p.required || p.variadic);
    return required.flatMap(({ kind, name, variadic }, i): unknown[] => {
      if (kind === 'Tensor[]') return [[dead(shape, 'f32')]];
      if (kind.startsWith('Tensor')) return [dead(shape, i === 0 && name === 'x' ? 'f32' : dtype)];
      if (variadic) return name === 'dims' ? shape.map((_, d) => d) : [...shape];
      return [NAMES[name] ?? KINDS[kind] ?? 1];
    });
  }

  /** How calls of a function end, for some shapes and dtypes: null for an answer. */
  function endsOf(signature: Signature, make: Make): (Error | null)[] {
    return SHAPES.flatMap((shape) =>
      DTYPES.map((dtype) => {
        try {
          (signature.fn as (...args: unknown[]) => unknown)(...argumentsOf(signature, make, shape, dtype));
          return null;
        } catch (error) {
          expect(error, signature.text).toBeInstanceOf(r.RetrogradError);
          return error as Error;
        }
      }),
    );
  }

  it('every function with numbers says so', async () => {
    // Files, modes; clipping is called below.
    const others = /^(init|shutdown|read|write|encode|decode|save|load|set)|Grad/;
    const calls = signatures.filter(({ fn, path }) => fn && !path.includes('.') && !others.test(path));
    await r.init(A);
    // Those that our arguments suit while something runs.
    const live: Make = (shape, dtype) => r.zeros(shape, { dtype });
    const apt = calls.filter((signature) => endsOf(signature, live).includes(null));
    expect(apt.length).toBeGreaterThan(150);
    const made = new Map<string, Tensor>();
    for (const shape of SHAPES) for (const dtype of DTYPES) made.set(`${shape} ${dtype}`, r.zeros(shape, { dtype }));
    r.shutdown();
    const dead: Make = (shape, dtype) => made.get(`${shape} ${dtype}`) as Tensor;
    const silent = apt.filter((signature) => !endsOf(signature, dead).some((end) => end instanceof BackendError));
    // These give back what they were given, or make a function, or call one that needs nothing.
    const same = ['alphaDropout', 'featureAlphaDropout', 'contiguous', 'positive'];
    const averages = ['getEmaAvgFn', 'getEmaMultiAvgFn', 'getSwaAvgFn', 'getSwaMultiAvgFn'];
    const needless = [...same, 'calculateFanInAndFanOut', 'cached', 'compile', 'detectAnomaly', 'vmap', ...averages];
    expect(silent.map(({ path }) => path).sort()).toEqual(needless.sort());
  });

  it('so do tensors, scopes, loaders, layers and compiled functions', async () => {
    await r.init(A);
    const x = r.ones([2, 3], { requiresGrad: true });
    const loss = x.sum();
    const loader = new r.data.DataLoader(new r.data.TensorDataset(x));
    const iterator = loader[Symbol.iterator]();
    iterator.next();
    const model = new r.nn.Sequential(new r.nn.Linear(3, 2), new r.nn.BatchNorm1d(2));
    const optimizer = new r.optim.Adam(model.parameters());
    const compiled = r.compile((y: Tensor) => y.mul(2));
    compiled(x.detach());
    r.shutdown();
    const calls: Record<string, () => unknown> = {
      data: () => x.data,
      item: () => loss.item(),
      toArray: () => x.toArray(),
      keep: () => x.keep(),
      backward: () => loss.backward(),
      grad: () => r.grad(loss, [x]),
      json: () => JSON.stringify(x),
      scope: () => r.scope(() => 1),
      loop: () => [...loader],
      turn: () => iterator.next(),
      batch: () => loader.dataset.batch(Int32Array.of(0)),
      forward: () => model.forward(x),
      layer: () => new r.nn.Linear(2, 2),
      compiled: () => compiled(x.detach()),
      save: () => r.io.encodeSafetensors(model.stateDict() as never),
      backend: () => r.backend(),
      shuffle: () => [...new r.data.DataLoader({ length: 1, batch: () => [] }, { shuffle: true })],
      zeroGrad: () => optimizer.zeroGrad(),
      clip: () => r.optim.clipGradNorm([x], 1),
    };
    for (const [name, call] of Object.entries(calls)) expect(call, name).toThrow(BackendError);
    for (const call of [() => String(x), () => x.dispose(), () => x.shape, () => loader.state()])
      expect(call, String(call)).not.toThrow();
  });
});
