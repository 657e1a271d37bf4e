// Weights of PyTorch in several files with an index, as Hugging Face's library wrote those that are large.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FormatError, init, shutdown } from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';

const SAFE = fileURLToPath(new URL('files/gpt2', import.meta.url));
const INDEX = 'pytorch_model.bin.index.json';
let folder: string;
let index: string;
let tensors: Awaited<ReturnType<Awaited<ReturnType<typeof io.openSafetensors>>['tensors']>>;
beforeAll(async () => {
  await init({ simd: 'strict', threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'retrograd-shards-'));
  index = join(folder, INDEX);
  const opened = await io.openSafetensors(join(SAFE, 'model.safetensors.index.json'));
  tensors = await opened.tensors();
  await opened.close();
  const places: Record<string, string> = {};
  for (const part of [0, 1]) {
    const own = Object.entries(tensors).filter((_, i) => i % 2 === part);
    for (const [name] of own) places[name] = `pytorch_model-0000${part + 1}-of-00002.bin`;
    await io.savePyTorch(join(folder, `pytorch_model-0000${part + 1}-of-00002.bin`), Object.fromEntries(own));
  }
  await writeFile(index, JSON.stringify({ metadata: {}, weight_map: places }));
  await copyFile(join(SAFE, 'config.json'), join(folder, 'config.json'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await shutdown();
});

it('come together by the index', async () => {
  const state = await io.loadPyTorch(index);
  expect(Object.keys(state).sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, { dtype, shape, data }] of Object.entries(tensors))
    expect({ ...state[name] }, name).toEqual({ dtype, shape, data });
});

it('load as a model of Hugging Face', async () => {
  const [model, other] = [await io.loadPretrained(folder), await io.loadPretrained(SAFE)];
  const [own, expected] = [model, other].map((each) =>
    Object.entries(each.stateDict()).map(([name, x]) => [name, [...x.data]]),
  );
  expect(own).toEqual(expected);
  const files = (name: string) => (name === INDEX || name === 'config.json' ? join(folder, name) : null);
  await expect(io.loadPretrained(files)).rejects.toThrow(
    /expected the file pytorch_model-0000.-of-00002.bin, which the index names/,
  );
});

it.each([
  [
    'no tensor of the name',
    { x: 'pytorch_model-00001-of-00002.bin' },
    FormatError,
    /^loadPyTorch: expected "x" in pytorch_model-00001/,
  ],
  ['a file elsewhere', { x: '../secret.bin' }, FormatError, /names of files beside the index/],
  ['a file that is not there', { x: 'none.bin' }, Error, /ENOENT/],
])('refuse %s', async (_, map, kind, message) => {
  const wrong = join(folder, 'wrong.index.json');
  await writeFile(wrong, JSON.stringify({ weight_map: map }));
  await expect(io.loadPyTorch(wrong)).rejects.toThrow(kind);
  await expect(io.loadPyTorch(wrong)).rejects.toThrow(message);
});
