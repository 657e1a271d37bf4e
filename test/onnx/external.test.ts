// Weights in files beside a model: from where the model is, or given; only what is needed, by ranges.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, init, shutdown, type Tensor, tensor } from '../../bindings/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';
import { DATA, type Draft } from '../../bindings/onnx/messages.ts';
import { serve } from '../platforms/server.ts';
import { model, node, value } from './build.ts';

beforeAll(() => init({ threads: 1 }));
afterAll(() => shutdown());

/** x [n, 2] to y [n, 2]. */
const graph = (nodes: Draft<'NodeProto'>[], initializer: Draft<'TensorProto'>[] = []): Draft<'GraphProto'> => ({
  node: nodes,
  input: [value('x', ['n', 2])],
  output: [value('y', ['n', 2])],
  initializer,
});
const x = (): Tensor =>
  tensor([
    [1, 2],
    [-1, 3],
  ]);

describe('files', () => {
  const beside: Draft<'TensorProto'> = {
    name: 'w',
    dims: [2],
    dataType: DATA.FLOAT,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: 'weights.bin' },
      { key: 'offset', value: '4' },
      { key: 'length', value: '8' },
    ],
  };
  const file = model(graph([node('Mul', ['x', 'w'], ['y'])], [beside]));
  const weights = new Uint8Array(new Float32Array([9, 2, -3]).buffer);

  it('beside a model are read from where it is, or given', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onnx-'));
    try {
      await writeFile(join(folder, 'model.onnx'), file);
      await expect(loadOnnx(join(folder, 'model.onnx'))).rejects.toThrow('ENOENT');
      await writeFile(join(folder, 'weights.bin'), weights);
      const read = await loadOnnx(join(folder, 'model.onnx'));
      const given = await loadOnnx(file, { externalData: { 'weights.bin': weights } });
      for (const each of [read, given])
        expect(each.forward(x()).toArray()).toEqual([
          [2, -6],
          [-2, -9],
        ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('beside a model are asked for by name where they are not there, and have to be long enough', async () => {
    await expect(loadOnnx(file)).rejects.toThrow(/expected the bytes of 'weights.bin'.*externalData/);
    const short = { externalData: { 'weights.bin': weights.subarray(0, 8) } };
    await expect(loadOnnx(file, short)).rejects.toThrow(/got bytes 4 to 12 of 8/);
  });

  /** Two weights in one file, far apart, of which a cut needs the first; and what they are. */
  const apart = (key: string, offset: number, count = 2): Draft<'TensorProto'> => ({
    ...beside,
    name: key,
    dims: [count],
    externalData: [
      { key: 'location', value: 'parts/weights.bin' },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(4 * count) },
    ],
  });
  const FAR = 200_004;
  const large = model(
    graph([node('Mul', ['x', 'v'], ['z']), node('Mul', ['z', 'w'], ['y'])], [apart('v', 4), apart('w', FAR)]),
  );
  const numbers = new Float32Array(FAR / 4 + 10);
  numbers.set([2, -3], 1);
  numbers.set([10, 100], FAR / 4);
  const bytes = new Uint8Array(numbers.buffer);
  const whole = [
    [20, -600],
    [-20, -900],
  ];

  it('beside a model at an address are read by their ranges, and only where they are needed', async () => {
    const site = await serve({ files: { '/a/model.onnx': large, '/a/parts/weights.bin': bytes } });
    try {
      const url = `${site.origin}/a/model.onnx`;
      expect((await loadOnnx(url)).forward(x()).toArray()).toEqual(whole);
      expect(site.ranges).toEqual(['/a/parts/weights.bin 4-11', `/a/parts/weights.bin ${FAR}-${FAR + 7}`]);
      const cut = await loadOnnx(url, { outputs: ['z'] });
      expect(cut.forward(x()).toArray()).toEqual([
        [2, -6],
        [-2, -9],
      ]);
      expect(site.ranges.slice(2)).toEqual(['/a/parts/weights.bin 4-11']);
      const folder = await loadOnnx(large, { externalData: `${site.origin}/a` });
      expect(folder.forward(x()).toArray()).toEqual(whole);
      await expect(loadOnnx(`${site.origin}/b/model.onnx`)).rejects.toThrow(
        /expected 'http.*' to be there, got .* 404/,
      );
      await expect(loadOnnx(large, { externalData: `${site.origin}/b/` })).rejects.toThrow(/got 404/);
    } finally {
      await site.close();
    }
  });

  it('beside a model are Blobs, a folder, or what a function gives, and the model is a Blob', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'onnx-'));
    try {
      await mkdir(join(folder, 'parts'));
      await writeFile(join(folder, 'parts/weights.bin'), bytes);
      const blob = new Blob([new Uint8Array(3), bytes]).slice(3);
      for (const externalData of [
        { 'parts/weights.bin': blob },
        folder,
        (name: string) => (name === 'parts/weights.bin' ? blob : ''),
      ])
        expect((await loadOnnx(new Blob([Uint8Array.from(large)]), { externalData })).forward(x()).toArray()).toEqual(
          whole,
        );
      const nothing = () => undefined as never;
      await expect(loadOnnx(large, { externalData: nothing })).rejects.toThrow(
        /externalData to give a path.*got undefined/,
      );
      await expect(loadOnnx(large, { externalData: folder.slice(0, -1) })).rejects.toThrow('ENOENT');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('beside a model that are near each other are read at once', async () => {
    const near = model(
      graph([node('Mul', ['x', 'v'], ['z']), node('Mul', ['z', 'w'], ['y'])], [apart('w', 12), apart('v', 4)]),
    );
    const site = await serve({ files: { '/model.onnx': near, '/parts/weights.bin': bytes } });
    try {
      await loadOnnx(`${site.origin}/model.onnx`);
      expect(site.ranges).toEqual(['/parts/weights.bin 4-19']);
    } finally {
      await site.close();
    }
  });

  it.each(['/etc/passwd', '../secret', 'a/../../b', 'C:\\x', 'https://a.b/c'])(
    'are not read from %s',
    async (location) => {
      const outside = { ...beside, externalData: [{ key: 'location', value: location }] };
      const bad = model(graph([node('Mul', ['x', 'w'], ['y'])], [outside]));
      await expect(loadOnnx(bad)).rejects.toThrow(FormatError);
    },
  );
});
