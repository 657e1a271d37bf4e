// Random numbers: n of them, from number `first` of the draw on. The generator's state is read, and moved on by itself.
import { optional } from '../lookup.ts';
import { elements, f32, i32, inout, input, kernel, moving, output, probe, rowGrain, size } from './descriptor.ts';

/** Words of the generator's state: see assembly/random.ts. */
const STATE = 4;
const state = () => input('i32', STATE);
const draw = (cost: number) =>
  kernel(
    { y: output('f32', 'n'), n: size, first: moving('n'), low: f32, high: f32, state: state() },
    elements('n', cost),
  );

export const randomKernels = {
  randint_i32: kernel(
    { y: output('i32', 'n'), n: size, first: moving('n'), low: i32, range: i32, state: state() },
    elements('n', 2),
  ),
  randperm_i32: kernel({ words: inout('i32', 'n'), n: size }),
  uniform_f32: draw(2),
  normal_f32: kernel(
    { y: output('f32', 'n'), n: size, first: moving('n'), mean: f32, std: f32, state: state() },
    elements('n', 5),
  ),
  bernoulli_f32: kernel(
    { y: output('f32', 'n'), n: size, first: moving('n'), p: f32, state: state() },
    elements('n', 2),
  ),
  dropout_forward_f32: kernel(
    {
      y: output('f32', 'n'),
      mask: output('u8', 'n'),
      x: input('f32', 'n'),
      n: size,
      first: moving('n'),
      p: f32,
      state: state(),
    },
    elements('n', 2),
  ),
  dropout_backward_f32: kernel(
    { dx: output('f32', 'n'), g: input('f32', 'n'), mask: input('u8', 'n'), n: size, p: f32 },
    elements('n'),
  ),
  random_advance: kernel({ state: inout('i32', STATE), n: size }),
};

interface Picks {
  readonly rows: number;
  readonly classes: number;
  readonly samples: number;
}

export const samplingKernels = optional(() => ({
  poisson_f32: kernel(
    { y: output('f32', 'n'), rates: input('f32', 'n'), n: size, first: moving('n'), state: state() },
    { cut: () => ({ along: 'n' as const, grain: 64 }), cost: ({ n }) => n * 60 },
  ),
  multinomial_i32: kernel(
    {
      y: output('i32', 'rows', 'samples'),
      cdf: input('f32', 'rows', 'classes'),
      rows: size,
      classes: size,
      samples: size,
      first: moving('rows'),
      state: state(),
    },
    {
      cut: ({ samples }: Picks) => ({ along: 'rows' as const, grain: rowGrain(16 * samples) }),
      cost: ({ rows, samples, classes }: Picks) => rows * samples * (30 + 3 * Math.log2(classes + 1)),
    },
  ),
  largest_i32: kernel(
    {
      y: output('i32', 'rows', 'samples'),
      heap: output('i32', 'rows', 'classes'),
      scores: input('f32', 'rows', 'classes'),
      rows: size,
      classes: size,
      samples: size,
    },
    {
      cut: ({ classes }: Picks) => ({ along: 'rows' as const, grain: rowGrain(8 * classes) }),
      cost: ({ rows, samples, classes }: Picks) => rows * (classes * 3 + samples * 20),
      // No more places than classes.
      trials: [
        { rows: 300, classes: 9, samples: 4 },
        { rows: 5, classes: 700, samples: 700 },
        { rows: 0, classes: 3, samples: 1 },
      ],
    },
  ),
}));

export const samplingProbes = optional(() => ({
  /** The first row with a number below 0 or not finite, or fewer than `least` above 0, or −1. */
  check_weights_f32: probe({ p: input('f32', 'rows', 'classes'), rows: size, classes: size, least: i32 }),
}));
