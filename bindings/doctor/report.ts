// From what was noted to a report: rules, and which of what they say is the cause of the rest.

import { scope } from '../scope.ts';
import type { Watcher } from './doctor.ts';
import { type Evidence, gather } from './evidence.ts';
import type { Finding } from './finding.ts';
import * as data from './rules/data.ts';
import * as fit from './rules/fit.ts';
import * as flow from './rules/flow.ts';
import * as loss from './rules/loss.ts';
import * as rate from './rules/rate.ts';
import * as wiring from './rules/wiring.ts';
import type { Said } from './said.ts';

type Rule = (e: Evidence) => Said | null;

/** Rules that look at what is there, causes before consequences. */
const SIMPLE: readonly Rule[] = [
  wiring.neverChange,
  wiring.notInOptimizer,
  wiring.zeroGrad,
  loss.wrongSign,
  loss.softmaxTwice,
  loss.softmaxMissing,
  loss.misfit,
  data.constantInput,
  data.notNormalised,
  data.targetsNotNormalised,
  flow.constantInit,
  wiring.withoutGradient,
  flow.dropout,
  wiring.trainMode,
  wiring.evalMode,
  flow.smallBatch,
  flow.exploding,
  flow.vanishing,
  flow.saturated,
  flow.deadRelu,
  wiring.clipping,
  data.imbalanced,
  fit.leaks,
  data.sorted,
  rate.notFinite,
  wiring.decayOnNorms,
];

const RATES = ['learning-rate-too-high', 'learning-rate-too-low', 'loss-oscillates'];
const FLOW = ['vanishing-gradients', 'exploding-gradients', 'dead-relu', 'saturated-activation', 'nan-or-inf'];
const STILL = ['loss-does-not-move', 'underfitting'];

/** What comes of a fault: it is left out where that is sure. */
const EXPLAINS: Readonly<Record<string, readonly string[]>> = {
  'weights-never-change': [...STILL, ...RATES, 'parameters-without-gradient'],
  'parameters-not-in-optimizer': ['weights-never-change', 'parameters-without-gradient', 'underfitting'],
  'parameters-without-gradient': ['underfitting', 'vanishing-gradients'],
  'forgotten-zero-grad': [...RATES, ...FLOW, ...STILL, 'clipping-always-active'],
  'wrong-sign': [...RATES, ...FLOW, ...STILL, 'overfitting', 'labels-shuffled'],
  'softmax-twice': STILL,
  'softmax-missing': [...RATES, ...FLOW, ...STILL, 'loss-does-not-fit-output'],
  'loss-does-not-fit-output': [
    'underfitting',
    'parameters-without-gradient',
    'vanishing-gradients',
    'labels-imbalanced',
  ],
  'constant-input': [...STILL, 'dead-relu', 'labels-shuffled'],
  'data-not-normalised': [...RATES, ...FLOW, ...STILL, 'clipping-always-active'],
  'constant-initialisation': [...RATES, ...FLOW, ...STILL, 'parameters-without-gradient'],
  'exploding-gradients': [...RATES, 'nan-or-inf', 'vanishing-gradients', 'dead-relu', ...STILL],
  'vanishing-gradients': ['underfitting', 'saturated-activation', 'learning-rate-too-low'],
  'dead-relu': ['parameters-without-gradient', 'weights-never-change', 'underfitting'],
  'saturated-activation': ['underfitting', 'learning-rate-too-low'],
  'learning-rate-too-high': ['nan-or-inf', 'dead-relu', ...STILL],
  'learning-rate-too-low': [...STILL, 'vanishing-gradients'],
  'clipping-always-active': ['learning-rate-too-low', ...STILL],
  'labels-shuffled': [...STILL, 'overfitting'],
  'nan-or-inf': [...STILL, ...RATES],
  'forgotten-train-mode': ['overfitting'],
  'dropout-misplaced': ['underfitting', 'loss-oscillates'],
};
const SYMPTOMS = ['loss-does-not-move', 'underfitting', 'loss-oscillates', 'overfitting'];

