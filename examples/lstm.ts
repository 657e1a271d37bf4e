// Classifies handwritten digits with a long short-term memory that reads an image row by row, from top to bottom:
// node build/examples/lstm.js [--epochs 2] [--limit IMAGES of each set] [--data FOLDER]
import { parseArgs } from 'node:util';
import { data, functional as F, init, manualSeed, nn, optim, type Tensor } from 'retrograd';
import { Accuracy, Trainer } from 'retrograd/train';
import { loadMnist } from './mnist/dataset.ts';
import { imageProgress, percent } from './mnist/progress.ts';
import { CLASSES, Digits } from './mnist/training.ts';

const { values } = parseArgs({
  options: { epochs: { type: 'string', default: '2' }, limit: { type: 'string' }, data: { type: 'string' } },
});
const epochs = Number(values.epochs);
const limit = Number(values.limit ?? Infinity);

await init();
manualSeed(1);
const { train, test } = await loadMnist(values.data, limit);
const tested = { ...test, count: Math.min(test.count, limit) };

/** The last state of the LSTM, which has seen all rows, tells the digit. */
class Reader extends nn.Module {
  readonly lstm: nn.LSTM;
  readonly head = new nn.Linear(128, CLASSES);

  constructor(columns: number) {
    super();
    this.lstm = new nn.LSTM(columns, 128, { batchFirst: true });
  }

  /** @param images [n, 1, rows, columns] */
  forward(images: Tensor): Tensor {
    const [, [h]] = this.lstm.forward(images.select(1, 0));
    return this.head.forward(h.select(0, 0));
  }
}

const model = new Reader(train.cols);
const trainer = new Trainer(model, {
  loss: F.crossEntropy,
  optimizer: new optim.Adam(model.parameters(), { lr: 2e-3 }),
  clip: { norm: 1 },
  metrics: { accuracy: new Accuracy() },
  callbacks: [imageProgress(({ loss = 0, accuracy = 0 }) => `loss ${loss.toFixed(4)}  train ${percent(accuracy)}`)],
});
await trainer.fit(new data.DataLoader(new Digits(train), { batchSize: 64, shuffle: true }), { epochs });
const { accuracy } = await trainer.evaluate(new data.DataLoader(new Digits(tested), { batchSize: 200 }));
console.log(`Test accuracy   ${percent(accuracy as number)}`);
