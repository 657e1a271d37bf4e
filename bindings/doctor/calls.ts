// What the program itself calls: the model, in which mode and with the tape on or off, and the optimizer.
import { notes, withoutTape } from '../autograd.ts';
import { arange } from '../creation.ts';
import { aside, tracing } from '../execute.ts';
import * as F from '../functional/functions.ts';
import type { RemovableHandle } from '../functional/hooks.ts';
import { describeSite, siteNow } from '../program/site.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import type { Patient } from './patient.ts';

/** A call of the model that nothing was noted of, or that no step followed. */
export interface Forward {
  readonly step: number;
  readonly training: boolean;
  readonly taped: boolean;
  /** The sum of the first row of the input, which tells whose it is; null where it is not known. */
  readonly mark: number | null;
  readonly site: Error;
}

/** More calls say no more. */
const MOST_CALLS = 400;

/** A number for each row of x that tells it from others: a sum with weights that repeat nowhere. */
export const marksOf = (x: Tensor): ArrayLike<number> =>
  aside(() =>
    scope(() =>
      withoutTape(() => {
        const rows = F.reshape(x.detach().to('f32'), [x.sizes[0] as number, -1]);
        const weights = F.sin(F.square(arange(1, (rows.sizes[1] as number) + 1).to('f32')));
        return F.sum(F.mul(rows, weights), 1).data;
      }),
    ),
  );

export class Calls {
  readonly forwards: Forward[] = [];
  /** Where each module was first called. */
  readonly sites = new Map<object, Error>();
  stepSite: Error | null = null;
  steps = 0;
  /** Those that were not traced: of compiled steps there are none. */
  untraced = 0;
  /** Called before the optimizer steps, unless it is traced. */
  beforeStep: () => void = () => {};
  readonly #patient: Patient;
  readonly #handles: RemovableHandle[] = [];
  readonly #now: () => number;

  /** @param now the number of the step */
  constructor(patient: Patient, now: () => number) {
    this.#patient = patient;
    this.#now = now;
    for (const module of patient.model.modules())
      this.#handles.push(
        module.registerForwardPreHook((_, args) => {
          if (this.#patient.examined) return;
          if (!this.sites.has(module)) this.sites.set(module, siteNow());
          if (module === patient.model) this.#called((args as unknown[])[0]);
        }),
      );
    this.#wrap();
  }

  #called(input: unknown): void {
    if (this.forwards.length >= MOST_CALLS) return;
    const traced = tracing() !== null;
    const { model } = this.#patient;
    const taped = notes();
    // Calls for training are many and alike.
    if (taped && this.forwards.length >= MOST_CALLS / 2) return;
    const mark =
      !traced && input instanceof Tensor && input.ndim > 0 && input.size > 0
        ? (marksOf(input.narrow(0, 0, 1))[0] as number)
        : null;
    this.forwards.push({ step: this.#now(), training: model.training, taped, mark, site: siteNow() });
  }

  #wrap(): void {
    const { optimizer } = this.#patient;
    const { step } = optimizer as { step: (...args: unknown[]) => unknown };
    Object.defineProperty(optimizer, 'step', {
      configurable: true,
      writable: true,
      enumerable: false,
      value: (...args: unknown[]): unknown => {
        this.steps++;
        this.stepSite ??= siteNow();
        if (!tracing()) {
          this.untraced++;
          this.beforeStep();
        }
        return step.apply(optimizer, args);
      },
    });
    this.#handles.push({ remove: () => Reflect.deleteProperty(optimizer, 'step') });
  }

  /** The user's line where a module was called; '' where it is not known. */
  lineOf(module: object | undefined): string {
    return describeSite(module && this.sites.get(module)).trim();
  }

  close(): void {
    for (const handle of this.#handles.splice(0)) handle.remove();
  }
}
