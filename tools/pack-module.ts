// Writes a module so that gzip finds most in it. Instructions stay what they are, but for how a constant is spelled.
import { gzipSync } from 'node:zlib';
import binaryen from 'assemblyscript/binaryen';

// Gzip looks back 32 kB, so functions that share code must be neighbours.

/** How many instructions in a row count as shared code. Which is best differs from build to build: all are tried. */
const RUNS = [2, 3, 4, 5, 6];
/** Fewer shared runs than this are chance. */
const LEAST_SHARED = 3;

/** The runs of a function's text: `length` neighbouring lines, each an instruction. */
function runsOf(text: string, length: number): Set<string> {
  const lines = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  return new Set(lines.slice(length - 1).map((_, at) => lines.slice(at, at + length).join(' ')));
}

/** Pairs of functions with the number of runs that they share, the most first. */
function likePairs(functions: readonly string[], length: number): { a: number; b: number; shared: number }[] {
  const owners = new Map<string, number[]>();
  for (const [index, text] of functions.entries())
    for (const run of runsOf(text, length)) {
      const list = owners.get(run);
      if (list) list.push(index);
      else owners.set(run, [index]);
    }
  const n = functions.length,
    shared = new Uint32Array(n * n);
  for (const list of owners.values())
    for (const [at, a] of list.entries())
      for (const b of list.slice(0, at)) shared[a * n + b] = 1 + Number(shared[a * n + b]);
  return Array.from(shared, (count, at) => ({ a: Math.floor(at / n), b: at % n, shared: count }))
    .filter((pair) => pair.shared >= LEAST_SHARED)
    .sort((p, q) => q.shared - p.shared);
}

/** Chains of functions, joined at their ends, the likest pair first. */
function chained(functions: readonly string[], length: number): string[] {
  const chainOf = functions.map((_, index) => [index]);
  for (const { a, b } of likePairs(functions, length)) {
    const [front, back] = [chainOf[a] as number[], chainOf[b] as number[]];
    if (front === back || ![front[0], front.at(-1)].includes(a) || ![back[0], back.at(-1)].includes(b)) continue;
    if (front.at(-1) !== a) front.reverse();
    if (back[0] !== b) back.reverse();
    front.push(...back);
    for (const index of back) chainOf[index] = front;
  }
  return [...new Set(chainOf)].flat().map((index) => functions[index] as string);
}

/** Vector constants of one repeated word as a splat of it: 7 bytes in place of 18, and the same constant to engines. */
function withSplats(text: string): string {
  return text.replace(
    /v128\.const i32x4 (0x[0-9a-f]{8}) \1 \1 \1/g,
    (_, word: string) => `i32.const ${Number(word) | 0} i32x4.splat`,
  );
}

/** A function whose locals of one type have their numbers by how often they are set: alike code then reads alike. */
function withSortedLocals(text: string): string {
  const sets = new Map<string, number>();
  for (const [, local] of text.matchAll(/local\.(?:set|tee) (\$\d+)/g))
    sets.set(local as string, (sets.get(local as string) ?? 0) + 1);
  const slots = new Map<string, string[]>();
  for (const [, local, type] of text.matchAll(/\(local (\$\d+) (\w+)\)/g))
    slots.set(type as string, [...(slots.get(type as string) ?? []), local as string]);
  const renamed = new Map<string, string>();
  for (const locals of slots.values()) {
    const sorted = locals.toSorted((a, b) => (sets.get(b) ?? 0) - (sets.get(a) ?? 0));
    for (const [at, local] of sorted.entries()) renamed.set(local, locals[at] as string);
  }
  return text.replace(/(local\.(?:get|set|tee)) (\$\d+)/g, (_, op, local) => `${op} ${renamed.get(local) ?? local}`);
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

/** The module of a text by asc, its functions in the order that compresses best. */
export function packModule(asc: string): Uint8Array {
  const text = withSplats(asc);
  const from = text.indexOf('\n (func $'),
    to = text.lastIndexOf('\n)');
  const functions = text
    .slice(from, to)
    .split(/(?=\n \(func \$)/)
    .map(withSortedLocals);
  const [best] = RUNS.map((length) =>
    assembled(text.slice(0, from) + chained(functions, length).join('') + text.slice(to)),
  )
    .map((binary) => ({ binary, size: gzipSync(binary, { level: 9 }).length }))
    .sort((p, q) => p.size - q.size);
  return (best as { binary: Uint8Array }).binary;
}
