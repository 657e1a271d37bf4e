// A file given to the wrong reader: each says what the file is, and which reader takes it.
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { FormatError, init, ones, shutdown } from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import { loadOnnx } from '../../bindings/onnx/index.ts';

await init({ simd: 'strict' });
afterAll(() => shutdown());

const x = ones([2, 3]);
const safetensors = io.encodeSafetensors({ x });
const text = (start: string): Uint8Array => new TextEncoder().encode(start.padEnd(300, ' \n'));

/** Files, what messages call them, and whose they are. */
const files: readonly (readonly [bytes: Uint8Array, says: RegExp, own?: RegExp])[] = [
  [safetensors, /a file of safetensors; loadSafetensors\(\)/, /safetensors/i],
  [io.encodePyTorch({ x }), /a zip archive; loadPyTorch\(\)/, /pytorch|npz/i],
  [await io.encodeNpz({ x }), /a zip archive; .* loadNpz\(\)/, /pytorch|npz/i],
  [io.encodeNpy(x), /a file of NumPy; loadNpy\(\)/, /npy/i],
  [Uint8Array.of(0x80, 2, 0x8a, 10, ...new Uint8Array(300).fill(7)), /a pickle; loadPyTorch\(\)/, /pytorch/i],
  [gzipSync(safetensors), /a file packed by gzip/],
  [text('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /git lfs pull/],
  [text('<!DOCTYPE html>'), /a page/],
  [text('GGUF'), /GGUF/],
  [Uint8Array.of(0x89, 0x48, 0x44, 0x46, ...new Uint8Array(300).fill(9)), /HDF5/],
];
/** The readers that take bytes of a whole file. */
const readers = Object.entries({ ...io, loadOnnx }).filter(([name]) =>
  /^decode(?!Checkpoint)|^loadOnnx/.test(name),
) as [string, (bytes: Uint8Array) => unknown][];

it.each(readers)('%s names files of other kinds', async (name, read) => {
  expect(readers.length).toBe(5);
  for (const [bytes, says, own] of files) {
    if (own?.test(name)) continue;
    const error: unknown = await Promise.resolve(bytes)
      .then(read)
      .catch((wrong: unknown) => wrong);
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toMatch(new RegExp(`${name}: expected .* got .*${says.source}`));
  }
});
