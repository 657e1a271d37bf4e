// What arguments of pipelines have in common.
import { ArgumentError } from '../../memory/errors.ts';

/** @throws ArgumentError unless `value` is at least `low` */
export function atLeast(op: string, name: string, value: unknown, low: number): asserts value is number {
  if ((value as number) < low) throw new ArgumentError(`${op}: expected ${name} >= ${low}, got ${value}`);
}
