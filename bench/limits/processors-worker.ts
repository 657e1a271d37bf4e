// Products of matrices for as long as it is told, on one thread: what a processor does that shares nothing with others.
import { parentPort } from 'node:worker_threads';
import { init, randn, scope } from 'retrograd';

const SIZE = 256;
await init({ threads: 1 });
const a = randn([SIZE, SIZE]).keep();

/** Between two times, in milliseconds since 1970, which are the same for all. It answers with products a second. */
parentPort?.on('message', ({ from, to }: { readonly from: number; readonly to: number }) => {
  const clock = (): number => performance.timeOrigin + performance.now();
  while (clock() < from);
  let products = 0;
  const started = performance.now();
  while (clock() < to) {
    scope(() => void a.matmul(a));
    products++;
  }
  parentPort?.postMessage((1000 * products) / (performance.now() - started));
});
