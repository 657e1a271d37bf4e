// Models of Hugging Face's library against what transformers says with the same weights (test/golden/pretrained.py).
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  backend,
  compile,
  FormatError,
  init,
  noGrad,
  optim,
  scope,
  shutdown,
  type Tensor,
  tensor,
} from '../../bindings/index.ts';
import * as io from '../../bindings/io/index.ts';
import { ArgumentError, DtypeError, ShapeError } from '../../bindings/memory/errors.ts';
import { digest, made } from '../golden/golden.ts';
import { file } from '../support/files.ts';

interface Case {
  name: string;
  config: Record<string, unknown> & { architectures: string[] };
  shapes: Record<string, number[]>;
  outputs: Record<string, number[]>;
  plain: number[];
  labels?: number[] | number[][];
  losses?: number[];
}
const golden: { folder: { logits: number[] }; cases: Case[] } = JSON.parse(
  readFileSync(new URL('pretrained.json', import.meta.url), 'utf8'),
);

beforeAll(() => init({ simd: 'strict', threads: 1 }));
afterAll(() => shutdown());

const i32 = (rows: number[] | number[][]): Tensor => tensor(rows as number[][], { dtype: 'i32' });
const inputs = (name: string) => ({
  ids: i32([
    [3, 7, 1, 19, 4],
    [5, 2, 11, 0, 0],
  ]),
  attentionMask: i32([
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0],
  ]),
  tokenTypeIds: /^Bert/.test(name)
    ? i32([
        [0, 0, 1, 1, 1],
        [0, 1, 1, 0, 0],
      ])
    : null,
});

/** The weights of a case, as its generator makes them. */
function weightsOf({ shapes }: Case): Record<string, io.FileTensor> {
  return Object.fromEntries(
    Object.entries(shapes).map(([key, [seed = 0, ...shape]]) => {
      const around = /weight$/.test(key) && /norm|ln_/i.test(key) ? 1 : 0;
      const data = Float32Array.from(made(seed, shape, [-0.5, 0.5]).data, (x) => x + around);
      return [key, { dtype: 'f32', shape, data }];
    }),
  );
}

/** The folder of a model in memory. */
function folderOf(config: object, weights: Record<string, io.FileTensor>): (name: string) => io.ByteSource | null {
  const files: Record<string, Uint8Array> = {
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': io.encodeSafetensors(weights),
  };
  return (name) => files[name] ?? null;
}
const load = (each: Case, options?: io.PretrainedOptions) =>
  io.loadPretrained(folderOf(each.config, weightsOf(each)), options);

function expectDigest(x: Tensor, expected: readonly number[], what: string): void {
  const found = digest(x.data, expected.length - 1);
  const top = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...found.map((value, i) => Math.abs(value - (expected[i] as number)) / top));
  expect(worst, `${what}: ${found} for ${expected}`).toBeLessThan(2e-5);
}

const labelsOf = ({ labels, name }: Case): Tensor => {
  const given = labels as number[];
  return /numbers/.test(name) ? tensor(given) : i32(given);
};

describe.each(golden.cases.map((each) => [each.name, each] as const))('%s', (name, each) => {
  it('gives what transformers gives', async () => {
    const model = await load(each);
    expect(model.training).toBe(false);
    expect(model.loading).toEqual({ missingKeys: [], unexpectedKeys: [] });
    const { ids, ...rest } = inputs(name);
    noGrad(() =>
      scope(() => {
        const out = model.forward(ids, rest) as Record<string, Tensor>;
        expect(Object.keys(out).sort()).toEqual(Object.keys(each.outputs).sort());
        for (const [key, expected] of Object.entries(each.outputs)) expectDigest(out[key] as Tensor, expected, key);
        const plain = model.forward(ids);
        expectDigest((plain.logits ?? plain.lastHiddenState) as Tensor, each.plain, 'without a mask');
        const places = i32([
          [0, 1, 2, 3, 4],
          [0, 1, 2, 3, 4],
        ]);
        const placed = model.forward(ids, { positionIds: places });
        expectDigest((placed.logits ?? placed.lastHiddenState) as Tensor, each.plain, 'with places');
      }),
    );
  });

  it.runIf(each.losses).each(['eager', 'compiled'])('learns as in PyTorch, %s', async (mode) => {
    const model = (await load(each)).train();
    const { ids, ...rest } = inputs(name);
    const labels = labelsOf(each);
    const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
    const step = (x: Tensor, y: Tensor): Tensor => {
      optimizer.zeroGrad();
      const { loss } = model.forward(x, { ...rest, labels: y });
      loss?.backward();
      optimizer.step();
      return loss as Tensor;
    };
    const run = mode === 'compiled' ? compile(step) : step;
    for (const [i, expected] of (each.losses as number[]).entries())
      scope(() => expect(Math.abs(run(ids, labels).item() / expected - 1), `step ${i}`).toBeLessThan(1e-4));
  });
});