/** A rule that cannot judge such a model says nothing. */
function quietly<T>(fn: () => T): T | null {
  try {
    return fn();
  } catch {
    return null;
  }
}

function judge(e: Evidence): Said[] {
  const said = SIMPLE.flatMap((rule) => quietly(() => rule(e)) ?? []);
  const isCause = ({ kind, confidence }: Said): boolean => kind !== 'hint' && confidence >= 0.75;
  const needsRates = !said.some(
    (finding) =>
      isCause(finding) &&
      ![
        'nan-or-inf',
        'exploding-gradients',
        'dead-relu',
        'saturated-activation',
        'vanishing-gradients',
        'labels-imbalanced',
        'clipping-always-active',
        'data-leakage',
        'forgotten-eval-mode',
      ].includes(finding.id),
  );
  if (needsRates) said.push(...(quietly(() => rate.rates(e)) ?? []));
  // What is learned well needs no other network to show that it can be.
  const skills = [e.train?.skill ?? 0, e.validation?.skill ?? 1];
  const poor = Math.max(...skills) < 0.65 || Math.min(...skills) < 0.5;
  const probes = poor && !said.some(isCause) ? fit.probesOf(e) : null;
  if (probes) {
    const wrong = fit.shuffled(e, probes);
    // Gradients that do not reach the start of a sequence are a cause that shows.
    const isSure = wrong && (wrong.confidence > 0.9 || !said.some(({ id }) => id === 'vanishing-gradients'));
    if (isSure) said.push(wrong);
    else {
      const under = fit.underfits(e, probes);
      if (under) said.push(under);
    }
  }
  const over = fit.overfits(e);
  if (over && !said.some(({ id }) => id === 'labels-shuffled')) said.push(over);
  const still = rate.stuck(e, probes && Math.max(probes.within, probes.across || 0));
  if (still) said.push(still);
  // Beside a fault nobody looks for the best size of batches.
  const noisy = said.some(({ kind }) => kind !== 'hint') ? null : rate.noisy(e);
  if (noisy) said.push(noisy);
  return said;
}

/** Consequences of what is sure are left out; what is left stands by how sure it is, causes before symptoms. */
function ranked(said: readonly Said[]): Said[] {
  const isLater = ({ id, kind }: Said): number => (kind === 'hint' ? 2 : Number(SYMPTOMS.includes(id)));
  const sorted = [...said].sort((a, b) => isLater(a) - isLater(b) || b.confidence - a.confidence);
  const kept: Said[] = [];
  for (const one of said) {
    const isExplained = said.some(
      (cause) =>
        cause !== one &&
        cause.confidence >= 0.75 &&
        cause.confidence >= one.confidence - 0.2 &&
        cause.kind !== 'hint' &&
        (EXPLAINS[cause.id]?.includes(one.id) ?? false) &&
        // Of two that explain each other the first rule's stays.
        !(
          one.confidence >= 0.75 &&
          (EXPLAINS[one.id]?.includes(cause.id) ?? false) &&
          said.indexOf(one) < said.indexOf(cause)
        ),
    );
    if (!isExplained) kept.push(one);
  }
  return sorted.filter((one) => kept.includes(one));
}

/** What is wrong, put into words, and what it was judged by. */
export async function findingsOf(watcher: Watcher): Promise<{ findings: Finding[]; evidence: Evidence }> {
  // What it computes is given back at once, and not when the collector finds the time.
  const { said, evidence } = scope(() => {
    const evidence = gather(watcher);
    return { said: ranked(judge(evidence)), evidence };
  });
  if (said.length === 0) return { findings: [], evidence };
  const { wordsOf } = await import('./words/words.ts');
  const findings = said.map(({ kind, told, ...one }): Finding => {
    const [what, why, remedy] = wordsOf(told);
    return { ...one, kind: kind ?? 'fault', line: watcher.lineOf(one.where), what, why, remedy };
  });
  return { findings, evidence };
}
