// The tests of ONNX's own backends, of Debian's package libonnx-testdata: `passing.txt` says which of them pass.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { init } from '../../bindings/index.ts';
import { casesIn, isPlainCase, runCase } from './suite.ts';

const folder = process.env.ONNX_TESTDATA ?? '/usr/share/libonnx-testdata/data';
const missing = casesIn(join(folder, 'node')).length === 0;

beforeAll(() => init({ threads: 1 }));

describe.skipIf(missing)(`libonnx-testdata (apt-get install libonnx-testdata; here it is not in ${folder})`, () => {
  it('pass as passing.txt says', async () => {
    const lines: string[] = [];
    for (const kind of ['node', 'pytorch-converted', 'pytorch-operator', 'simple']) {
      const names = casesIn(join(folder, kind)).filter((name) => isPlainCase(join(folder, kind, name)));
      const passed: string[] = [];
      for (const name of names) if ((await runCase(join(folder, kind, name))) === null) passed.push(name);
      lines.push(`${kind}: ${passed.length} of ${names.length}`, ...passed.map((name) => `  ${name}`));
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('passing.txt');
  });
});
