// Tests of ONNX's backends in a folder of one's own: `ONNX_TESTS=/path npx vitest run test/onnx/folders` runs all
// that are there, and says how many pass.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { casesIn, isPlainCase, runCase } from './suite.ts';

const folder = process.env.ONNX_TESTS ?? '';

beforeAll(() => init({ threads: 1 }));

describe.skipIf(folder === '')('tests in ONNX_TESTS', () => {
  it('pass', { timeout: 3_600_000 }, async () => {
    const names = casesIn(folder).filter((name) => isPlainCase(join(folder, name)));
    const failed: string[] = [];
    for (const name of names) {
      const wrong = await runCase(join(folder, name));
      if (wrong !== null) failed.push(`${name}: ${wrong}`);
    }
    console.log(`${names.length - failed.length} of ${names.length} pass`);
    if (process.env.ONNX_FAILED) writeFileSync(process.env.ONNX_FAILED, `${failed.join('\n')}\n`);
    expect(failed).toEqual([]);
  });
});
