// Native JAX on all cores, in a Python process of its own, which keeps its own time.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

// This runs in build/bench/peers/.
const SCRIPT = fileURLToPath(new URL('../../../bench/peers/jax-native.py', import.meta.url));

/** Dense layers of these sizes with relu between them, and what they are trained by: [outputs, inputs] each. */
export interface Perceptron {
  readonly sizes: readonly number[];
  readonly batch: number;
  readonly x: Float32Array;
  readonly y: Int32Array;
  readonly weights: readonly { readonly weight: Float32Array; readonly bias: Float32Array }[];
}

export interface Jax {
  readonly version: string;
  /** Takes a network, and trains it for three steps. @returns their losses */
  prepare(network: Perceptron): Promise<readonly number[]>;
  /** Seconds of a step, of `count` steps. */
  time(count: number): Promise<number>;
  close(): void;
}

/** @throws Error where Python (PYTHON, or the one on the path) has no jax */
export async function loadJax(): Promise<Jax> {
  const child = spawn(process.env.PYTHON ?? 'python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] });
  const problems: string[] = [];
  child.stderr.on('data', (text) => problems.push(String(text)));
  child.stdin.on('error', () => {}); // it shows as the end of the answers
  const failed = new Promise<never>((_, reject) => child.on('error', reject));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const read = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    if (done) throw new Error(problems.join('').trim().split('\n').at(-1) || 'the Python process ended');
    return JSON.parse(value);
  };
  const ask = (request: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return read();
  };
  const { version } = await read();
  return {
    version: version as string,
    async prepare({ sizes, batch, x, y, weights }) {
      const folder = mkdtempSync(join(tmpdir(), 'retrograd-jax-'));
      try {
        writeFileSync(join(folder, 'x'), x);
        writeFileSync(join(folder, 'y'), y);
        for (const [i, { weight, bias }] of weights.entries()) {
          writeFileSync(join(folder, `w${i}`), weight);
          writeFileSync(join(folder, `b${i}`), bias);
        }
        return (await ask({ do: 'prepare', sizes, batch, folder })).losses as number[];
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    time: async (count) => (await ask({ do: 'time', count })).seconds as number,
    close: () => void child.kill(),
  };
}
