// SyncBatchNorm against one batch norm of all batches; shared state of optimizers against whole state.
import { compile, functional as F, manualSeed, nn, optim, randn } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report, reportError } from './report.js';

await distributed.init({ threads: 1 });
const rank = distributed.rank();
const far = (as, bs) => Math.max(...as.flatMap((a, i) => [...a.data].map((x, j) => Math.abs(x - bs[i].data[j]))));

function norms(momentum, compiled) {
  manualSeed(3);
  const make = () => {
    manualSeed(4);
    return new nn.Sequential(
      new nn.Conv2d(2, 3, 3),
      new nn.BatchNorm2d(3, { momentum }),
      new nn.ReLU(),
      new nn.Flatten(),
    );
  };
  const model = new distributed.DataParallel(distributed.SyncBatchNorm.convertSyncBatchnorm(make()));
  const alone = make();
  // Six examples here and two there, so that the mean of the ranks is half of the sum.
  const step = (m, share) => (x, y) => {
    m.zeroGrad();
    const loss = F.mseLoss(m.forward(x), y, { reduction: 'sum' }).mul(share);
    loss.backward();
    return loss;
  };
  const [a, b] = [step(model, 2), step(alone, 1)];
  const run = compiled ? compile(a) : a;
  for (let i = 0; i < 3; i++) {
    const [x, y] = [randn([8, 2, 5, 5]), randn([8, 27])];
    run(x.narrow(0, 6 * rank, 6 - 4 * rank).contiguous(), y.narrow(0, 6 * rank, 6 - 4 * rank).contiguous());
    b(x, y);
  }
  model.eval();
  const x = randn([2, 2, 5, 5]);
  alone.eval();
  return [
    far(
      model.parameters().map((p) => p.grad),
      alone.parameters().map((p) => p.grad),
    ) < 1e-3,
    far(model.buffers(), alone.buffers()) < 1e-5,
    far([model.forward(x)], [alone.forward(x)]) < 1e-5,
    String(model.module.children()[1].constructor.name),
  ];
}
report([norms(0.1, false), norms(null, false), norms(0.1, true)]);

/** Trains with state that is shared or not; an optimizer made anew goes on from the state of the other half way. */
function train(share, compiled) {
  manualSeed(6);
  const model = new distributed.DataParallel(
    new nn.Sequential(new nn.Linear(8, 130), new nn.Tanh(), new nn.Linear(130, 130), new nn.Linear(130, 2)),
  );
  const make = () => {
    const made = new optim.AdamW(model.parameters(), { lr: 0.01 });
    return share ? distributed.shardOptimizer(made) : made;
  };
  let optimizer = make();
  const stepOf = () => {
    const step = (x, y) => {
      optimizer.zeroGrad();
      F.mseLoss(model.forward(x), y).backward();
      optimizer.step();
    };
    return compiled ? compile(step) : step;
  };
  let step = stepOf();
  const counts = [];
  for (let i = 0; i < 6; i++) {
    step(randn([4, 8]), randn([4, 2]));
    if (i !== 2) continue;
    const state = optimizer.stateDict();
    counts.push(Object.keys(state.state).length);
    optimizer = make();
    optimizer.loadStateDict(state);
    step = stepOf();
  }
  return [counts[0], JSON.stringify(model.parameters().map((p) => [...p.data]))];
}
const [whole, shared, compiled] = [train(false, false), train(true, false), train(true, true)];
report([whole[0], shared[0], compiled[0], whole[1] === shared[1], whole[1] === compiled[1]]);
const model = new nn.Linear(2, 2);
const optimizer = distributed.shardOptimizer(new optim.Adam(model.parameters()));
model
  .forward(randn([1, 2]))
  .sum()
  .backward();
optimizer.step();
report(Object.keys(optimizer.stateDict().state).length);
await reportError(() => distributed.shardOptimizer(optimizer));
