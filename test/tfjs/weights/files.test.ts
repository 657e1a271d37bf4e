// model.json and its shards: read, written, and with weights in fewer bits.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers as l, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, nn, randn, scope } from '../../../bindings/index.ts';
import {
  loadWeights,
  type ModelFiles,
  readModelFiles,
  saveWeights,
  writeModelFiles,
} from '../../../bindings/tfjs/index.ts';
import { modelOf, type Row, rows } from './rows.ts';

beforeAll(async () => {
  await init({ threads: 1 });
  await tf.setBackend('cpu');
});

/** What a model saves. */
async function filesOf(model: { save(handler: tf.io.IOHandler): Promise<unknown> }): Promise<ModelFiles> {
  let files: ModelFiles = {};
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      files = artifacts as ModelFiles;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  return files;
}
const row = rows[1] as Row;
const module = (): nn.Sequential => new nn.Sequential(...(row.modules() as nn.Layer[])).eval();
const state = (one: nn.Module): Record<string, number[]> =>
  Object.fromEntries(Object.entries(one.stateDict()).map(([name, x]) => [name, Array.from(x.data)]));

it('takes the files of a model, and gives such as tfjs loads', async () => {
  const files = await filesOf(modelOf(row));
  const one = module();
  loadWeights(one, files);
  const back = saveWeights(one, files);
  expect(new Float32Array(back.weightData as ArrayBuffer)).toEqual(new Float32Array(files.weightData as ArrayBuffer));
  const { weightSpecs, ...rest } = files;
  loadWeights(one, { ...rest, weightsManifest: [{ weights: weightSpecs ?? [] }] });
  expect(() => loadWeights(one, { ...files, weightData: new ArrayBuffer(8) })).toThrow(/expected \d+ bytes of weights/);
});

describe('weights in fewer bits', () => {
  /** The same files, with each weight as tensorflowjs_converter stores it. */
  function quantize(files: ModelFiles, dtype: 'uint8' | 'uint16' | 'float16'): ModelFiles {
    const all = new Float32Array(files.weightData as ArrayBuffer);
    const parts: ArrayBuffer[] = [];
    let at = 0;
    const weightSpecs = (files.weightSpecs ?? []).map((spec) => {
      const n = spec.shape.reduce((a, b) => a * b, 1);
      const values = all.subarray(at, at + n);
      at += n;
      if (dtype === 'float16') {
        // Of numbers of this size: a sign, five bits of exponent, ten of fraction, the rest cut off.
        const bits = new Uint32Array(values.slice().buffer);
        const half = Uint16Array.from(bits, (b) =>
          ((b >>> 23) & 0xff) < 113
            ? 0
            : ((b >>> 16) & 0x8000) | ((((b >>> 23) & 0xff) - 112) << 10) | ((b >>> 13) & 0x3ff),
        );
        parts.push(half.buffer);
        return { ...spec, quantization: { dtype, original_dtype: 'float32' } };
      }
      const [min, max] = [Math.min(...values), Math.max(...values)];
      const most = dtype === 'uint8' ? 255 : 65535;
      const scale = (max - min) / most || 1;
      const codes = Array.from(values, (value) => Math.round((value - min) / scale));
      parts.push(dtype === 'uint8' ? Uint8Array.from(codes).buffer : Uint16Array.from(codes).buffer);
      return { ...spec, quantization: { dtype, scale, min, original_dtype: 'float32' } };
    });
    return { ...files, weightSpecs, weightData: parts };
  }

  it.each(['uint8', 'uint16', 'float16'] as const)('%s become what tfjs reads', async (dtype) => {
    const files = await filesOf(modelOf(row));
    const fewer = quantize(files, dtype);
    const known = tf.io.decodeWeights(
      fewer.weightData as ArrayBuffer[],
      fewer.weightSpecs as tf.io.WeightsManifestEntry[],
    );
    const floats = (fewer.weightSpecs ?? []).map(
      ({ name }) => (known[name] as tf.Tensor).dataSync<'float32'>().slice().buffer,
    );
    const [got, want] = [module(), module()];
    loadWeights(got, fewer);
    loadWeights(want, { ...files, weightData: floats as ArrayBuffer[] });
    const wanted = state(want);
    for (const [name, values] of Object.entries(state(got)))
      for (const [i, value] of values.entries())
        expect(Math.abs(value - (wanted[name]?.[i] as number))).toBeLessThan(1e-6);
    const back = saveWeights(got, fewer);
    expect(back.weightSpecs?.every(({ quantization }) => quantization === undefined)).toBe(true);
    const again = module();
    loadWeights(again, back);
    expect(state(again)).toEqual(state(got));
    const served = await loadLayersModel(tf.io.fromMemory(back as tf.io.ModelArtifacts));
    expect(served.getWeights()[0]?.dataSync()[0]).toBe(new Float32Array(back.weightData as ArrayBuffer)[0]);
  });

  it('are refused where it is not said how', async () => {
    const files = quantize(await filesOf(modelOf(row)), 'uint8');
    const [first, ...others] = files.weightSpecs ?? [];
    const wrong = (spec: object): ModelFiles => ({
      ...files,
      weightSpecs: [{ ...(first as NonNullable<typeof first>), ...spec }, ...others],
    });
    expect(() => loadWeights(module(), wrong({ quantization: { dtype: 'uint8' } }))).toThrow(/got uint8 without them/);
    expect(() => loadWeights(module(), wrong({ quantization: { dtype: 'int4', scale: 1, min: 0 } }))).toThrow(
      /got int4/,
    );
    expect(() => loadWeights(module(), wrong({ dtype: 'string', quantization: undefined }))).toThrow(/got string/);
    expect(() => loadWeights(module(), wrong({ dtype: 'int32' }))).toThrow(/expected float32 for weight/);
  });
});

