// Trains by Trainer as ranks: stopped, saved, and gone on with, on any number of ranks.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, functional as F, manualSeed, nn, optim, randn } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { Accuracy, ModelCheckpoint, Trainer } from 'retrograd/train';
import { report, reportError } from './report.js';

const [, , folder, how = ''] = process.argv;
await distributed.init({ threads: 1 });
const [rank, size] = [distributed.rank(), distributed.worldSize()];
const own = join(folder, how === 'whole' ? `whole-${size}` : 'half');
mkdirSync(own, { recursive: true });

manualSeed(3);
const x = randn([64, 5]);
const set = new data.TensorDataset(x, x.sum(1).gt(0).to('i32'));
const global = 16;
const batchSize = global / size;
const sampler = new distributed.DistributedSampler(set, { seed: 2, blockSize: batchSize });
const loader = new data.DataLoader(set, { batchSize, sampler });
const net = new nn.Sequential(
  ...[new nn.Linear(5, 8), new nn.BatchNorm1d(8), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(8, 2)],
);

const told = [];
const trainer = new Trainer(net, {
  loss: F.crossEntropy,
  optimizer: new optim.Adam(net.parameters(), { lr: 0.01 }),
  metrics: { accuracy: new Accuracy() },
  strategy: { name: 'ddp', order: 'fixed', shards: 4 },
  loggers: [{ logScalars: (step) => told.push(step), logHyperparameters() {}, close() {} }],
  logEvery: 1,
  callbacks: [
    { firstRankOnly: true, onEpochEnd: () => told.push('epoch') },
    // The last rank alone is told to stop: all do.
    { onStepEnd: (run) => how === 'stop' && rank === size - 1 && run.step === 3 && run.stop('enough') },
    new ModelCheckpoint(
      { write: (name, bytes) => writeFileSync(join(own, name), bytes), remove() {} },
      { saveTopK: 0 },
    ),
  ],
});
const last = join(own, 'last.safetensors');
if (how === 'resume') await trainer.loadCheckpoint(last);
const { steps, stopped, history } = await trainer.fit(loader, { epochs: 2, validation: loader });
const hash = createHash('sha256');
for (const value of Object.values(net.stateDict())) hash.update(value.data);
report({ steps, stopped, told, figures: history.at(-1) ?? null, hash: hash.digest('hex'), saved: existsSync(last) });

if (how === 'whole' && size > 1) {
  // Any order: gradients are means, and buffers those of rank 0.
  const other = new nn.Sequential(new nn.Linear(5, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2));
  const fast = new Trainer(other, {
    loss: F.crossEntropy,
    optimizer: new optim.SGD(other.parameters(), { lr: 0.1 }),
    strategy: 'ddp',
  });
  await fast.fit(loader, { epochs: 1 });
  report(distributed.allGatherObject(Object.values(other.stateDict()).map((v) => [...v.data])));
  await reportError(async () => {
    const options = {
      optimizer: new optim.SGD(other.parameters(), { lr: 0.1 }),
      loss: F.crossEntropy,
      strategy: 'fsdp',
    };
    new Trainer(other, options);
  });

  // Of batches that are added up, the last alone is reduced, or at the end of an epoch what there is.
  const batches = [];
  for (const batch of loader) batches.push(batch.map((part) => part.clone().keep()));
  const everybody = batches.map((batch) => batch.map((part) => distributed.allGather(part).flatten(0, 1).keep()));
  const [shared, alone] = ['ddp', null].map((strategy) => {
    manualSeed(5);
    const model = new nn.Linear(5, 2);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    return { model, run: new Trainer(model, { loss: F.crossEntropy, optimizer, strategy, accumulate: 3 }) };
  });
  const seen = [];
  for (const batch of batches.slice(0, 3)) {
    shared.run.trainBatch(batch);
    const all = distributed.allGatherObject([...shared.model.weight.grad.data]).map((each) => JSON.stringify(each));
    seen.push(new Set(all).size);
  }
  for (const batch of everybody.slice(0, 3)) alone.run.trainBatch(batch);
  await shared.run.fit(batches, { epochs: 1 });
  await alone.run.fit(everybody, { epochs: 1 });
  report([seen, distributed.allGatherObject([...shared.model.weight.data]), [...alone.model.weight.data]]);

  // Ranks with other batches than each other's, and with the same.
  const own = new data.DataLoader(set, { batchSize, sampler });
  if (rank === 1) for (const _ of own) break;
  const feeds = [batches.slice(0, 2 + rank), own, new data.DataLoader(set, { batchSize })];
  const unknown = { [Symbol.iterator]: () => batches.slice(0, 2 + rank)[Symbol.iterator]() };
  for (const feed of [...feeds, unknown]) {
    const model = new nn.Linear(5, 2);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const run = new Trainer(model, { loss: F.crossEntropy, optimizer, strategy: 'ddp' });
    await reportError(() => run.fit(feed, { epochs: 1 }));
  }
}
