// Faults of the loop: what is called, in which mode, and on which parameters.
import { marksOf } from '../calls.ts';
import type { Batch } from '../evaluate.ts';
import { type Evidence, meanOf } from '../evidence.ts';
import { ownerOf, type Weight } from '../patient.ts';
import type { Said } from '../said.ts';

/** The path of the innermost module that has all `paths` below it, and what it is called in a sentence. */
export function commonOf(paths: readonly string[]): string {
  const [first = '', ...rest] = paths.map((path) => path.split('.'));
  let shared = [...first];
  for (const parts of rest) {
    let i = 0;
    while (i < shared.length && shared[i] === parts[i]) i++;
    shared = shared.slice(0, i);
  }
  return shared.join('.');
}

/** A module all of whose parameters are among `some`, where there is one; else the owner of the first. */
function placeOf(some: readonly string[], all: readonly string[]): string {
  const common = commonOf(some.map(ownerOf));
  const inside = all.filter((path) => common === '' || path.startsWith(`${common}.`));
  return inside.length === some.length ? common : ownerOf(some[0] as string);
}

export function zeroGrad({ history, steps }: Evidence): Said | null {
  // Who steps only now and then adds gradients up on purpose.
  if (history.calls.untraced > 0 && history.calls.untraced < 0.75 * steps) return null;
  const fits = history.closes.filter(({ step, fit }) => step > 0 && fit !== null && fit.rest < 0.2);
  const sums = fits.filter(({ fit }) => fit && fit.fresh > 0.4 && fit.old > 0.8 && fit.old < 1.2);
  // Sums that fit to a hundredth are no chance, however often gradients are let go of.
  const sure = sums.some(({ fit }) => fit && fit.rest < 0.01);
  if (sums.length === 0 || (!sure && sums.length < fits.length / 2)) return null;
  return {
    id: 'forgotten-zero-grad',
    where: null,
    confidence: sums.length > 1 ? 0.97 : 0.85,
    told: ['sums', sums[0]?.step ?? 0, sums[0]?.fit?.old ?? 1],
  };
}

/** A parameter that the program changes: at steps that were measured, or others, where gradients of some add up. */
const moves = ({ history, moved }: Evidence, { x }: Weight): boolean =>
  moved.has(x) || history.lights.some(({ norms }) => (norms.get(x)?.update ?? 0) > 0);
const gradients = ({ history }: Evidence, { x }: Weight): number[] =>
  history.lights.flatMap(({ norms }) => norms.get(x)?.gradient ?? []);

export function notInOptimizer(e: Evidence): Said | null {
  const own = e.weights.filter(({ path }) => path !== '');
  const missing = own.filter(
    (weight) =>
      weight.x.requiresGrad &&
      !weight.group &&
      !moves(e, weight) &&
      (gradients(e, weight).some((g) => g > 0) || (!gradients(e, weight).length && hasGradient(e, weight))),
  );
  const strangers = e.after?.strangers ?? e.before?.strangers ?? [];
  if (missing.length === 0 && strangers.length === 0) return null;
  const paths = missing.map(({ path }) => path);
  const others = e.weights.filter(({ path }) => path === '').length;
  const all = own.map(({ path }) => path);
  return {
    id: 'parameters-not-in-optimizer',
    where: missing.length > 0 ? placeOf(paths, all) : (strangers[0] as string),
    confidence: 0.95,
    told: ['notTrained', paths, own.length, others, strangers.length],
  };
}

/** Whether a pass of the doctor's gives it a gradient. */
const hasGradient = ({ before, after }: Evidence, { path }: Weight): boolean =>
  ((after ?? before)?.weights.find((fact) => fact.path === path)?.gradient ?? 0) > 0;

