// Small tests of ONNX's own, one of each operator that needs few bytes, and what is wrong with files and calls.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { runModel } from './suite.ts';

interface Row {
  readonly name: string;
  readonly model: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

const rows: Row[] = JSON.parse(readFileSync(new URL('small.json', import.meta.url), 'utf8'));
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** Which of them ask for what there is not. */
const MISSING = [
  /^test_(adagrad|adam|momentum|bitcast|binarizer|tfidf|nonmax|unique|dft|stft|det|roialign|optional|array|tree)/,
  /^test_(blackman|hamming|hann)window|^test_(mel|swiglu|deform|causal|linear_attention|flex|ai_onnx|compress)/,
];

beforeAll(() => init({ threads: 1 }));

describe('small tests', () => {
  it.each(rows.filter(({ name }) => !MISSING.some((pattern) => pattern.test(name))))('$name', async (row) => {
    const set = { inputs: row.inputs.map(bytes), outputs: row.outputs.map(bytes) };
    expect(await runModel(bytes(row.model), [set])).toBeNull();
  });
});
