// Jobs that do not fit together, by each MPI: what their errors say, and that they end within seconds.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { STAMP } from '../../bindings/generated/kernel-calls.ts';
import { type Launcher, launchers, missing, runMixed, runRanks, WITHOUT_KOFFI } from '../distributed/ranks.ts';

const SOON = 20_000;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OTHER = STAMP.replace(/[^-]*$/, (sum) => '0'.repeat(sum.length));
const folder = mkdtempSync(join(tmpdir(), 'retrograd-faults-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The package as another version, with a program beside it. @returns the program */
function otherVersion(): string {
  const copy = join(folder, 'node_modules/retrograd');
  mkdirSync(copy, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
  for (const part of ['lib', 'wasm']) cpSync(join(ROOT, 'build', part), join(copy, 'build', part), { recursive: true });
  for (const file of ['build/lib', 'build/wasm'].flatMap((at) =>
    readdirSync(join(copy, at)).map((f) => join(copy, at, f)),
  ))
    if (/\.(js|wasm)$/.test(file)) writeFileSync(file, readFileSync(file, 'latin1').replaceAll(STAMP, OTHER), 'latin1');
  symlinkSync(join(ROOT, 'node_modules/koffi'), join(folder, 'node_modules/koffi'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const file of ['start.js', 'report.js'])
    cpSync(join(ROOT, 'test/distributed/programs', file), join(folder, file));
  return join(folder, 'start.js');
}

const own = [process.execPath, 'start.js'];

describe.skipIf(missing)(`faults of ranks${missing && `: skipped, ${missing}`}`, () => {
  it.each(launchers)('of which one makes other calls, by $title', async (by) => {
    const { code, stderr, duration } = await runRanks(2, 'uneven.js', { by, args: ['meets'] });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /rank \d of 2: .* got MPI_\w+ as the \d+th call of rank \d, where this one waits; give all ranks as many/,
    );
    expect(duration).toBeLessThan(SOON);
  });

  const faults: [string, readonly string[], string][] = [
    [
      'no koffi',
      [process.execPath, ...WITHOUT_KOFFI, 'start.js'],
      'init: expected the package koffi, which calls MPI, got none',
    ],
    ['no library', [...own, '', '/none/libmpi.so'], 'got none under /none/libmpi.so'],
    ['an error before init()', [...own, 'early'], 'TypeError: thrown before init()'],
  ];
  it.each(
    launchers.flatMap((by) =>
      faults.map((fault): [string, string, Launcher, typeof fault] => [fault[0], by.title, by, fault]),
    ),
  )('of which one has %s, by %s', async (_what, _title, by, [, command, text]) => {
    const { code, stderr, stdout, duration } = await runMixed(by, [own, command]);
    expect(code, stdout).not.toBe(0);
    expect(stderr).toContain(text);
    expect(duration).toBeLessThan(SOON);
  });

  it.each(launchers)('of which one has another version, by $title', async (by) => {
    const { code, stderr, duration } = await runMixed(by, [own, [process.execPath, otherVersion()]]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      `DistributedError: init: expected the same on all ranks, got retrograd ${STAMP} with ${by.title} on rank 0, retrograd ${OTHER} with ${by.title} on rank 1; install one version on all hosts`,
    );
    expect(duration).toBeLessThan(SOON);
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
  });

  const [open] = launchers.filter(({ title }) => title === 'Open MPI');
  it.skipIf(!open || availableParallelism() < 2)('say where threads share a processor', async () => {
    const by = { ...(open as Launcher), options: ['--bind-to', 'core', '--oversubscribe'] };
    const { code, stderr } = await runRanks(1, 'start.js', { by, args: ['threads'] });
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^init: 2 threads of a rank share 1 of \d+ processors, to which mpirun binds it, .* --bind-to none,/,
    );
  });
});
