// Random calls of the whole public surface, with arguments that fit, that almost fit, and that make no sense. Each call
// answers, or throws a typed error that leaves all it was given as it was; no call touches what was not given to it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as retrograd from '../../bindings/index.ts';
import { data, nn, optim, RetrogradError, Tensor, tensor } from '../../bindings/index.ts';
import { describe as textOf } from '../../bindings/memory/errors.ts';
import type { Parameter } from '../../bindings/parameters.ts';
import { random } from '../../reference/random.ts';
import { makers } from './makers.ts';
import { type PublicCallable, surface } from './surface.ts';

/**
 * Ends or starts the runtime that the others need, reads or writes files where a text points, takes as long as it is
 * told (billions of examples), or is a class that only others extend.
 */
const APART =
  /^(init|shutdown|SparseTensor|data\.(Shuffle\.order|imageFolder|idx|npy)|optim\.Optimizer|distributed\.[\w.]+|nn\.(Activation|Layer|Module)|(io|onnx|train\.Trainer)\.(save|load|open|read|write)\w*)$/;

/** What a callback of the fuzzer throws: the user's own error, which goes through. */
class Mine extends Error {}

/** A call that did what no call may do. */
export interface Fault {
  readonly place: string;
  readonly args: string;
  readonly what: string;
}

/** What became of the calls. */
export interface Outcome {
  calls: number;
  answers: number;
  /** Typed errors by class. */
  readonly errors: Record<string, number>;
  readonly faults: Fault[];
}

const bytesOf = (x: Tensor): string => {
  const { data } = x;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
};

/** Argument values, drawn by a seed. */
class Draw {
  readonly #next: () => number;
  /** What makes an object of each public class. */
  readonly #classes: Readonly<Record<string, () => object>>;

  constructor(seed: number, classes: Readonly<Record<string, () => object>>) {
    this.#next = random(seed);
    this.#classes = classes;
  }

  below(n: number): number {
    return Math.floor(this.#next() * n);
  }

  chance(p: number): boolean {
    return this.#next() < p;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shape(): number[] {
    return this.of([[], [1], [2], [3], [4], [0], [2, 3], [3, 2], [3, 3], [1, 4], [2, 1, 3], [2, 3, 4], [2, 2, 4, 4]]);
  }

  tensor(): Tensor {
    const shape = this.shape();
    const dtype = this.of(['f32', 'f32', 'f32', 'i32', 'u8'] as const);
    const n = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: n }, () => (dtype === 'f32' ? this.#next() * 4 - 2 : this.below(3)));
    let x = tensor(new Float32Array(values), { shape }).to(dtype);
    switch (this.below(8)) {
      case 0:
        return dtype === 'f32' ? x.requiresGrad_() : x;
      case 1:
        return dtype === 'f32' ? x.requiresGrad_().mul(2) : x;
      case 2:
        return x.ndim > 1 ? x.transpose(0, -1) : x;
      case 3:
        return x.expand([2, ...shape]);
      case 4:
        return x.ndim > 0 && (shape[0] as number) > 1 ? x.slice(0, 0, null, 2) : x;
      case 5:
        if (this.chance(0.3)) x.dispose();
        return x;
      default:
        if (dtype === 'f32' && this.chance(0.2)) x = x.detach();
        return x;
    }
  }

  number(): number {
    return this.of([
      ...[0, 1, 2, 3, -1, 0.5, 0.1, 1e-3, 1.5, -2, 7, 100, -0, 1e9, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 1e300],
      ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, 2 ** 53 + 2, 2 ** 24 + 1],
    ]);
  }

  text(): string {
    return this.of([
      ...['mean', 'sum', 'none', 'f32', 'i32', 'u8', 'same', 'valid', 'tanh', 'nchw', 'nhwc', 'zeros', 'fro', 'weight'],
      ...['', 'constructor', '__proto__', 'hasOwnProperty', 'toString', 'valueOf', 'x', 'a.b', 'p', '\u0000', '🙂'],
    ]);
  }

  callback(): unknown {
    return this.of<unknown>([
      () => {},
      (x: unknown) => x,
      () => tensor([1, 2]),
      () => {
        throw new Mine('mine');
      },
      () => {
        const late = Promise.reject(new Mine('late'));
        late.catch(() => {}); // whoever refuses it has a test of its own
        return late;
      },
      (...args: readonly unknown[]) => args.length,
    ]);
  }

  list(depth: number): unknown[] {
    const kind = this.below(4);
    return Array.from({ length: this.below(4) }, () =>
      kind === 0 ? this.number() : kind === 1 ? this.below(4) : kind === 2 ? this.tensor() : this.junk(depth + 1),
    );
  }

