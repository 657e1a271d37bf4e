// The main job killed at random moments, over and over: each time it goes on with --resume from a whole checkpoint, and
// in the end it has the weights of a run that was never stopped.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { decodeSafetensors } from '../../bindings/io/safetensors.ts';

const program = fileURLToPath(new URL('../../build/examples/mnist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'retrograd-crashes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the job; SIGKILL after `ms`, if given. Whether it came to its end. */
function run(out: string, args: readonly string[], ms?: number): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, '--epochs', '6', '--seed', '3', '--out', out, ...args], {
      stdio: 'ignore',
    });
    const timer = ms === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), ms);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

it('comes to the same bits after any number of crashes', async () => {
  const [whole, crashed] = [join(folder, 'whole'), join(folder, 'crashed')];
  const start = performance.now();
  expect(await run(whole, [])).toBe(true);
  const duration = performance.now() - start;
  const checkpoint = join(crashed, 'checkpoint.safetensors');
  let kills = 0;
  for (let ended = false; !ended; ) {
    // Half of an undisturbed run on average, so that most attempts get past a checkpoint.
    const ms = Math.random() * duration;
    ended = await run(crashed, existsSync(checkpoint) ? ['--resume'] : [], ms);
    if (!ended) kills++;
    if (existsSync(checkpoint)) expect(() => decodeSafetensors(readFileSync(checkpoint))).not.toThrow();
  }
  console.info(`killed ${kills} times`);
  const weights = (out: string) => decodeSafetensors(readFileSync(join(out, 'model.safetensors'))).tensors;
  expect(weights(crashed)).toEqual(weights(whole));
  expect(readdirSync(crashed).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