const caseOf = (name: string): Case => golden.cases.find((each) => each.name === name) as Case;

describe('loadPretrained', () => {
  it('reads a folder of save_pretrained, in shards', async () => {
    const path = fileURLToPath(new URL('files/gpt2', import.meta.url));
    for (const folder of [
      path,
      `${path}/`,
      new URL('files/gpt2', import.meta.url),
      (name: string) => {
        try {
          return new Blob([file(`gpt2/${name}`)]);
        } catch {
          return null;
        }
      },
    ]) {
      const model = await io.loadPretrained(folder);
      expectDigest(model.forward(inputs('').ids).logits as Tensor, golden.folder.logits, 'logits');
    }
  });

  it('reads pytorch_model.bin, and names of older files', async () => {
    const each = caseOf('BertModel');
    const weights = Object.fromEntries(
      Object.entries(weightsOf(each)).map(([key, x]) => [
        key.replace(/LayerNorm\.weight/, 'LayerNorm.gamma').replace(/LayerNorm\.bias/, 'LayerNorm.beta'),
        x,
      ]),
    );
    const config = new TextEncoder().encode(JSON.stringify(each.config));
    const bytes = io.encodePyTorch({
      ...weights,
      'embeddings.position_ids': { dtype: 'i64', shape: [1], data: BigInt64Array.of(0n) },
    });
    const model = await io.loadPretrained(
      (name) => ({ 'config.json': config, 'pytorch_model.bin': bytes })[name] ?? null,
    );
    const { ids, ...rest } = inputs('Bert');
    expectDigest(
      model.forward(ids, rest).lastHiddenState as Tensor,
      each.outputs.lastHiddenState as number[],
      'states',
    );
    expect(model.loading.unexpectedKeys).toEqual(['embeddings.position_ids']);
  });

  it('puts another head on, and takes one off', async () => {
    const each = caseOf('BertForMaskedLM');
    const model = await load(each, { architecture: 'BertForSequenceClassification', numLabels: 5 });
    expect(model.forward(inputs('').ids).logits?.shape).toEqual([2, 5]);
    expect(model.loading.missingKeys).toEqual([
      'bert.pooler.dense.weight',
      'bert.pooler.dense.bias',
      'classifier.weight',
      'classifier.bias',
    ]);
    expect(model.loading.unexpectedKeys).toContain('cls.predictions.transform.dense.weight');
    const base = await load(caseOf('LlamaForCausalLM'), { architecture: 'LlamaModel' });
    expect(base.forward(inputs('').ids).lastHiddenState?.shape).toEqual([2, 5, 8]);
    const more = await load(caseOf('BertForTokenClassification'), { numLabels: 7 });
    expect(more.forward(inputs('').ids).logits?.shape).toEqual([2, 5, 7]);
    expect(more.loading.missingKeys).toEqual(['classifier.weight', 'classifier.bias']);
  });

  it('saves what it loads again, tied weights once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pretrained-'));
    const model = await load(caseOf('GPT2LMHeadModel'));
    await io.savePretrained(folder, model);
    const opened = await io.openSafetensors(join(folder, 'model.safetensors'));
    expect(opened.keys()).toHaveLength(Object.keys(model.stateDict()).length - 1);
    expect(opened.keys()).toContain('transformer.h.0.ln_1.weight');
    await opened.close();
    const again = await io.loadPretrained(folder);
    expect(again.config).toEqual(model.config);
    expect([...(again.forward(inputs('').ids).logits?.data ?? [])]).toEqual([
      ...(model.forward(inputs('').ids).logits?.data ?? []),
    ]);
    await rm(folder, { recursive: true });
  });

  const llama = () => caseOf('LlamaForCausalLM');
  const changed = (config: object, weights = weightsOf(llama())) => folderOf({ ...llama().config, ...config }, weights);
  const { 'model.norm.weight': _, ...headless } = weightsOf(llama());
  it.each([
    ['another model', changed({ architectures: ['T5Model'] }), /a model of the classes BertModel, .*, got 'T5Model'/],
    ['no architecture', changed({ architectures: null }), /got undefined; pass \{ architecture \}/],
    ['another activation', changed({ hidden_act: 'xielu' }), /gelu, .* as hidden_act of config\.json, got 'xielu'/],
    [
      'other rotary positions',
      changed({ rope_parameters: { rope_type: 'yarn', rope_theta: 10 } }),
      /default, linear, llama3 as rope_parameters\.rope_type of config\.json, got 'yarn'/,
    ],
    [
      'a size that is none',
      changed({ hidden_size: -8 }),
      /a whole number from 1 to 2147483647 as hidden_size of config\.json, got -8/,
    ],
    [
      'a size beyond the files',
      changed({ intermediate_size: 1_000_000 }),
      /sizes in config\.json that fit the weights, got a larger model/,
    ],
    ['layers without end', changed({ num_hidden_layers: 1e12 }), /a whole number from 1 to 10000 as num_hidden_layers/],
    [
      'a probability that is none',
      folderOf({ ...caseOf('GPT2Model').config, embd_pdrop: 3 }, weightsOf(caseOf('GPT2Model'))),
      /a config\.json that makes a model, got one that fails: /,
    ],
    [
      'heads that do not divide',
      folderOf({ ...caseOf('GPT2Model').config, n_head: 3 }, weightsOf(caseOf('GPT2Model'))),
      /a divisor of 8 as n_head/,
    ],
    [
      'other sizes',
      changed({ intermediate_size: 13 }),
      /mlp\.\w+_proj\.weight of shape \[(13, 8|8, 13)\], as config\.json has it/,
    ],
    ['missing weights', changed({}, headless), /expected model\.norm\.weight in the files, got none/],
    [
      'whole numbers as weights',
      changed(
        {},
        { ...weightsOf(llama()), 'model.norm.weight': { dtype: 'i32', shape: [8], data: new Int32Array(8) } },
      ),
      /model\.norm\.weight in f32 .*, got i32/,
    ],
    [
      'no weights',
      (name: string) => (name === 'config.json' ? new TextEncoder().encode('{"architectures":["LlamaModel"]}') : null),
      /pytorch_model\.bin in the folder, got none/,
    ],
    ['no config', () => null, /config\.json in the folder, got none/],
    [
      'a config that is none',
      (name: string) => (name === 'config.json' ? new Uint8Array([123]) : null),
      /JSON in config\.json, got other text/,
    ],
  ] as [string, (name: string) => io.ByteSource | null, RegExp][])('refuses %s', async (_, folder, message) => {
    const before = backend().memory.used;
    await expect(io.loadPretrained(folder)).rejects.toThrow(FormatError);
    await expect(io.loadPretrained(folder)).rejects.toThrow(message);
    expect(backend().memory.used).toBeLessThanOrEqual(before);
  });

  it('refuses inputs that do not fit', async () => {
    const model = await load(llama());
    const { ids } = inputs('');
    expect(() => model.forward(tensor([[1, 2]]))).toThrow(DtypeError);
    expect(() => model.forward(i32([1, 2]))).toThrow(ShapeError);
    expect(() => model.forward(ids, { attentionMask: i32([[1]]) })).toThrow(
      /attentionMask of shape \[2, 5\], got \[1, 1\]/,
    );
    expect(() => model.forward(i32([new Array(33).fill(1)]))).toThrow(ArgumentError);
    await expect(io.savePretrained('/tmp', model.getSubmodule('model.norm'))).rejects.toThrow(
      /a model of loadPretrained/,
    );
  });
});
