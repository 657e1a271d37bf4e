// Small tests of ONNX's own pass, on every machine.
import { beforeAll, describe, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { MISSING, rows } from './small.ts';
import { runModel } from './suite.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

beforeAll(() => init({ threads: 1 }));

describe('small tests', () => {
  it.each(rows.filter(({ name }) => !MISSING.some((pattern) => pattern.test(name))))('$name', async (row) => {
    const set = { inputs: row.inputs.map(bytes), outputs: row.outputs.map(bytes) };
    expect(await runModel(bytes(row.model), [set])).toBeNull();
  });
});
