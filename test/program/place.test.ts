// Memory of buffers with known live ranges: no overlap, and the very places that the quadratic search finds.
import { describe, expect, it } from 'vitest';
import { type LiveRange, place } from '../../bindings/program/place.ts';
import { randomNumbers } from '../support/random.ts';
import { cpuSeconds } from '../support/seconds.ts';

const up = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** The largest first, each in the smallest gap between all that are alive with it: by looking at all of them. */
function placeSlowly(ranges: readonly LiveRange[]): number[] {
  const offsets = ranges.map(() => 0);
  const placed: number[] = [];
  const order = ranges.map((_, i) => i).sort((a, b) => (ranges[b] as LiveRange).bytes - (ranges[a] as LiveRange).bytes);
  for (const i of order) {
    const range = ranges[i] as LiveRange;
    const rivals = placed
      .filter((j) => (ranges[j] as LiveRange).first <= range.last && range.first <= (ranges[j] as LiveRange).last)
      .sort((a, b) => (offsets[a] as number) - (offsets[b] as number));
    let best = -1;
    let smallest = Number.POSITIVE_INFINITY;
    let end = 0;
    for (const j of rivals) {
      const gap = (offsets[j] as number) - end;
      if (gap >= range.bytes && gap < smallest) {
        best = end;
        smallest = gap;
      }
      end = Math.max(end, up((offsets[j] as number) + (ranges[j] as LiveRange).bytes));
    }
    offsets[i] = best >= 0 ? best : end;
    placed.push(i);
  }
  return offsets;
}

/** The most bytes that are alive at once: no placement needs less. */
function mostAlive(ranges: readonly LiveRange[]): number {
  const changes = new Map<number, number>();
  for (const { bytes, first, last } of ranges) {
    changes.set(first, (changes.get(first) ?? 0) + up(bytes));
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - up(bytes));
  }
  let alive = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) {
    alive += change;
    most = Math.max(most, alive);
  }
  return most;
}

/** Live ranges as of a graph without structure: short ones, and some that last for up to half of it. */
function scattered(n: number, seed: number): LiveRange[] {
  const random = randomNumbers(seed);
  return Array.from({ length: n }, () => {
    const first = random(n);
    const length = random(10) < 6 ? random(4) : random(3) > 0 ? random(60) : random(n / 2);
    return {
      bytes: 1 + Math.floor(Math.exp((random(1000) / 1000) * 12)),
      first,
      last: Math.min(n - 1, first + length),
    };
  });
}

/** Live ranges as of a training step: activations last until their backward, gradients for a few steps. */
function training(n: number, seed: number): LiveRange[] {
  const random = randomNumbers(seed);
  const sizes = Array.from({ length: 12 }, () => 4 * (1 + random(100_000)));
  return Array.from({ length: n }, (_, first) => {
    const kept = first < n / 2 && random(10) < 6;
    const last = kept ? n - 1 - first + random(4) : first + 1 + random(5);
    return { bytes: sizes[random(12)] as number, first, last: Math.min(n - 1, last) };
  });
}

function checkApart(ranges: readonly LiveRange[], offsets: Float64Array): void {
  for (let i = 0; i < ranges.length; i++)
    for (let j = 0; j < i; j++) {
      const [a, b] = [ranges[i], ranges[j]] as [LiveRange, LiveRange];
      const [from, other] = [offsets[i], offsets[j]] as [number, number];
      const together = a.first <= b.last && b.first <= a.last;
      if (together && from < other + b.bytes && other < from + a.bytes)
        throw new Error(`ranges ${i} and ${j} overlap: ${JSON.stringify([a, from, b, other])}`);
    }
}

describe('place', () => {
  it.each([
    ['scattered', scattered],
    ['training', training],
  ])('finds the places that a search through all finds, and they do not overlap: %s', (_, make) => {
    for (let seed = 1; seed <= 60; seed++) {
      const ranges = make(5 + 7 * seed, seed);
      const { offsets, bytes } = place(ranges);
      expect([...offsets]).toEqual(placeSlowly(ranges));
      checkApart(ranges, offsets);
      expect(bytes).toBe(Math.max(...ranges.map((range, i) => range.bytes + (offsets[i] as number))));
      expect([...offsets].every((offset) => offset % 64 === 0)).toBe(true);
    }
  });

  it('needs hardly more than what a training step has alive at once', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const ranges = training(2000, seed);
      expect(place(ranges).bytes / mostAlive(ranges)).toBeLessThan(1.01);
    }
  });

  it('goes beyond 4 GiB without a wrap', () => {
    const { offsets, bytes } = place([3, 3, 2].map((gib) => ({ bytes: gib * 2 ** 30, first: 0, last: 1 })));
    expect([...offsets, bytes]).toEqual([0, 3 * 2 ** 30, 6 * 2 ** 30, 8 * 2 ** 30]);
  });

  it('takes nothing, and what needs no memory', () => {
    expect(place([])).toEqual({ offsets: new Float64Array(0), bytes: 0 });
    const empty = { bytes: 0, first: 0, last: 3 };
    expect(place([empty, { bytes: 4, first: 2, last: 2 }, empty])).toMatchObject({ bytes: 4 });
  });

  it('takes no time that is quadratic', () => {
    const ranges = training(60_000, 1);
    // A third of a second; comparing all with all takes more than half a minute.
    expect(cpuSeconds(() => place(ranges))).toBeLessThan(10);
  });
});
