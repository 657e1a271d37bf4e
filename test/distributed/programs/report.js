// What programs tell the test: lines `@rank JSON`, each written at once.
import { writeSync } from 'node:fs';
import { rank } from 'retrograd/distributed';

/** @param {unknown} value */
export const report = (value) => writeSync(1, `@${rank()} ${JSON.stringify(value)}\n`);

/** Reports what `fn` throws: its class and text. @param {() => unknown} fn */
export async function reportError(fn) {
  try {
    await fn();
    report('nothing was thrown');
  } catch (error) {
    report(`${error.name}: ${error.message}`);
  }
}
