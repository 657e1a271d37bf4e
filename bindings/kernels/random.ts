// Random numbers: n of them, from number `first` of the draw on. The generator's state is read, and moved on by itself.
import { elements, f32, i32, inout, input, kernel, moving, output, size } from './descriptor.ts';

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
