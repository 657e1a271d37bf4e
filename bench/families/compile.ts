// What compile() saves, as cases that versions of the library can be compared by: steps compiled and eager, the time to
// make a program, and a chain of elementwise ops that it fuses.
import type { Tensor } from 'retrograd';
import { unary } from '../../reference/elementwise.ts';
import { checkElements } from '../checks/elements.ts';
import { type Case, type Family, type Library, type Run, type Side, type TrainProblem, uniform } from '../problems.ts';
import { freeing } from '../sides/freeing.ts';
import { network } from '../sides/retrograd.ts';
import { trainCases } from './train.ts';

/** Eight elementwise ops in a row. */
export const chain = (x: Tensor): Tensor => x.mul(2).add(1).relu().mul(x).sub(0.5).abs().maximum(x).neg();
const chainOf = (x: number): number => -Math.max(Math.abs(unary.relu.forward(2 * x + 1) * x - 0.5), x);

/** Makes the program of a step and runs it once. */
function makingOf(library: Library, problem: TrainProblem): Run {
  const { compile, scope } = library;
  const { step, dispose } = network(library, problem);
  const make = (): number =>
    scope(() => {
      const compiled = compile(step);
      const loss = compiled().item();
      compiled.dispose();
      return loss;
    });
  return {
    answer: () => Float32Array.from({ length: problem.checked }, make),
    run: () => void make(),
    dispose,
  };
}

const making = ({ name, make }: Case): Case => ({
  name: `${name}: making the program`,
  work: { items: 1, unit: 'M/s' },
  make: () => {
    const { problem, check } = make();
    return { problem: { kind: 'library', prepare: (library) => makingOf(library, problem as TrainProblem) }, check };
  },
});

function chainCase(elements: number, compiled: boolean): Case {
  return {
    name: `8 elementwise ops on ${elements} floats, ${compiled ? 'fused' : 'one by one'}`,
    work: { bytes: 8 * elements, unit: 'GB/s' },
    make: () => {
      const data = uniform(elements, 1);
      const prepare = (library: Library): Run => {
        const x = library.tensor(data);
        const fused = compiled ? library.compile(chain) : null;
        const run = freeing(library, [x], () => (fused ?? chain)(x));
        return {
          ...run,
          dispose: () => {
            fused?.dispose();
            run.dispose?.();
          },
        };
      };
      const check = checkElements(elements, (i) => chainOf(data[i] as number), { relative: 1e-5, absolute: 1e-6 });
      return { problem: { kind: 'library', prepare }, check };
    },
  };
}

/** @param eager the steps without compile() */
export function compileFamily(quick: boolean, eager: readonly Side[]): Family {
  const steps = trainCases(quick);
  return {
    name: 'compile',
    cases: [
      ...steps.map((item) => ({ ...item, sides: eager })),
      ...steps.map(making),
      ...(quick ? [4096] : [1 << 16, 4_000_000]).flatMap((n) => [chainCase(n, true), chainCase(n, false)]),
    ],
    skipped: [],
  };
}
