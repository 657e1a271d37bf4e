// What an exported model is called and made of, what in-place writes become, and what is refused.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ArgumentError,
  backend,
  cat,
  compile,
  functional as F,
  init,
  nn,
  noGrad,
  RecordingError,
  type RetrogradError,
  randn,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import { type ExportOptions, exportOnnx, saveOnnx } from '../../bindings/onnx/index.ts';
import { decode } from '../../bindings/onnx/proto.ts';
import { toNd } from '../support/tensors.ts';
import { checksModels } from './checker.ts';
import { closeTo, Of, Runtime } from './runtime.ts';

beforeAll(() => init());
afterAll(() => shutdown());

const graphOf = async (model: nn.Module, given: Tensor | readonly unknown[], options?: ExportOptions) => {
  const { graph } = decode('ModelProto', await exportOnnx(model, given, options));
  return graph as NonNullable<typeof graph>;
};
const namesOf = (list: readonly { name?: string }[]): (string | undefined)[] => list.map(({ name }) => name);

describe('an exported model', () => {
  const model = (): nn.Sequential =>
    new nn.Sequential(
      new nn.Conv2d(1, 2, 3),
      new nn.BatchNorm2d(2),
      new nn.Sequential(new nn.Dropout(), new nn.ReLU()),
      new nn.Flatten(),
      new nn.Linear(32, 3),
    );

  it('has the keys of the state, the paths of modules, and no dropout', async () => {
    const { node, initializer, name } = await graphOf(model(), randn([2, 1, 6, 6]));
    expect(namesOf(node)).toEqual(['/0/Conv', '/1/BatchNormalization', '/2/1/Relu', '/3/Reshape', '/4/Gemm']);
    const keys = Object.keys(model().stateDict()).filter((key) => !key.endsWith('num_batches_tracked'));
    expect(namesOf(initializer).filter((key) => !key?.startsWith('constant'))).toEqual(keys.sort(byUse(node)));
    expect(name).toBe('Sequential');
  });

  /** In the order in which nodes read them. */
  const byUse = (nodes: readonly { readonly input: readonly string[] }[]) => {
    const order = nodes.flatMap(({ input }) => input);
    return (a: string, b: string): number => order.indexOf(a) - order.indexOf(b);
  };

  it('says which operators it needs, and who wrote it', async () => {
    for (const [opset, irVersion] of [
      [17, 8],
      [20, 9],
      [23, 11],
    ] as const) {
      const made = decode('ModelProto', await exportOnnx(model(), randn([2, 1, 6, 6]), { opset }));
      expect(made.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([['', opset]]);
      expect([made.irVersion, made.producerName]).toEqual([irVersion, 'retrograd']);
    }
  });

  const sizesOf = (info: Awaited<ReturnType<typeof graphOf>>['input'][number] | undefined): unknown[] =>
    info?.type?.tensorType?.shape?.dim.map(({ dimValue, dimParam }) => dimValue ?? dimParam) ?? [];

  it('has a batch of any size where that is asked for', async () => {
    const { input, output } = await graphOf(model(), randn([1, 1, 6, 6]), { dynamicBatch: true });
    expect([sizesOf(input[0]), sizesOf(output[0])]).toEqual([
      ['batch', 1, 6, 6],
      ['batch', 3],
    ]);
    const fixed = await graphOf(model(), randn([4, 1, 6, 6]));
    expect([sizesOf(fixed.input[0]), sizesOf(fixed.output[0])]).toEqual([
      [4, 1, 6, 6],
      [4, 3],
    ]);
  });

  it('says how sizes depend on the batch', async () => {
    const twice = new Of((x: Tensor) => [cat([x, x, x.narrow(0, 0, 1)]), x.reshape(-1)]);
    const { output } = await graphOf(twice, randn([4, 3]), { dynamicBatch: true });
    expect(output.map(sizesOf)).toEqual([['2*batch+1', 3], ['3*batch']]);
  });

  it('has inputs and outputs by number, by key, or as they are called', async () => {
    const pair = new Of((x: Tensor, y: Tensor) => ({ sum: x.add(y), parts: [x.neg(), y.neg()] }));
    const given = [randn([2]), randn([2])];
    expect(namesOf((await graphOf(pair, given)).input)).toEqual(['input_0', 'input_1']);
    expect(namesOf((await graphOf(pair, given)).output)).toEqual(['sum', 'parts.0', 'parts.1']);
    const named = { inputNames: ['a', 'b'], outputNames: ['x', 'y', 'z'] };
    expect(namesOf((await graphOf(pair, given, named)).input)).toEqual(['a', 'b']);
    expect(namesOf((await graphOf(pair, given, named)).output)).toEqual(['x', 'y', 'z']);
    expect(namesOf((await graphOf(new Of((x: Tensor) => [x.neg(), x.exp()]), given[0] as Tensor)).output)).toEqual([
      'output_0',
      'output_1',
    ]);
  });

  it('keeps the modes, the values and the memory of the model', async () => {
    const own = model();
    (own[1] as nn.Module).eval();
    const x = randn([2, 1, 6, 6]);
    const before = own.stateDict();
    const values = Object.values(before).map((y) => [...y.data]);
    const { used, blocks } = backend().memory;
    await exportOnnx(own, x, { dynamicBatch: true });
    expect(own.modules().map(({ training }) => training)).toEqual([true, true, false, true, true, true, true, true]);
    expect(Object.values(own.stateDict()).map((y) => [...y.data])).toEqual(values);
    expect(backend().memory).toMatchObject({ used, blocks });
  });

  it('is the same where forward is compiled', async () => {
    const linear = new nn.Linear(3, 2);
    class Compiled extends nn.Module {
      linear = linear;
      run = compile((x: Tensor) => this.linear.forward(x));
      forward(x: Tensor): Tensor {
        return this.run(x);
      }
    }
    expect(namesOf((await graphOf(new Compiled(), randn([2, 3]))).initializer)).toEqual([
      'linear.weight',
      'linear.bias',
    ]);
  });
});

describe('what cannot be exported', () => {
  const x = (): Tensor => randn([2, 3]);
  type Refused = [
    what: string,
    fn: (this: Of, x: Tensor) => unknown,
    options: ExportOptions,
    error: new (...args: never[]) => RetrogradError,
    message: RegExp,
  ];
  const refused: Refused[] = [
    [
      'a value that is read',
      (y) => (y.sum().item() > 0 ? y : y.neg()),
      {},
      RecordingError,
      /^exportOnnx: expected no read/,
    ],
    [
      'random numbers',
      (y) => F.dropout(y, 0.5, true).add(randn([3])),
      {},
      ArgumentError,
      /got dropout, normal; replace them/,
    ],
    [
      'a buffer that is written',
      function (y) {
        noGrad(() => this.buffer.add_(1));
        return y.add(this.buffer);
      },
      {},
      ArgumentError,
      /expected a model that writes nothing but what it computes, got add_, which writes a tensor of the model's/,
    ],
    ['no tensors', () => 3, {}, ArgumentError, /expected a module that gives tensors.* got 3/],
    ['a promise', async (y) => y, {}, ArgumentError, /expected a synchronous function/],
    [
      'another model for each batch',
      (y) => (y.shape[0] === 3 ? y.exp() : y.neg()),
      { dynamicBatch: true },
      ArgumentError,
      /expected a model that does the same for every batch, got neg and exp; .*dynamicBatch: false/,
    ],
    [
      'more of the same for larger batches',
      (y) => Array.from({ length: y.shape[0] as number }).reduce<Tensor>((z) => z.exp(), y),
      { dynamicBatch: true },
      ArgumentError,
      /does the same for every batch/,
    ],
    [
      'sizes that grow faster than the batch',
      (y) => y.matmul(y.t()).reshape(-1),
      { dynamicBatch: true },
      ArgumentError,
      /got shapes \[4\], \[9\], \[25\]/,
    ],
    [
      'numbers that depend on the batch',
      (y) => y.mul(1 / (y.shape[0] as number)),
      { dynamicBatch: true },
      ArgumentError,
      /expected a model that does the same for every batch|expected scale to be the same/,
    ],
    [
      'constants that depend on the batch',
      (y) => y.add(tensor(Array.from({ length: y.shape[0] as number }, (_, i) => [i]))),
      { dynamicBatch: true },
      ArgumentError,
      /got other numbers for each/,
    ],
    ['an old version of the operators', (y) => y, { opset: 16 }, ArgumentError, /expected opset from 17 to 23, got 16/],
    [
      'operators that came later',
      (y) => y.to('i32').bitwiseNot(),
      { opset: 17 },
      ArgumentError,
      /expected opset 18 or later for bitwiseNot/,
    ],
    [
      'too many names',
      (y) => y,
      { inputNames: ['a', 'b'] },
      ArgumentError,
      /expected 1 different inputNames, got \[a,b\]/,
    ],
    ['names twice', (y) => [y, y], { outputNames: ['a', 'a'] }, ArgumentError, /expected 2 different outputNames/],
    [
      'batches of no input',
      (y) => y,
      { dynamicBatch: [0, 0] },
      ArgumentError,
      /the dim of the batch of each of 1 tensors/,
    ],
    ['a batch in a dim that there is not', (y) => y, { dynamicBatch: [2] }, ArgumentError, /got \[2\]/],
  ];
  it.each(refused)('%s', async (_, fn, options, Kind, message) => {
    const model = new Of(fn as (this: Of, ...xs: never[]) => unknown);
    const given = [x()];
    const { used, blocks } = backend().memory;
    await expect(exportOnnx(model, given, options)).rejects.toThrow(Kind);
    await expect(exportOnnx(model, given, options)).rejects.toThrow(message);
    expect(model.training).toBe(true);
    expect(backend().memory).toMatchObject({ used, blocks });
  });

  it('inputs of several batches', async () => {
    const model = new Of((a: Tensor, b: Tensor) => [a, b]);
    await expect(exportOnnx(model, [randn([2, 3]), randn([4])], { dynamicBatch: true })).rejects.toThrow(
      /expected example inputs of one batch, got 2 and 4/,
    );
  });

  it('what is no module, and no input', async () => {
    await expect(exportOnnx({ forward: (y: Tensor) => y } as never, x())).rejects.toThrow(
      /expected an nn.Module as model, got an object/,
    );
    await expect(exportOnnx(new nn.Linear(1, 1), 3 as never)).rejects.toThrow(
      /expected a tensor or a list of arguments as exampleInputs/,
    );
  });

  it('names every op that is missing with all its places', async () => {
    class Noise extends nn.Module {
      forward(y: Tensor): Tensor {
        return F.dropout(y, { p: 0.5, training: true });
      }
    }
    const model = new nn.Sequential(new Noise(), new nn.ReLU(), new nn.Sequential(new Noise()));
    await expect(exportOnnx(model, x())).rejects.toThrow(
      'exportOnnx: expected ops that ONNX has, got dropout in 0 and in 2.0; replace them, or leave them out of the model that is exported',
    );
  });
});

describe('saveOnnx', () => {
  it.each([false, true])('writes a model whose weights are outside: %s', async (externalData) => {
    const folder = await mkdtemp(join(tmpdir(), 'onnx-'));
    const path = join(folder, 'model.onnx');
    try {
      const model = new nn.Sequential(new nn.Linear(30, 20), new nn.ReLU(), new nn.Linear(20, 20, { bias: false }));
      const x = randn([3, 30]);
      await saveOnnx(path, model, x, { externalData, dynamicBatch: true });
      const bytes = new Uint8Array(await readFile(path));
      const outside = decode('ModelProto', bytes).graph?.initializer.filter(({ dataLocation }) => dataLocation === 1);
      // Small ones stay inside.
      expect(outside?.map(({ name }) => name)).toEqual(externalData ? ['0.weight', '2.weight'] : []);
      const weights = externalData
        ? [{ path: 'model.onnx.data', data: new Uint8Array(await readFile(`${path}.data`)) }]
        : [];
      expect(bytes.length).toBeGreaterThan(externalData ? 0 : 4 * (600 + 400));
      const runtime = await Runtime.load(bytes, { externalData: weights });
      closeTo((await runtime.run([x]))[0], toNd(noGrad(() => model.forward(x))), 'output');
      await runtime.release();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('rejects where the export throws, and writes nothing', async () => {
    const model = new Of((x: Tensor) => x.add(randn([3])));
    await expect(saveOnnx('/nowhere/model.onnx', model, randn([3]))).rejects.toThrow(
      /^saveOnnx: expected ops that ONNX has/,
    );
    await expect(saveOnnx('/nowhere/model.onnx', new nn.Linear(3, 2), randn([3]))).rejects.toThrow(/ENOENT/);
    await expect(saveOnnx('', new nn.Linear(3, 2), randn([3]))).rejects.toThrow(
      /^saveOnnx: expected the path of a file/,
    );
  });
});

checksModels();
