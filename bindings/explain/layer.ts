// What a layer inside of a model computes, and what the output owes to it.
import type { Alike, Tensors } from '../autograd/lists.ts';
import { withTape } from '../autograd.ts';
import { grad } from '../backward.ts';
import { cat } from '../functional/shape.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { Module } from '../nn/module.ts';
import { scope } from '../scope.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { integrated, meanOnTheWay, WAY } from './gradients.ts';
import { alikeInputs, BASELINE, declared } from './method.ts';
import type { AttributeOptions, Baseline, BaselineOptions, DeltaOptions, Model, Neuron } from './options.ts';
import { type Rule, ruleOf } from './rules.ts';
import { explained, preserving, type Subject } from './subject.ts';
import { kept, neuronOf, visited } from './visit.ts';

/** Options of the ways that look at a layer. */
export interface LayerOptions extends AttributeOptions {
  /** The module whose output counts; it has to run once. */
  readonly layer: Module;
}
/** Options of the ways that go to a layer from a baseline. */
export interface LayerPathOptions extends LayerOptions, BaselineOptions {
  /** How many points of the way. @defaultValue 50 */
  readonly nSteps?: number;
}
/** A way that gives a tensor of the shape of a layer's output. */
export type LayerAttribution<O extends object = LayerOptions> = (
  model: Model,
  inputs: Tensor | readonly Tensor[],
  options: O,
) => Tensor;

/** What they take by name. */
export const LAYER = ', layer: Module|null = null';
const STEPS = ', nSteps: int = 50';

/** @throws ArgumentError */
export function expectLayer(op: string, layer: Module | null): Module {
  if (layer instanceof Module) return layer;
  throw new ArgumentError(
    `${op}: expected the layer to look at, a Module, got ${describe(layer)}; pass { layer: model.conv }`,
  );
}

/** A layer's output for `times` versions of all samples, and the gradients of the numbers that are explained by it. */
export function atLayer(subject: Subject, layer: Module, points: readonly Tensor[], times = 1): [y: Tensor, g: Tensor] {
  return scope(() =>
    withTape(true, () => {
      let leaf: Tensor | undefined;
      const start = (y: Tensor): Tensor => {
        leaf = y.detach().clone().detach().requiresGrad_();
        // What comes behind may write in place.
        return leaf.clone();
      };
      const scores = visited(subject.op, layer, start, () => subject.scores(points, times));
      const [g] = subject.slopes(scores, [leaf as Tensor]);
      return [(leaf as Tensor).detach(), g as Tensor];
    }),
  );
}

/** The output of a layer for the inputs. */
const activationOf = (subject: Subject, layer: Module): Tensor =>
  kept(subject.op, layer, () => subject.outputs(subject.inputs, 1))
    .detach()
    .clone();

/** A function for a layer: `fn` gives a tensor of the shape of its output. */
/* @__NO_SIDE_EFFECTS__ */
export function layered<F extends (...args: never[]) => unknown, V extends readonly never[]>(
  name: string,
  own: string,
  fn: (subject: Subject, layer: Module, ...values: V) => Tensor,
  targeted = true,
): F {
  return declared<F, readonly [never, ...V]>(name, `${LAYER}${own}`, (asked, layer, ...values) => {
    const at = expectLayer(name, layer);
    return explained(asked, (subject) => [fn(subject, at, ...values)], targeted)[0];
  });
}

/**
 * What a layer gives (Captum's `LayerActivation`).
 * @returns of the shape of its output
 */
export const layerActivation: LayerAttribution = layered(
  'layerActivation',
  '',
  (subject: Subject, layer: Module) => activationOf(subject, layer),
  false,
);

/**
 * What a layer gives, times the gradient of the output by it (Captum's `LayerGradientXActivation`).
 * @returns of the shape of the layer's output
 */
