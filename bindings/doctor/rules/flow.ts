// Faults of what flows through the layers, forward and back.
import type { Evidence } from '../evidence.ts';
import type { Activation, Facts, WeightFact } from '../facts.ts';
import type { Said, Told } from '../said.ts';

const orderOf = ({ weights }: Facts): WeightFact[] => [...weights].sort((a, b) => a.order - b.order);

/** Gradients of weights, relative to their norms: what a change of 1 % of the weight does. */
const pullOf = ({ gradient, norm }: WeightFact): number => (gradient ?? 0) * norm;

export function constantInit(e: Evidence): Said | null {
  const found = e.equal.filter(({ start, end, constant }) => start && (constant === 'nonzero' || end));
  const [first] = found;
  if (!first) return null;
  return {
    id: 'constant-initialisation',
    where: first.owner,
    confidence: found.some(({ end }) => end) ? 0.97 : 0.85,
    told: ['alike', first.path, first.units, first.end],
  };
}

export function vanishing(e: Evidence): Said | null {
  const { before, after } = e;
  const looks = [before, after].filter((facts): facts is Facts => facts !== null);
  if (looks.length === 0) return null;
  const ratios = looks.map((facts) => {
    const order = orderOf(facts).filter(({ gradient }) => gradient !== null);
    const pulls = order.map(pullOf);
    const most = Math.max(...pulls);
    const [at, least] = pulls
      .slice(0, -1)
      .reduce<[number, number]>((low, pull, i) => (pull < low[1] ? [i, pull] : low), [0, pulls[0] ?? 0]);
    return {
      ratio: most > 0 ? least / most : 1,
      weight: order[at],
      depth: order.length,
      dead: facts.activations.some(({ dead }) => dead > 0.9),
    };
  });
  const [start] = ratios;
  const end = ratios.at(-1);
  if (!start?.weight || !end) return null;
  // Where nothing was learned, less of a difference is the cause.
  const skill = Math.max(e.train?.skill ?? -1, e.validation?.skill ?? -1);
  const least = skill < 0.2 ? 1e-2 : 1e-3;
  const deep = start.depth >= 4 && !start.dead && start.ratio < least && end.ratio < 2 * least;
  const times = looks.map(({ times }) => (times.length >= 12 ? (times[0] as number) / (times.at(-1) || 1e-30) : 1));
  // What was learned by heart alone did not come from far away either.
  const blind = Math.min(e.train?.skill ?? 1, e.validation?.skill ?? 1) < 0.1;
  const late = times.length > 0 && (blind ? (times[0] as number) : Math.max(...times)) < (skill < 0.3 ? 1e-4 : 1e-6);
  if (!deep && !late) return null;
  if (skill > 0.8) return null;
  const recurrent = looks[0]?.activations.find(({ op }) => op === 'rnn' || op === 'lstm' || op === 'gru');
  return {
    id: 'vanishing-gradients',
    where: deep ? start.weight.owner : (recurrent?.path ?? null),
    confidence: deep ? (start.ratio < 1e-4 ? 0.95 : 0.8) : 0.72,
    told: deep ? ['vanishing', start.weight.path, start.ratio, end.ratio] : ['vanishing', null, Math.max(...times), 0],
  };
}

export function exploding(e: Evidence): Said | null {
  const { before, history } = e;
  if (!before) return null;
  const order = orderOf(before);
  const total = Math.hypot(...order.map(({ gradient }) => gradient ?? 0));
  const scale = Math.max(1, e.task === 'numbers' && e.data ? Math.hypot(e.data.target.mean, e.data.target.std) : 1);
  const steep = order.filter(({ gain, owner }) => gain > 3 && !isEmbedding(owner, e));
  const { times } = before;
  const early = times.length >= 8 ? (times[0] as number) / (times.at(-1) || 1e-30) : 1;
  const large = total > 200 * scale ** 2 && before.output.rms > 20 * scale;
  const peak = Math.max(0, ...history.lights.map(({ gradient }) => gradient ?? 0).filter(Number.isFinite));
  const recurrent = before.activations.find(({ op }) => op === 'rnn' || op === 'lstm' || op === 'gru');
  const bad = history.broken !== null || (e.train?.skill ?? 0) < 0.5;
  const driven = bad && steep.some(({ gain }) => gain > 4) && total > 30 * scale ** 2;
  const spikes = recurrent !== undefined && peak > 500 * scale ** 2 && (early > 100 || history.broken !== null);
  if (!(large || early > 1e3 || spikes || driven || total > 1e4 * scale ** 2)) return null;
  const worst =
    steep.length > 0
      ? // The first of those that are about as steep as the steepest.
        order.find(
          ({ gain, owner }) => gain > 0.6 * Math.max(...steep.map((fact) => fact.gain)) && !isEmbedding(owner, e),
        )
      : order.reduce<WeightFact | undefined>(
          (most, fact) => ((fact.gradient ?? 0) > (most?.gradient ?? 0) ? fact : most),
          undefined,
        );
  return {
    id: 'exploding-gradients',
    where: (early > 1e3 || spikes) && recurrent ? recurrent.path : (worst?.owner ?? null),
    confidence: total > 1e4 * scale ** 2 || early > 1e5 ? 0.95 : 0.85,
    told: [
      'exploding',
      early > 1e3 ? early : null,
      [total, before.output.rms],
      worst ? { path: worst.path, gain: worst.gain, steep: steep.length > 0 } : null,
    ],
  };
}

