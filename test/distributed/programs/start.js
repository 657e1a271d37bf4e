// Begins a job, says who is in it, and ends as the argument says.
import { backend } from 'retrograd';
import * as distributed from 'retrograd/distributed';
import { report } from './report.js';

const [, , how, library = null] = process.argv;
if (how === 'early') throw new TypeError('thrown before init()');
await distributed.init({
  threads: how === 'threads' ? 2 : 1,
  library: library || null,
  timeout: how === 'hang' ? 0.4 : 1800,
});
await distributed.init();
report({ rank: distributed.rank(), size: distributed.worldSize(), threads: backend().threads });
if (how === 'finalize') {
  distributed.finalize();
  try {
    distributed.rank();
  } catch (error) {
    process.stdout.write(`${error.message}\n`);
  }
}
if (how === 'hang') {
  if (distributed.rank() === 1) for (;;) {}
  distributed.barrier();
}
if (how === 'throw') {
  if (distributed.rank() === 1) throw new TypeError('thrown by a rank');
  await new Promise((done) => setTimeout(done, 60_000));
}
