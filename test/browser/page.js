// Trains in the page and then in a worker, and posts to the server what came of it.
import * as retrograd from '/build/lib/index.js';
import { train } from './train.js';

const violations = [];
addEventListener('securitypolicyviolation', (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`),
);

const inWorker = () =>
  new Promise((resolve) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => resolve({ error: event.message ?? 'the worker did not start' });
  });

const page = await train(retrograd, '/digits.bin');
const worker = await inWorker();
await fetch('/result', { method: 'POST', body: JSON.stringify({ page, worker, violations }) });
