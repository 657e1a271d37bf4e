// What stands in the fields of a module, and by which names states know it.
import { isPlain } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';

/**
 * The name of a field in a state: a field in camelCase has the name that it has in Python, `runningMean` becomes
 * `running_mean`; all others, such as `Wq` and `token_embedding`, keep theirs.
 */
export const stateName = (field: string): string =>
  /^[a-z][a-z0-9]*[A-Z][a-zA-Z0-9]*$/.test(field)
    ? field.replace(/[A-Z]+/g, (capitals) => `_${capitals.toLowerCase()}`)
    : field;

/** What spellings of a name have in common, `W_q` and `Wq`, `tokenEmbedding` and `token_embedding`. */
const spelling = (key: string): string =>
  key.replace(/(^|\.)_+|_/g, (_, front?: string) => (front === undefined ? '' : _)).toLowerCase();

/** Methods of modules that their authors' fields cannot hide, since they have no names. */
export const ITEMS = Symbol('items');
export const NAME_OF = Symbol('nameOf');
export const PLACES = Symbol('places');
export const COMPUTE = Symbol('compute');
export const ITEM_OF = Symbol('itemOf');
export const FORGET = Symbol('forget');
/** What every weight of takes part once for each row of the input. */
export const BY_ROW = Symbol('byRow');

/** Something in a field, or in an array, object, Map or Set there. */
export interface Place {
  /** Its name in states, such as `layers.0`. */
  readonly name: string;
  /** Where it stands, as errors say it: `layers.0`, in the user's own spelling. */
  readonly field: string;
  readonly value: object;
  /** Whether a name on the way to it is one that states cannot have. */
  readonly unfit: boolean;
}

/** @throws ArgumentError unless states can have `name` */
export function checkName(op: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || isUnfit(name))
    throw new ArgumentError(`${op}: expected a name without dots, got ${describe(name)}; states join names by dots`);
}

const isUnfit = (name: unknown): boolean =>
  typeof name === 'number'
    ? false
    : typeof name !== 'string' || name === '' || name.includes('.') || name === '__proto__';

/** The entries of an array, a Map, a Set or a plain object; null for anything else. */
function entriesIn(x: object): Iterable<readonly [unknown, unknown]> | null {
  if (Array.isArray(x)) return x.entries();
  if (x instanceof Map) return x;
  if (x instanceof Set) return [...x].entries();
  return isPlain(x) ? Object.entries(x) : null;
}

/** What has fields, and maybe more that counts as such. */
interface Holder {
  [ITEMS](): Iterable<readonly [key: string, value: object]>;
  [NAME_OF](field: string): string;
}

/** All that `wanted` takes among the fields of `holder` and in the containers there, in order. */
export function placesOf(holder: Holder, wanted: (x: object) => boolean): Place[] {
  const places: Place[] = [];
  // A list in two places counts in the first, which ends circles as well.
  let seen: Set<object> | undefined;
  const look = (field: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const isWanted = wanted(value);
    if (!isWanted && !entriesIn(value)) return;
    const place = { name: holder[NAME_OF](field), field, value, unfit: isUnfit(field) };
    if (isWanted) places.push(place);
    else {
      seen ??= new Set();
      inside(place, seen, wanted, places);
    }
  };
  for (const field of Object.keys(holder)) look(field, (holder as unknown as Record<string, unknown>)[field]);
  for (const [key, value] of holder[ITEMS]()) look(key, value);
  return places;
}

/** Adds what `wanted` takes in a container to `places`. */
function inside(container: Place, seen: Set<object>, wanted: (x: object) => boolean, places: Place[]): void {
  const todo = [container];
  for (let place = todo.pop(); place; place = todo.pop()) {
    const { name, field, value, unfit } = place;
    if (wanted(value)) {
      places.push(place);
      continue;
    }
    const entries = seen.has(value) ? null : entriesIn(value);
    if (!entries) continue;
    seen.add(value);
    const from = todo.length;
    for (const [key, item] of entries) {
      if (typeof item !== 'object' || item === null) continue;
      const bad = isUnfit(key);
      const shown = bad && typeof key !== 'string' ? typeof key : key;
      todo.push({ name: `${name}.${shown}`, field: `${field}.${shown}`, value: item, unfit: unfit || bad });
    }
    // The first of them comes off first.
    for (let low = from, high = todo.length - 1; low < high; low++, high--)
      [todo[low], todo[high]] = [todo[high] as Place, todo[low] as Place];
  }
}

/** @throws ArgumentError where two places have one name in states, or one has a name that states cannot have */
export function checkPlaces(owner: string, places: readonly Place[]): void {
  // Few are compared one by one.
  const fields = places.length > 8 ? new Map<string, string>() : null;
  for (let i = 0; i < places.length; i++) {
    const { name, field, unfit } = places[i] as Place;
    if (unfit)
      throw new ArgumentError(`${owner}: expected names without dots, got '${field}'; states join names by dots`);
    let other = fields?.get(name);
    for (let j = 0; !fields && j < i; j++) if ((places[j] as Place).name === name) other = (places[j] as Place).field;
    if (other !== undefined)
      throw new ArgumentError(
        `${owner}: expected a name of its own for each field, got ${other} and ${field}, which are both '${name}' in a state; rename one`,
      );
    fields?.set(name, field);
  }
}

/**
 * For each of `own` the one of `saved` that is meant: the same, or the only one that is the same but for camelCase and
 * snake_case.
 * @throws ArgumentError where more than one could be meant
 */
export function matchKeys(op: string, own: readonly string[], saved: readonly string[]): Map<string, string> {
  const given = new Set(saved);
  const matches = new Map(own.filter((key) => given.has(key)).map((key) => [key, key]));
  const group = (keys: readonly string[]): Map<string, string[]> => {
    const groups = new Map<string, string[]>();
    for (const key of keys)
      if (!matches.has(key)) groups.set(spelling(key), [...(groups.get(spelling(key)) ?? []), key]);
    return groups;
  };
  const left = group(saved);
  for (const [spelt, [key, ...others]] of group(own)) {
    const [found, ...more] = left.get(spelt) ?? [];
    if (found === undefined) continue;
    if (others.length + more.length > 0)
      throw new ArgumentError(
        `${op}: expected one key for each tensor, got ${[found, ...more].join(' and ')} for ${[key, ...others].join(' and ')}; rename them as the module has them`,
      );
    matches.set(key as string, found);
  }
  return matches;
}

/** The one of `named` whose name is `name`, or is it but for camelCase and snake_case. */
export function lookUp<T>(named: Iterable<readonly [string, T]>, name: string): T | undefined {
  const all = [...named];
  return (all.find(([key]) => key === name) ?? all.find(([key]) => spelling(key) === spelling(name)))?.[1];
}
