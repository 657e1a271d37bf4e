// One call for all ways, and noise over any of them.
import { type Alike, alike, listOf, type Tensors } from '../autograd/lists.ts';
import { withoutTape } from '../autograd.ts';
import { ofForms } from '../io/declare.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { randn } from '../random.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { deviations, type IntegratedGradientsOptions, integratedGradients } from './gradients.ts';
import type { AttributeOptions, Model } from './options.ts';
import { repeated, Subject } from './subject.ts';

/** Any way to explain a model, with options of its own. */
// biome-ignore lint/suspicious/noExplicitAny: each has options of its own
export type Method = (model: Model, inputs: any, options?: any) => unknown;

/** The options of a method. */
export type OptionsOf<M> = M extends (model: Model, inputs: never, options?: infer O) => unknown ? O : AttributeOptions;

/** @throws ArgumentError */
function methodOf(op: string, method: unknown): Method {
  if (typeof method === 'function') return method as Method;
  throw new ArgumentError(
    `${op}: expected a function such as saliency as method, got ${describe(method)}; import it from 'retrograd/explain'`,
  );
}

/** A method and its options are one object. */
export const FORMS = (name: string): string[] => [
  `${name}(model: Module|function, inputs: Tensor|Tensor[])`,
  `${name}(model: Module|function, inputs: Tensor|Tensor[], options: object)`,
];

/**
 * What in the inputs an output comes from, by any method: `attribute(model, x, { method: saliency, target: 3 })` is
 * `saliency(model, x, { target: 3 })`.
 * @param options those of the method, and `method`, which is {@link integratedGradients} by default
 * @returns what the method gives: a tensor of the shape of each input
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = new nn.Linear(4, 3);
 * console.log(explain.attribute(model, ones([1, 4]), { method: explain.inputXGradient, target: 0 }).shape); // [1, 4]
 * ```
 */
export const attribute: {
  <I extends Tensors>(
    model: Model,
    inputs: I,
    options?: IntegratedGradientsOptions & {
      /** The way to explain it. @defaultValue integratedGradients */
      readonly method?: undefined;
    },
  ): Alike<I, Tensor>;
  <I extends Tensors, M extends Method>(
    model: Model,
    inputs: I,
    options: OptionsOf<M> & {
      /** The way to explain it. */
      readonly method: M;
    },
  ): Alike<I, Tensor>;
} = ofForms(FORMS('attribute'), (model: Model, inputs: Tensors, options: { readonly method?: unknown } = {}) => {
  const { method = integratedGradients, ...rest } = options;
  return methodOf('attribute', method)(model, inputs, rest) as never;
});

/** Options of {@link noiseTunnel}, beside those of its method. */
export interface NoiseTunnelOptions extends AttributeOptions {
  /** What explains each noisy version. @defaultValue integratedGradients */
  readonly method?: Method;
  /**
   * `'smoothgrad'`: the mean of what it gives; `'smoothgradSq'`: of the squares; `'vargrad'`: the variance.
   * @defaultValue 'smoothgrad'
   */
  readonly ntType?: 'smoothgrad' | 'smoothgradSq' | 'vargrad';
  /** How many noisy versions of each sample. @defaultValue 5 */
  readonly nSamples?: number;
  /** The standard deviation of the noise, for all inputs or each. @defaultValue 1 */
  readonly stdevs?: number | readonly number[];
  /** Options of the method. */
  readonly [option: string]: unknown;
}

/** Values of options as `times` versions of `n` samples need them. */
function forVersions(value: unknown, n: number, times: number): unknown {
  if (value instanceof Tensor) return value.ndim > 0 && value.sizes[0] === n ? repeated(value, times) : value;
  if (!Array.isArray(value)) return value;
  if (value.length === n && value.every((each) => typeof each === 'number'))
    return Array.from({ length: times }, () => value).flat();
  return value.map((each) => (each instanceof Tensor ? forVersions(each, n, times) : each));
}

/** What explains versions of the inputs by a method, whose options stand among those of the caller. */
interface Versions {
  readonly op: string;
  readonly model: Model;
  readonly inputs: Tensors;
  readonly options: Readonly<Record<string, unknown>>;
  /** The options that are the caller's own. */
  readonly own: readonly string[];
}

/**
 * Calls `fn` with what explains versions of all samples; which output counts is settled by the inputs themselves.
 * @throws ArgumentError
 */
