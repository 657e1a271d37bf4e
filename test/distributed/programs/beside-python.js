// One rank of a job whose other is a program of mpi4py: beside-python.py.
import { compile, tensor } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report } from './report.js';

// Without a watchdog, which would look for another beside the other rank.
await distributed.init({ threads: 1, timeout: Number.POSITIVE_INFINITY });
const x = tensor([1, 2, 3, 4]);
distributed.allReduce(x);
const mean = compile((y) => distributed.allReduce(y.mul(2)).div(2));
const numbers = tensor([[5, 6]], { dtype: 'i32' });
distributed.broadcast(numbers, { root: 1 });
const all = distributed.allGather(tensor([0.5]));
const large = tensor(new Float32Array(300_000).fill(1));
distributed.allReduce(large, 'max');
distributed.barrier();
report([[...x.data], [...mean(tensor([1, 2])).data], [...numbers.data], [...all.data], large.sum().item()]);