  object(depth: number): object {
    const keys = ['dim', 'keepdim', 'p', 'params', 'lr', 'shape', 'dtype', 'data', 'size', 'x', 'weight', '__proto__'];
    const made = this.chance(0.1) ? Object.create(null) : {};
    for (let i = this.below(3); i > 0; i--)
      Object.defineProperty(made, this.of(keys), {
        value: this.junk(depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    return made;
  }

  junk(depth = 0): unknown {
    switch (this.below(depth > 2 ? 5 : 13)) {
      case 0:
        return this.number();
      case 1:
        return this.text();
      case 2:
        return this.of<unknown>([undefined, null, true, false]);
      case 3:
        return this.of<unknown>([Symbol('s'), 1n, new Date(0), /x/, Number.prototype, Tensor, nn.Linear]);
      case 4:
        return this.callback();
      case 5:
      case 6:
        return this.list(depth);
      case 7:
        return this.object(depth);
      case 8:
        return this.of<() => unknown>([
          () => new Uint8Array(8),
          () => new ArrayBuffer(16),
          () => new Float32Array([1, Number.NaN]),
          () => new BigInt64Array(2),
          () => new DataView(new ArrayBuffer(4)),
          () => new Map([['a', 1]]),
          () => new Set([1]),
          () => {
            const cyclic: unknown[] = [];
            cyclic.push(cyclic);
            return cyclic;
          },
        ])();
      case 9:
        return this.thing();
      default:
        return this.tensor();
    }
  }

  /** Modules, optimizers, datasets. */
  thing(): unknown {
    return this.of<() => unknown>([
      () => new nn.Linear(3, 2),
      () => new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU()),
      () => new nn.BatchNorm1d(3),
      () => new nn.Dropout(0.5),
      () => new nn.Linear(2, 2).parameters(),
      () => new optim.SGD(new nn.Linear(2, 2).parameters(), { lr: 0.1 }),
      () => new data.TensorDataset(tensor([[1], [2], [3]]), tensor([1, 2, 3])),
    ])();
  }

  /** A value that is probably of the kind that a parameter wants. */
  fitting({ kind }: Parameter): unknown {
    const word = this.of(kind.split('|'));
    if (word.startsWith("'")) return word.slice(1, -1);
    if (word.endsWith('[]'))
      return Array.from({ length: 1 + this.below(3) }, () => this.fitting({ kind: word.slice(0, -2) } as Parameter));
    const kinds: Record<string, () => unknown> = {
      number: () => (this.chance(0.8) ? this.#next() * 2 : this.number()),
      int: () => (this.chance(0.9) ? this.below(5) - 1 : this.number()),
      bool: () => this.chance(0.5),
      string: () => this.text(),
      function: () => this.callback(),
      object: () => (this.chance(0.5) ? this.object(0) : this.thing()),
      null: () => null,
      dtype: () => this.of(['f32', 'i32', 'u8']),
      Tensor: () => this.tensor(),
      sizes: () => this.shape(),
      Module: () => this.of([() => new nn.Linear(3, 2), () => new nn.ReLU(), () => new nn.Dropout()])(),
    };
    return (kinds[word] ?? this.#classes[word] ?? (() => this.junk()))();
  }

  args({ signatures }: PublicCallable): unknown[] {
    if (signatures.length === 0 || this.chance(0.15)) return Array.from({ length: this.below(4) }, () => this.junk());
    const { parameters, positions } = this.of(signatures);
    const count = this.of([positions, this.below(positions + 1), this.below(positions + 2)]);
    const args: unknown[] = parameters
      .slice(0, count)
      .map((parameter) => (this.chance(0.9) ? this.fitting(parameter) : this.junk()));
    if (!this.chance(0.3)) return args;
    const options: Record<string, unknown> = {};
    for (const parameter of parameters) if (this.chance(0.3)) options[parameter.name] = this.fitting(parameter);
    return [...args, options];
  }
}

/** All tensors in what a call was given. */
function tensorsIn(value: unknown, found = new Set<Tensor>(), depth = 0): Set<Tensor> {
  if (value instanceof Tensor) found.add(value);
  else if (value instanceof nn.Module) for (const x of value.parameters()) found.add(x);
  else if (value instanceof optim.Optimizer)
    for (const { params } of value.paramGroups) for (const x of params) found.add(x);
  else if (
    depth < 4 &&
    (Array.isArray(value) || (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)))
  )
    for (const item of Object.values(value)) tensorsIn(item, found, depth + 1);
  return found;
}

/** Calls and what came of them, over tensors that nobody was given and that so must not change. */
export class Fuzzer {
  readonly #draw: Draw;
  readonly #callables: readonly PublicCallable[];
  readonly #canaries: { readonly tensor: Tensor; readonly bytes: string }[] = [];
  readonly #recent: string[] = [];
  readonly outcome: Outcome = { calls: 0, answers: 0, errors: {}, faults: [] };

  constructor(seed: number) {
    const classes = makers();
    this.#draw = new Draw(seed, classes);
    const receivers = { ...classes, Tensor: () => this.#draw.tensor() };
    this.#callables = surface(receivers).filter(({ place }) => !APART.test(place) && !place.startsWith('tfjs.'));
    for (let i = 0; i < 64; i++) {
      const x = tensor(Float32Array.from({ length: 1 + this.#draw.below(900) }, (_, j) => i * 1000 + j)).keep();
      this.#canaries.push({ tensor: x, bytes: bytesOf(x) });
    }
  }

  /** One call. */
  async step(): Promise<void> {
    const { outcome } = this;
    const callable = this.#draw.of(this.#callables);
    outcome.calls++;
    let late: Promise<unknown> | undefined;
    retrograd.scope(() => {
      const args = this.#draw.args(callable);
      const text = () =>
        args.map((arg) => (arg instanceof Tensor ? `${arg.dtype} [${arg.shape}]` : textOf(arg))).join(', ');
      const given = [...tensorsIn(args)].filter((x) => !x.block.freed);
      const before = given.map((x) => bytesOf(x));
      const fault = (what: string): void => {
        outcome.faults.push({ place: callable.place, args: text(), what });
      };
      this.#recent.push(callable.place);
      if (this.#recent.length > 500) this.#recent.shift();
      try {
        const result = callable.call(args);
        if (result instanceof Promise) late = result;
        else outcome.answers++;
      } catch (error) {
        this.#judge(error, fault);
        const changed = given.findIndex((x, i) => !x.block.freed && bytesOf(x) !== before[i]);
        if (changed >= 0 && !(error instanceof Mine)) fault(`threw, and changed tensor ${changed} that it was given`);
      }
    });
    if (late)
      await late.then(
        () => outcome.answers++,
        (error: unknown) =>
          this.#judge(error, (what) => outcome.faults.push({ place: callable.place, args: '(late)', what })),
      );
    if (outcome.calls % 500 === 0) this.check();
  }

  #judge(error: unknown, fault: (what: string) => void): void {
    if (error instanceof RetrogradError) {
      this.outcome.errors[error.name] = (this.outcome.errors[error.name] ?? 0) + 1;
      if (!/: .*expected/s.test(error.message)) fault(`a message without what was expected: ${error.message}`);
    } else if ((error as NodeJS.ErrnoException | null)?.syscall) {
      this.outcome.errors.system = (this.outcome.errors.system ?? 0) + 1; // of a path that is none
    } else if (!(error instanceof Mine))
      fault(
        String((error as Error)?.stack ?? error)
          .split('\n')
          .slice(0, 3)
          .join(' | '),
      );
  }

  /** Looks whether all canaries live as they were. */
  check(): void {
    for (const [i, { tensor: x, bytes }] of this.#canaries.entries())
      if (x.block.freed || bytesOf(x) !== bytes) {
        this.outcome.faults.push({
          place: [...new Set(this.#recent)].join(' '),
          args: '',
          what: `changed canary ${i}, which nobody was given`,
        });
        return;
      }
  }

  /** Makes `calls` calls. */
  async run(calls: number): Promise<Outcome> {
    for (let i = 0; i < calls; i++) await this.step();
    this.check();
    return this.outcome;
  }
}

/** The faults, each place and kind once, for people. */
export const reportOf = ({ faults }: Outcome): string[] => {
  const seen = new Map<string, string>();
  for (const { place, args, what } of faults) {
    const key = `${place} ${what.slice(0, 60)}`;
    if (!seen.has(key)) seen.set(key, `${place}(${args}): ${what}`);
  }
  return [...seen.values()];
};

/** Goes to a folder of its own: loggers write files by the names that they are given. @returns the way back */
export function elsewhere(): () => void {
  const [home, folder] = [process.cwd(), mkdtempSync(join(tmpdir(), 'retrograd-fuzz-'))];
  process.chdir(folder);
  return () => {
    process.chdir(home);
    rmSync(folder, { recursive: true, force: true });
  };
}
