// Native PyTorch on one thread, in a Python process of its own; it keeps its own time.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ADAM, DROPOUT, LAYER_NORM_EPS, type Side } from '../problems.ts';

// This runs in build/bench/peers/.
const SCRIPT = fileURLToPath(new URL('../../../bench/peers/pytorch.py', import.meta.url));
/** Debian's python3-torch is found by its own Python alone, and not by another that comes first in the path. */
const PYTHONS = [process.env.PYTHON ?? '', '/usr/bin/python3', 'python3'].filter(Boolean);

type Message = Record<string, unknown>;

/** Lines of JSON, each with raw bytes behind it where the request says so. */
class Wire {
  readonly #out: Writable;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #problems: string[] = [];
  #rest: Buffer[] = [];

  constructor(child: ChildProcess) {
    this.#out = child.stdin as Writable;
    // A dead child shows as the end of its answers; writing to it must not end this process.
    this.#out.on('error', () => {});
    this.#chunks = (child.stdout as Readable)[Symbol.asyncIterator]();
    child.stderr?.on('data', (text) => this.#problems.push(String(text)));
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#chunks.next();
    if (!done) this.#rest.push(value);
    else throw new Error(this.#problems.join('').trim().split('\n').at(-1) || 'the Python process ended');
  }

  async #line(): Promise<string> {
    for (let searched = 0; ; await this.#more()) {
      for (; searched < this.#rest.length; searched++)
        if ((this.#rest[searched] as Buffer).includes(10)) {
          const whole = Buffer.concat(this.#rest);
          const end = whole.indexOf(10);
          this.#rest = [whole.subarray(end + 1)];
          return whole.toString('utf8', 0, end);
        }
    }
  }

  async read(): Promise<Message> {
    const message = JSON.parse(await this.#line()) as Message;
    if (typeof message.error === 'string') throw new Error(message.error);
    return message;
  }

  async bytes(length: number): Promise<Buffer> {
    let have = this.#rest.reduce((sum, chunk) => sum + chunk.length, 0);
    while (have < length) {
      await this.#more();
      have += (this.#rest.at(-1) as Buffer).length;
    }
    const whole = Buffer.concat(this.#rest);
    this.#rest = [whole.subarray(length)];
    return whole.subarray(0, length);
  }

  async ask(request: Message, arrays: readonly (Float32Array | Int32Array)[] = []): Promise<Message> {
    this.#out.write(`${JSON.stringify(request)}\n`);
    for (const { buffer, byteOffset, byteLength } of arrays)
      this.#out.write(new Uint8Array(buffer, byteOffset, byteLength));
    return this.read();
  }
}

/** `value` without its arrays, which are put into `arrays` by their paths, such as `layers.0.weight`. */
function split(value: unknown, path: string, arrays: [string, Float32Array | Int32Array][]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Float32Array || value instanceof Int32Array) {
    arrays.push([path, value]);
    return undefined;
  }
  const under = (key: string | number): string => (path ? `${path}.${key}` : String(key));
  if (Array.isArray(value)) return value.map((item, i) => split(item, under(i), arrays));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, split(item, under(key), arrays)]));
}

async function connect(python: string): Promise<{ child: ChildProcess; wire: Wire; version: string }> {
  // Its BLAS may have threads of its own.
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
  const child = spawn(python, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'], env });
  const failed = new Promise<never>((_, reject) => child.on('error', reject));
  const wire = new Wire(child);
  const hello = await Promise.race([wire.read(), failed]);
  return { child, wire, version: `PyTorch ${hello.version}, ${hello.blas || 'no BLAS library seen'}` };
}

/** @throws Error where no Python has torch */
export async function load(): Promise<Side> {
  if (!existsSync(SCRIPT)) throw new Error(`expected ${SCRIPT}, got no such file`);
  const reasons: string[] = [];
  for (const python of PYTHONS) {
    try {
      return side(await connect(python));
    } catch (error) {
      reasons.push(`${python}: ${(error as Error).message}`);
    }
  }
  throw new Error(reasons.join('; '));
}

function side({ child, wire, version }: Awaited<ReturnType<typeof connect>>): Side {
  return {
    name: 'pytorch',
    version,
    prepare: async (problem) => {
      const arrays: [string, Float32Array | Int32Array][] = [];
      const plain = split({ ...problem, adam: ADAM, dropout: DROPOUT, eps: LAYER_NORM_EPS }, '', arrays);
      const announced = arrays.map(([name, data]) => [name, data instanceof Int32Array ? 'i32' : 'f32', data.length]);
      const request = { do: 'prepare', problem: plain, arrays: announced };
      const { known } = await wire.ask(
        request,
        arrays.map(([, data]) => data),
      );
      if (!known) return null;
      return {
        answer: async () => {
          const { length } = await wire.ask({ do: 'answer' });
          const bytes = await wire.bytes(4 * (length as number));
          return new Float32Array(Uint8Array.from(bytes).buffer);
        },
        time: async (count) => (await wire.ask({ do: 'time', count })).seconds as number,
      };
    },
    close: () => {
      child.kill();
    },
  };
}
