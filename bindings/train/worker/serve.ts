// What stands in a worker: a trainer that tells the page how it goes on.
import { now } from '../../engine/platform.ts';
import type { Module } from '../../nn/module.ts';
import type { Callback, Figures, Run } from '../callbacks/callback.ts';
import { EVENTS, type Event, type Listeners } from '../listeners.ts';
import type { FitResult } from '../position.ts';
import type { Port, Setup, Status, Weights } from './messages.ts';

/** Milliseconds between two looks at the figures of an epoch so far. */
const FIGURES_EVERY = 100;

/** A trainer. */
interface Served {
  readonly model: Module;
  readonly listeners: Listeners;
  fit(loader: never, fit: never): Promise<FitResult>;
  stop(reason: string): void;
}

/** Trains, and sends the page what its callbacks want to know, and the weights in the end. */
export async function serve(trainer: Served, { loader, fit = {} }: Setup, port: Port): Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  const statusOf = (run: Run, event: Event): Status => {
    const { epoch, epochs, step, batch, batches, samples, learningRates, stopped } = run;
    const status = { epoch, epochs, step, batch, batches, samples, learningRates, stopped };
    if (event === 'onStepEnd' && now() - last < FIGURES_EVERY) return status;
    last = now();
    return { ...status, figures: run.figures };
  };
  const relay: Callback = Object.fromEntries(
    EVENTS.map((event) => [
      event,
      (run: Run, figures: Readonly<Figures>) => port.postMessage({ event, status: statusOf(run, event), figures }),
    ]),
  );
  trainer.listeners.add(relay);
  port.onstop = (reason) => trainer.stop(reason);
  const { stopped } = port;
  if (stopped !== undefined) trainer.listeners.add({ onFitStart: () => trainer.stop(stopped) });
  const result = await trainer.fit(loader as never, fit as never);
  const model = Object.fromEntries(
    Object.entries(trainer.model.stateDict()).map(([name, x]) => {
      const { dtype, shape, data } = x as unknown as Weights;
      return [name, { dtype, shape, data }];
    }),
  );
  port.postMessage(
    { result, model },
    Object.values(model).map(({ data }) => data.buffer as ArrayBuffer),
  );
}
