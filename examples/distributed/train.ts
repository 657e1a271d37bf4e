// A training that may be killed at any moment: it goes on from its last checkpoint. Started by supervise.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { data, functional as F, manualSeed, nn, optim, randn } from 'retrograd';
import { DistributedSampler, init, rank, worldSize } from 'retrograd/distributed';
import { ModelCheckpoint, Trainer } from 'retrograd/train';

const [folder = 'runs/distributed', epochs = '20'] = process.argv.slice(2);
const BATCH = 32;

// A rank that hears nothing of the others for so long ends the job.
await init({ threads: 1, timeout: 60 });
manualSeed(1);
const x = randn([1024, 16]);
const set = new data.TensorDataset(x, x.sum(1, { keepdim: true }));
const batchSize = BATCH / worldSize();
const sampler = new DistributedSampler(set, { blockSize: batchSize });
const model = new nn.Sequential(new nn.Linear(16, 64), new nn.Tanh(), new nn.Linear(64, 1));

const trainer = new Trainer(model, {
  strategy: { name: 'ddp', order: 'fixed', shards: 4 },
  loss: F.mseLoss,
  optimizer: new optim.Adam(model.parameters(), { lr: 1e-3 }),
  callbacks: [new ModelCheckpoint(folder, { saveTopK: 0, everySteps: 5 })],
});
const last = join(folder, 'last.safetensors');
if (existsSync(last)) await trainer.loadCheckpoint(last);
const { history } = await trainer.fit(new data.DataLoader(set, { batchSize, sampler }), { epochs: Number(epochs) });
if (rank() === 0) console.log(`loss ${history.at(-1)?.loss} after ${trainer.step} steps`);
