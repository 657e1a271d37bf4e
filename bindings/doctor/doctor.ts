// The doctor at a training: notes what each step did, and looks closer at some of them.
import { withoutTape } from '../autograd.ts';
import { tracing } from '../execute.ts';
import * as F from '../functional/functions.ts';
import { describeSite, siteNow } from '../program/site.ts';
import { getRngState } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { type Broken, findBreak } from './broken.ts';
import { Calls } from './calls.ts';
import { type Close, lookClosely } from './close.ts';
import { Copies } from './copies.ts';
import { type Light, lightOf } from './light.ts';
import type { StepOptions, WatchOptions } from './options.ts';
import type { Patient } from './patient.ts';
import { Pool } from './pool.ts';

/** All that was noted of a training. */
export interface History {
  readonly losses: number[];
  readonly lights: Light[];
  readonly closes: Close[];
  readonly calls: Calls;
  readonly seen: Pool;
  readonly validation: Pool;
  /** What it learns from, as the options have it, each row once. */
  readonly train: Pool;
  readonly start: Copies;
  readonly startBuffers: Copies;
  broken: Broken | null;
  readonly site: Error;
}

/** After so many measures they are taken half as often. */
const MOST_ALIKE = 24;
/** More losses than these are thinned out. */
const MOST_LOSSES = 20_000;

const numberOf = (loss: Tensor | number): number =>
  typeof loss === 'number' ? loss : loss.size === 1 ? loss.item() : scope(() => F.mean(loss.detach()).item());

/** Which of the steps that are measured are looked at closely in any case. */
const CLOSE: readonly number[] = [1, 2, 4, 5, 8];

export class Watcher {
  readonly patient: Patient;
  readonly options: WatchOptions;
  readonly history: History;
  readonly every: number;
  readonly #weights = new Copies();
  readonly #gradients = new Copies();
  readonly #buffers = new Copies();
  readonly #stepped = new Copies();
  #rng: Int32Array;
  /** The step after which the copies were taken. */
  #copied = -1;
  #count = 0;
  /** Every how many steps are measured: ever more, so that there are few of any training. */
  #spacing: number;
  /** When the last close look ended, and how long it took, in milliseconds. */
  #looked = 0;
  #took = 0;
  /** Whether the next step is looked at closely: there are gradients of the step before then. */
  #before = false;

  constructor(patient: Patient, options: WatchOptions) {
    this.patient = patient;
    this.options = options;
    this.every = options.every ?? 10;
    this.#spacing = this.every;
    this.history = {
      losses: [],
      lights: [],
      closes: [],
      calls: new Calls(patient, () => this.#count),
      seen: new Pool(),
      validation: new Pool(),
      train: new Pool(),
      start: new Copies(),
      startBuffers: new Copies(),
      broken: null,
      site: siteNow(),
    };
    this.history.start.take(this.#parameters());
    this.history.startBuffers.take(patient.model.buffers());
    this.#rng = getRngState();
    this.#copy();
    this.history.calls.beforeStep = () => {
      if (this.#isDue(this.#count)) this.#keepGradients(this.#stepped);
    };
  }

  get steps(): number {
    return this.#count;
  }

  #parameters(): Tensor[] {
    return this.patient.known().map(({ x }) => x);
  }

  #keepGradients(copies: Copies): void {
    const xs = this.#parameters().filter(({ grad }) => grad && !grad.isSparse);
    copies.take(
      xs.map(({ grad }) => grad as Tensor),
      xs,
    );
  }

  #isDue(step: number): boolean {
    return step < 2 || step % this.#spacing === 0;
  }

