// Attention alone, forward and backward, and a step of a small GPT, whose time is that of its products.
import type { Tensor } from 'retrograd';
import { checkAttention } from '../checks/attention.ts';
import {
  type AttentionProblem,
  type Case,
  type Check,
  type Family,
  type Library,
  type Run,
  uniform,
} from '../problems.ts';

const WIDTH = 64;

/** Flops are those of the pairs that are looked at, key at or before query: 2 products forward and 5 back. */
function attention(heads: number, length: number): Case {
  const pairs = (heads * length * (length + 1)) / 2;
  return {
    name: `${heads} heads of ${WIDTH}, length ${length}, causal, forward and backward`,
    work: { flops: 2 * 7 * WIDTH * pairs, exps: 2 * pairs, unit: 'GFLOP/s' },
    make: () => {
      const numbers = (seed: number): Float32Array => uniform(heads * length * WIDTH, seed);
      const [q, k, v, g] = [numbers(1), numbers(2), numbers(3), numbers(4)];
      const problem: AttentionProblem = { kind: 'attention', heads, length, width: WIDTH, q, k, v, g };
      return { problem, check: checkAttention(problem) };
    },
  };
}

interface Sizes {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly length: number;
  readonly batch: number;
  readonly characters: number;
}

/** A step of a GPT as examples/char-gpt.ts has it; `forward` gives the logits. */
function gpt({ nn, functional: F, arange }: Library, { layers, width, heads, length, batch, characters }: Sizes) {
  const block = () => ({
    norm1: new nn.LayerNorm(width),
    qkv: new nn.Linear(width, 3 * width),
    projection: new nn.Linear(width, width),
    norm2: new nn.LayerNorm(width),
    up: new nn.Linear(width, 4 * width),
    down: new nn.Linear(4 * width, width),
  });
  const parts = {
    tokens: new nn.Embedding(characters, width),
    positions: new nn.Embedding(length, width),
    blocks: Array.from({ length: layers }, block),
    norm: new nn.LayerNorm(width),
    head: new nn.Linear(width, characters, { bias: false }),
  };
  const all = [parts.tokens, parts.positions, ...parts.blocks.flatMap((b) => Object.values(b)), parts.norm, parts.head];
  const forward = (x: Tensor): Tensor => {
    let h = parts.tokens.forward(x).add(parts.positions.forward(arange(length, { dtype: 'i32' })));
    for (const { norm1, qkv, projection, norm2, up, down } of parts.blocks) {
      const [q, k, v] = qkv
        .forward(norm1.forward(h))
        .split(width, -1)
        .map((part) => part.view([batch, length, heads, width / heads]).transpose(1, 2)) as [Tensor, Tensor, Tensor];
      const y = F.scaledDotProductAttention(q, k, v, { isCausal: true }).transpose(1, 2);
      h = h.add(projection.forward(y.reshape([batch, length, width])));
      h = h.add(down.forward(F.gelu(up.forward(norm2.forward(h)))));
    }
    return parts.head.forward(parts.norm.forward(h));
  };
  return {
    forward,
    parameters: all.flatMap((layer) => layer.parameters()),
    dispose: () => all.forEach((x) => void x.dispose()),
  };
}

/** Losses that a side answers with: those of compiled steps, then those of eager ones from the same weights. */
const CHECKED = 3;

function prepareGpt(library: Library, sizes: Sizes): Run {
  const { compile, functional: F, manualSeed, optim, randint, scope } = library;
  const { batch, length, characters } = sizes;
  const make = (compiled: boolean) => {
    manualSeed(1);
    const { forward, parameters, dispose } = gpt(library, sizes);
    const optimizer = new optim.AdamW(parameters, { lr: 1e-3 });
    const [x, y] = [randint(0, characters, [batch, length]), randint(0, characters, [batch * length])];
    const eager = (codes: Tensor, next: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(forward(codes).reshape([batch * length, characters]), next);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const step = compiled ? compile(eager) : eager;
    const end = (): void => {
      if ('dispose' in step) (step as { dispose(): void }).dispose();
      optimizer.dispose();
      dispose();
      x.dispose();
      y.dispose();
    };
    return { run: () => scope(() => step(x, y).item()), end };
  };
  const timed = make(true);
  return {
    answer: () => {
      const other = make(false);
      const losses = [timed, other].flatMap(({ run }) => Array.from({ length: CHECKED }, () => run()));
      other.end();
      return Float32Array.from(losses);
    },
    run: () => void timed.run(),
    dispose: timed.end,
  };
}

/** From the loss of chance down, and compiled as eager. */
function checkLosses(characters: number): Check {
  return (losses) => {
    const [first, , last] = losses as unknown as [number, number, number];
    const same =
      losses.length === 2 * CHECKED && losses.subarray(0, CHECKED).every((x, i) => x === losses[CHECKED + i]);
    const chance = Math.log(characters);
    const learns = Math.abs(first - chance) < 1.5 && last < first;
    return same && learns
      ? null
      : `expected losses that fall from about ${chance.toFixed(2)}, twice the same, got ${losses}`;
  };
}

function gptCase(sizes: Sizes): Case {
  const { layers, width, length, batch, characters } = sizes;
  const weights = layers * 12 * width * width + width * characters;
  // Forward and both gradients of every product; attention's as above.
  const products = 6 * batch * length * weights;
  const attending = layers * batch * 7 * length * (length + 1) * width;
  return {
    name: `character GPT, ${layers} layers of ${width}, length ${length}, batch ${batch}, AdamW, compiled`,
    work: { flops: products + attending, unit: 'GFLOP/s' },
    make: () => ({
      problem: { kind: 'library', prepare: (library) => prepareGpt(library, sizes) },
      check: checkLosses(characters),
    }),
  };
}

export function attentionFamily(quick: boolean): Family {
  const small = { layers: 1, width: 16, heads: 2, length: 8, batch: 2, characters: 11 };
  const full = { layers: 4, width: 128, heads: 4, length: 64, batch: 12, characters: 83 };
  return {
    name: 'attention',
    cases: quick ? [attention(2, 70), gptCase(small)] : [attention(8, 512), attention(8, 2048), gptCase(full)],
    skipped: [],
  };
}
