// Faults of what flows through the layers, forward and back.
import type { Evidence } from '../evidence.ts';
import type { Activation, Facts, WeightFact } from '../facts.ts';
import { n, percent, type Said } from '../finding.ts';

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
    what: `All ${first.units} units of ${first.path} started with the same weights${first.end ? ', and still have the same' : ''}.`,
    why: 'Units that start alike and get like gradients stay alike: the layer is one unit, many times over.',
    remedy: `nn.init.kaimingUniform_(model.getParameter('${first.path}')); // or leave it as layers make it`,
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
    what: deep
      ? `The gradient of ${start.weight.path}, for its size, is ${n(start.ratio)} of that of the layer with the largest, and ${n(end.ratio)} at the end.`
      : `The gradient of the first step of a sequence is ${n(Math.max(...times))} of that of the last.`,
    why: 'Each layer on the way back makes it smaller, as sigmoid and tanh do where they are flat, and small weights: the first layers learn nothing.',
    remedy: deep
      ? 'new nn.Sequential(new nn.Linear(64, 64), new nn.LayerNorm(64), new nn.ReLU()); // for each sigmoid layer; or x.add(block.forward(x))'
      : 'new nn.LSTM(inputSize, hiddenSize); // which has a way back that does not shrink; or an orthogonal weightHh',
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
    what:
      early > 1e3
        ? `The gradient of the first step of a sequence is ${n(early)} times that of the last.`
        : `Before the first step the norm of the gradient is ${n(total)}, and outputs have a scale of ${n(before.output.rms)}${steep.length > 0 ? `: ${worst?.path} makes what it gets about ${n(worst?.gain ?? 1)} times as large` : ''}.`,
    why: 'Each layer, or step, on the way back makes it larger: steps are far too long, and end in NaN.',
    remedy: `nn.init.kaimingNormal_(model.getParameter('${worst?.path ?? '0.weight'}')); // weights that keep the scale\nclipGradNorm(model.parameters(), 1); // before optimizer.step()`,
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
    what: `${percent(value)} of the ${activation.units} units behind ${activation.feeder || 'the layer'} are 0 for every input of a batch${atStart ? ' from the start' : ''}${found.length > 1 ? `, and so in ${found.length - 1} more layers` : ''}.`,
    why: 'A ReLU that is 0 for all inputs has no gradient: its unit never comes back.',
    remedy: atStart
      ? `nn.init.zeros_(model.getParameter('${activation.feeder}.bias')); // a bias that is not far below 0\nnew nn.LeakyReLU(0.01); // or a slope below 0`
      : 'new nn.LeakyReLU(0.01); // has a slope below 0\nfor (const group of optimizer.paramGroups) group.lr *= 0.1; // and shorter steps',
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
    what: `${percent(value)} of what ${activation.op} gives behind ${activation.feeder || 'the layer'} is at the end of its range${atStart ? ' from the start' : ''}.`,
    why: 'There its slope is almost 0, so that hardly a gradient comes through.',
    remedy: `nn.init.xavierUniform_(model.getParameter('${activation.feeder || '0'}.weight')); // smaller weights, and inputs of scale 1\nnew nn.LayerNorm(${activation.units}); // or a norm before it`,
  };
}

/** Dropouts where they do not belong: behind the last layer, before a batch norm, too strong, in evaluation. */
export function dropout(e: Evidence): Said | null {
  const facts = e.before ?? e.after;
  if (!facts) return null;
  const say = (where: string, what: string, why: string, remedy: string, confidence: number): Said => ({
    id: 'dropout-misplaced',
    where,
    confidence,
    what,
    why,
    remedy,
  });
  const last = facts.drops.find(({ before }) => before === '');
  if (last)
    return say(
      last.path,
      `Dropout (p = ${n(last.p)}) stands behind the last layer: it sets outputs themselves to 0.`,
      'The loss then asks for what the model is not allowed to say; it cannot come near 0.',
      'new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(64, 10)); // none at the end',
      0.93,
    );
  const [always] = e.always;
  if (always !== undefined)
    return say(
      always,
      `Dropout in ${always || 'the model'} drops in evaluation as well.`,
      'Then no answer of the model is the one that it learned to give.',
      'h = functional.dropout(h, 0.5, this.training); // or the layer nn.Dropout, which looks itself',
      0.93,
    );
  const first = facts.strong.find(({ input, p }) => input && p >= 0.25);
  // To fill in what was taken away may be the task.
  if (first && e.data?.numeric && e.data.target.shape.slice(1).join() !== e.data.shape.join())
    return say(
      first.path,
      `Dropout (p = ${n(first.p)}) stands before the first layer: it sets inputs themselves to 0.`,
      'What was taken away of the data no layer can know.',
      'new nn.Sequential(new nn.Linear(16, 64), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(64, 4)); // behind hidden layers',
      0.85,
    );
  const before = facts.drops.find(({ p }) => p >= 0.3);
  if (before)
    return say(
      before.path,
      `Dropout (p = ${n(before.p)}) stands right before the batch norm ${before.before}.`,
      'What it scales in training has another variance in evaluation, and the norm goes by the wrong one.',
      'new nn.Sequential(linear, norm, new nn.ReLU(), new nn.Dropout(0.2)); // behind the norm',
      0.8,
    );
  const strong = facts.strong.find(({ p }) => p >= 0.75);
  if (!strong || (strong.p < 0.85 && well(e))) return null;
  return say(
    strong.path,
    `Dropout takes away ${percent(strong.p)} of its input.`,
    'Too little is left to learn by.',
    'new nn.Dropout(0.2); // and only where the model overfits',
    0.8,
  );
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
    what: `Batches have ${typical} rows, so that ${found.path || 'a batch norm'} takes mean and variance of ${found.values} values.`,
    why: 'Means of so few are mostly chance: each output depends on its neighbours in the batch, and running statistics fit none.',
    remedy:
      'new nn.GroupNorm(4, 32); // or LayerNorm, which take no part of the batch\nnew data.DataLoader(dataset, { batchSize: 32, dropLast: true }); // or larger batches',
  };
}