export function withoutGradient(e: Evidence): Said | null {
  const own = e.weights.filter(({ path }) => path !== '');
  const looked = e.history.lights.length > 0 && e.weights.some((weight) => gradients(e, weight).length > 0);
  if (!looked) return null;
  // Exact zeros at all steps are none as well; those behind units that are dead have another cause.
  const none = own.filter(
    (weight) =>
      weight.x.requiresGrad &&
      gradients(e, weight).every((g) => g === 0) &&
      !moves(e, weight) &&
      !isInvariant(e, weight),
  );
  // What is frozen and still as it was made was not frozen to keep what it had learned.
  const frozen = own.filter(({ x, path, group }) => !x.requiresGrad && group && isFresh(e, path) && x.ndim > 1);
  const found = none.length > 0 ? none : frozen;
  if (found.length === 0) return null;
  const paths = found.map(({ path }) => path);
  return {
    id: 'parameters-without-gradient',
    where: placeOf(
      paths,
      own.map(({ path }) => path),
    ),
    confidence: none.length > 0 ? 0.9 : 0.6,
    // Whoever froze them may have meant it.
    ...(none.length === 0 && { kind: 'hint' as const }),
    told: ['withoutGradient', paths, own.length, none.length === 0],
  };
}

/** Zeros that came as a gradient, where others of the same module have more: what follows takes it away again. */
const isInvariant = (e: Evidence, weight: Weight): boolean =>
  weight.x.ndim < 2 &&
  gradients(e, weight).length > 0 &&
  e.weights.some((other) => ownerOf(other.path) === ownerOf(weight.path) && moves(e, other));

/** Whether a weight looks like a uniform initialisation that nobody trained: its bound is that of its fan-in. */
function isFresh({ before, after }: Evidence, path: string): boolean {
  const fact = (before ?? after)?.weights.find((weight) => weight.path === path);
  return fact !== undefined && Math.abs(fact.gain - 1 / Math.sqrt(3)) < 0.06;
}

export function neverChange(e: Evidence): Said | null {
  const own = e.weights.filter(({ path, x, group }) => path !== '' && x.requiresGrad && group);
  const others = e.weights.filter(({ path }) => path === '');
  if (e.history.lights.length === 0 || e.steps < 2) return null;
  const still = own.filter((weight) => !moves(e, weight));
  // What a norm or a softmax takes away again has no gradient but what rounding leaves.
  const isIdle = ({ x }: Weight): boolean => {
    const looks = e.history.lights.filter(({ norms }) => (norms.get(x)?.gradient ?? null) !== null);
    return (
      looks.length === 0 || looks.some(({ norms, gradient }) => (norms.get(x)?.gradient ?? 0) > 1e-5 * (gradient ?? 0))
    );
  };
  const stuck = still.filter(isIdle);
  const all = e.weights.filter(({ path }) => path !== '');
  const copied = own.length === 0 && all.length > 0 && others.length > 0 && !all.some((weight) => moves(e, weight));
  if (stuck.length === 0 && !copied) return null;
  const whole = stuck.length === own.length;
  // Those without any gradient are the case of another rule, where some have one.
  if (!whole && stuck.every((weight) => gradients(e, weight).length === 0)) return null;
  const rates = e.patient.optimizer.paramGroups.map((group) => (group as { lr?: number }).lr);
  const zero = stuck.some(({ group }) => group?.lr === 0);
  return {
    id: 'weights-never-change',
    where: whole
      ? null
      : placeOf(
          stuck.map(({ path }) => path),
          all.map(({ path }) => path),
        ),
    confidence: 0.95,
    told: ['still', whole ? null : stuck.map(({ path }) => path), e.steps, zero ? rates : null, e.history.calls.steps],
  };
}

export function trainMode(e: Evidence): Said | null {
  const { history, modal, patient } = e;
  const { lights } = history;
  if (modal.length === 0 || lights.length === 0) return null;
  const paths = patient.modules();
  const resting = (path: string): number =>
    meanOf(lights.map((light) => Number([...light.resting].some((module) => paths.get(module) === path))));
  // Frozen layers may rest.
  const isFrozen = (path: string): boolean => {
    const own = e.weights.filter((weight) => weight.path.startsWith(path === '' ? '' : `${path}.`));
    return path !== '' && own.length > 0 && own.every(({ x, group }) => !x.requiresGrad || !group);
  };
  const found = modal.filter((path) => resting(path) > 0.5 && !isFrozen(path));
  if (found.length === 0) return null;
  // In training for the forward pass, whatever it is in after the step.
  const forwards = history.calls.forwards.filter(({ taped }) => taped);
  const trains = forwards.filter(({ training }) => training);
  if (forwards.length >= 0.3 * e.steps && trains.length > 0.5 * forwards.length && resting('') > 0.5) return null;
  const all = found.length === modal.length;
  return {
    id: 'forgotten-train-mode',
    where: all && resting('') > 0.5 ? '' : (found[0] as string),
    confidence: 0.95,
    told: ['rests', resting(found[0] as string), all ? null : found],
  };
}

