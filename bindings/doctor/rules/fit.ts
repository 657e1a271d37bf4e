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
import { n, percent, type Said } from '../finding.ts';
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
  const { train, validation, graded } = e;
  // What chance gives to so many rows.
  const chance = 0.05 + 2 / Math.sqrt(rows);
  const model = validation?.skill ?? train?.skill ?? 0;
  // A model that learned the wrong class of a group of rows is right by chance of whole groups: rows of the training
  // data itself tell better than it.
  const proven = held > chance + 0.25 && across < held - 0.25;
  if (!(within < chance) || !(proven || (graded && model < chance))) return null;
  // Without rows that are right, nothing says that they could be.
  return {
    id: 'labels-shuffled',
    where: null,
    confidence: proven ? 0.96 : 0.72,
    what: proven
      ? `Inputs of the training data say nothing of their targets (a small network has ${percent(Math.max(0, within))} of the skill there is), and those of the validation data do (${percent(held)}).`
      : `Inputs say nothing of their targets: the model and a small network, each on rows that it has not seen, are no better than the most frequent answer.`,
    why: 'Inputs and targets that were shuffled apart can be learned by heart only.',
    remedy:
      'const order = randperm(x.shape[0]);\nx = x.indexSelect(0, order);\ny = y.indexSelect(0, order); // by the same order',
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
    what: `After ${steps} steps the model has ${percent(Math.max(0, own))} of the skill there is on what it learns from; a network of 48 units gets ${percent(could)} on rows that it has not seen.`,
    why: 'The model cannot say what the data says: too few units, too strong a decay or dropout, or a layer that lets nothing through.',
    remedy:
      'const model = new nn.Sequential(new nn.Linear(16, 64), new nn.ReLU(), new nn.Linear(64, 4)); // more units, and a layer more\nfor (const group of optimizer.paramGroups) group.weightDecay = 0;',
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
    what: `On what it learns from the model has ${percent(train.skill)} of the skill there is, on validation data ${percent(Math.max(0, validation.skill))}; its loss there was ${n(least)} at its least and is ${n(validation.loss)}.`,
    why: 'It learns rows by heart, and not what they have in common.',
    remedy:
      'new nn.Dropout(0.3); // behind hidden layers\nconst optimizer = new optim.AdamW(model.parameters(), { lr, weightDecay: 0.05 }); // fewer units, more data, or to stop where the validation loss is least',
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
        what: `${count} of ${a.sizes[0]} validation inputs (${percent(share)}) are among ${b.sizes[0]} of the training inputs, or all but the same.`,
        why: 'What was learned by heart counts as understood: validation figures are too good.',
        remedy:
          'const order = randperm(rows);\nconst [train, validation] = [order.narrow(0, 0, cut), order.narrow(0, cut, rows - cut)]; // split first, then copy, augment or draw',
      };
    }),
  );
}
