// Whole architectures, written as a program here has them: they know PyTorch's names, load the files that PyTorch's
// safetensors wrote, compute the same, and write files of the same keys.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { init, io, nn, randn, scope, shutdown, stack, type Tensor, tensor, zeros } from '../../bindings/index.ts';
import { decodeSafetensors, encodeSafetensors } from '../../bindings/io/safetensors.ts';
import { nd } from '../../reference/nd.ts';
import { expectClose, toTensor } from '../support/tensors.ts';
import { read } from './golden.ts';

interface Pass {
  readonly y: readonly number[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}
interface Architecture {
  readonly name: 'ResNet' | 'GPT' | 'Tagger' | 'AutoEncoder';
  readonly x: readonly number[];
  readonly xShape: readonly number[];
  readonly tokens: boolean;
  readonly state: readonly (readonly [key: string, shape: readonly number[]])[];
  readonly parameters: readonly string[];
  readonly buffers: readonly string[];
  readonly modules: readonly string[];
  readonly eval: Pass;
  readonly train: Pass;
  readonly after: Readonly<Record<string, readonly number[]>>;
}
const { architectures } = read('architectures') as { readonly architectures: readonly Architecture[] };
const TOLERANCE = { relative: 2e-5, absolute: 2e-5 };

class BasicBlock extends nn.Module {
  readonly conv1;
  readonly bn1;
  readonly conv2;
  readonly bn2;
  readonly downsample;
  constructor(channels: number, out: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(channels, out, 3, stride, 1, { bias: false });
    this.bn1 = new nn.BatchNorm2d(out);
    this.conv2 = new nn.Conv2d(out, out, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(out);
    const shortcut = (): nn.Layer[] => [
      new nn.Conv2d(channels, out, 1, { stride, bias: false }),
      new nn.BatchNorm2d(out),
    ];
    this.downsample = stride > 1 ? new nn.Sequential(...shortcut()) : null;
  }
  forward(x: Tensor): Tensor {
    const y = this.bn2.forward(this.conv2.forward(this.bn1.forward(this.conv1.forward(x)).relu()));
    return y.add(this.downsample?.forward(x) ?? x).relu();
  }
}

class ResNet extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 2, 3, { padding: 1 });
  readonly layers = [new BasicBlock(2, 2, 1), new BasicBlock(2, 3, 2)];
  readonly avgpool = new nn.AdaptiveAvgPool2d(1);
  readonly fc = new nn.Linear(3, 2);
  forward(x: Tensor): Tensor {
    const y = this.layers.reduce((h, layer) => layer.forward(h), this.conv1.forward(x));
    return this.fc.forward(this.avgpool.forward(y).flatten(1));
  }
}

/** The fields of a block, as Python spells them and in camelCase. */
const SPELLINGS = {
  python: { ln1: 'ln_1', qkv: 'W_qkv', proj: 'c_proj', ln2: 'ln_2', mask: 'causal_mask' },
  camelCase: { ln1: 'ln1', qkv: 'Wqkv', proj: 'cProj', ln2: 'ln2', mask: 'causalMask' },
} as const;
type Spelling = (typeof SPELLINGS)[keyof typeof SPELLINGS];