/** Whether what it does is good in spite of all. */
const well = ({ train, validation }: Evidence): boolean => Math.max(train?.skill ?? 0, validation?.skill ?? 0) > 0.85;

const isEmbedding = (owner: string, { patient }: Evidence): boolean => {
  const module = patient.model.namedModules().find(([path]) => path === owner)?.[1];
  return module !== undefined && /Embedding/.test(module.constructor.name);
};

const worstOf = (
  facts: readonly (Facts | null)[],
  share: (activation: Activation) => number,
): { activation: Activation; value: number }[] => {
  const last = facts.filter((some): some is Facts => some !== null).at(-1);
  return (last?.activations ?? []).map((activation) => ({ activation, value: share(activation) }));
};

export function deadRelu(e: Evidence): Said | null {
  const found = worstOf([e.before, e.after], ({ op, dead, units }) => (op === 'relu' && units > 1 ? dead : 0)).filter(
    ({ value }) => value > 0.6,
  );
  const [first] = found;
  if (!first) return null;
  const { activation, value } = first;
  const atStart = e.before?.activations.some(({ path, dead }) => path === activation.path && dead > 0.6) ?? false;
  return {
    id: 'dead-relu',
    where: activation.path,
    confidence: value > 0.9 ? 0.95 : 0.8,
    told: ['dead', activation, value, atStart, found.length - 1],
  };
}

export function saturated(e: Evidence): Said | null {
  const found = worstOf([e.before, e.after], ({ saturated, last, units }) =>
    last || units < 4 ? 0 : saturated,
  ).filter(({ value }) => value > 0.6);
  const [first] = found;
  if (!first) return null;
  const { activation, value } = first;
  if ((e.validation?.skill ?? e.train?.skill ?? 0) > 0.85) return null;
  const atStart =
    e.before?.activations.some(
      ({ path, op, saturated }) => path === activation.path && op === activation.op && saturated > 0.6,
    ) ?? false;
  return {
    id: 'saturated-activation',
    where: activation.path,
    confidence: value > 0.85 ? 0.95 : 0.8,
    told: ['saturated', activation, value, atStart],
  };
}

/** Dropouts where they do not belong: behind the last layer, before a batch norm, too strong, in evaluation. */
export function dropout(e: Evidence): Said | null {
  const facts = e.before ?? e.after;
  if (!facts) return null;
  const say = (where: string, confidence: number, told: Told): Said => ({
    id: 'dropout-misplaced',
    where,
    confidence,
    told,
  });
  const last = facts.drops.find(({ before }) => before === '');
  if (last) return say(last.path, 0.93, ['dropsLast', last.p]);
  const [always] = e.always;
  if (always !== undefined) return say(always, 0.93, ['dropsAlways', always]);
  const first = facts.strong.find(({ input, p }) => input && p >= 0.25);
  // To fill in what was taken away may be the task.
  if (first && e.data?.numeric && e.data.target.shape.slice(1).join() !== e.data.shape.join())
    return say(first.path, 0.85, ['dropsFirst', first.p]);
  const before = facts.drops.find(({ p }) => p >= 0.3);
  if (before) return say(before.path, 0.8, ['dropsBeforeNorm', before.p, before.before]);
  const strong = facts.strong.find(({ p }) => p >= 0.75);
  if (!strong || (strong.p < 0.85 && well(e))) return null;
  return say(strong.path, 0.8, ['dropsMost', strong.p]);
}

export function smallBatch(e: Evidence): Said | null {
  const facts = e.before ?? e.after;
  const sizes = e.batches.map(([x]) => x.sizes[0] ?? 1);
  const typical = [...sizes].sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
  const found = facts?.norms.find(({ values, rows }) => (rows <= 4 && values <= 16) || rows <= 2 || values < 5);
  if (!found || typical > 4) return null;
  return {
    id: 'batch-too-small-for-batch-norm',
    where: found.path,
    confidence: found.rows <= 2 ? 0.93 : 0.85,
    told: ['smallBatch', typical, found.path, found.values],
  };
}
