// What is measured at every so many steps: cheap, and of compiled steps too.

import * as F from '../functional/functions.ts';
import type { Tensor } from '../tensor.ts';
import type { Copies } from './copies.ts';
import type { Patient } from './patient.ts';

/** Norms of a parameter, of its gradient, and of its last update. */
export interface Norms {
  readonly weight: number;
  /** null: there is none. */
  readonly gradient: number | null;
  readonly update: number;
  /** The largest number in the gradient; 0 where that was not measured. */
  readonly peak: number;
}

export interface Light {
  readonly step: number;
  readonly norms: ReadonlyMap<Tensor, Norms>;
  /** The norm of all gradients together; null where there are none. */
  readonly gradient: number | null;
  /** The modules that are in evaluation mode. */
  readonly resting: ReadonlySet<object>;
}

export function lightOf(
  step: number,
  patient: Patient,
  before: Copies,
  gradientOf: (x: Tensor) => Tensor | null,
  detailed: boolean,
): Light {
  const norms = new Map<Tensor, Norms>();
  let total: number | null = null;
  for (const { x } of patient.known()) {
    const g = gradientOf(x);
    const was = before.of(x);
    const gradient = g && F.norm(g).item();
    if (gradient !== null) total = (total ?? 0) + gradient ** 2;
    norms.set(x, {
      weight: F.norm(x.detach()).item(),
      gradient,
      update: was ? F.norm(F.sub(x.detach(), was)).item() : Number.NaN,
      peak: g && detailed ? F.max(g).item() : 0,
    });
  }
  const resting = new Set<object>(patient.model.modules().filter(({ training }) => !training));
  return { step, norms, gradient: total === null ? null : Math.sqrt(total), resting };
}
