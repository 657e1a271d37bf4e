// Every collective, at once and inside of compiled functions, on each dtype; and what differs between ranks.
import { compile, profile, randn, Tensor, tensor, zeros } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report, reportError } from './report.js';

await distributed.init({ threads: Number(process.argv[2]) });
const rank = distributed.rank();
const plain = (x) => (x instanceof Tensor ? { dtype: x.dtype, shape: x.shape, values: [...x.data] } : x);

/** What is called, on what this rank has. */
const calls = {
  sum: () => distributed.allReduce(tensor([[1, 2, 3].map((x) => x * (rank + 1))])),
  mean: () => distributed.allReduce(tensor([rank, 2 * rank]), { op: 'mean' }),
  max: () => distributed.allReduce(tensor([rank, -rank, 5]), 'max'),
  integers: () => distributed.allReduce(tensor([rank + 1, 7], { dtype: 'i32' })),
  bytes: () => distributed.allReduce(tensor([rank, 3, 4, 5, 6], { dtype: 'u8' }), 'max'),
  empty: () => distributed.allReduce(zeros([0, 3])),
  broadcast: () => distributed.broadcast(tensor([10 * rank, rank + 1]), { root: 1 }),
  allGather: () => distributed.allGather(tensor([[rank, rank + 0.5]])),
  gather: () => distributed.gather(tensor([rank, 9], { dtype: 'i32' }), 1),
  view: () =>
    distributed.allGather(
      tensor([
        [rank, 1],
        [2, 3],
      ]).t(),
    ),
  reduceScatter: () => distributed.reduceScatter(tensor([1, 2, 3, 4].map((x) => x + 10 * rank))),
  reduceScatterMean: () =>
    distributed.reduceScatter(
      tensor([
        [1, 2],
        [3, rank],
      ]),
      { op: 'mean' },
    ),
};
const eager = Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, plain(call())]));
report(eager);

// As steps of one program, with what is computed before and behind them; and the same without compile().
const made = () => {
  const w = tensor([
    [1, 2],
    [3, 4],
  ]);
  const fn = (x) => {
    const y = distributed.allReduce(x.mul(2).add(1));
    const mean = distributed.allReduce(y.matmul(w).relu(), { op: 'mean' });
    const gathered = distributed.allGather(mean.sub(x)).sum(0);
    const scattered = distributed.reduceScatter(gathered).add(1);
    const given = distributed.broadcast(x.mul(rank + 1), 1);
    const root = distributed.gather(given.sum(), 0) ?? x.sum();
    distributed.allReduce(w);
    return [y.mul(10), mean, gathered, scattered, given, root];
  };
  return { w, fn };
};
const [own, others] = [made(), made()];
const all = compile(own.fn);
for (let i = 0; i < 5; i++) {
  const x = tensor([
    [1, rank],
    [i, 1],
  ]);
  const got = i === 3 ? profile(() => all(x)).result : all(x);
  const want = others.fn(x);
  report([[...got, own.w].map(plain), [...want, others.w].map(plain)]);
}
report(all.programs);

// Long ones, past what MPI sends at once, with many threads at work around them.
const long = compile((x) => distributed.allReduce(x.mul(3).exp().log()).div(6).sub(x).abs().max());
const x = distributed.broadcast(randn([300_000]));
report([long(x).item() < 1e-4, long(x).item() < 1e-4]);

report([distributed.allGatherObject({ rank, text: 'é'.repeat(rank) }), distributed.broadcastObject([rank, null], 1)]);
distributed.barrier();
await reportError(() => distributed.allReduce(zeros([2 + rank])));
await reportError(() => (rank === 0 ? distributed.allReduce(zeros([2])) : distributed.broadcast(zeros([2]))));
await reportError(() => compile((y) => distributed.allReduce(y.add(1)))(zeros([3, 1 + rank])));
await reportError(() => distributed.allReduce(tensor([1], { dtype: 'i32' }), { op: 'mean' }));
await reportError(() => distributed.broadcast(zeros([1]), 2));
await reportError(() => distributed.reduceScatter(zeros([3])));
await reportError(() => distributed.allReduce(zeros([2, 3]).t()));
await reportError(() => compile(() => distributed.barrier())());
await reportError(() => compile(() => distributed.broadcastObject(1))());
await reportError(() => distributed.allGatherObject(() => 1));
await reportError(() => distributed.allGatherObject({ number: 1n }));
report([distributed.broadcastObject(rank === 1 ? 'given' : null, 1), distributed.broadcastObject({ a: rank })]);
report(distributed.allReduce(tensor([rank])).item());
