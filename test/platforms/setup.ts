// Before the matrix: the package in a project of its own, and the answer that every row is held against.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { makeProject } from '../support/project.ts';
import type { BrowserId } from './browsers.ts';
import { answerOf, asModule, asScript, type Trained } from './program.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Those whose pages are tested. */
    browsers: readonly BrowserId[];
    /** The folder of the project. */
    project: string;
    /** What one thread of the Node that runs the tests answers. */
    expected: Trained;
  }
}

/** Programs of a command line, whose first argument is the options of init(). */
const PROGRAMS: Readonly<Record<string, string>> = {
  'program.js': asModule(),
  'module.js': `import { train } from './program.js';
console.log(JSON.stringify(await train(JSON.parse(process.argv[2]))));
`,
  'require.cjs': `${asScript("require('retrograd')")}
train(JSON.parse(process.argv[2])).then((result) => console.log(JSON.stringify(result)));
`,
  'worker.js': `import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { train } from './program.js';
if (isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: process.argv[2] });
  worker.on('message', (result) => console.log(result));
} else parentPort.postMessage(JSON.stringify(await train(JSON.parse(workerData))));
`,
};

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'retrograd-platforms-'));
  const project = await makeProject(folder);
  for (const [name, text] of Object.entries(PROGRAMS)) await writeFile(join(project.folder, name), text);
  const options = JSON.stringify({ simd: 'strict', threads: 1 });
  provide('project', project.folder);
  provide('expected', await answerOf([process.execPath, 'module.js', options], project.folder));
  return () => rm(folder, { recursive: true, force: true });
}
