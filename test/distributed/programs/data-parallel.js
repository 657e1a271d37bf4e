// DataParallel against one model that sees the batches of all ranks: gradients, weights, and what may go wrong.
import { compile, functional as F, manualSeed, nn, noGrad, optim, randn, tensor } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report, reportError } from './report.js';

await distributed.init({ threads: Number(process.argv[2] ?? 1) });
const rank = distributed.rank();
const size = distributed.worldSize();

/** Layers of sizes that stand alone and that come together; one weight is used twice. */
class Net extends nn.Module {
  first = new nn.Linear(6, 40);
  norm = new nn.LayerNorm(40);
  second = new nn.Linear(40, 40);
  last = new nn.Linear(40, 3);
  forward(x) {
    const h = this.norm.forward(this.first.forward(x).relu());
    return this.last.forward(this.second.forward(this.second.forward(h).tanh()).add(h));
  }
}
manualSeed(7);
const batches = Array.from({ length: 4 }, () => ({ x: randn([4 * size, 6]), y: randn([4 * size, 3]) }));
const own = (t) => t.narrow(0, 4 * rank, 4).contiguous();
const numbers = (model) => model.parameters().map((p) => [...p.data]);
const furthest = (a, b) => Math.max(...a.flatMap((xs, i) => xs.map((x, j) => Math.abs(x - b[i][j]))));
const same = (value) => new Set(distributed.allGatherObject(value).map((each) => JSON.stringify(each))).size === 1;

/** Trains both, and says how far they are apart, and whether all ranks have the same. */
function train(options, { compiled = false, accumulate = 1 } = {}) {
  manualSeed(1 + 10 * rank); // other weights on each rank, at first
  const model = new distributed.DataParallel(new Net(), options);
  const alone = new Net();
  alone.loadStateDict(model.module.stateDict());
  const [optimizer, other] = [model, alone].map((m) => new optim.SGD(m.parameters(), { lr: 0.1, momentum: 0.9 }));
  const part = (x, y) => {
    const loss = F.mseLoss(model.forward(x), y).div(accumulate);
    loss.backward();
    return loss;
  };
  const step = (...parts) => {
    optimizer.zeroGrad();
    for (let i = 0; i < accumulate - 1; i++) model.noSync(() => part(parts[2 * i], parts[2 * i + 1]));
    const loss = part(...parts.slice(-2));
    optim.clipGradNorm(model.parameters(), 5);
    optimizer.step();
    return loss;
  };
  const run = compiled ? compile(step) : step;
  for (const { x, y } of batches) {
    const halves = Array.from({ length: accumulate }, (_, i) =>
      [own(x), own(y)].map((t) => t.narrow(0, (4 / accumulate) * i, 4 / accumulate).contiguous()),
    ).flat();
    run(...halves);
    other.zeroGrad();
    F.mseLoss(alone.forward(x), y).backward();
    optim.clipGradNorm(alone.parameters(), 5);
    other.step();
  }
  const result = {
    far: furthest(numbers(model), numbers(alone)) < 1e-5,
    same: same(numbers(model)),
    programs: run.programs ?? null,
  };
  const weights = numbers(model);
  model.dispose();
  return [result, weights];
}

const each = [];
const weights = [];
for (const bucketBytes of [2 ** 20, 512])
  for (const compiled of [false, true])
    for (const accumulate of [1, 2]) {
      const [result, trained] = train({ bucketBytes }, { compiled, accumulate });
      each.push(result);
      if (accumulate === 1) weights.push(JSON.stringify(trained));
    }
report(each);
report(new Set(weights).size); // the same bits in buckets and alone, eager and compiled
// What follows is about several ranks.
if (size === 1) process.exit(0);

// Buffers are those of rank 0; and batch norm trains with statistics of each rank's batch.
const normed = new distributed.DataParallel(new nn.Sequential(new nn.Linear(6, 4), new nn.BatchNorm1d(4)));
for (const { x } of batches.slice(0, 2)) normed.forward(own(x).add(rank)).sum().backward();
noGrad(() => normed.forward(own(batches[0].x)));
const [mean] = normed.module.buffers();
const all = distributed.allGatherObject([...mean.data]);
report([JSON.stringify(all[0]) !== JSON.stringify(all[1]), same(normed.parameters().map((p) => [...p.grad.data]))]);

// Hooks get what this rank has; a frozen parameter has no part; backward() of some parameters reduces those.
const hooked = new distributed.DataParallel(new nn.Linear(2, 2));
hooked.module.bias.requiresGrad = false;
const heard = [];
hooked.module.weight.registerHook((g) => {
  heard.push([...g.data]);
  return g.mul(2);
});
hooked
  .forward(tensor([[1 + rank, 0]]))
  .sum()
  .backward();
report([heard, [...hooked.module.weight.grad.data], hooked.module.bias.grad]);
hooked.module.bias.requiresGrad = true;
hooked.zeroGrad();
hooked
  .forward(tensor([[1, rank]]))
  .sum()
  .backward({ inputs: [hooked.module.bias] });
report([hooked.module.weight.grad, [...hooked.module.bias.grad.data]]);

// Parameters without a part.
class Two extends nn.Module {
  a = new nn.Linear(1, 1, { bias: false });
  b = new nn.Linear(1, 1, { bias: false });
  forward(x, second) {
    return second ? this.b.forward(x) : this.a.forward(x);
  }
}
const strict = new distributed.DataParallel(new Two());
await reportError(() =>
  strict
    .forward(tensor([[1]]), false)
    .sum()
    .backward(),
);
const loose = new distributed.DataParallel(new Two(), { findUnusedParameters: true });
loose
  .forward(tensor([[3]]), rank === 1)
  .sum()
  .backward();
report([loose.module.a.weight.grad.item(), loose.module.b.weight.grad.item()]);

// Sparse gradients, and another reducer beside it.
const table = new distributed.DataParallel(new nn.Embedding(4, 2, { sparse: true }));
table
  .forward(tensor([rank, 3], { dtype: 'i32' }))
  .sum()
  .backward();
report([...table.module.weight.grad.data]);

await reportError(() => new distributed.DataParallel(new nn.Linear(2, 2 + rank)));
await reportError(() => strict.noSync(async () => {}));

// A model that is wrapped again, as by the next Trainer, and one inside of another.
const again = new nn.Linear(1, 1, { bias: false });
const wrapped = [again, again, new distributed.DataParallel(new nn.Linear(1, 1, { bias: false }))].map(
  (module) => new distributed.DataParallel(module),
);
for (const model of wrapped)
  model
    .forward(tensor([[rank]]))
    .sum()
    .backward();
report(wrapped.map((model) => model.parameters()[0].grad.item()));
