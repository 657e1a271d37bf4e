// What optimizers are given: parameters, groups with settings, and saved states. All of it is checked before any of it
// is used, at every call: users may change groups between steps.
import { type Kind, meant, orList, phrase } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import type { Parameter } from '../parameters.ts';
import { Tensor } from '../tensor.ts';

/** @throws ArgumentError unless `value` is a finite number from `low` to, without, `high` */
export function expectRange(op: string, name: string, value: number, low = 0, high = Number.POSITIVE_INFINITY): void {
  if (!(typeof value === 'number' && value >= low && value < high))
    throw new ArgumentError(
      `${op}: expected ${name} >= ${low}${high < Number.POSITIVE_INFINITY ? ` and < ${high}` : ''}, got ${String(value)}`,
    );
}

/** @throws ArgumentError unless `x` is an object, and no array or tensor */
export function expectObject(op: string, what: string, x: unknown): asserts x is Readonly<Record<string, unknown>> {
  if (typeof x !== 'object' || x === null || Array.isArray(x) || x instanceof Tensor)
    throw new ArgumentError(`${op}: expected ${what} to be an object, got ${describe(x)}`);
}

/**
 * @param known what was found right at the last call, which was no list with one of them twice
 * @throws ArgumentError unless each is a living, contiguous f32 leaf and there once; there must be one at least
 */
export function expectParameters(
  op: string,
  params: readonly unknown[],
  known: readonly unknown[],
): asserts params is readonly Tensor[] {
  if (params.length === 0) throw new ArgumentError(`${op}: expected at least one parameter, got none`);
  let same = params.length === known.length;
  for (let i = 0; i < params.length; i++) {
    const p = params[i];
    if (!(p instanceof Tensor))
      throw new ArgumentError(`${op}: expected tensors as parameters, got ${describe(p)}; pass model.parameters()`);
    p.checkAlive();
    if (p.node !== null || p.dtype !== 'f32' || !p.isContiguous())
      throw new ArgumentError(`${op}: expected contiguous f32 leaves as parameters, got ${String(p)}`);
    same &&= p === known[i];
  }
  if (!same && new Set(params).size !== params.length)
    throw new ArgumentError(`${op}: expected each parameter once, got one of them twice`);
}

/** What groups may hold besides their parameters. */
export type Known = readonly Parameter[];

/** What schedules of learning rates keep in a group beside its settings. */
const SCHEDULED = /^(initialLr|maxLr|minLr|swaLr|baseMomentum|maxMomentum)$/;

/** @throws ArgumentError unless a group has the settings that are declared, each of its kind, and no others */
export function expectSettings(op: string, group: object, known: Known): void {
  const settings = group as Readonly<Record<string, unknown>>;
  let count = 1; // params
  for (const { name, is, kind } of known) {
    if (!is(settings[name]))
      throw new ArgumentError(`${op}: expected ${phrase(kind, kinds)} as ${name}, got ${describe(settings[name])}`);
    count++;
  }
  const isScheduled = (name: string): boolean => SCHEDULED.test(name) && typeof settings[name] === 'number';
  for (const name in group) if (!isScheduled(name)) count--;
  if (count === 0) return;
  const names = known.map(({ name }) => name);
  const strange = Object.keys(group).find((name) => name !== 'params' && !names.includes(name) && !isScheduled(name));
  if (strange === undefined) return;
  const near = meant(strange, names);
  throw new ArgumentError(
    `${op}: expected ${orList(names)}, got ${describe(strange)}${near ? `; did you mean ${near}?` : ''}`,
  );
}

/** The kinds of settings. */
export const kinds: Readonly<Record<string, Kind>> = {
  betas: [
    (x) => Array.isArray(x) && x.length === 2 && x.every((beta) => typeof beta === 'number'),
    'a list of two numbers',
  ],
  epsilons: [
    (x) => Array.isArray(x) && x.length === 2 && [x[0] ?? 0, x[1]].every((eps) => typeof eps === 'number'),
    'a list of a number or null and a number',
  ],
};

export const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/** The settings that are given; lists are copied, as users may write into those of a group. */
export function settingsOf(options: object): object {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]));
}

/**
 * Says whether a group has the settings that it has now, and no others. It is called before each run of a program, and
 * so makes nothing.
 */
export function watchSettings(group: object): () => boolean {
  const names = Object.keys(group);
  const values = Object.values(group).map((value) => (Array.isArray(value) ? [...value] : value));
  const isSame = (value: unknown, was: unknown): boolean =>
    Object.is(value, was) || (Array.isArray(value) && Array.isArray(was) && sameItems(value, was));
  return () => {
    let i = 0;
    // Engines read the fields of a small object fastest in a loop over its names.
    for (const name in group) {
      const value = (group as Readonly<Record<string, unknown>>)[name];
      if (name !== names[i] || !(name === 'params' || isSame(value, values[i]))) return false;
      i++;
    }
    return i === names.length;
  };
}

/** What of `state` the settings still ask for: momentum may have been turned off. */
export function only<S extends Readonly<Record<string, Tensor>>>(wanted: readonly string[], state: S): S {
  let others = false;
  for (const name in state) others ||= !wanted.includes(name);
  return others ? (Object.fromEntries(wanted.map((name) => [name, state[name]])) as unknown as S) : state;
}

/** Frees state. */
export function discard(state: Readonly<Record<string, Tensor>>): void {
  for (const x of Object.values(state)) x.dispose();
}
