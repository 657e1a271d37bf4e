// The older forms of weight norm and spectral norm (PyTorch's torch.nn.utils.weight_norm and spectral_norm), which keep
// what a weight is computed from beside it: weight_g and weight_v, weight_orig and weight_u.
import { withoutTape } from '../../autograd.ts';
import type { RemovableHandle } from '../../functional/hooks.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { callable } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import type { Module } from '../module.ts';
import { FORGET, stateName } from '../names.ts';
import { Parameter } from '../parameter.ts';
import { type Changes, compute, parameterOf, putBack, resultDim, takeOut } from './computed.ts';
import type { SpectralNormOptions, WeightNormOptions } from './parametrizations/index.ts';
import { dimOf, divided, matrixOf, normExcept, powerIteration, randomVector, weighed } from './weights.ts';

/** How a weight is computed: its value, the fields that it needs, and what ends it. */
interface Form {
  readonly kind: 'weightNorm' | 'spectralNorm';
  readonly fields: readonly string[];
  value(): Tensor;
  readonly hook: RemovableHandle | null;
}
const forms = new WeakMap<Module, Map<string, Form>>();

const field = (module: Module, name: string): Tensor => (module as unknown as Record<string, Tensor>)[name] as Tensor;

function keep(module: Module, name: string, form: Form): Module {
  const own = forms.get(module) ?? new Map<string, Form>();
  forms.set(module, own.set(name, form));
  compute(module, name, form.value, () => {
    throw new ArgumentError(
      `${module.constructor.name}: expected ${form.fields[0]} to be assigned to, got ${name}, which is computed of it`,
    );
  });
  return module;
}

/** Makes the weight a parameter again, with the value that it has. */
function end(kind: Form['kind'], module: Module, name: string): Module {
  const form = forms.get(module)?.get(name);
  if (form?.kind !== kind)
    throw new ArgumentError(
      `remove${kind === 'weightNorm' ? 'WeightNorm' : 'SpectralNorm'}: expected ${kind} on '${name}', got a module without it`,
    );
  const value = withoutTape(() => form.value().clone());
  const requiresGrad = field(module, form.fields[0] as string).requiresGrad;
  form.hook?.remove();
  forms.get(module)?.delete(name);
  for (const own of form.fields) {
    const gone = field(module, own);
    module[FORGET](own);
    delete (module as unknown as Record<string, unknown>)[own];
    gone.dispose();
  }
  putBack(module, name, new Parameter(value, requiresGrad));
  return module;
}

/** Options of {@link removeWeightNorm} and {@link removeSpectralNorm}. */
export interface RemoveOptions {
  /**
   * The parameter.
   * @defaultValue 'weight'
   */
  name?: string;
}

/**
 * Has a weight computed as g v / |v| of the parameters `weight_g` and `weight_v` (PyTorch's `nn.utils.weight_norm`; the
 * newer form is {@link parametrizations.weightNorm}).
 * @returns the module
 * @throws ArgumentError
 */
export const weightNorm = callable<Changes<[name: string, dim: number | null], WeightNormOptions>>(
  "weightNorm(module: Module, name: string = 'weight', dim: int|null = 0)",
  ((module: Module, name: string, dim: number | null) => {
    const of = dimOf('weightNorm', parameterOf('weightNorm', module, name), dim);
    const v = takeOut('weightNorm', module, name);
    const [nameG, nameV] = [`${stateName(name)}_g`, `${stateName(name)}_v`];
    module.registerParameter(
      nameG,
      new Parameter(
        withoutTape(() => normExcept(v, of).clone()),
        v.requiresGrad,
      ),
    );
    module.registerParameter(nameV, v);
    const value = (): Tensor => weighed(field(module, nameG), field(module, nameV), of);
    return keep(module, name, { kind: 'weightNorm', fields: [nameG, nameV], value, hook: null });
  }) as never,
);

/** Ends {@link weightNorm}: the weight is a parameter again. @returns the module @throws ArgumentError */
export const removeWeightNorm = callable<Changes<[name: string], RemoveOptions>>(
  "removeWeightNorm(module: Module, name: string = 'weight')",
  ((module: Module, name: string) => end('weightNorm', module, name)) as never,
);

/**
 * Has a weight divided by its largest singular value, of `weight_orig`, `weight_u` and `weight_v` (PyTorch's
 * `nn.utils.spectral_norm`; the newer form is {@link parametrizations.spectralNorm}). In training each call of forward
 * moves the estimate.
 * @returns the module
 * @throws ArgumentError
 */
export const spectralNorm = callable<
  Changes<[name: string, nPowerIterations: number, eps: number, dim: number | null], SpectralNormOptions>
>(
  "spectralNorm(module: Module, name: string = 'weight', nPowerIterations: int = 1, eps: number = 1e-12, dim: int|null = null)",
  ((module: Module, name: string, ...[steps, eps, dim]: [number, number, number | null]) => {
    const found = parameterOf('spectralNorm', module, name);
    if (steps < 1) throw new ArgumentError(`spectralNorm: expected nPowerIterations >= 1, got ${steps}`);
    const of = dimOf('spectralNorm', found, resultDim(module, dim));
    const original = takeOut('spectralNorm', module, name);
    const [nameOf, nameU, nameV] = ['orig', 'u', 'v'].map((end) => `${stateName(name)}_${end}`) as [
      string,
      string,
      string,
    ];
    module.registerParameter(nameOf, original);
    const [rows, columns] = matrixOf(original.detach(), of).shape as [number, number];
    module.registerBuffer(nameU, randomVector(rows, eps));
    module.registerBuffer(nameV, randomVector(columns, eps));
    const value = (training: boolean): Tensor => {
      const weight = field(module, nameOf);
      const matrix = matrixOf(weight, of);
      const pair = [field(module, nameU), field(module, nameV)] as const;
      const [u, v] = training
        ? powerIteration(matrix.detach(), ...pair, { steps, eps, leftFirst: false })
        : pair.map((x) => x.clone());
      return divided(weight, matrix, u as Tensor, v as Tensor);
    };
    let now: Tensor | null = null;
    const hook = module.registerForwardPreHook(() => {
      now = value(module.training);
    });
    const after = module.registerForwardHook(() => {
      now = null;
    });
    const both = {
      remove: () => {
        hook.remove();
        after.remove();
      },
    };
    const fields = [nameOf, nameU, nameV];
    return keep(module, name, {
      kind: 'spectralNorm',
      fields,
      value: () => (now && !now.block.freed ? now : value(false)),
      hook: both,
    });
  }) as never,
);

/** Ends {@link spectralNorm}: the weight is a parameter again. @returns the module @throws ArgumentError */
export const removeSpectralNorm = callable<Changes<[name: string], RemoveOptions>>(
  "removeSpectralNorm(module: Module, name: string = 'weight')",
  ((module: Module, name: string) => end('spectralNorm', module, name)) as never,
);
