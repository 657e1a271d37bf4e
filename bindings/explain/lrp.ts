// Layer-wise relevance propagation: the output itself is handed back, op by op, to what it came from.
import { where } from '../functional/elementwise.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import type { Node } from '../node.ts';
import type { Bag } from '../ops/core.ts';
import { Tensor } from '../tensor.ts';
import { adding, deltaOf } from './method.ts';
import { ELEMENTWISE, isTraining, MAX_POOLS, MOVES, PRODUCTS, SUMS } from './op-kinds.ts';
import type { AttributeOptions, AttributionWithDelta, DeltaOptions } from './options.ts';
import { perSample, type Subject } from './subject.ts';
import { asGradient, called, expectUnwritten, gradientOf, override, recorded, refuse, type Step } from './tape.ts';

/** In the shares that terms have in the sum. */
export interface EpsilonRule {
  /** Its name. */
  readonly rule: 'epsilon';
  /** How large the sum is at least. @defaultValue 1e-9 */
  readonly epsilon?: number;
}
/** With positive weights that are larger by a part. */
export interface GammaRule {
  /** Its name. */
  readonly rule: 'gamma';
  /** That part. @defaultValue 0.25 */
  readonly gamma?: number;
}
/** Terms above 0 get alpha of it, and those below take beta back. */
export interface AlphaBetaRule {
  /** Its name. */
  readonly rule: 'alphaBeta';
  /** What terms above 0 get. @defaultValue 2 */
  readonly alpha?: number;
  /** What those below 0 take back; alpha − 1. @defaultValue 1 */
  readonly beta?: number;
}
/** By positive weights alone. */
export interface ZPlusRule {
  /** Its name. */
  readonly rule: 'zPlus';
}
/** How relevance is handed through sums with weights. */
export type LrpRule = EpsilonRule | GammaRule | AlphaBetaRule | ZPlusRule;

const RULES = ['epsilon', 'gamma', 'alphaBeta', 'zPlus'];
const LEAST = 1e-9;

/** @throws ArgumentError */
function expectRule(op: string, given: unknown): LrpRule {
  const rule = given as LrpRule & Readonly<Record<string, number>>;
  if (typeof rule !== 'object' || rule === null || !RULES.includes(rule.rule))
    throw new ArgumentError(
      `${op}: expected { rule: ${RULES.map((name) => `'${name}'`).join(' | ')} }, got ${describe(given)}`,
    );
  const { rule: _, ...numbers } = rule;
  for (const [name, value] of Object.entries(numbers))
    if (!(typeof value === 'number' && value >= 0))
      throw new ArgumentError(`${op}: expected ${name} >= 0, got ${describe(value)}`);
  if (rule.rule === 'alphaBeta' && Math.abs((rule.alpha ?? 2) - (rule.beta ?? (rule.alpha ?? 2) - 1) - 1) > 1e-6)
    throw new ArgumentError(`${op}: expected alpha − beta to be 1, got ${rule.alpha ?? 2} and ${rule.beta}`);
  return rule;
}

/** relevance / z, z kept away from 0. */
function shares(relevance: Tensor, z: Tensor, epsilon: number): Tensor {
  return relevance.div(z.add(where(z.ge(0), z.mul(0).add(epsilon), z.mul(0).sub(epsilon))));
}

type Override = Parameters<typeof override>[1];
type Varies = (x: unknown) => boolean;

/** Hands relevance to each input that varies, in the share that `factor` of it has in the sum. */
function bySums(node: Node, varies: Varies, epsilon: number, factor = 1): Override {
  return (own, o, g, ...rest) => {
    const z = (node.outputs[0] as Tensor).detach();
    const found = own(o, asGradient(node, shares(gradientOf(node, g), z, epsilon).mul(factor)), ...rest);
    const times = (x: Tensor | undefined, dx: unknown): Tensor | null =>
      x && dx instanceof Tensor && varies(x) ? x.detach().mul(dx) : null;
    return Object.fromEntries(
      node.row.inputs.map(({ name }) => {
        const [x, dx] = [node.inputs[name], found[name]];
        if (x instanceof Tensor) return [name, times(x, dx)];
        return [name, x && Array.isArray(dx) ? x.map((each, i) => times(each, dx[i])) : null];
      }),
    );
  };
}

/** A part of a weighted sum: some of the inputs by some of the weights. */
interface Part {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor | null;
}

/** With other weights than its own. */
function byParts(node: Node, epsilon: number, groups: readonly { parts: readonly Part[]; factor: number }[]): Override {
  return (own, o, g, saved, ...rest) => {
    const relevance = gradientOf(node, g);
    const each = groups.flatMap(({ parts, factor }) => {
      const z = parts.map((part) => called(node, { ...node.inputs, ...part })).reduce((a, b) => a.add(b));
      const share = shares(relevance, z, epsilon).mul(factor);
      return parts.map(({ x, weight }) => {
        const given: Bag = { ...saved, x, weight };
        return x.mul(own(o, asGradient(node, share), given, ...rest).x as Tensor);
      });
    });
    return { x: each.reduce((a, b) => a.add(b)) };
  };
}

const above = (x: Tensor): Tensor => x.clamp(0, Number.POSITIVE_INFINITY);
const below = (x: Tensor): Tensor => x.clamp(Number.NEGATIVE_INFINITY, 0);