describe('model.json', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'model-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** model.json with its weights in two shards, cut where no weight ends. */
  async function shards(): Promise<{ files: ModelFiles; parts: Record<string, Uint8Array> }> {
    const files = await filesOf(modelOf(row));
    const bytes = new Uint8Array(files.weightData as ArrayBuffer);
    const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
    const json = { modelTopology: files.modelTopology, weightsManifest: [{ paths, weights: files.weightSpecs }] };
    const parts = {
      'model.json': new TextEncoder().encode(JSON.stringify(json)),
      [paths[0] as string]: bytes.slice(0, 13),
      [paths[1] as string]: bytes.slice(13),
    };
    for (const [name, part] of Object.entries(parts)) await writeFile(join(folder, name), part);
    return { files, parts };
  }
  /** Serves the folder to those who know the word. */
  async function served<T>(use: (url: string) => Promise<T>): Promise<T> {
    const server = createServer(async (request, response) => {
      const { pathname, search } = new URL(request.url as string, 'http://localhost');
      const found = search === '?key=a/b' && (await readFile(join(folder, pathname)).catch(() => undefined));
      response.writeHead(found ? 200 : 404).end(found || '');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.close();
    }
  }
  function expectWeights(found: ModelFiles, files: ModelFiles): void {
    const [got, want] = [module(), module()];
    loadWeights(got, found);
    loadWeights(want, files);
    expect(state(got)).toEqual(state(want));
  }

  it('comes from a path, a URL and a list of Files, with its shards', async () => {
    const { files, parts } = await shards();
    const path = join(folder, 'model.json');
    expectWeights(await readModelFiles(path), files);
    expectWeights(await readModelFiles(pathToFileURL(path)), files);
    await served(async (url) => {
      expectWeights(await readModelFiles(`${url}/model.json?key=a/b`), files);
      expectWeights(await readModelFiles(new URL(`${url}/model.json?key=a/b`)), files);
      await expect(readModelFiles(`${url}/model.json`)).rejects.toThrow(/expected bytes at http.*model.json, got 404/);
    });
    const list = Object.entries(parts).map(([name, part]) => new File([part as Uint8Array<ArrayBuffer>], name));
    expectWeights(await readModelFiles(list.reverse()), files);
  });

  it('is refused where it is none, or a part is missing', async () => {
    const { parts } = await shards();
    await expect(readModelFiles(join(folder, 'none.json'))).rejects.toThrow(/ENOENT/);
    await expect(readModelFiles(join(folder, 'group1-shard1of2.bin'))).rejects.toThrow(/expected the model.json of/);
    const [json, shard] = Object.entries(parts).map(
      ([name, part]) => new File([part as Uint8Array<ArrayBuffer>], name),
    );
    await expect(readModelFiles([json as File, shard as File])).rejects.toThrow(
      /one group1-shard2of2.bin among the files/,
    );
    await expect(readModelFiles([shard as File])).rejects.toThrow(/one model.json among the files, got 0/);
    await expect(readModelFiles([] as never)).rejects.toThrow(/expected the path or URL of a model.json, or a list/);
    await rm(join(folder, 'group1-shard2of2.bin'));
    await expect(readModelFiles(join(folder, 'model.json'))).rejects.toThrow(/ENOENT/);
  });

  it('is written for tfjs to load', async () => {
    const { files } = await shards();
    const one = module();
    loadWeights(one, files);
    for (const p of one.parameters()) p.requiresGrad = false;
    for (const p of one.parameters()) p.mul_(0.5);
    const path = join(folder, 'half.json');
    await writeModelFiles(path, saveWeights(one, files));
    expectWeights(await readModelFiles(path), saveWeights(one, files));
    const model = await served((url) =>
      loadLayersModel(`${url}/half.json?key=a/b`, { weightUrlConverter: async (name) => `${url}/${name}?key=a/b` }),
    );
    const x = randn([2, ...row.shape]);
    const want = scope(() => Array.from(one.forward(x).data));
    const flat = scope(() => Array.from(x.permute([0, 2, 3, 1]).contiguous().data));
    const got = tf.tidy(() => (model.predict(tf.tensor(flat, [2, 6, 8, 3])) as tf.Tensor).dataSync());
    for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 4);
    await expect(writeModelFiles(path, {})).rejects.toThrow(/writeModelFiles: expected a LayersModel, or files/);
  });
});

