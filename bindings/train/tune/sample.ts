// How hyperparameters of a trial are drawn: at random, or like those that were good (J. Bergstra, R. Bardenet,
// Y. Bengio and B. Kégl, 2011).
import { unit } from '../../mix.ts';
import type { Distribution } from './distributions.ts';
import type { Space, TrialRecord } from './trial.ts';

/** Trials before anything is learned of them. */
const STARTUP = 10;
/** Draws of which the best is taken. */
const CANDIDATES = 24;
/** Trials that count as good at most. */
const MOST_GOOD = 25;

/** Uniform numbers from 0 up to 1, of a trial and a name. */
type Random = () => number;

function randomOf(seed: number, trial: number, name: string): Random {
  const letters = [...name].map((letter) => letter.codePointAt(0) as number);
  let draws = 0;
  return () => unit(seed, trial, draws++, ...letters);
}

/** A bell, cut to 0 … 1. */
interface Bell {
  readonly mean: number;
  readonly width: number;
  /** How much of it lies in 0 … 1. */
  readonly mass: number;
}

/** The normal distribution function (C. Hastings; an error below 1e-7). */
function below(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

/** A bell at each place, as wide as it is far from the next ones, and a wide one in the middle. */
function bellsOf(places: readonly number[]): Bell[] {
  const sorted = [...places, 0.5].sort((a, b) => a - b);
  const least = 1 / Math.min(100, 1 + sorted.length);
  const prior = sorted.indexOf(0.5);
  return sorted.map((mean, i) => {
    const far = Math.max(mean - (sorted[i - 1] ?? 0), (sorted[i + 1] ?? 1) - mean);
    const width = i === prior ? 1 : Math.min(1, Math.max(least, far));
    return { mean, width, mass: below((1 - mean) / width) - below(-mean / width) };
  });
}

const density = (bells: readonly Bell[], x: number): number =>
  bells.reduce((sum, { mean, width, mass }) => sum + Math.exp(-(((x - mean) / width) ** 2) / 2) / width / mass, 0) /
  bells.length;

/** A place by the bells of the good ones, where those of the others are low. */
function likely(good: readonly number[], rest: readonly number[], random: Random): number {
  const [high, low] = [bellsOf(good), bellsOf(rest)];
  let [best, most] = [0.5, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < CANDIDATES; k++) {
    const { mean, width } = high[Math.floor(random() * high.length)] as Bell;
    let x = -1;
    while (!(x >= 0 && x < 1))
      x = mean + width * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const gain = Math.log(density(high, x)) - Math.log(density(low, x));
    if (gain > most) [best, most] = [x, gain];
  }
  return best;
}

/** The same of choices, which have no places between them. */
function likelyChoice(count: number, good: readonly number[], rest: readonly number[], random: Random): number {
  const shares = (places: readonly number[]): number[] => {
    const counts = new Array<number>(count).fill(1);
    for (const place of places) (counts[Math.floor(place * count)] as number)++;
    return counts.map((n) => n / (places.length + count));
  };
  const [high, low] = [shares(good), shares(rest)];
  let [best, most] = [0, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < CANDIDATES; k++) {
    let left = random();
    let i = 0;
    while (i < count - 1 && left >= (high[i] as number)) left -= high[i++] as number;
    const gain = (high[i] as number) / (low[i] as number);
    if (gain > most) [best, most] = [i, gain];
  }
  return (best + 0.5) / count;
}

const isDistribution = (x: unknown): x is Distribution<unknown> =>
  typeof (x as Distribution<unknown> | null)?.placeOf === 'function';

/**
 * The hyperparameters of a trial.
 * @param ranked trials that have ended, the best first; null: what they were does not matter
 */
export function draw(
  space: Space,
  seed: number,
  trial: number,
  ranked: readonly TrialRecord[] | null,
): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(space)) {
    const what: unknown = typeof given === 'function' ? given(config as never) : given;
    if (what === undefined) continue;
    config[name] = isDistribution(what) ? drawOne(name, what, randomOf(seed, trial, name), ranked ?? []) : what;
  }
  return config;
}

function drawOne(name: string, from: Distribution<unknown>, random: Random, ranked: readonly TrialRecord[]): unknown {
  const places = ranked
    .filter(({ config }) => name in config)
    .map(({ config }) => from.placeOf(config[name]))
    .filter((place) => place >= 0 && place <= 1);
  if (places.length < STARTUP) return from.at(random());
  const count = Math.min(MOST_GOOD, Math.ceil(0.1 * places.length));
  const [good, rest] = [places.slice(0, count), places.slice(count)];
  return from.at(
    from.kind === 'choice' ? likelyChoice(from.options.length, good, rest, random) : likely(good, rest, random),
  );
}

/** What a space is, for files: functions are not told apart. */
export const describeSpace = (space: Space): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(space).map(([name, x]) => [
      name,
      isDistribution(x) ? x.text : typeof x === 'function' ? 'function' : x,
    ]),
  );
