// Faults that show in how good the model is, here and on data that it has not seen.
import { withoutTape } from '../../autograd.ts';
import { eye } from '../../creation.ts';
import * as F from '../../functional/functions.ts';
import { cdist } from '../../functional/pairs.ts';
import { median } from '../../functional/statistics.ts';
import { scope } from '../../scope.ts';
import type { Tensor } from '../../tensor.ts';
import { flat, joined } from '../data.ts';
import type { Evidence } from '../evidence.ts';
import type { Said } from '../said.ts';
import { halves, probe, tableOf } from '../trial.ts';

export interface Probes {
  /** The skill of a small network on rows of the training data that it did not see. */
  readonly within: number;
  /** That of one that learned from the training data, on the validation data. */
  readonly across: number;
  /** That of one that learned from some of the validation data, on the rest. */
  readonly held: number;
  readonly rows: number;
}

/** What a small network makes of the data. */
export function probesOf({ batches, history, task, data }: Evidence): Probes | null {
  const vocabulary = data && !data.numeric ? data.high + 1 : 0;
  try {
    return scope(() => {
      const known = history.train.rows > 0 ? history.train.batches : batches;
      const train = withoutTape(() => tableOf(known, vocabulary));
      if (!train || (train.x.sizes[0] as number) < 60) return null;
      const held = withoutTape(() => tableOf(history.validation.batches, vocabulary));
      const fits = held && held.x.sizes[1] === train.x.sizes[1] && (held.x.sizes[0] as number) >= 40;
      const [some, rest] = halves(train);
      const rows = train.x.sizes[0] as number;
      return {
        within: probe(some, rest, task),
        across: fits ? probe(train, held, task) : Number.NaN,
        held: fits ? probe(...halves(held), task) : Number.NaN,
        rows,
      };
    });
  } catch {
    return null;
  }
}

export function shuffled(e: Evidence, { within, across, held, rows }: Probes): Said | null {
  const { train, validation, graded, history } = e;
  // What chance gives to so many rows.
  const chance = 0.05 + 2 / Math.sqrt(rows);
  // and what to rows that it has not seen, which are right less often by chance the more they are.
  const least = validation ? Math.min(chance, 0.05 + 1.2 / Math.sqrt(history.validation.rows)) : chance;
  const model = validation?.skill ?? train?.skill ?? 0;
  // A model that learned the wrong class of a group of rows is right by chance of whole groups: rows of the training
  // data itself tell better than it.
  const proven = held > chance + 0.25 && across < held - 0.25;
  if (!(within < chance) || !(proven || (graded && model < least))) return null;
  // Without rows that are right, nothing says that they could be.
  return {
    id: 'labels-shuffled',
    where: null,
    confidence: proven ? 0.96 : 0.72,
    told: ['shuffled', within, proven ? held : null],
  };
}

export function underfits(e: Evidence, { within, across }: Probes): Said | null {
  const { train, validation, steps } = e;
  // Before it has seen its data once, nothing is at its end.
  if (!e.graded || steps * (e.batches[0]?.[0].sizes[0] ?? 1) < e.history.train.rows) return null;
  const own = Math.max(train?.skill ?? Number.NaN, validation?.skill ?? -1);
  const could = Math.max(within, Number.isNaN(across) ? -1 : across);
  // What still falls is not at its end.
  if (!(could - own > 0.25) || !(own < 0.65) || steps < 40 || (e.falling > 0.1 && own > 0.1)) return null;
  return {
    id: 'underfitting',
    where: null,
    confidence: could - own > 0.4 ? 0.85 : 0.72,
    told: ['underfits', steps, own, could],
  };
}

export function overfits(e: Evidence): Said | null {
  const { train, validation, history, graded } = e;
  if (!train || !validation || !graded) return null;
  const gap = train.skill - validation.skill;
  const least = Math.min(
    ...history.closes.flatMap(({ validation: past }) => (past && Number.isFinite(past.loss) ? [past.loss] : [])),
  );
  const risen = validation.loss / least;
  if (!(train.skill > 0.6 && gap > 0.2)) return null;
  const apart = validation.loss > 2.5 * train.loss;
  if (!((risen > 1.3 && gap > 0.25 && apart) || (gap > 0.4 && apart))) return null;
  return {
    id: 'overfitting',
    where: null,
    confidence: risen > 1.3 && gap > 0.3 ? 0.93 : 0.78,
    told: ['overfits', [train.skill, validation.skill], [least, validation.loss]],
  };
}

/** For each row of a the distance to the nearest row of b, relative to how far rows are apart. */
function nearest(a: Tensor, b: Tensor, same: boolean): Tensor {
  const d = cdist(a, b);
  if (!same) return F.amin(d, 1);
  const rows = a.sizes[0] as number;
  return F.amin(F.add(d, F.mul(eye(rows), 1e30)), 1);
}

/** Validation inputs and training inputs, one a row, where to find one among the others says something. */
function tablesOf({ history, batches, options, data }: Evidence): [held: Tensor, known: Tensor, once: boolean] | null {
  const once = Boolean(options.train);
  // Of few values, rows come twice by chance: how often, only data that is seen once can tell.
  if (!data || (!once && (!data.numeric || data.whole))) return null;
  const [known, held] = [joined(once ? history.train.batches : batches), joined(history.validation.batches)];
  if (!known || !held) return null;
  const [a, b] = [flat(held[0]), flat(known[0])];
  const enough = Math.min(a.sizes[0] as number, b.sizes[0] as number) >= 8;
  return enough && a.sizes[1] === b.sizes[1] ? [a, b, once] : null;
}

export function leaks(e: Evidence): Said | null {
  return withoutTape(() =>
    scope(() => {
      const tables = tablesOf(e);
      if (!tables) return null;
      const [a, b, once] = tables;
      const [mean, std] = [F.mean(b, 0), F.add(F.std(b, 0), 1e-6)];
      const scaled = (x: Tensor): Tensor => F.div(F.sub(x, mean), std);
      const [x, y] = [scaled(a), scaled(b)];
      const own = nearest(y, y, true);
      const typical = median(own).item();
      const distances = nearest(x, y, false);
      const near = 0.05 * (typical > 1e-3 ? typical : 1);
      const share = F.mean(F.lt(distances, near).to('f32')).item();
      // Where rows of the training data come twice themselves, it is how the data is.
      const usual = once ? F.mean(F.lt(own, near).to('f32')).item() : 0;
      const count = Math.round(share * (a.sizes[0] as number));
      if (count < 3 || share < 0.03 + 2.5 * usual) return null;
      return {
        id: 'data-leakage',
        where: null,
        confidence: share > 0.1 ? 0.96 : 0.85,
        told: ['leaks', count, share, a.sizes[0] as number, b.sizes[0] as number],
      };
    }),
  );
}