  /** The first steps are looked at closely, and later ones where that takes a two-hundredth of the time at most. */
  #isClose(step: number): boolean {
    const turn = step / this.every;
    if (step < 2 || CLOSE.includes(turn)) return true;
    return turn > 8 && turn % 8 === 0 && performance.now() - this.#looked > 200 * this.#took;
  }

  /** Keeps what the next step starts from. */
  #copy(): void {
    const close = this.#isClose(this.#count);
    if (close) this.patient.weights();
    this.#weights.take(this.#parameters());
    this.#before = close;
    this.#copied = this.#count;
    if (!close) return;
    this.#buffers.take(this.patient.model.buffers());
    this.#keepGradients(this.#gradients);
    this.#rng = getRngState();
  }

  step(loss: Tensor | number | undefined, batch: StepOptions): void {
    tracing()?.refuse('Doctor.step', 'call it outside of the compiled function');
    const { losses, seen } = this.history;
    const value = loss === undefined ? Number.NaN : numberOf(loss);
    losses.push(value);
    if (losses.length > MOST_LOSSES) for (let i = 0; i < MOST_LOSSES / 2; i++) losses.splice(i, 1);
    const step = this.#count++;
    const { input, target } = batch;
    const due = this.#isDue(step);
    if (input && target && (due || step < 8) && !seen.full) seen.add(input, target);
    if (!Number.isFinite(value) && loss !== undefined && !this.history.broken)
      this.#break(step, input ?? null, target ?? null);
    if (due && this.#copied === step) this.#measure(step, value, batch);
    if (this.#isDue(this.#count) && !this.history.broken) this.#copy();
  }

  #break(step: number, input: Tensor | null, target: Tensor | null): void {
    const { history, options, patient } = this;
    const { seen, train, losses } = history;
    if (train.rows === 0) patient.aside(() => train.fill(options.train));
    const before = { weights: this.#weights, buffers: this.#buffers, rng: null };
    const found = findBreak(patient, options, step, [input, target], before, [...seen.batches, ...train.batches]);
    const finite = losses.filter(Number.isFinite).map(Math.abs);
    const grown = finite.length > 1 && Math.max(...finite.slice(-5)) > 5 * (finite[0] as number);
    history.broken = { ...found, grown };
  }

  /** The gradient that the program stepped by. */
  readonly #own = (x: Tensor): Tensor | null => {
    if (x.grad) return x.grad.isSparse ? null : x.grad;
    return this.#stepped.of(x);
  };

  #measure(step: number, value: number, batch: StepOptions): void {
    const { patient, history } = this;
    history.lights.push(
      scope(() => withoutTape(() => lightOf(step, patient, this.#weights, this.#own, step < 10 * this.every))),
    );
    if (history.lights.length % MOST_ALIKE === 0) this.#spacing *= 2;
    if (this.#before && Number.isFinite(value)) {
      const start = performance.now();
      const { input, target } = batch;
      if (!input && history.seen.rows === 0 && history.train.rows === 0)
        patient.aside(() => history.train.fill(this.options.train));
      const given =
        input && target ? ([input, target] as const) : (history.seen.batches[0] ?? history.train.batches[0]);
      if (history.validation.rows === 0 && this.options.validation)
        patient.aside(() => history.validation.fill(this.options.validation));
      const close =
        given &&
        lookClosely(patient, this.options, {
          step,
          reported: input && target ? value : null,
          batch: given,
          weights: this.#weights,
          buffers: this.#buffers,
          rng: this.#rng,
          own: this.#own,
          old: (x) => (this.#before ? this.#gradients.of(x) : null),
          form: history.closes.findLast(({ exact }) => exact)?.form ?? null,
          validation: history.validation.batches,
        });
      if (close) history.closes.push(close);
      this.#looked = performance.now();
      this.#took = this.#looked - start;
    }
    this.#stepped.clear();
    this.#gradients.clear();
  }

  /** The user's line where a module was called, or else where the doctor was asked to watch. */
  lineOf(path: string | null): string {
    const { calls, site } = this.history;
    const module = path === null ? undefined : this.patient.model.namedModules().find(([name]) => name === path)?.[1];
    return calls.lineOf(module) || calls.lineOf(this.patient.model) || describeSite(site).trim();
  }

  close(): void {
    const { calls, seen, validation, train, start, startBuffers } = this.history;
    calls.close();
    seen.clear();
    validation.clear();
    train.clear();
    for (const copies of [start, startBuffers, this.#weights, this.#gradients, this.#buffers, this.#stepped])
      copies.clear();
  }
}
