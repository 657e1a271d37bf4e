// What the workers of the tests train, by what they are told.
import { init, manualSeed } from '../../bindings/index.ts';
import type { FitOptions, Trainer } from '../../bindings/train/index.ts';
import { loaderOf, type Pair, points, trainerOf } from './make.ts';

/** What a test wants of its worker. */
export interface Wish {
  readonly epochs: number;
  readonly what?: 'throws' | 'refuses' | 'exits';
}

interface Made {
  readonly trainer: Trainer<never, Pair>;
  readonly loader: Iterable<Pair>;
  readonly fit: FitOptions<Pair>;
}

export async function setup({ epochs, what }: Wish): Promise<Made> {
  await init();
  const all = points();
  const callback = {
    onStepEnd: ({ step }: { step: number }) => {
      (globalThis as { newest?: number }).newest = step;
      if (step === 3 && what === 'throws') throw new TypeError('mine');
      if (step === 3 && what === 'exits') process.exit(3);
    },
  };
  const trainer = trainerOf({ callbacks: [callback], ...(what === 'refuses' && { loss: null }) });
  manualSeed(1);
  return {
    trainer: trainer as unknown as Made['trainer'],
    loader: loaderOf(all),
    fit: { epochs, validation: loaderOf(all) },
  };
}
