// The programs of workers: all that they have to know is how to import the user's module, whose pipeline does the rest.

/** Imports the module, and has its pipeline serve. */
const RUN = `const run = async (job, port) => {
  port.postMessage({ started: true });
  try {
    const { setup } = await import(job.url);
    if (typeof setup !== 'function') throw new Error('expected a module that exports setup(data, { index, count }), got ' + job.url);
    const { index, count } = job;
    const pipeline = await setup(job.data, { index, count });
    if (typeof pipeline?.serve !== 'function') throw new Error('expected a pipeline from setup() of ' + job.url);
    await pipeline.serve(job, port);
  } catch ({ name, message, stack }) {
    port.postMessage({ failure: { name, message, stack, at: '' } });
  }
};
`;

/** For Node. */
export const NODE_WORKER = `${RUN}import('node:worker_threads').then(({ parentPort, workerData }) => {
  const port = { postMessage: (message, transfer) => parentPort.postMessage(message, transfer), onmore() {} };
  parentPort.on('message', (count) => port.onmore(count));
  run(workerData, port);
});
`;

/** For pages. */
export const PAGE_WORKER = `${RUN}const port = { postMessage: (message, transfer = []) => postMessage(message, transfer), onmore() {} };
onmessage = ({ data }) => typeof data === 'number' ? port.onmore(data) : run(data, port);
`;
