// Tables of the benchmarks that start processes and browsers of their own, in their shortest form.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../build/bench/main.js', import.meta.url));

it.each([
  ['wide', /^\| GEMM 64 .* × \|$/m, /^\| depthwise 5×5\/2 .* dWeight .* × \|$/m],
  ['start', /^\| Node .*"threads":1.* ms \(.* ms\) \|$/m, /^(\| Chrome.*, later visit .*|No page: .*)$/m],
  ['distributed', /^(\| 1 MB .*\|$|Rows of several ranks are skipped)/m, /^\| CNN .*, compiled .* % \|$/m],
  [
    'hosts',
    /^(\| CNN .*, 100 Mbit\/s .* % \|$|Rows of hosts are skipped)/m,
    /^(\| GPT .*, 100 Gbit\/s .* ×\) \|$|Rows)/m,
  ],
  ['tfjs', /^\| CNN 16-32 .* × /m, /^\|/m],
  ['energy', /^\| MLP 784-128-10/m, /^\| CNN 16-32 .* \|$/m],
])(
  'the table of %s',
  async (name, first, last) => {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, name, '--quick'], { timeout: 240_000 });
    expect(stdout).toMatch(first);
    expect(stdout).toMatch(last);
  },
  250_000,
);