class Block extends nn.Module {
  readonly #heads: number;
  readonly #ln1;
  readonly #qkv;
  readonly #proj;
  readonly #ln2;
  readonly #mask;
  readonly #mlp;
  readonly #act = new nn.GELU({ approximate: 'tanh' });
  constructor(width: number, heads: number, length: number, names: Spelling) {
    super();
    this.#heads = heads;
    this.#ln1 = this.registerModule(names.ln1, new nn.LayerNorm(width));
    this.#qkv = this.registerModule(names.qkv, new nn.Linear(width, 3 * width));
    this.#proj = this.registerModule(names.proj, new nn.Linear(width, width));
    this.#ln2 = this.registerModule(names.ln2, new nn.LayerNorm(width, { bias: false }));
    const later = Array.from({ length }, (_, i) => Array.from({ length }, (__, j) => j > i));
    this.#mask = this.registerBuffer(names.mask, tensor(later, { dtype: 'u8' }), false);
    this.#mlp = { up: new nn.Linear(width, 4 * width), down: new nn.Linear(4 * width, width) };
    const { up, down } = this.#mlp;
    this.registerModule('mlp', new nn.ModuleDict({ c_fc: up, act: this.#act, c_proj: down }));
  }
  forward(x: Tensor): Tensor {
    const [n, length, width] = x.shape as [number, number, number];
    const [q, k, v] = this.#qkv
      .forward(this.#ln1.forward(x))
      .split(width, 2)
      .map((part) => part.reshape([n, length, this.#heads, -1]).transpose(1, 2)) as [Tensor, Tensor, Tensor];
    const scores = q.matmul(k.transpose(2, 3)).div(Math.sqrt(width / this.#heads));
    const mask = this.#mask.narrow(0, 0, length).narrow(1, 0, length);
    const mixed = scores.maskedFill(mask, Number.NEGATIVE_INFINITY).softmax(3).matmul(v);
    const y = x.add(this.#proj.forward(mixed.transpose(1, 2).reshape([n, length, width])));
    const { up, down } = this.#mlp;
    return y.add(down.forward(this.#act.forward(up.forward(this.#ln2.forward(y)))));
  }
}

class GPT extends nn.Module {
  readonly tokenEmbedding = new nn.Parameter(randn([7, 4]));
  readonly positionEmbedding = [new nn.Parameter(randn([5, 4]))] as const;
  readonly transformer;
  readonly lmHead;
  constructor(names: Spelling) {
    super();
    this.transformer = new Map<string, nn.Module>([
      ['h', new nn.ModuleList([new Block(4, 2, 5, names), new Block(4, 1, 5, names)])],
      ['ln_f', new nn.LayerNorm(4)],
    ]);
    this.lmHead = new nn.Linear(4, 7, { bias: false });
    this.lmHead.weight = this.tokenEmbedding;
  }
  forward(tokens: Tensor): Tensor {
    const [n, length] = tokens.shape as [number, number];
    const embedded = this.tokenEmbedding.indexSelect(0, tokens.flatten()).reshape([n, length, 4]);
    let x = embedded.add(this.positionEmbedding[0].narrow(0, 0, length));
    for (const block of this.transformer.get('h') as nn.ModuleList<Block>) x = block.forward(x);
    return this.lmHead.forward((this.transformer.get('ln_f') as nn.LayerNorm).forward(x));
  }
}

class Tagger extends nn.Module {
  readonly cells = new nn.ModuleList([new nn.LSTMCell(3, 4), new nn.LSTMCell(4, 2)]);
  readonly head = new nn.ParameterDict({ W: zeros([2, 3]), b: zeros([3]) });
  forward(x: Tensor): Tensor {
    const states: (nn.LSTMState | null)[] = [null, null];
    const outputs = Array.from({ length: x.shape[1] as number }, (_, t) => {
      let h = x.select(1, t);
      [...this.cells].forEach((cell, i) => {
        const state = cell.forward(h, states[i]);
        states[i] = state;
        h = state[0];
      });
      return h.matmul(this.head.get('W') as Tensor).add(this.head.get('b') as Tensor);
    });
    return stack(outputs, 1);
  }
}

class AutoEncoder extends nn.Module {
  readonly encoder = new nn.Sequential({
    convIn: new nn.Conv1d(2, 4, 3, { stride: 2, padding: 1 }),
    norm: new nn.GroupNorm(2, 4),
    act: new nn.SiLU(),
  });
  readonly decoder = new nn.Sequential(
    new nn.ConvTranspose1d(4, 3, 3, { stride: 2, padding: 1, outputPadding: 1 }),
    new nn.InstanceNorm1d(3, { affine: true, trackRunningStats: true }),
    new nn.Conv1d(3, 2, 1),
  );
  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.encoder.forward(x));
  }
}

type Net = nn.Module & { forward(x: Tensor): Tensor };
const makers: readonly (readonly [
  title: string,
  name: Architecture['name'],
  make: () => Net,
  spelt: 'alike' | 'else',
])[] = [
  ['ResNet', 'ResNet', () => new ResNet(), 'alike'],
  ['GPT, as in Python', 'GPT', () => new GPT(SPELLINGS.python), 'alike'],
  ['GPT, in camelCase', 'GPT', () => new GPT(SPELLINGS.camelCase), 'else'],
  ['Tagger', 'Tagger', () => new Tagger(), 'alike'],
  ['AutoEncoder', 'AutoEncoder', () => new AutoEncoder(), 'alike'],
];
const fileOf = (name: string): string => fileURLToPath(new URL(`architectures/${name}.safetensors`, import.meta.url));
/** Names without what may differ in spelling. */
const bare = (name: string): string => name.replaceAll('_', '').toLowerCase();

describe.each(['strict', 'relaxed'] as const)('architectures, %s build', (simd) => {
  beforeAll(() => init({ simd }));
  afterAll(() => shutdown());

  it.each(makers)('%s has PyTorch’s names, loads its file, and computes the same', async (_, name, make, spelt) => {
    const golden = architectures.find((entry) => entry.name === name) as Architecture;
    const model = make();
    const as = spelt === 'alike' ? (key: string) => key : bare;
    const state = (): [string, readonly number[]][] =>
      Object.entries(model.stateDict()).map(([key, x]) => [as(key), x.shape]);
    expect(state()).toEqual(golden.state.map(([key, shape]) => [as(key), shape]));
    expect(model.namedParameters().map(([key]) => as(key))).toEqual(golden.parameters.map(as));
    expect(model.namedBuffers().map(([key]) => as(key))).toEqual(golden.buffers.map(as));
    // Lists and dictionaries that are arrays, objects and Maps here are modules there.
    const modules = model.namedModules().map(([path]) => as(path));
    expect(golden.modules.map(as)).toEqual(expect.arrayContaining(modules));
    for (const key of golden.parameters) expect(model.getParameter(key)).toBeInstanceOf(nn.Parameter);

    model.loadStateDict(await io.loadSafetensors(fileOf(name)));
    const read = decodeSafetensors(new Uint8Array(await readFile(fileOf(name)))).tensors;
    const written = decodeSafetensors(
      encodeSafetensors(
        Object.fromEntries(
          Object.entries(model.stateDict()).map(([key, { shape, data }]) => [key, { shape, data, dtype: 'f32' }]),
        ) as never,
      ),
    ).tensors;
    const numbers = (tensors: typeof read): [string, number[]][] =>
      Object.entries(tensors)
        .map(([key, { data }]): [string, number[]] => [as(key), Array.from(data)])
        .sort(([a], [b]) => (a < b ? -1 : 1));
    expect(numbers(written)).toEqual(numbers(read));

    for (const mode of ['eval', 'train'] as const)
      scope(() => {
        model[mode]();
        model.zeroGrad();
        const x = toTensor(nd(golden.xShape, golden.x), golden.tokens ? 'i32' : 'f32');
        const y = model.forward(x);
        expectClose(y.data, golden[mode].y, TOLERANCE, `${mode}: result`);
        const weights = Array.from({ length: y.size }, (__, i) => (i + 1) / y.size);
        y.mul(toTensor(nd(y.shape, weights)))
          .sum()
          .backward();
        for (const [key, grad] of Object.entries(golden[mode].grads))
          expectClose(model.getParameter(key).grad?.data ?? [], grad, TOLERANCE, `${mode}: gradient of ${key}`);
      });
    for (const [key, values] of Object.entries(golden.after))
      expectClose(model.getBuffer(key).data, values, TOLERANCE, `afterwards: ${key}`);
    model.dispose();
  });

  it('a file in which one is missing changes nothing', async () => {
    const model = new Tagger();
    const before = Object.values(model.stateDict()).map((x) => x.toArray());
    const { 'head.b': _, ...rest } = await io.loadSafetensors(fileOf('Tagger'));
    expect(() => model.loadStateDict(rest)).toThrow(/none for head.b/);
    expect(Object.values(model.stateDict()).map((x) => x.toArray())).toEqual(before);
    model.dispose();
  });
});
