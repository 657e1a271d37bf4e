// Models of Hugging Face's library in folders. What knows them is loaded when it is asked for.
import type { Module } from '../nn/module.ts';
import { promised } from './declare.ts';
import type { Pretrained } from './pretrained/layers.ts';
import type { ModelFolder } from './pretrained/load.ts';

export type { Pretrained, PretrainedInputs, PretrainedOutput } from './pretrained/layers.ts';
export type { FolderAddress, ModelFolder } from './pretrained/load.ts';

/** Options of {@link loadPretrained}. */
export interface PretrainedOptions {
  /**
   * The class of the model by its name in Hugging Face's library, such as BertForSequenceClassification; null: that of
   * config.json. A head that the files lack is random at first.
   * @defaultValue null
   */
  architecture?: string | null;
  /** How many classes the head tells apart, where not as many as config.json says. @defaultValue null */
  numLabels?: number | null;
}

const models = () => import('./pretrained/load.ts');

/**
 * Loads a model of Hugging Face's library from the files that `save_pretrained` writes: `config.json` and
 * `model.safetensors`, its shards, or `pytorch_model.bin`. BERT, DistilBERT, GPT-2, and LLaMA, Mistral and Qwen2,
 * without a head and with that for masked or next pieces, or for classes of texts or pieces. Parameters have the names
 * of the files. The model is in evaluation mode; `train()` it to go on learning.
 *
 * `model.forward(inputIds, { attentionMask, labels })` gives an object of `lastHiddenState`, `logits` and `loss`, as
 * the model there does.
 * @param folder a path (Node) or an address, or a function that gives the file of a name: `(name) => files[name] ??
 * null`
 * @throws FormatError where a file is missing or not valid, or the model is none of these; the system's error;
 * BackendError
 */
export const loadPretrained: (folder: ModelFolder, options?: PretrainedOptions) => Promise<Pretrained> = promised(
  ['loadPretrained(folder: folder, *, architecture: string|null = null, numLabels: int|null = null)'],
  (async (folder: ModelFolder, architecture: string | null, numLabels: number | null) =>
    (await models()).load(folder, architecture, numLabels)) as never,
  {
    folder: [
      (x) =>
        (typeof x === 'string' && x !== '' && !x.includes('\0')) ||
        typeof x === 'function' ||
        typeof (x as { href?: unknown } | null)?.href === 'string',
      'a folder, its address or a function that gives its files',
    ],
  },
);

/**
 * Writes a model of {@link loadPretrained} to `folder` as Hugging Face's `save_pretrained` does, for `from_pretrained`
 * and loadPretrained to load: `config.json`, and `model.safetensors` or its shards. Node only.
 * @throws ArgumentError for another model; the system's error; BackendError outside Node
 */
export const savePretrained: (folder: string, model: Module) => Promise<void> = promised(
  ['savePretrained(folder: path, model: Module)'],
  async (folder: string, model: Module) => (await models()).save(folder, model),
);