export const layerGradientXActivation: LayerAttribution = layered(
  'layerGradientXActivation',
  '',
  (subject: Subject, layer: Module) => {
    const [y, g] = atLayer(subject, layer, subject.inputs);
    return y.mul(g);
  },
);

/**
 * The mean gradient of the output by what a layer gives, on the way of the inputs from a baseline (Leino et al. 2018;
 * Captum's `InternalInfluence`).
 * @returns of the shape of the layer's output
 */
export const internalInfluence: LayerAttribution<LayerPathOptions> = layered(
  'internalInfluence',
  `${BASELINE}${STEPS}`,
  (subject: Subject, layer: Module, baseline: Baseline, nSteps: number) => {
    const way = [subject.baselines(baseline), subject.inputs] as const;
    const points = ruleOf(subject.op, 'gausslegendre', nSteps);
    return meanOnTheWay(subject, way, points, (rows, times) => [atLayer(subject, layer, rows, times)[1]])[0] as Tensor;
  },
);

/**
 * What each number that a layer gives adds to the output as the inputs go from a baseline to what they are (Dhamdhere
 * et al. 2018; Captum's `LayerConductance`, by the trapezoid rule). All add up to the output less that of the baseline.
 * @returns of the shape of the layer's output
 */
export const layerConductance: LayerAttribution<LayerPathOptions> = layered(
  'layerConductance',
  `${BASELINE}${STEPS}`,
  (subject: Subject, layer: Module, baseline: Baseline, nSteps: number) => {
    const { inputs, n, op } = subject;
    const from = subject.baselines(baseline);
    const { points } = ruleOf(op, 'riemannTrapezoid', nSteps + 1);
    const pieces = subject.inGroups(points.length, (first, size) => {
      const rows = inputs.map((x, i) => {
        const b = from[i] as Tensor;
        return between(b, x, points.slice(first, first + size));
      });
      const [a, g] = atLayer(subject, layer, rows, size).map((x) => x.reshape([size, n, ...x.sizes.slice(1)])) as [
        Tensor,
        Tensor,
      ];
      const [before, after] = [(x: Tensor) => x.narrow(0, 0, size - 1), (x: Tensor) => x.narrow(0, 1, size - 1)];
      const inner = after(a)
        .sub(before(a))
        .mul(after(g).add(before(g)))
        .sum(0)
        .mul(0.5);
      const at = (i: number): [Tensor, Tensor] => [a.select(0, i).clone(), g.select(0, i).clone()];
      return [inner, at(0), at(size - 1)] as const;
    });
    return pieces.slice(1).reduce(
      (total, [inner, [a, g]], i) => {
        const [lastA, lastG] = (pieces[i] as (typeof pieces)[number])[2];
        return total.add(inner).add(a.sub(lastA).mul(g.add(lastG)).mul(0.5));
      },
      (pieces[0] as (typeof pieces)[number])[0],
    );
  },
);

/** Points of the way from b to x, all samples of one behind those of another. */
function between(b: Tensor, x: Tensor, places: readonly number[]): Tensor {
  const way = x.sub(b);
  return places.length === 1 ? b.add(way.mul(places[0] as number)) : cat(places.map((place) => b.add(way.mul(place))));
}

/** Options of {@link layerIntegratedGradients}. */
export interface LayerIntegratedGradientsOptions extends LayerPathOptions, DeltaOptions {
  /** The rule by which points are chosen and weighed. @defaultValue 'gausslegendre' */
  readonly method?: Rule;
}

/**
 * Integrated gradients of what a layer gives, from what it gives for the baseline (Captum's
 * `LayerIntegratedGradients`): for inputs of whole numbers, such as tokens, by the layer of their embedding.
 * @returns of the shape of the layer's output; with `returnConvergenceDelta` `[attributions, delta]`, delta [n]
 * @example
 * ```ts
 * const words = new nn.Embedding(100, 8);
 * const out = new nn.Linear(8, 2);
 * const model = (ids: Tensor) => out.forward(words.forward(ids).mean(1).tanh());
 * const ids = tensor([[5, 17, 3]], { dtype: 'i32' });
 * const parts = explain.layerIntegratedGradients(model, ids, { layer: words, target: 1 });
 * console.log(parts.sum(2).shape); // a number for each word: [1, 3]
 * ```
 */
