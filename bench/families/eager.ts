// What a call costs beside its kernels: a small op, a small step, and the building of a program.
import type { Tensor } from 'retrograd';
import { checkElements } from '../checks/elements.ts';
import { type Case, type Check, type Family, type Library, type Run, type Side, uniform } from '../problems.ts';
import { freeing } from '../sides/freeing.ts';
import { TINY } from './train.ts';

const SIZE = 16;
/** Calls of a repetition, so that the clock and the scope around them count for little. */
const CALLS = 100;

/** relu of so few numbers that the call is what takes the time. */
function reluCase(sides: readonly Side[]): Case {
  return {
    name: `${CALLS} × relu ${SIZE}×${SIZE}`,
    work: { items: CALLS, unit: 'M/s' },
    sides,
    make: () => {
      const data = uniform(SIZE * SIZE, 1);
      return {
        problem: {
          kind: 'library',
          prepare: (library) => {
            const x = library.tensor(data, { shape: [SIZE, SIZE] });
            return freeing(library, [x], () => {
              for (let i = 1; i < CALLS; i++) x.relu();
              return x.relu();
            });
          },
        },
        check: checkElements(data.length, (i) => Math.max(0, data[i] as number), { relative: 0, absolute: 0 }),
      };
    },
  };
}

/** Sums of rows of one number each: what differs from form to form is how the arguments are read. */
function argumentCase(form: string, sum: (x: Tensor) => Tensor): Case {
  return {
    name: `${CALLS} × ${form}`,
    work: { items: CALLS, unit: 'M/s' },
    make: () => {
      const data = uniform(1, 1);
      return {
        problem: {
          kind: 'library',
          prepare: (library) => {
            const x = library.tensor(data, { shape: [1, 1] });
            return freeing(library, [x], () => {
              for (let i = 1; i < CALLS; i++) sum(x);
              return sum(x);
            });
          },
        },
        check: checkElements(1, () => data[0] as number, { relative: 0, absolute: 0 }),
      };
    },
  };
}
const ARGUMENTS = [
  argumentCase('sum()', (x) => x.sum()),
  argumentCase('sum(1, true)', (x) => x.sum(1, true)),
  argumentCase('sum({ dim: 1, keepdim: true })', (x) => x.sum({ dim: 1, keepdim: true })),
];

/** Commands of a layer below, forward and backward; the loss has one more. */
const COMMANDS = 6;
const GAIN = 1.5;

/** Layers y = tanh(y·w) with w = GAIN · I, and their gradient; the answer is the loss, Σ y. */
function buildOf(library: Library, layers: number, start: Float32Array): Run {
  const { compile, scope, tensor } = library;
  const side = Math.sqrt(start.length);
  const x = tensor(start, { shape: [side, side] });
  const identity = Float32Array.from(start, (_, i) => (i % (side + 1) === 0 ? GAIN : 0));
  const w = tensor(identity, { shape: [side, side], requiresGrad: true });
  const step = () => {
    w.clearGrad();
    let y = x;
    for (let i = 0; i < layers; i++) y = y.matmul(w).tanh();
    const loss = y.sum();
    loss.backward();
    return loss;
  };
  const build = (): number =>
    scope(() => {
      const compiled = compile(step);
      const loss = compiled().item();
      compiled.dispose();
      return loss;
    });
  return {
    answer: () => {
      const [loss, gradient] = [build(), w.grad?.toArray()];
      const eager = scope(() => step().item());
      if (loss !== eager || String(w.grad?.toArray()) !== String(gradient))
        throw new Error(`expected what eager mode gives, a loss of ${eager} and its gradient, got ${loss}`);
      return Float32Array.of(loss);
    },
    run: () => void build(),
    dispose: () => {
      w.clearGrad();
      x.dispose();
      w.dispose();
    },
  };
}

function buildCase(commands: number): Case {
  const layers = Math.round(commands / COMMANDS);
  return {
    name: `building a program of ${commands.toLocaleString('en-US')} commands`,
    work: { items: COMMANDS * layers + 1, unit: 'M/s' },
    make: () => {
      const start = uniform(16, 1, 0.1, 1);
      const check: Check = checkElements(
        1,
        () => {
          let sum = 0;
          for (let y of start) {
            for (let i = 0; i < layers; i++) y = Math.tanh(GAIN * y);
            sum += y;
          }
          return sum;
        },
        { relative: 1e-5, absolute: 0 },
      );
      return { problem: { kind: 'library', prepare: (library) => buildOf(library, layers, start) }, check };
    },
  };
}

/** @param threaded instances with more threads @param eager the steps without compile() */
export function eagerFamily(quick: boolean, threaded: readonly Side[], eager: readonly Side[]): Family {
  return {
    name: 'eager',
    cases: [
      reluCase(threaded),
      ...ARGUMENTS,
      { ...TINY, sides: eager },
      ...(quick ? [240] : [4_000, 30_000]).map(buildCase),
    ],
    skipped: [],
  };
}
