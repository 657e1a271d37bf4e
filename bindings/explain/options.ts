// What all ways to explain a model take.
import type { Alike, Tensors } from '../autograd/lists.ts';
import type { Module } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';

/** What is explained: a module, or a function, from the inputs to a tensor whose first dim is that of the inputs. */
// biome-ignore lint/suspicious/noExplicitAny: what it takes besides the inputs is its author's
export type Model = Module | ((...args: any[]) => Tensor);

/** Which numbers of the output are explained, one for each sample. */
export type Target = number | readonly number[] | Tensor | ((output: Tensor) => Tensor);

/** What each way to explain a model takes. */
export interface AttributeOptions {
  /**
   * Which output to explain: its index along the last dim of [n, outputs], for all samples or one for each; or a
   * function that takes the output and gives one number for each sample, [n]. null: that of the highest output of each
   * sample, or the only one.
   * @defaultValue null
   */
  readonly target?: Target | null;
  /**
   * What the model takes behind the inputs. Tensors whose first dim is that of the inputs go with the samples.
   * @defaultValue null
   */
  readonly additionalForwardArgs?: readonly unknown[] | null;
  /**
   * How many samples the model gets at once, at most, so that memory is bounded. null: all of them and, where one is
   * tried in several versions, as many versions as make 128.
   * @defaultValue null
   */
  readonly internalBatchSize?: number | null;
}

/** Which number of a layer's output: its index, or indices, behind the samples, or a function that picks it, [n]. */
export type Neuron = number | readonly number[] | ((output: Tensor) => Tensor);

/** A number for all, a tensor that broadcasts to the shape of the input, or a list of one for each input. */
export type Baseline = number | Tensor | readonly number[] | readonly Tensor[];

/** Options of the ways that compare the inputs to others. */
export interface BaselineOptions extends AttributeOptions {
  /** What stands for "no information". @defaultValue 0 */
  readonly baseline?: Baseline;
}

/** Options of the ways that can say how far they are from adding up. */
export interface DeltaOptions {
  /**
   * Whether to give `[attributions, delta]`: delta, [n], is what the attributions of a sample add up to less what they
   * should, its output less that of its baseline.
   * @defaultValue false
   */
  readonly returnConvergenceDelta?: boolean;
}

/** Options of the ways that explain what a layer gives, or what one number of it comes from, as well. */
export interface PlaceOptions {
  /**
   * The module whose output is explained instead of the inputs: the result has its shape then (Captum's
   * `LayerDeepLift`, `LayerLRP`, `LayerIntegratedGradients` …). Baselines stay those of the inputs, and feature masks
   * are those of the layer's output. It has to run once.
   * @defaultValue null
   */
  readonly layer?: Module | null;
  /**
   * Which number of the layer's output is explained by the inputs, instead of an output of the model (Captum's
   * `NeuronGradient`, `NeuronDeepLift`, `NeuronIntegratedGradients` …).
   * @defaultValue null
   */
  readonly neuron?: Neuron | null;
}

/** Options for what a layer gives. */
export interface AtLayer {
  /** The module whose output is explained. */
  readonly layer: Module;
  /** None: the layer itself is explained. @defaultValue null */
  readonly neuron?: null;
}

/** A way to explain a model, which gives numbers of the shape of each input, or of a layer's output. */
export interface Attribution<O extends object = AttributeOptions> {
  (model: Model, inputs: Tensors, options: O & AtLayer): Tensor;
  <I extends Tensors>(model: Model, inputs: I, options?: O & PlaceOptions): Alike<I, Tensor>;
}

/** A way whose options have to be given. */
export interface AttributionWith<O extends object> {
  (model: Model, inputs: Tensors, options: O & AtLayer): Tensor;
  <I extends Tensors>(model: Model, inputs: I, options: O & PlaceOptions): Alike<I, Tensor>;
}

/** One that gives how far it is from adding up as well, where that is asked for. */
export interface AttributionWithDelta<O extends object> {
  (
    model: Model,
    inputs: Tensors,
    options: O &
      AtLayer & {
        /** Whether to give `[attributions, delta]`. */
        readonly returnConvergenceDelta: true;
      },
  ): [attributions: Tensor, delta: Tensor];
  (
    model: Model,
    inputs: Tensors,
    options: O &
      AtLayer & {
        /** Whether to give `[attributions, delta]`. @defaultValue false */
        readonly returnConvergenceDelta?: false;
      },
  ): Tensor;
  <I extends Tensors>(
    model: Model,
    inputs: I,
    options: O &
      PlaceOptions & {
        /** Whether to give `[attributions, delta]`. */
        readonly returnConvergenceDelta: true;
      },
  ): [attributions: Alike<I, Tensor>, delta: Tensor];
  <I extends Tensors>(
    model: Model,
    inputs: I,
    options?: O &
      PlaceOptions & {
        /** Whether to give `[attributions, delta]`. @defaultValue false */
        readonly returnConvergenceDelta?: false;
      },
  ): Alike<I, Tensor>;
}

/** A picture, in the forms that it has. */
export interface Picture {
  /** A part of a page: an `img`, an `svg`, text. */
  readonly html: string;
  /** A file of SVG, which follows the colours of light and dark; null for text. */
  readonly svg: string | null;
  /** A file of PNG; null for what is no map. */
  readonly png: Uint8Array | null;
  /** Whether orange and blue have a meaning in it that a page has to tell. */
  readonly signed: boolean;
}

/** Pictures under a title, for a page. */
export interface PictureCard {
  /** What they show. */
  readonly title: string;
  /** A line under it. @defaultValue '' */
  readonly note?: string;
  /** What orange and blue say, under pictures in which they do. @defaultValue ['speaks for it', 'speaks against it'] */
  readonly legend?: readonly [orange: string, blue: string];
  /** Whether it takes the whole width of the page. @defaultValue false */
  readonly wide?: boolean;
  /** The pictures, those of maps side by side. */
  readonly pictures: readonly {
    /** One of them. */
    readonly picture: Picture;
    /** What stands under it. */
    readonly caption?: string;
  }[];
}
