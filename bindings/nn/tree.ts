// Which modules are below one, and which tensors each holds.
import { ArgumentError } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';
import { checkPlaces, PLACES, type Place } from './names.ts';
import { type Kind, kindOf } from './parameter.ts';

/** What has modules and tensors in its fields. */
export interface Branch {
  [PLACES](): Place[];
}

/** A module below another: its path, and what it holds. */
export interface Found<M> {
  readonly path: string;
  readonly module: M;
  readonly places: readonly Place[];
}

/** A tensor of a module: what it is called, and what it is. */
export interface Held {
  readonly name: string;
  readonly value: Tensor;
  readonly kind: Kind;
}

/** A module on the way down, and the modules above it. */
interface Link {
  readonly path: string;
  readonly module: Branch;
  readonly above: Link | null;
}

/** `name` below `path`, if there is one. */
export const inFront = (path: string, name: string): string => (path ? `${path}.${name}` : name);

/**
 * `root` and all modules below it, by path; '' is the root.
 * @param once whether one in several places counts in the first only; circles end either way
 * @param lastFirst whether children come in the other order
 */
export function below<M extends Branch>(root: M, once: boolean, lastFirst = false): Found<M>[] {
  const found: Found<Branch>[] = [];
  const seen = new Set<Branch>();
  const todo: Link[] = [{ path: '', module: root, above: null }];
  for (let link = todo.pop(); link; link = todo.pop()) {
    const { path, module, above } = link;
    let again = once && seen.has(module);
    for (let up = once ? null : above; up && !again; up = up.above) again = up.module === module;
    if (again) continue;
    seen.add(module);
    const places = module[PLACES]();
    found.push({ path, module, places });
    for (let i = 0; i < places.length; i++) {
      const { name, value } = places[lastFirst ? i : places.length - 1 - i] as Place;
      if (!(value instanceof Tensor)) todo.push({ path: inFront(path, name), module: value as Branch, above: link });
    }
  }
  return found as Found<M>[];
}

/**
 * The parameters and buffers among `places`, the fields of a module of class `owner`.
 * @param registered what was registered by name
 * @throws ArgumentError where names are not clear, or a field has a tensor that looks like a parameter and is none
 */
export function heldIn(owner: string, places: readonly Place[], registered: ReadonlyMap<string, Kind>): Held[] {
  const taken: Place[] = [];
  const held: Held[] = [];
  for (const place of places) {
    const { name, value, field } = place;
    if (!(value instanceof Tensor)) {
      taken.push(place);
      continue;
    }
    const declared = registered.get(field);
    const own = kindOf(value);
    const kind = own === 'parameter' ? own : (declared ?? own);
    // One that is gone is in nobody's way.
    const isStray = !kind && value.requiresGrad && value.isLeaf && !value.block.freed;
    if (isStray || (declared === 'parameter' && own !== declared))
      throw new ArgumentError(
        `${owner}: expected an nn.Parameter in ${field}, got a tensor that would be neither trained nor saved; assign new nn.Parameter(tensor)${isStray ? ', or detach() it' : ''}`,
      );
    if (!kind) continue;
    taken.push(place);
    held.push({ name, value, kind });
  }
  if (taken.length > 0) checkPlaces(owner, taken);
  return held;
}

/** The modules that are entered now. */
const entered = new Set<object>();

/** Calls `fn`, unless one that it is called by is that of the same module: circles end there. */
export function enter(module: object, fn: () => void): void {
  if (entered.has(module)) return;
  entered.add(module);
  try {
    fn();
  } finally {
    entered.delete(module);
  }
}
