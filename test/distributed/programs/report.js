// What programs tell the test: lines of JSON, in a file of each rank; launchers mix what ranks print.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { rank } from 'retrograd/distributed';

/** @param {unknown} value */
export const report = (value) =>
  appendFileSync(join(process.env.RANK_REPORTS ?? '.', String(rank())), `${JSON.stringify(value)}\n`);

/** Reports what `fn` throws: its class and text. @param {() => unknown} fn */
export async function reportError(fn) {
  try {
    await fn();
    report('nothing was thrown');
  } catch (error) {
    report(`${error.name}: ${error.message}`);
  }
}