export function overVersions<T>(
  { op, model, inputs, options, own }: Versions,
  fn: (subject: Subject, explain: (versions: readonly Tensor[], times: number) => readonly Tensor[]) => T,
): T {
  const run = methodOf(op, options.method ?? integratedGradients);
  const rest = Object.fromEntries(Object.entries(options).filter(([name]) => name !== 'method' && !own.includes(name)));
  const {
    target = null,
    additionalForwardArgs: extra = null,
    internalBatchSize: limit = null,
  } = rest as AttributeOptions;
  return scope(() =>
    withoutTape(() => {
      const subject = new Subject({ op, model, inputs, target, extra, limit });
      subject.settleAside();
      return fn(subject, (versions, times) => {
        const given: Record<string, unknown> = { ...rest, target: subject.target };
        for (const name in given) given[name] = forVersions(given[name], subject.n, times);
        const each = listOf(run(model, alike(inputs, versions), given) as Tensors);
        if (!(Array.isArray(each) && each.every((x) => x instanceof Tensor && x.sizes[0] === times * subject.n)))
          throw new ArgumentError(`${op}: expected a method that gives a tensor for each input, got another one`);
        return each;
      });
    }),
  );
}

/** A whole number >= 1 among options. @throws ArgumentError */
export function countOf(op: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 1e6) return value as number;
  throw new ArgumentError(`${op}: expected ${name}, a whole number from 1 to 1e6, got ${describe(value)}`);
}

const KINDS = ['smoothgrad', 'smoothgradSq', 'vargrad'];

/**
 * SmoothGrad and VarGrad: what a method gives on average over noisy versions of the inputs, which takes out what is due
 * to chance (Smilkov et al. 2017, Adebayo et al. 2018; Captum's `NoiseTunnel`). Which output counts is settled by the
 * inputs themselves.
 * @returns of the shape of each input
 * @throws ArgumentError
 * @example
 * ```ts
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
 * const options = { method: explain.saliency, abs: false, nSamples: 20, stdevs: 0.1 };
 * const smooth = explain.noiseTunnel(model, randn([2, 4]), options);
 * console.log(smooth.shape); // [2, 4]
 * ```
 */
export const noiseTunnel: <I extends Tensors>(
  model: Model,
  inputs: I,
  options?: NoiseTunnelOptions,
) => Alike<I, Tensor> = ofForms(
  FORMS('noiseTunnel'),
  (model: Model, inputs: Tensors, options: NoiseTunnelOptions = {}) => {
    const op = 'noiseTunnel';
    const own = ['ntType', 'nSamples', 'stdevs'];
    const { ntType = 'smoothgrad', stdevs = 1 } = options;
    if (!KINDS.includes(ntType))
      throw new ArgumentError(`${op}: expected ntType to be ${KINDS.join(', ')}, got ${describe(ntType)}`);
    const nSamples = countOf(op, 'nSamples', options.nSamples ?? 5);
    if (typeof stdevs !== 'number' && !Array.isArray(stdevs))
      throw new ArgumentError(`${op}: expected stdevs, a number or one for each input, got ${describe(stdevs)}`);
    return overVersions({ op, model, inputs, options, own }, (subject, explain) => {
      const noise = deviations(op, stdevs as number | readonly number[], subject.inputs);
      const sums = subject.inGroups(nSamples, (_, times) => {
        const noisy = subject.inputs.map((x, i) => {
          const all = repeated(x, times);
          return all.add(randn(all.sizes).mul(noise[i] as number));
        });
        const total = (x: Tensor): Tensor => x.reshape([times, subject.n, ...x.sizes.slice(1)]).sum(0);
        return explain(noisy, times).map((x): [Tensor, Tensor] => [total(x), total(x.square())]);
      });
      const means = sums
        .reduce((all, group) =>
          all.map(([x, squares], i): [Tensor, Tensor] => {
            const [more, moreSquares] = group[i] as [Tensor, Tensor];
            return [x.add(more), squares.add(moreSquares)];
          }),
        )
        .map(([x, squares]): [Tensor, Tensor] => [x.div(nSamples), squares.div(nSamples)]);
      const results = means.map(([mean, squares]) =>
        ntType === 'smoothgrad' ? mean : ntType === 'smoothgradSq' ? squares : squares.sub(mean.square()),
      );
      return alike(inputs, results) as never;
    });
  },
);