export function evalMode(e: Evidence): Said | null {
  const { history, modal } = e;
  if (modal.length === 0) return null;
  const marksIn = (batches: readonly Batch[]): Set<number> =>
    new Set(batches.flatMap(([x]) => (x.ndim > 0 && x.size > 0 ? Array.from(marksOf(x)) : [])));
  const [held, known] = [marksIn(history.validation.batches), marksIn([...history.train.batches, ...e.batches])];
  const isHeld = (mark: number | null): boolean => mark !== null && held.has(mark) && !known.has(mark);
  const looks = history.calls.forwards.filter(({ taped, mark }) => !taped || isHeld(mark));
  const wrong = looks.filter(({ training }) => training);
  const sure = wrong.some(({ mark }) => isHeld(mark));
  if (wrong.length === 0 || wrong.length < looks.length / 2) return null;
  return {
    id: 'forgotten-eval-mode',
    where: '',
    confidence: sure ? 0.95 : 0.75,
    told: ['trains', sure, wrong[0]?.step ?? 0, wrong.length - 1, modal],
  };
}

export function clipping({ history, train, validation }: Evidence): Said | null {
  const norms = history.lights.flatMap(({ gradient }) =>
    gradient === null || !Number.isFinite(gradient) ? [] : [gradient],
  );
  if (norms.length < 6) return null;
  const well = Math.max(train?.skill ?? 0, validation?.skill ?? 0) > 0.8;
  const [most, least] = [Math.max(...norms), Math.min(...norms)];
  const typical = [...norms].sort((a, b) => a - b)[norms.length >> 1] as number;
  const same = norms.filter((norm) => Math.abs(norm / typical - 1) < 2e-3);
  const byNorm = typical > 0 && same.length >= 0.9 * norms.length;
  const peaks = history.lights
    .map(({ norms: all }) => Math.max(...[...all.values()].map(({ peak }) => peak)))
    .filter((peak) => peak > 0);
  const top = Math.max(...peaks);
  const byValue =
    !byNorm && top > 0 && peaks.filter((peak) => Math.abs(peak / top - 1) < 1e-5).length >= 0.95 * peaks.length;
  const share = history.closes.filter(({ fit }) => fit && fit.rest > 0.05).length / Math.max(1, history.closes.length);
  if (!byNorm && !(byValue && share > 0.5)) return null;
  const cut = history.closes.flatMap(({ fit }) => (fit && fit.fresh > 0 && fit.rest < 0.1 ? [fit.fresh] : []));
  // A clip that takes little away, or harms nothing, is how many recipes have it.
  const mild = cut.length > 0 ? meanOf(cut) > 0.3 : well;
  if (byNorm && mild) return null;
  const before = meanOf(history.closes.flatMap(({ fit }) => (fit && fit.fresh > 0 ? [typical / fit.fresh] : [])));
  return {
    id: 'clipping-always-active',
    where: null,
    confidence: byNorm ? 0.95 : 0.8,
    told: byNorm
      ? ['clips', typical, same.length / norms.length, [least, most], before]
      : ['clips', top, null, [least, most], before],
  };
}

export function decayOnNorms({ weights, patient }: Evidence): Said | null {
  const some = weights.filter(
    ({ x, group, path }) => x.ndim === 1 && path !== '' && Number(group?.weightDecay ?? 0) > 0,
  );
  if (some.length === 0) return null;
  const modules = new Map(patient.model.namedModules());
  const norm = some.find(({ path }) => /norm/i.test(modules.get(ownerOf(path))?.constructor.name ?? ''));
  return {
    id: 'weight-decay-on-norms',
    kind: 'hint',
    where: ownerOf((norm ?? some[0])?.path ?? ''),
    confidence: 0.9,
    told: ['decays', some.map(({ path }) => path)],
  };
}
