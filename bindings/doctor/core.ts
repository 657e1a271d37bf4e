// The op at the heart of a loss: what it takes, what it holds that against, and which end of it is good.
import { withoutTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import * as F from '../functional/functions.ts';
import { Tensor } from '../tensor.ts';
import type { Noted } from './probe.ts';

export const tensorsOf = (slots: Readonly<Record<string, unknown>>): Tensor[] =>
  Object.values(slots).flatMap((x) => (x instanceof Tensor ? [x] : Array.isArray(x) ? (x as Tensor[]) : []));

/** What a loss holds an output against. */
export interface Held {
  readonly low: number;
  readonly high: number;
  readonly std: number;
}

/** A loss grows with what its core gives: +1 by elements that are losses, −1 that are logarithms of probabilities. */
const CORES: Readonly<Record<string, number>> = {
  crossEntropy: 1,
  nll: 1,
  bceWithLogits: 1,
  bce: 1,
  huber: 1,
  smoothL1: 1,
  square: 1,
  abs: 1,
  logSoftmax: -1,
  log: -1,
};

export const CLASSES = new Set(['crossEntropy', 'nll']);

/** Ops that leave an output what it is, on its way into a loss. */
export const PLAIN = new Set([
  ...Object.keys(CORES),
  ...['contiguous', 'softmax', 'sigmoid', 'sub', 'add', 'neg', 'mul', 'div', 'scale', 'mean', 'sum', 'sqrt', 'clamp'],
  ...['gather', 'select', 'where', 'maskedFill', 'cast'],
]);

/** What a divergence multiplies probabilities with, where their own logarithm is taken as well. */
function divergenceOf(after: readonly Noted[], target: Tensor | null): Noted | null {
  if (target?.dtype !== 'f32' || target.ndim < 2 || !after.some(({ op, outputs }) => op === 'log' && !isTaped(outputs)))
    return null;
  if (withoutTape(() => F.min(target).item() < 0 || !near(F.sum(target, -1), 1))) return null;
  for (const { op, inputs, ...rest } of after) {
    const [p, x] = tensorsOf(inputs);
    if (op === 'mul' && p?.block === target.block && x?.requiresGrad)
      return { ...rest, op: 'klDiv', inputs: { x, target } };
  }
  return null;
}
export const isTaped = (outputs: Noted['outputs']): boolean => tensorsOf(outputs).some((y) => y.requiresGrad);

/** The op at the heart of a loss. */
export function coreOf(after: readonly Noted[], target: Tensor | null): Noted | null {
  const names = Object.keys(CORES);
  const divergence = divergenceOf(after, target);
  if (divergence) return divergence;
  const known = after.filter(({ op }) => op in CORES);
  return known.sort((a, b) => names.indexOf(a.op) - names.indexOf(b.op))[0] ?? null;
}

/** The sign of all cores of a kind and all their elements; 0 where they are not of one sign. */
export function signOf(loss: Tensor, core: Noted, after: readonly Noted[]): number {
  if (!(core.op in CORES) || !loss.requiresGrad) return 0;
  const made = after.flatMap(({ op, outputs }) => (op === core.op ? tensorsOf(outputs).filter(isOfTape) : []));
  if (made.some(({ block }) => block === loss.block)) return 1;
  const gradients = made.length > 0 ? grad(loss, made, { retainGraph: true, allowUnused: true }) : [];
  let [sum, size] = [0, 0];
  for (const g of gradients) {
    if (!g) continue;
    sum += F.sum(g).item();
    size += F.sum(F.abs(g)).item();
  }
  return Math.abs(sum) > 0.99 * size ? Math.sign(sum) * (CORES[core.op] as number) : 0;
}
const isOfTape = (x: Tensor): boolean => x.requiresGrad;

export const near = (x: Tensor, value: number): boolean => F.max(F.abs(F.sub(x, value))).item() < 2e-3;

/** What a loss holds the output against: its own operand, or what was subtracted. */
export function targetOf(core: Noted, after: readonly Noted[]): Held | null {
  const x = core.inputs.x;
  const maker = after.find(
    ({ op, outputs }) => op === 'sub' && x instanceof Tensor && tensorsOf(outputs)[0]?.block === x.block,
  );
  const t = core.inputs.target ?? tensorsOf(maker?.inputs ?? {}).find(({ requiresGrad }) => !requiresGrad);
  if (!(t instanceof Tensor) || t.dtype !== 'f32' || t.size === 0) return null;
  return { low: F.min(t).item(), high: F.max(t).item(), std: F.std(t, null, { correction: 0 }).item() };
}
