// Puts the functions of a module into the order in which gzip finds most.
import { deflateRawSync } from 'node:zlib';

// Gzip looks back 32 kB, so functions that share code must be near each other. A row that grows by what it makes shrink
// most is a start; then functions move beside those that they are like, for as long as that helps.

/** Bytes in a row that count as shared code. */
const RUN = 8;
/** How far gzip looks back. */
const WINDOW = 32768;
/** Which functions may come next: of those that each of the last ones is most like. */
const LAST = 4;
const CANDIDATES = 8;
/** How many others a function may move to: those that it is most like. */
const PARTNERS = 5;
/** At most so many functions move at once. */
const LONGEST = 3;

/** What each function is in a module: its length, locals and instructions. */
export function bodiesOf(module: Uint8Array): Uint8Array[] {
  let at = 8;
  const number = (): number => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = module[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const CODE = 10;
  for (;;) {
    const section = module[at++],
      size = number();
    if (section === CODE) break;
    at += size;
  }
  return Array.from({ length: number() }, () => {
    const from = at,
      bytes = number();
    at += bytes;
    return module.subarray(from, at);
  });
}

/** For each function how like the others are: the runs that both have, the rarer the more. */
function likeness(bodies: readonly Uint8Array[]): Float64Array[] {
  const owners = new Map<string, number[]>();
  for (const [index, body] of bodies.entries()) {
    const text = Buffer.from(body).toString('latin1');
    for (let at = RUN; at <= text.length; at++) {
      const run = text.slice(at - RUN, at),
        list = owners.get(run);
      if (!list) owners.set(run, [index]);
      else if (list.at(-1) !== index) list.push(index);
    }
  }
  const shared = bodies.map(() => new Float64Array(bodies.length));
  const add = (a: number, b: number, more: number): void => {
    const row = shared[a] as Float64Array;
    row[b] = Number(row[b]) + more;
  };
  for (const list of owners.values())
    for (const [at, a] of list.entries())
      for (const b of list.slice(0, at)) {
        add(a, b, 1 / list.length);
        add(b, a, 1 / list.length);
      }
  return shared;
}

/**
 * Functions in a row. Next comes, of those that the last ones are most like, the one that shrinks most behind what
 * stands; where these are used up, the largest.
 */
function grown(bodies: readonly Uint8Array[], likest: readonly (readonly number[])[]): number[] {
  const size = (body: Uint8Array, dictionary?: Uint8Array): number =>
    deflateRawSync(body, { level: 9, ...(dictionary && { dictionary }) }).length;
  const alone = bodies.map((body) => size(body)),
    left = new Set(Array.from(bodies.keys()).sort((a, b) => Number(bodies[b]?.length) - Number(bodies[a]?.length))),
    order: number[] = [];
  let before = Buffer.alloc(0);
  while (left.size > 0) {
    const candidates = new Set(
      order
        .slice(-LAST)
        .flatMap((index) => likest[index]?.filter((other) => left.has(other)).slice(0, CANDIDATES) ?? []),
    );
    let [next = 0] = left,
      least = Number.POSITIVE_INFINITY;
    for (const index of candidates) {
      const share = size(bodies[index] as Uint8Array, before) / Number(alone[index]);
      if (share >= least) continue;
      next = index;
      least = share;
    }
    order.push(next);
    left.delete(next);
    before = Buffer.concat([before, bodies[next] as Uint8Array]).subarray(-WINDOW);
  }
  return order;
}

/**
 * The order of functions that compresses best of those that were tried: always the same for the same functions.
 *
 * @param moves how many are tried, each a compression of everything: 8 ms
 */
export function bestOrder(bodies: readonly Uint8Array[], moves: number): number[] {
  const likest = likeness(bodies).map((row) => Array.from(row.keys()).sort((a, b) => Number(row[b]) - Number(row[a])));
  const size = (order: readonly number[]): number =>
    deflateRawSync(Buffer.concat(order.map((index) => bodies[index] as Uint8Array)), { level: 9 }).length;
  let seed = 1;
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  let best = grown(bodies, likest),
    least = size(best);
  for (let tries = 0; tries < moves; tries++) {
    const order = [...best],
      moved = order.splice(below(order.length - LONGEST), 1 + below(LONGEST));
    const partner = likest[moved[below(moved.length)] as number]?.[below(PARTNERS)] as number,
      at = order.indexOf(partner);
    if (at < 0) continue;
    order.splice(at + below(2), 0, ...(below(3) === 0 ? moved.reverse() : moved));
    const bytes = size(order);
    if (bytes > least) continue;
    best = order;
    least = bytes;
  }
  return best;
}
