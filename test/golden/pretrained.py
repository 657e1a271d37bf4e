"""What Hugging Face's transformers say with small random weights: test/io/pretrained.json, for test/io/pretrained.test.ts.

Run by itself, where PyTorch and transformers are installed: `python3 test/golden/pretrained.py`. Weights are those of seeds
(made() of store.py), in the order of their names, which the tests make as well; so names and shapes are held, too.
"""
import json
import sys
import warnings
from pathlib import Path

sys.dont_write_bytecode = True

import torch
import transformers as t

from store import digest, made

warnings.filterwarnings("ignore")
FILES = Path(__file__).parent.parent / "io"
VOCABULARY, LENGTH = 20, 5
IDS = torch.tensor([[3, 7, 1, 19, 4], [5, 2, 11, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
TYPES = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]])
PIECES = torch.tensor([[3, -100, 8, 19, 4], [5, 2, -100, -100, -100]])

BERT = {"vocab_size": VOCABULARY, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "max_position_embeddings": 16, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
DISTIL = {"vocab_size": VOCABULARY, "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "max_position_embeddings": 16,
          "dropout": 0, "attention_dropout": 0, "seq_classif_dropout": 0}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16, "embd_pdrop": 0, "attn_pdrop": 0, "resid_pdrop": 0}
LLAMA = {"vocab_size": VOCABULARY, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "intermediate_size": 12, "max_position_embeddings": 32}

# Name, class, config, labels.
CASES = [
    ("BertModel", t.BertModel, t.BertConfig(**BERT), None),
    ("BertForMaskedLM", t.BertForMaskedLM, t.BertConfig(**BERT), PIECES),
    ("BertForMaskedLM, untied, relu", t.BertForMaskedLM, t.BertConfig(**BERT, tie_word_embeddings=False, hidden_act="relu", layer_norm_eps=1e-5), PIECES),
    ("BertForSequenceClassification", t.BertForSequenceClassification, t.BertConfig(**BERT, num_labels=3), torch.tensor([2, 0])),
    ("BertForSequenceClassification, numbers", t.BertForSequenceClassification, t.BertConfig(**BERT, num_labels=1), torch.tensor([0.5, -1.0])),
    ("BertForTokenClassification", t.BertForTokenClassification, t.BertConfig(**BERT, num_labels=4), PIECES.clamp(max=3)),
    ("DistilBertModel", t.DistilBertModel, t.DistilBertConfig(**DISTIL), None),
    ("DistilBertForMaskedLM", t.DistilBertForMaskedLM, t.DistilBertConfig(**DISTIL), PIECES),
    ("DistilBertForSequenceClassification", t.DistilBertForSequenceClassification, t.DistilBertConfig(**DISTIL), torch.tensor([1, 0])),
    ("GPT2Model", t.GPT2Model, t.GPT2Config(**GPT2), None),
    ("GPT2LMHeadModel", t.GPT2LMHeadModel, t.GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True, n_inner=12), IDS),
    ("LlamaModel", t.LlamaModel, t.LlamaConfig(**LLAMA), None),
    ("LlamaForCausalLM", t.LlamaForCausalLM, t.LlamaConfig(**LLAMA), IDS),
    ("LlamaForCausalLM, tied, biases, llama3", t.LlamaForCausalLM, t.LlamaConfig(
        **LLAMA, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rope_parameters={
            "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8}), IDS),
    ("LlamaForCausalLM, wide heads, linear", t.LlamaForCausalLM, t.LlamaConfig(
        **LLAMA, head_dim=6, rope_parameters={"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}), IDS),
    ("MistralForCausalLM", t.MistralForCausalLM, t.MistralConfig(**LLAMA, sliding_window=None), IDS),
    ("Qwen2ForCausalLM", t.Qwen2ForCausalLM, t.Qwen2Config(**LLAMA), IDS),
]


def case(name, cls, config, labels):
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    model = cls(config).double().train()
    own = model.state_dict(keep_vars=True)
    shapes, seen = {}, set()
    for i, key in enumerate(sorted(own)):
        x = own[key]
        if id(x) in seen:
            continue  # tied: the first of its names has it
        seen.add(id(x))
        around = 1 if "norm" in key.lower() or "ln_" in key else 0
        with torch.no_grad():
            x.copy_(made(i, *x.shape, low=-0.5, high=0.5) + around * key.endswith("weight"))
        shapes[key] = [i, *x.shape]
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    if "Bert" in name and "Distil" not in name:
        inputs["token_type_ids"] = TYPES
    out = model(**inputs, **({} if labels is None else {"labels": labels if labels.dtype == torch.long else labels.double()}))
    kept = {"last_hidden_state": "lastHiddenState", "pooler_output": "poolerOutput", "logits": "logits"}
    result = {"name": name, "config": {**json.loads(config.to_json_string()), "architectures": [cls.__name__]}, "shapes": shapes,
              "outputs": {ours: digest(out[theirs], 4) for theirs, ours in kept.items() if theirs in out},
              "plain": digest(model(IDS)[0], 4)}
    if labels is not None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        losses = []
        for _ in range(6):
            optimizer.zero_grad()
            loss = model(**inputs, labels=labels if labels.dtype == torch.long else labels.double()).loss
            loss.backward()
            optimizer.step()
            losses.append(float(f"{loss.item():.7g}"))
        result |= {"labels": labels.tolist(), "losses": losses}
    return result


def folder():
    """A model as save_pretrained writes it, in shards, and what it says."""
    torch.manual_seed(1)
    model = t.GPT2LMHeadModel(t.GPT2Config(**{**GPT2, "n_layer": 1, "n_embd": 4}))
    model.save_pretrained(FILES / "files/gpt2", max_shard_size="1KB")
    (FILES / "files/gpt2/generation_config.json").unlink()
    return {"logits": digest(model(IDS).logits, 4)}


if __name__ == "__main__":
    cases = [case(*each) for each in CASES]
    text = ",\n".join(json.dumps(each) for each in cases)
    (FILES / "pretrained.json").write_text('{"folder": %s, "cases": [\n%s\n]}\n' % (json.dumps(folder()), text))
