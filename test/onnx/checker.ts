// onnx.checker on all models of a test, where ONNX_PYTHON names a Python that has the `onnx` package.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const { ONNX_PYTHON } = process.env;
let folder: string | undefined;
let count = 0;

/** Puts a model aside for {@link checksModels}. */
export function keep(bytes: Uint8Array): void {
  if (!ONNX_PYTHON) return;
  folder ??= mkdtempSync(join(tmpdir(), 'onnx-'));
  writeFileSync(join(folder, `${String(count++).padStart(4, '0')}.onnx`), bytes);
}

/** A test, behind those that make the models. */
export function checksModels(): void {
  afterAll(() => {
    if (folder) rmSync(folder, { recursive: true });
  });
  it.skipIf(!ONNX_PYTHON)('onnx.checker accepts all models', () => {
    expect(count).toBeGreaterThan(0);
    const script = fileURLToPath(new URL('check.py', import.meta.url));
    const { stdout, stderr, status } = spawnSync(ONNX_PYTHON as string, [script, folder as string], {
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
    console.info(stdout.trim());
  });
}
