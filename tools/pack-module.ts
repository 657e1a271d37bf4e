// Writes a module so that gzip finds most in it. Instructions stay what they are, but for how a constant is spelled.
import binaryen from 'assemblyscript/binaryen';
import { withNumberedLocals } from './number-locals.ts';
import { bestOrder, bodiesOf } from './order-functions.ts';

/** Vector constants of one repeated word as a splat of it: 7 bytes in place of 18, and the same constant to engines. */
function withSplats(text: string): string {
  return text.replace(
    /v128\.const i32x4 (0x[0-9a-f]{8}) \1 \1 \1/g,
    (_, word: string) => `i32.const ${Number(word) | 0} i32x4.splat`,
  );
}

/** A module of this text. */
function assembled(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error('pack-module: expected a valid module, got one that is not');
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  const binary = module.emitBinary();
  module.dispose();
  return binary;
}

/** Alike functions come near each other and are numbered alike, by which more are alike: 5 kB less of 94. */
const ROUNDS = 2;

/** The module of a text by asc, its functions in the order, and their locals with the numbers, that compress best. */
export function packModule(asc: string): Uint8Array {
  const text = withSplats(asc);
  const from = text.indexOf('\n (func $'),
    to = text.lastIndexOf('\n)');
  const moduleOf = (functions: readonly string[]): Uint8Array =>
    assembled(text.slice(0, from) + functions.join('') + text.slice(to));
  let functions = text.slice(from, to).split(/(?=\n \(func \$)/);
  for (let round = 0; round < ROUNDS; round++) {
    const order = bestOrder(bodiesOf(moduleOf(functions)));
    functions = withNumberedLocals(order.map((index) => functions[index] as string));
  }
  return moduleOf(functions);
}
