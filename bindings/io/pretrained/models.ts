// The models by the names of their classes in Hugging Face's library, made by their configs.
import { rowOf } from '../../lookup.ts';
import { describe, FormatError, OutOfMemoryError, RetrogradError } from '../../memory/errors.ts';
import { BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification, BertModel } from './bert.ts';
import { Config } from './config.ts';
import { DistilBertForMaskedLM, DistilBertForSequenceClassification, DistilBertModel } from './distilbert.ts';
import { GPT2LMHeadModel, GPT2Model } from './gpt2.ts';
import type { Pretrained } from './layers.ts';
import { LlamaForCausalLM, LlamaModel } from './llama.ts';

/** A class, and the name in front of the parameters of its base in the files of models with heads. */
interface Row {
  readonly model: new (config: Config) => Pretrained;
  readonly base: string;
}

const bert = (model: Row['model']): Row => ({ model, base: 'bert' });
const distil = (model: Row['model']): Row => ({ model, base: 'distilbert' });
const gpt2 = (model: Row['model']): Row => ({ model, base: 'transformer' });
const llama = (model: Row['model']): Row => ({ model, base: 'model' });

const MODELS: Readonly<Record<string, Row>> = {
  BertModel: bert(BertModel),
  BertForMaskedLM: bert(BertForMaskedLM),
  BertForSequenceClassification: bert(BertForSequenceClassification),
  BertForTokenClassification: bert(BertForTokenClassification),
  DistilBertModel: distil(DistilBertModel),
  DistilBertForMaskedLM: distil(DistilBertForMaskedLM),
  DistilBertForSequenceClassification: distil(DistilBertForSequenceClassification),
  GPT2Model: gpt2(GPT2Model),
  GPT2LMHeadModel: gpt2(GPT2LMHeadModel),
  LlamaModel: llama(LlamaModel),
  LlamaForCausalLM: llama(LlamaForCausalLM),
  MistralModel: llama(LlamaModel),
  MistralForCausalLM: llama(LlamaForCausalLM),
  Qwen2Model: llama(LlamaModel),
  Qwen2ForCausalLM: llama(LlamaForCausalLM),
};

/** What a config stands for. */
export interface Made {
  readonly model: Pretrained;
  readonly base: string;
}

/**
 * Makes the model of a config, its weights at random.
 * @param architecture another class than that of the config
 * @param labels how many classes its head tells apart, where not as many as the config says
 * @param most how many numbers it may have
 * @throws FormatError for one that is not here
 */
export function makeModel(json: unknown, architecture: string | null, labels: number | null, most: number): Made {
  const { json: said } = new Config(json);
  const name = architecture ?? (Array.isArray(said.architectures) ? said.architectures[0] : undefined);
  const row = rowOf(MODELS, name);
  if (!row)
    throw new FormatError(
      `loadPretrained: expected a model of the classes ${Object.keys(MODELS).join(', ')}, got ${describe(name)}; pass { architecture } where config.json has none`,
    );
  const { id2label: names, label2id: numbers, ...rest } = said;
  const heads = labels === null ? { id2label: names, label2id: numbers } : { num_labels: labels };
  // Through JSON: what is not there is no field.
  const config = new Config(JSON.parse(JSON.stringify({ ...rest, ...heads, architectures: [name] })), most);
  try {
    return { model: new row.model(config), base: row.base };
  } catch (cause) {
    config.discard();
    if (!(cause instanceof RetrogradError) || cause instanceof FormatError || cause instanceof OutOfMemoryError)
      throw cause;
    throw new FormatError(
      `loadPretrained: expected a config.json that makes a model, got one that fails: ${cause.message}`,
      { cause },
    );
  }
}