export const layerIntegratedGradients: {
  (
    model: Model,
    inputs: Tensor | readonly Tensor[],
    options: LayerIntegratedGradientsOptions & {
      /** Whether to give `[attributions, delta]`. */
      readonly returnConvergenceDelta: true;
    },
  ): [attributions: Tensor, delta: Tensor];
  (
    model: Model,
    inputs: Tensor | readonly Tensor[],
    options: LayerIntegratedGradientsOptions & {
      /** Whether to give `[attributions, delta]`. @defaultValue false */
      readonly returnConvergenceDelta?: false;
    },
  ): Tensor;
} = declared(
  'layerIntegratedGradients',
  `${LAYER}${BASELINE}${WAY}, returnConvergenceDelta: bool = false`,
  (asked, given: Module | null, baseline: Baseline, nSteps: number, method: Rule, wantsDelta: boolean) => {
    const layer = expectLayer(asked.op, given);
    const found = explained({ ...asked, layer }, (subject) =>
      integrated(subject, wantsDelta, baseline, nSteps, method),
    );
    return wantsDelta ? found : found[0];
  },
);

/** Options of {@link neuronConductance}. */
export interface NeuronOptions extends LayerPathOptions {
  /** Which number of the layer's output. */
  readonly neuron: Neuron;
}

/**
 * What each number of the inputs adds to the output by way of one number that a layer gives (Dhamdhere et al. 2018;
 * Captum's `NeuronConductance`).
 * @returns of the shape of each input
 */
export const neuronConductance: <I extends Tensors>(
  model: Model,
  inputs: I,
  options: NeuronOptions,
) => Alike<I, Tensor> = alikeInputs(
  'neuronConductance',
  `${LAYER}${BASELINE}${STEPS}, neuron: int|int[]|function|null = null`,
  (subject: Subject, given: Module | null, baseline: Baseline, nSteps: number, neuron: Neuron | null) => {
    const { op, inputs } = subject;
    const layer = expectLayer(op, given);
    const from = subject.baselines(baseline);
    const mean = meanOnTheWay(subject, [from, inputs], ruleOf(op, 'gausslegendre', nSteps), (points, times) =>
      withTape(true, () => {
        const leaves = subject.leaves(points);
        let output: Tensor | undefined;
        const keep = (y: Tensor): Tensor => {
          output = y;
          return y;
        };
        const scores = visited(op, layer, keep, () => subject.scores(leaves, times));
        const y = output as Tensor;
        const value = neuronOf(op, y, neuron);
        const [slope] = grad(scores.sum(), [y], { retainGraph: true, materializeGrads: true });
        return subject.slopes(value, leaves, neuronOf(op, slope as Tensor, neuron).detach());
      }),
    );
    return mean.map((g, i) => g.mul((inputs[i] as Tensor).sub(from[i] as Tensor)));
  },
);

/**
 * The model up to a layer, as a function: what any way to explain takes, whose `target` is a neuron of the layer then.
 * So `saliency(layerOutput(model, layer), x, { target: 7 })` is Captum's `NeuronGradient`, but for the signs.
 * @throws ArgumentError where it is called and the layer does not run once
 */
export const layerOutput = callable(
  'layerOutput(model: Module|function, layer: Module)',
  (model: Model, layer: Module): Model =>
    (...args) => {
      const { forward } = model as unknown as { forward(...args: unknown[]): unknown };
      return preserving(model, () =>
        kept('layerOutput', layer, () => (model instanceof Module ? forward.apply(model, args) : model(...args))),
      );
    },
);
