// JSON that loses nothing: what a checkpoint keeps of a caller's own comes back as it went.
import { isPlain } from '../kinds.ts';
import { describe } from '../memory/errors.ts';

/** Nesting beyond it is a cycle or an attack; engines' own limits differ. */
const MOST_DEEP = 1000;
/** A value is written as often as it is referred to, which may be beyond all bounds. */
const MOST_VALUES = 10_000_000;

/** What JSON that loses nothing would be instead of `value`, and what is there; null where nothing is wrong. */
export function jsonFault(value: unknown, name: string): string | null {
  const path: (string | number)[] = [];
  let count = 0;
  const fault = (wanted: string, got: unknown): string => {
    const at = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    return `${wanted}, got ${got} at ${(name + at).slice(0, 100)}`;
  };
  const visit = (item: unknown): string | null => {
    if (++count > MOST_VALUES) return `at most ${MOST_VALUES} values, got more`;
    if (typeof item === 'number') return Number.isFinite(item) ? null : fault('finite numbers', item);
    if (item === null || typeof item === 'boolean' || typeof item === 'string') return null;
    if (path.length > MOST_DEEP) return fault(`at most ${MOST_DEEP} levels`, 'more, or a cycle,');
    if (Array.isArray(item)) return inside(item, item.keys());
    if (isPlain(item)) return inside(item, Object.keys(item));
    return fault('null, booleans, numbers, text, arrays and plain objects', describe(item));
  };
  const inside = (item: object, keys: Iterable<string | number>): string | null => {
    const depth = path.length;
    for (const key of keys) {
      if (key === '__proto__') return fault('no key named __proto__', 'one');
      const inner = (item as Record<string | number, unknown>)[key];
      // As JSON.stringify does: a field that is undefined is none.
      if (inner === undefined && typeof key === 'string') continue;
      path[depth] = key;
      const found = visit(inner);
      if (found) return found;
    }
    path.length = depth;
    return null;
  };
  return visit(value);
}
