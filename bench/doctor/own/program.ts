// How the programs of this folder are written down.
import { nn, optim, type Tensor } from 'retrograd';
import type { FindingId, Program, Run } from '../program.ts';
import { type Loop, loop } from './kit.ts';

export type Forward = nn.Module & { forward(x: Tensor): Tensor };
export const list = (...layers: nn.Module[]): Forward => new nn.Sequential(...(layers as never[])) as never;
export const adam = (model: nn.Module, lr = 1e-2): optim.Adam => new optim.Adam(model.parameters(), { lr });
export const sgd = (model: nn.Module, lr = 0.1, momentum = 0.9): optim.SGD =>
  new optim.SGD(model.parameters(), { lr, momentum });

export const program = (
  fault: FindingId,
  name: string,
  where: Program['where'],
  make: (mended: boolean, seed: number) => Run,
  more: Partial<Program> = {},
): Program => ({
  name,
  fault,
  where,
  evidence: 'main.js --check: it scores less than mended, or as shows() says',
  make: (seed, mended = false) => make(mended, seed),
  ...more,
});
/** Faults that do not show in the score. */
export const evident: Pick<Program, 'shows'> = { shows: () => true };

export const simple = (options: Loop): Run => loop(options);