it('has SeparableConv1D of Keras, as a SeparableConv2D of one row', async () => {
  const model = sequential();
  model.add(l.separableConv2d({ filters: 4, kernelSize: [1, 3], depthMultiplier: 2, inputShape: [1, 7, 3] }));
  const files = await filesOf(model);
  const text = JSON.stringify(files.modelTopology).replace(
    '"class_name":"SeparableConv2D"',
    '"class_name":"SeparableConv1D"',
  );
  const topology = JSON.parse(text);
  Object.assign(topology.config.layers[0].config, { kernel_size: [3], strides: [1], dilation_rate: [1] });
  const weightSpecs = files.weightSpecs?.map((spec) =>
    spec.shape.length === 4 ? { ...spec, shape: spec.shape.slice(1) } : spec,
  );
  const one = new nn.Sequential(new nn.Conv1d(3, 6, 3, { groups: 3, bias: false }), new nn.Conv1d(6, 4, 1));
  loadWeights(one, { ...files, modelTopology: topology, weightSpecs: weightSpecs ?? [] });
  const x = randn([2, 3, 7]);
  const got = scope(() => Array.from(one.forward(x).transpose(1, 2).contiguous().data));
  const flat = scope(() => Array.from(x.transpose(1, 2).contiguous().data));
  const want = tf.tidy(() => (model.predict(tf.tensor(flat, [2, 1, 7, 3])) as tf.Tensor).dataSync());
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(want[i] as number, 5);
});
