// Functions of users that backward calls with gradients of tensors.
import { tracing } from '../execute.ts';
import { GradError, RecordingError } from '../memory/errors.ts';
import { listeners } from '../node.ts';
import { callable } from '../signature.ts';
import { checkGradient, Tensor } from '../tensor.ts';
import { contiguous } from './shape.ts';

/** What takes a hook off again. */
export interface RemovableHandle {
  /** Takes it off; a second call does nothing. */
  remove(): void;
}

type Hook = (x: Tensor) => unknown;
type Kind = 'gradient' | 'accumulated';
const hooks = new WeakMap<Tensor, Record<Kind, readonly { readonly hook: Hook }[]>>();

function listen(): void {
  listeners.gradient ??= (x, g) => (hooks.get(x)?.gradient ?? []).reduce((now, { hook }) => checked(hook(now), now), g);
  listeners.accumulated ??= (x) => {
    for (const { hook } of hooks.get(x)?.accumulated ?? []) hook(x);
  };
  // They are of what x was, before a write gives it another history.
  listeners.moved ??= (x, before) => {
    const own = hooks.get(x);
    if (own) hooks.set(before, own);
    hooks.delete(x);
  };
}

/** What goes on of the gradient `g`. @throws ArgumentError, DtypeError, ShapeError where a hook gave what is none */
function checked(given: unknown, g: Tensor): Tensor {
  if (given === undefined || given === null) return g;
  const next = given instanceof Tensor ? contiguous(given) : given;
  checkGradient('registerHook', g, next);
  return next;
}

function add(name: string, kind: Kind, x: Tensor, hook: Hook): RemovableHandle {
  x.checkAlive();
  const trace = tracing();
  const outside = !trace || x.block.origin !== trace;
  if (trace && outside)
    throw new RecordingError(
      `${name}: expected a tensor that the compiled function makes, got another one; register its hook outside`,
    );
  if (!x.requiresGrad || (kind === 'accumulated' && !x.isLeaf))
    throw new GradError(
      `${name}: expected a ${kind === 'accumulated' ? 'leaf' : 'tensor'} that requires a gradient, got another one`,
    );
  listen();
  const own = hooks.get(x) ?? { gradient: [], accumulated: [] };
  hooks.set(x, own);
  const entry = { hook };
  const change = (list: (typeof own)[Kind]): void => {
    own[kind] = list;
    if (outside) listeners.changes++;
  };
  change([...own[kind], entry]);
  return { remove: () => change(own[kind].filter((each) => each !== entry)) };
}

/**
 * Has backward() and grad() call `hook` with the whole gradient of x, when it is there and before it goes on. What the
 * hook gives, if anything, takes its place (PyTorch's `register_hook`). The gradient goes when backward ends: keep()
 * what has to last. In compiled functions its ops are part of the program.
 * @returns what takes it off again
 * @throws GradError where x requires no gradient
 * @example
 * ```ts
 * const w = tensor([1, 2], { requiresGrad: true });
 * w.registerHook((grad) => grad.clamp(-1, 1));
 * w.square().sum().backward();
 * console.log(w.grad?.toArray()); // [1, 1]
 * ```
 */
export const registerHook = callable<(x: Tensor, hook: (grad: Tensor) => unknown) => RemovableHandle>(
  'registerHook(x: Tensor, hook: function)',
  (x: Tensor, hook: Hook) => add('registerHook', 'gradient', x, hook),
);

/**
 * Has backward() call `hook` with the leaf x when its `.grad` is there, such as for an optimizer step that lets go of
 * it at once (PyTorch's `register_post_accumulate_grad_hook`).
 * @returns what takes it off again
 * @throws GradError unless x is a leaf that requires a gradient
 */
export const registerPostAccumulateGradHook = callable<
  (x: Tensor, hook: (param: Tensor) => unknown) => RemovableHandle
>('registerPostAccumulateGradHook(x: Tensor, hook: function)', (x: Tensor, hook: Hook) =>
  add('registerPostAccumulateGradHook', 'accumulated', x, hook),
);
