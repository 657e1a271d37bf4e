// What a module is exported with.
import type { Tensor } from '../../tensor.ts';

/** What is given to a model: its first argument, or a list of all of them. */
export type ExampleInputs = Tensor | readonly unknown[];

/** Options of {@link exportOnnx}. */
export interface ExportOptions {
  /** The version of the operators, from 17 to 23. @defaultValue 18 */
  opset?: number;
  /**
   * Whether the model takes batches of any size: dim 0 of each tensor; or a list of the dim of each tensor, −1 where it
   * has no batch. @defaultValue false
   */
  dynamicBatch?: boolean | readonly number[];
  /**
   * Dims of any size, by the names of the inputs: `{ input: { 0: 'batch', 1: 'length' } }`. Dims of one name are of one
   * size. @defaultValue null
   */
  dynamicAxes?: Readonly<Record<string, Readonly<Record<number, string>>>> | null;
  /** What its inputs are called. @defaultValue `input`, or `input_0`, `input_1` … where there are several */
  inputNames?: readonly string[];
  /** What its outputs are called. @defaultValue `output`, `output_0` … or keys, where the model gives an object */
  outputNames?: readonly string[];
}

/** Options of {@link saveOnnx}. */
export interface SaveOnnxOptions extends ExportOptions {
  /**
   * Whether the weights go to a file beside, `<path>.data`: models of more than 2 GB need it. @defaultValue false
   */
  externalData?: boolean;
}

/** The options of an export in order. */
export type Settings = readonly [
  opset: number,
  dynamicBatch: boolean | readonly number[],
  dynamicAxes: Readonly<Record<string, Readonly<Record<number, string>>>> | null,
  inputNames: readonly string[] | undefined,
  outputNames: readonly string[] | undefined,
];
