// Rows outside of the core bring the kernels that they call: a bundle that has the rows has those.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
// Nothing here loads a row, so that only the kernels of the core are known.
import { init, runtime, shutdown } from '../../bindings/engine/engine.ts';
import { convKernels } from '../../bindings/generated/kernel-calls.ts';
import * as attention from '../../bindings/kernels/attention.ts';
import * as columns from '../../bindings/kernels/columns.ts';
import * as conv from '../../bindings/kernels/conv.ts';
import * as embedding from '../../bindings/kernels/embedding.ts';
import * as loss from '../../bindings/kernels/loss.ts';
import * as norm from '../../bindings/kernels/norm.ts';
import * as optim from '../../bindings/kernels/optim.ts';
import * as optimizers from '../../bindings/kernels/optimizers.ts';
import * as order from '../../bindings/kernels/order.ts';
import * as pad from '../../bindings/kernels/pad.ts';
import * as pool from '../../bindings/kernels/pool.ts';
import * as random from '../../bindings/kernels/random.ts';
import * as resample from '../../bindings/kernels/resample.ts';
import * as rnn from '../../bindings/kernels/rnn.ts';
import * as scatter from '../../bindings/kernels/scatter.ts';
import * as special from '../../bindings/kernels/special.ts';
import { addKernels, descriptorOf, type KernelName, table } from '../../bindings/kernels/table.ts';
import * as tfjs from '../../bindings/kernels/tfjs.ts';

const families = {
  ...{
    ...columns,
    ...conv,
    ...embedding,
    ...loss,
    ...norm,
    ...optim,
    ...optimizers,
    ...pad,
    ...pool,
    ...resample,
    ...rnn,
  },
  ...attention,
  ...random,
  ...{ ...order, ...scatter, ...special, ...tfjs },
} as unknown as Record<string, object>;
const folder = fileURLToPath(new URL('../../bindings/ops/', import.meta.url));
const outside = Object.keys(table).filter((name) => !descriptorOf(name as KernelName));

const texts = readdirSync(folder).map((file) => readFileSync(folder + file, 'utf8'));

/** The families that call kernels for TensorFlow.js, which say so likewise. */
const tfjsFolder = fileURLToPath(new URL('../../bindings/tfjs/kernels/', import.meta.url));
const tfjsTexts = readdirSync(tfjsFolder).map((file) => readFileSync(tfjsFolder + file, 'utf8'));

/** The kernels outside of the core that a text calls. */
const calledIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:k|kernels)\.(\w+)\(/g)]
    .map(([, name]) => name as string)
    .filter((name) => outside.includes(name));
/** The kernels that a text says its rows bring. */
const broughtBy = (text: string): string[] =>
  [...text.matchAll(/calling\((\w+),/g)].flatMap(([, family]) => Object.keys(families[family as string] ?? {}));

it('are all called, and none by the core', () => {
  const optimizersOfTfjs = readFileSync(`${tfjsFolder}../accelerate/optimizers.ts`, 'utf8');
  expect(new Set([...texts, ...tfjsTexts, optimizersOfTfjs].flatMap(calledIn))).toEqual(new Set(outside));
  expect(outside.length).toBeGreaterThan(40);
});

it.each(readdirSync(folder))('%s', (file) => {
  const text = readFileSync(folder + file, 'utf8');
  const rows = text.match(/= family\([\s\S]*?\n\}\)\);/g) ?? [];
  for (const each of rows) expect(broughtBy(each)).toEqual(expect.arrayContaining(calledIn(each)));
  // Helpers are called by rows of their file, or by those of the files that import it.
  const callers = rows.length > 0 ? [text] : texts.filter((other) => other.includes(`from './${file}'`));
  for (const caller of callers) expect(broughtBy(caller), file).toEqual(expect.arrayContaining(calledIn(text)));
  if (calledIn(text).length > 0) expect(callers.length).toBeGreaterThan(0);
});

it('are brought by the families for TensorFlow.js that call them', () => {
  const brought = tfjsTexts.flatMap((text) =>
    [...text.matchAll(/kernels: \[([^\]]*)\]/g)].flatMap(([, list]) =>
      (list as string).split(/\W+/).flatMap((family) => Object.keys(families[family] ?? {})),
    ),
  );
  expect(brought).toEqual(expect.arrayContaining(tfjsTexts.flatMap(calledIn)));
});

it('are called by a program that loads them while it runs, and by its successors', async () => {
  await init({ threads: 1, simd: 'strict' });
  const before = runtime().kernels;
  expect(before.conv_forward_f32).toBe(undefined);
  addKernels(convKernels);
  expect(before.conv_forward_f32).toBeInstanceOf(Function);
  shutdown();
  await init({ threads: 1, simd: 'strict' });
  expect(runtime().kernels.conv_forward_f32).toBeInstanceOf(Function);
  shutdown();
});
