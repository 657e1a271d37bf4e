// Trains in a fixed order of shards: what it reports is the same on any number of ranks.
import { createHash } from 'node:crypto';
import { compile, functional as F, manualSeed, nn, optim, randn } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report, reportError } from './report.js';

await distributed.init({ threads: 1 });
const rank = distributed.rank();
const size = distributed.worldSize();

function train(compiled) {
  manualSeed(5);
  const net = new nn.Sequential(
    ...[new nn.Linear(6, 17), new nn.BatchNorm1d(17), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(17, 3)],
  );
  const model = new distributed.DataParallel(net, { order: 'fixed', shards: 4 });
  const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
  const step = (x, y) => {
    optimizer.zeroGrad();
    const losses = model.inShards(
      (...[a, b]) => {
        const loss = F.mseLoss(model.forward(a), b);
        loss.backward();
        return loss;
      },
      x,
      y,
    );
    optimizer.step();
    return losses;
  };
  const run = compiled ? compile(step) : step;
  for (let i = 0; i < 5; i++) {
    const [x, y] = [randn([32, 6]), randn([32, 3])]; // of all ranks
    const rows = 32 / size;
    run(x.narrow(0, rank * rows, rows).contiguous(), y.narrow(0, rank * rows, rows).contiguous());
  }
  const hash = createHash('sha256');
  for (const x of Object.values(model.stateDict())) hash.update(x.data);
  hash.update(String(randn([4]).data)); // where the generator stands
  return { hash: hash.digest('hex'), run, model };
}

const eager = train(false);
const compiled = train(true);
report([eager.hash, compiled.hash, compiled.run.programs]);
await reportError(() => eager.model.forward(randn([2, 6])));
await reportError(() => eager.model.inShards(() => {}, randn([5, 6])));
await reportError(() => new distributed.DataParallel(new nn.Linear(1, 1)).inShards(() => {}, randn([4, 1])));
if (size > 1) {
  await reportError(() => new distributed.DataParallel(new nn.Linear(1, 1), { order: 'fixed', shards: 3 }));
  manualSeed(rank);
  await reportError(() => new distributed.DataParallel(new nn.Linear(1, 1), { order: 'fixed', shards: 4 }));
}
