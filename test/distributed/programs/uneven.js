// Ranks that do not do the same: loops of other lengths, other calls, and an end before its time.
import { compile, functional as F, nn, optim, randn } from 'retrograd';
import * as distributed from 'retrograd/distributed';

const [, , how] = process.argv;
await distributed.init({ threads: 1 });
const rank = distributed.rank();
const model = new distributed.DataParallel(new nn.Linear(4, 1));
const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
const step = compile((x) => {
  optimizer.zeroGrad();
  F.mseLoss(model.forward(x), x.sum(1, { keepdim: true })).backward();
  optimizer.step();
});
for (let i = 0; i < 10 - rank; i++) step(randn([8, 4]));
if (how === 'meets') distributed.barrier();
