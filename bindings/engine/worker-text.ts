// The programs of workers.

/** Bytes in the control block (assembly/program/threads.ts) of the words that only this file and the pool know. */
export const ARRIVED = 16; // counts the workers that have an instance
export const COUNT = 20; // how many threads the team has, as soon as that is known
/** Which word of a loop says where the module is that was made for it; see bindings/program/loop-kernels.ts. */
const MODULE = 6;

/**
 * A worker takes its number as it arrives, and waits until the team is made up: those that come later than that leave.
 */
const SERVE = `const serve = ({ module, memory, control, workspaces, scratches, tile }, ready) => {
  const now = () => performance.now();
  const loops = [];
  const make = (words) => {
    try {
      const i32 = new Int32Array(memory.buffer), at = i32[(words >>> 2) + ${MODULE}] >>> 0;
      const bytes = new Uint8Array(memory.buffer, at + 4, i32[at >>> 2]).slice();
      return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.f;
    } catch {
      return () => 0;
    }
  };
  const made = (kernel, words, from, to) => (loops[kernel] ??= make(words))(words, from, to);
  const { exports: kernels } = new WebAssembly.Instance(module, { env: { memory, now, made, abort() {} } });
  kernels._initialize?.();
  kernels.gemm_set_tile(tile);
  const words = new Int32Array(memory.buffer);
  const [arrived, count] = [(control + ${ARRIVED}) >>> 2, (control + ${COUNT}) >>> 2];
  const index = Atomics.add(words, arrived, 1) + 1;
  Atomics.notify(words, arrived);
  ready(index);
  Atomics.wait(words, count, 0);
  const threads = Atomics.load(words, count);
  if (index >= threads) return;
  kernels.thread_start(index, threads, control, workspaces[index], scratches[index], 1);
  kernels.thread_run();
};
`;

/** The program for Node. */
export const NODE_WORKER = `${SERVE}const { parentPort, workerData } = require('node:worker_threads');
serve(workerData, (index) => parentPort.postMessage(index));
`;

/**
 * The program for pages. It is text, so that no bundler has to find a file for it; the build writes it to
 * build/lib/worker.js too, for pages that forbid workers made of text.
 */
export const WORKER = `${SERVE}onmessage = ({ data }) => serve(data, postMessage);
`;
