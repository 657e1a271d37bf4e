// Classifies handwritten digits with a long short-term memory that reads an image row by row, from top to bottom:
// node build/examples/lstm.js [--epochs 2] [--limit IMAGES of each set] [--data FOLDER]
import { parseArgs } from 'node:util';
import { compile, data, functional as F, init, manualSeed, nn, noGrad, optim, type Tensor } from 'retrograd';
import { loadMnist } from './mnist/dataset.ts';
import { createProgress } from './mnist/progress.ts';
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
const optimizer = new optim.Adam(model.parameters(), { lr: 2e-3 });
const learner = new data.DataLoader(new Digits(train), { batchSize: 64, shuffle: true });

const learn = compile((images: Tensor, labels: Tensor) => {
  optimizer.zeroGrad();
  const logits = model.forward(images);
  const loss = F.crossEntropy(logits, labels);
  loss.backward();
  optim.clipGradNorm(model.parameters(), 1);
  optimizer.step();
  return { loss: loss.detach(), right: logits.detach().argmax(1).eq(labels).sum() };
});
const recognise = compile((images: Tensor, labels: Tensor) =>
  noGrad(() => model.forward(images).argmax(1).eq(labels).sum()),
);

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const progress = createProgress({ epochs, images: train.count });
for (let epoch = 1; epoch <= epochs; epoch++) {
  progress.startEpoch(epoch);
  let [done, loss, right] = [0, 0, 0];
  for (const [images, labels] of learner) {
    const batch = learn(images, labels);
    const n = labels.shape[0] as number;
    done += n;
    loss += n * batch.loss.item();
    right += batch.right.item();
    progress.update(done, loss / done, right / done);
  }
  progress.endEpoch(`epoch ${epoch}/${epochs}  loss ${(loss / done).toFixed(4)}  train ${percent(right / done)}`);
}
progress.stop();

let right = 0;
for (const [images, labels] of new data.DataLoader(new Digits(tested), { batchSize: 200 }))
  right += recognise(images, labels).item();
console.log(`Test accuracy   ${percent(right / tested.count)}`);
