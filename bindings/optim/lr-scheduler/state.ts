// States of schedules: numbers, words, switches and lists of numbers, copied and compared.
import { describe } from '../../memory/errors.ts';

/** A copy of fields whose lists are its own. */
export const fieldsCopy = (x: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(x).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]));

/** Numbers that may be missing. */
const OPEN = ['best'];

/** What keeps `saved` from being a state with the fields of `own`. Lists may be of any length. */
export function fieldsFault(saved: Readonly<Record<string, unknown>>, own: object): string | undefined {
  const strange = Object.keys(saved).find((name) => !Object.hasOwn(own, name));
  if (strange !== undefined) return `'${strange}'`;
  for (const [name, value] of Object.entries(own)) {
    if (!Object.hasOwn(saved, name)) return `no ${name}`;
    const there = saved[name];
    const fits = Array.isArray(value)
      ? Array.isArray(there) && there.every((x) => typeof x === 'number')
      : OPEN.includes(name)
        ? there === null || typeof there === 'number'
        : typeof there === typeof value;
    if (!fits) return `${describe(there)} as ${name}`;
  }
  return undefined;
}