/** The rule of a sum with weights. */
function weighted(node: Node, varies: Varies, rule: LrpRule): Override {
  if (rule.rule === 'epsilon') return bySums(node, varies, rule.epsilon ?? LEAST);
  const [x, weight] = [node.inputs.x, node.inputs.weight].map((each) => (each as Tensor).detach()) as [Tensor, Tensor];
  const bias = (node.inputs.bias as Tensor | null)?.detach() ?? null;
  if (rule.rule === 'gamma') {
    const larger = weight.add(above(weight).mul(rule.gamma ?? 0.25));
    return byParts(node, LEAST, [{ parts: [{ x, weight: larger, bias }], factor: 1 }]);
  }
  if (rule.rule === 'zPlus') return byParts(node, LEAST, [{ parts: [{ x, weight: above(weight), bias }], factor: 1 }]);
  const alpha = rule.alpha ?? 2;
  const beta = rule.beta ?? alpha - 1;
  const parts = (a: Tensor, b: Tensor, own: Tensor | null): Part[] => [
    { x: above(x), weight: a, bias: own },
    { x: below(x), weight: b, bias: null },
  ];
  const [more, less] = [above(weight), below(weight)];
  return byParts(node, LEAST, [
    { parts: parts(more, less, bias && above(bias)), factor: alpha },
    ...(beta === 0 ? [] : [{ parts: parts(less, more, bias && below(bias)), factor: -beta }]),
  ]);
}

/** Which rule a module has: its own, or that of the nearest one around it. */
function chosen(op: string, model: unknown, rule: LrpRule, rules: Readonly<Record<string, LrpRule>>) {
  const own = new Map<object, LrpRule>();
  for (const [path, each] of Object.entries(rules)) {
    if (!(model instanceof Module))
      throw new ArgumentError(
        `${op}: expected a Module where rules are given by paths, got a function; pass the module`,
      );
    own.set(model.getSubmodule(path), expectRule(op, each));
  }
  return ({ module }: Node): LrpRule => {
    for (let link = module; link; link = link.parent) {
      const found = own.get(link.module);
      if (found) return found;
    }
    return rule;
  };
}

/** @throws ArgumentError where there is none */
function ruleFor(subject: Subject, { node }: Step, varies: Varies, rule: LrpRule): Override | null {
  const { name, inputs, row } = node;
  const alone = row.inputs.filter(({ name: each }) => varies(inputs[each])).length === 1;
  if (MOVES.has(name) || MAX_POOLS.has(name)) return null;
  // Activations hand it on as it is.
  if (ELEMENTWISE.has(name) && alone)
    return (_own, _o, g) => ({
      [row.inputs.find(({ name: each }) => varies(inputs[each]))?.name as string]: gradientOf(node, g),
    });
  if ((SUMS.has(name) || (name === 'div' && varies(inputs.a))) && isTraining(node))
    refuse(subject.op, subject.model, node, 'call eval() first');
  if (name === 'linear' || name === 'conv') {
    if (!alone || !varies(inputs.x)) refuse(subject.op, subject.model, node, 'use integratedGradients()');
    return weighted(node, varies, rule);
  }
  const epsilon = rule.rule === 'epsilon' ? (rule.epsilon ?? LEAST) : LEAST;
  if (SUMS.has(name) || (name === 'div' && alone && varies(inputs.a))) return bySums(node, varies, epsilon);
  // What two things make together comes from each by half.
  if (PRODUCTS.has(name)) return bySums(node, varies, epsilon, alone ? 1 : 0.5);
  return refuse(
    subject.op,
    subject.model,
    node,
    'pass a model that gives scores before softmax, or use integratedGradients()',
  );
}

/** Options of {@link lrp}. */
export interface LrpOptions extends AttributeOptions, DeltaOptions {
  /** The rule of layers that have none of their own. @defaultValue { rule: 'epsilon', epsilon: 1e-9 } */
  readonly rule?: LrpRule;
  /**
   * Rules of layers, and of all below them, by their paths as `namedModules()` has them: `{ '0': { rule: 'zPlus' } }`.
   * @defaultValue {}
   */
  readonly rules?: Readonly<Record<string, LrpRule>>;
}

/**
 * Layer-wise relevance propagation (Bach et al. 2015; Captum's `LRP`): the output is divided among the inputs of each
 * op in the shares that they have in its result, back to the inputs of the model. All adds up to the output less what
 * biases take; `delta` says how far it is from it.
 * @returns of the shape of each input; with `returnConvergenceDelta` also delta, [n]
 * @throws ArgumentError that names an op without a rule, such as layerNorm, and the module that called it; GradError
 * where the input of an op was written in place after it
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
 * const map = explain.lrp(model, rand([2, 4]), { rules: { 0: { rule: 'gamma', gamma: 0.5 } } });
 * console.log(map.shape); // [2, 4]
 * ```
 */
export const lrp: AttributionWithDelta<LrpOptions> = adding(
  'lrp',
  ', rule: object|null = null, rules: object|null = null',
  (subject: Subject, wantsDelta: boolean, rule: LrpRule | null, rules: Readonly<Record<string, LrpRule>> | null) => {
    const { op, model } = subject;
    const usual = rule ? expectRule(op, rule) : ({ rule: 'epsilon' } as const);
    const ruleOf = chosen(op, model, usual, rules ?? {});
    const leaves = subject.leaves(subject.inputs);
    const { result, steps, varies } = recorded(leaves, () => subject.scores(leaves));
    for (const step of steps) {
      const back = ruleFor(subject, step, varies, ruleOf(step.node));
      if (!back) continue;
      expectUnwritten(op, model, step);
      override(step.node, back);
    }
    const should = result.detach();
    const found = subject.slopes(result, leaves, should);
    return wantsDelta ? [...found, deltaOf(found, should, perSample)] : found;
  },
);
