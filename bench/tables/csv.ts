// npm run bench -- csv [--megabytes N]: a file of separated values, read by the library into batches and by parsers
// alone, each in a process of its own, in turn; rows a second of
// processors' time, on which other programs have little effect, and the most memory of the process.
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Answer, SideName } from './csv-sides.ts';

const exec = promisify(execFile);
const SIDES = fileURLToPath(new URL('csv-sides.js', import.meta.url));

/** What each side is called in the table. */
const NAMES: Readonly<Record<SideName | 'pandas', string>> = {
  batches: 'retrograd, to batches of 1024',
  columns: 'retrograd, to columns',
  udsv: 'udsv, to strings',
  'udsv-typed': 'udsv, to numbers and strings',
  papaparse: 'papaparse, to strings',
  'csv-parse': 'csv-parse, to strings',
  pandas: 'pandas, by pieces',
};

/** What pandas does, which prints what a side does. */
const PANDAS = `
import json, resource, sys, time
import pandas as pd
start = time.process_time()
rows, total = 0, 0.0
for piece in pd.read_csv(sys.argv[1], chunksize=65536):
    rows += len(piece)
    total += float(piece["price"].sum())
print(json.dumps({"rows": rows, "sum": total, "seconds": time.process_time() - start, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
`;

/** Writes rows of whole numbers, floats short and long, words, free text in quotes and without, dates and truth. */
async function write(path: string, bytes: number): Promise<void> {
  const out = createWriteStream(path);
  let word = 1;
  const random = (): number => {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    return (word >>> 0) / 2 ** 32;
  };
  const text = (n: number): string =>
    random() < 0.2 ? `"a ""quoted"" text, with commas ${n % 977}"` : `some free text ${n}`;
  const row = (n: number): string =>
    [
      ...[
        n,
        (random() * 1000).toFixed(2),
        random(),
        (random() * 100).toFixed(5),
        `City ${Math.floor(random() * 300)}`,
        text(n),
      ],
      ...[new Date(1e12 + n * 6e4).toISOString().slice(0, 10), random() < 0.5, Math.floor(random() * 1e5)],
      random() < 0.05 ? '' : (random() * 10).toFixed(3),
    ].join();
  out.write('id,price,score,weight,city,comment,date,flag,count,value\n');
  for (let n = 0, written = 0; written < bytes; n += 1000) {
    const rows = Array.from({ length: 1000 }, (_, i) => `${row(n + i)}\n`).join('');
    written += rows.length;
    if (!out.write(rows)) await new Promise<void>((done) => out.once('drain', done));
  }
  await new Promise<void>((done, fail) => {
    out.on('error', fail);
    out.end(done);
  });
}

async function runSide(name: SideName | 'pandas', path: string, how: 'check' | 'time'): Promise<Answer> {
  const [program, args] =
    name === 'pandas'
      ? [process.env.PYTHON ?? 'python3', ['-c', PANDAS, path]]
      : [process.execPath, [SIDES, name, path, how]];
  const { stdout } = await exec(program, args);
  return JSON.parse(stdout) as Answer;
}

const mega = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** @throws Error where a side gives other rows than the first */
export async function table(_simd: string, quick: boolean, megabytes = quick ? 2 : 100): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-csv-'));
  try {
    const [small, large] = [join(folder, 'small.csv'), join(folder, 'large.csv')];
    await write(small, 1e6);
    await write(large, megabytes * 1e6);
    const names: (SideName | 'pandas')[] = [];
    let right: Answer | undefined;
    for (const name of Object.keys(NAMES) as (SideName | 'pandas')[]) {
      const answer = await runSide(name, small, 'check').catch((error: unknown) => {
        if (name === 'pandas') return undefined; // is not installed
        throw error;
      });
      if (!answer) continue;
      right ??= answer;
      if (answer.rows !== right.rows || Math.abs(answer.sum - right.sum) > 1e-6 * right.sum)
        throw new Error(`${name}: expected ${right.rows} rows and ${right.sum}, got ${answer.rows} and ${answer.sum}`);
      names.push(name);
    }
    const best = new Map<string, Answer>();
    for (let round = 0; round < (quick || megabytes >= 500 ? 1 : 3); round++)
      for (const name of names) {
        const answer = await runSide(name, large, 'time');
        if (answer.seconds < (best.get(name)?.seconds ?? Number.POSITIVE_INFINITY)) best.set(name, answer);
      }
    const fastest = Math.min(
      ...[...best].filter(([name]) => !/batches|columns|pandas/.test(name)).map(([, { seconds }]) => seconds),
    );
    const lines = [...best].map(
      ([name, { rows, seconds, peak }]) =>
        `| ${NAMES[name as SideName]} | ${(rows / seconds / 1e6).toFixed(2)} | ${Math.round(megabytes / seconds)} | ` +
        `${Math.round((100 * fastest) / seconds)} % | ${mega(peak)} |`,
    );
    return [
      `A CSV file of ${megabytes} MB, 10 columns of whole numbers, floats, words, text, dates and truth; ${cpus()[0]?.model.trim()}`,
      '',
      "| | million rows a second of a processor | MB a second | of the fastest of JavaScript's others | memory at most |",
      '| --- | ---: | ---: | ---: | ---: |',
      ...lines,
    ].join('\n');
  } finally {
    await rm(folder, { recursive: true });
  }
}
