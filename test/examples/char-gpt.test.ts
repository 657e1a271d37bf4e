// examples/char-gpt.ts as a user runs it: built, in a process of its own, for a few steps.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { decodeSafetensors } from '../../bindings/io/safetensors.ts';

const program = fileURLToPath(new URL('../../build/examples/char-gpt.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'retrograd-char-gpt-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs it; with `interrupt` it gets a Ctrl-C as soon as training shows. */
function run(args: readonly string[], interrupt = false): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder });
    let [out, err, told] = ['', '', false];
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (!interrupt || told || !out.includes('passages of')) return;
      told = true;
      child.kill('SIGINT');
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}
const weights = (out: string) => decodeSafetensors(readFileSync(join(folder, out, 'model.safetensors'))).tensors;
const small = ['--steps', '12', '--batch', '4', '--length', '16', '--sample', '30', '--seed', '3'];

it('learns and writes, and a run that was stopped goes on to the same bits', async () => {
  const whole = await run([...small, '--out', 'whole']);
  expect(whole.err).toBe('');
  expect(whole.code).toBe(0);
  expect(Number(/step 12\/12 {2}loss (\S+)/.exec(whole.out)?.[1])).toBeLessThan(4.4);
  expect(whole.out.slice(whole.out.indexOf('characters/s')).length).toBeGreaterThan(30);
  const stopped = await run([...small, '--out', 'stopped'], true);
  expect(stopped.out).toMatch(/Stopped after step \d+; go on with --resume/);
  const resumed = await run([...small, '--out', 'stopped', '--resume']);
  expect(resumed.code).toBe(0);
  expect(weights('stopped')).toEqual(weights('whole'));
});

it('explains itself and refuses what it cannot do', async () => {
  expect((await run(['--help'])).out).toContain('--resume');
  for (const [args, message] of [
    [['--steps', 'many'], /--steps: expected a number from 1 on/],
    [['--resume', '--out', 'nowhere'], /--resume: expected a run in nowhere/],
    [['--nope'], /see --help/],
  ] as const) {
    const { code, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  }
});
