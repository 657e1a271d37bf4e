// Patches LayersModel: training, evaluation and prediction go through programs, batch by batch.
import type { Programs } from './programs.ts';
import type { Batch } from './replay.ts';
import type { BatchFunction, TfModel, TfModule, TfTensor } from './tensorflow.ts';
import { patch, type Restore } from './updates.ts';

/** @returns what undoes it; nothing where there is tfjs-core alone */
export function patchModels(tf: TfModule, programs: Programs): Restore[] {
  if (!tf.LayersModel) return [];
  const { prototype } = tf.LayersModel;
  return [
    patch(
      prototype,
      'makeTrainFunction',
      (original) =>
        function (this: TfModel): BatchFunction {
          const fn = original.call(this);
          return (batch) => programs.run('training', this, fn, batch, this.optimizer_);
        },
    ),
    patch(
      prototype,
      'makeTestFunction',
      (original) =>
        function (this: TfModel): void {
          original.call(this);
          const fn = this.testFunction;
          this.testFunction = (batch) => programs.run('evaluation', this, fn, batch, null);
        },
    ),
    patch(
      prototype,
      'predictLoop',
      (original) =>
        function (this: TfModel, inputs, batchSize = 32, verbose = false) {
          if (verbose) return original.call(this, inputs, batchSize, verbose);
          return predict(tf, programs, this, original, inputs, batchSize);
        },
    ),
  ];
}

/** Predicts batch by batch, and puts the batches together. */
function predict(
  tf: TfModule,
  programs: Programs,
  model: TfModel,
  loop: TfModel['predictLoop'],
  inputs: TfTensor | TfTensor[],
  batchSize: number,
): TfTensor | TfTensor[] {
  const whole = Array.isArray(inputs) ? inputs : [inputs];
  const samples = whole[0]?.shape[0] ?? 0;
  const alike = whole.every(({ shape }) => shape[0] === samples);
  if (!alike || samples === 0) return loop.call(model, inputs, batchSize);
  const fn = (batch: Batch): TfTensor[] => {
    const made = loop.call(model, batch as TfTensor[], batchSize);
    return Array.isArray(made) ? made : [made];
  };
  const results = tf.tidy(() => {
    if (samples <= batchSize) return programs.run('prediction', model, fn, whole, null);
    const parts: TfTensor[][] = [];
    for (let from = 0; from < samples; from += batchSize) {
      const size = Math.min(batchSize, samples - from);
      const batch = whole.map((x) => {
        const rest = x.shape.slice(1);
        return tf.slice(x, [from, ...rest.map(() => 0)], [size, ...rest]);
      });
      parts.push(programs.run('prediction', model, fn, batch, null));
    }
    const [first] = parts as [TfTensor[]];
    return first.map((_, i) =>
      tf.concat(
        parts.map((part) => part[i] as TfTensor),
        0,
      ),
    );
  });
  return results.length === 1 ? (results[0] as TfTensor) : results;
}
