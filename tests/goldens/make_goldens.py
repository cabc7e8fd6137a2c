#!/usr/bin/env python3
"""Makes the golden models of tests/bert: small BERTs with random weights, and what transformers says.

    python tests/goldens/make_goldens.py [--only NAME ...] [--minilm DIR] [--output tests/goldens]

Needs torch, transformers and safetensors (the committed files: torch 2.15, transformers 5.23).

Each directory is a Hugging Face model directory (config.json, model.safetensors or shards, vocab.txt,
tokenizer_config.json) with a `golden.safetensors` beside it:

    input_ids, token_type_ids, position_ids   i32 [tokens]   a packed batch of uneven lengths
    cu_seqlens                                i32 [sequences + 1]
    hidden_states.I                           f32 [tokens, hidden]   I = 0 .. layers
    attentions.I                              f32 [sum of heads * length * length], sequence after sequence
    pooler_output                             f32 [sequences, hidden], where the checkpoint has a pooler
    positions                                 i32 [positions], for the masked-LM heads
    prediction_logits                         f32 [positions, vocab]
    seq_relationship_logits                   f32 [sequences, 2]
    logits                                    f32 of the sequence, token and choice classifiers
    start_logits, end_logits                  f32 [tokens]

Outputs are computed in float64 with eager attention, one sequence at a time, and rounded once to
f32. The script stops unless the same sequences in one padded, masked batch give the same numbers,
and unless transformers loads the directory it wrote without a missing or an unexpected tensor.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent

# What every case starts from; a case states its differences.
COMMON = dict(
    vocab_size=61,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=24,
)
LENGTHS = [1, 24, 2, 7, 17, 16]

# name -> head class, config differences, and how the checkpoint is stored.
CASES = {
    # The classic layout: prefix, pooler, both pre-training heads, the decoder tied and not stored.
    "pretraining": dict(head="BertForPreTraining"),
    # What Google releases: both heads, the tanh GELU. make_tensorflow_goldens.py writes it as TensorFlow does.
    "pretraining_tanh": dict(head="BertForPreTraining", config=dict(hidden_act="gelu_new", num_hidden_layers=1)),
    # A bare encoder: no prefix, sizes that fit no vector (head_dim 8).
    "bare_odd": dict(
        head="BertModel",
        config=dict(hidden_size=24, num_attention_heads=3, intermediate_size=37, vocab_size=53),
    ),
    "bare_no_pooler": dict(
        head="BertModel",
        pooler=False,
        config=dict(hidden_size=33, num_attention_heads=1, intermediate_size=31, num_hidden_layers=1),
        lengths=[24, 15, 1],
    ),
    # The encoder alone with the prefix, as some converters write it, in shards.
    "sharded": dict(head="BertModel", prefix=True, shards=3),
    # head_dim 12; the decoder has its own weight and bias, unlike the embeddings and cls.predictions.bias.
    "masked_lm_untied": dict(
        head="BertForMaskedLM",
        config=dict(
            hidden_size=36,
            num_attention_heads=3,
            intermediate_size=50,
            hidden_act="gelu_new",
            num_hidden_layers=3,
            tie_word_embeddings=False,
        ),
    ),
    # As transformers 4 saved an untied decoder: its bias under the name cls.predictions.bias only.
    "masked_lm_untied_one_bias": dict(
        head="BertForMaskedLM",
        config=dict(tie_word_embeddings=False, num_hidden_layers=1),
        one_bias=True,
        lengths=[3, 24],
    ),
    # Tied, yet stored as well (torch .bin files that were converted); bf16 weights.
    "masked_lm_tied_stored_bf16": dict(
        head="BertForMaskedLM", store_tied=True, dtype="bfloat16", config=dict(num_hidden_layers=1)
    ),
    # The config says tied, the checkpoint holds another decoder: transformers 5 believes the checkpoint.
    "masked_lm_tied_but_different": dict(
        head="BertForMaskedLM", different=True, config=dict(num_hidden_layers=1), lengths=[5, 9]
    ),
    "next_sentence_f16": dict(
        head="BertForNextSentencePrediction", dtype="float16", config=dict(hidden_act="gelu_pytorch_tanh")
    ),
    # One head of 64, longer sequences, more than a vector's worth of keys.
    "sequence_3_labels": dict(
        head="BertForSequenceClassification",
        config=dict(
            hidden_size=64,
            num_attention_heads=1,
            intermediate_size=96,
            num_hidden_layers=1,
            hidden_act="relu",
            max_position_embeddings=70,
            num_labels=3,
        ),
        lengths=[65, 70, 1, 33],
    ),
    "sequence_regression": dict(
        head="BertForSequenceClassification",
        config=dict(num_labels=1, type_vocab_size=1, hidden_act="silu", num_hidden_layers=1),
        lengths=[11, 24, 1, 4],
    ),
    # Five layers, head_dim 4, no pooler (as transformers saves this class).
    "token_5_layers": dict(
        head="BertForTokenClassification",
        config=dict(
            hidden_size=20,
            num_attention_heads=5,
            intermediate_size=40,
            num_hidden_layers=5,
            layer_norm_eps=1e-5,
            type_vocab_size=4,
            num_labels=5,
        ),
    ),
    # gamma and beta, the names of checkpoints converted from TensorFlow in 2018.
    "question_legacy_names": dict(
        head="BertForQuestionAnswering", legacy=True, config=dict(layer_norm_eps=1e-5)
    ),
    # head_dim 17; six sequences are two questions of three choices; the head's tensors in shards.
    "choice": dict(
        head="BertForMultipleChoice",
        config=dict(hidden_size=34, num_attention_heads=2, intermediate_size=65),
        choices=3,
        shards=2,
    ),
}

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "dog", "##s", ".", ",", "?"]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = SPECIAL + WORDS + LETTERS + ["##" + letter for letter in LETTERS if letter != "s"]


def random_weights(model, rng):
    """Weights of a trained model's scale: attention that looks somewhere, norms and biases that matter."""
    for name, parameter in sorted(model.named_parameters()):
        shape = tuple(parameter.shape)
        normal = rng.standard_normal(shape)
        if name.endswith("LayerNorm.weight"):
            value = 1 + 0.3 * normal
        elif name.endswith("bias"):
            value = 0.3 * normal
        elif "embeddings" in name:
            value = 0.6 * normal
        elif ".query." in name or ".key." in name:
            value = 1.6 * normal / np.sqrt(shape[1])
        else:
            value = 1.1 * normal / np.sqrt(shape[1])
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.asarray(value)))


def packed_batch(config, lengths, rng):
    ids, types = [], []
    for length in lengths:
        ids.append(rng.integers(0, config.vocab_size, length))
        # Runs of one type, as segments are, over every type the model knows.
        types.append(np.sort(rng.integers(0, config.type_vocab_size, length)))
    return ids, types


def run(model, ids, types, lengths, choices):
    """Outputs of each sequence alone in float64, checked against one padded batch."""

    def call(input_ids, token_type_ids, mask):
        arguments = dict(
            input_ids=torch.as_tensor(input_ids),
            token_type_ids=torch.as_tensor(token_type_ids),
            attention_mask=torch.as_tensor(mask),
            output_hidden_states=True,
            output_attentions=True,
        )
        if choices:
            for key in ("input_ids", "token_type_ids", "attention_mask"):
                arguments[key] = arguments[key][None]
        with torch.no_grad():
            base = model if not hasattr(model, "bert") else model.bert
            plain = {k: v.reshape(-1, v.shape[-1]) for k, v in arguments.items() if torch.is_tensor(v)}
            pooled = base(**plain).pooler_output
            return model(**arguments), pooled

    alone = [
        call(np.array([i]), np.array([t]), np.ones((1, n), dtype=np.int64)) for i, t, n in zip(ids, types, lengths)
    ]
    longest = max(lengths)
    padded_ids = np.zeros((len(ids), longest), dtype=np.int64)
    padded_types = np.zeros_like(padded_ids)
    mask = np.zeros_like(padded_ids)
    for row, (i, t, n) in enumerate(zip(ids, types, lengths)):
        padded_ids[row, :n], padded_types[row, :n], mask[row, :n] = i, t, 1
    together, _ = call(padded_ids, padded_types, mask)
    for row, n in enumerate(lengths):
        difference = (together.hidden_states[-1][row, :n] - alone[row][0].hidden_states[-1][0]).abs().max().item()
        assert difference < 1e-12, f"padding changed sequence {row} by {difference}"
    return alone


def outputs_of(model, alone, config, choices, lengths, rng):
    outs = [out for out, _ in alone]
    result = {}
    for layer in range(config.num_hidden_layers + 1):
        result[f"hidden_states.{layer}"] = torch.cat([out.hidden_states[layer][0] for out in outs])
    for layer in range(config.num_hidden_layers):
        result[f"attentions.{layer}"] = torch.cat([out.attentions[layer][0].reshape(-1) for out in outs])
    if alone[0][1] is not None:
        result["pooler_output"] = torch.cat([pooled for _, pooled in alone])

    kind = type(model).__name__
    if kind in ("BertForPreTraining", "BertForMaskedLM"):
        positions = np.sort(rng.choice(sum(lengths), size=max(2, sum(lengths) // 6), replace=False))
        key = "prediction_logits" if kind == "BertForPreTraining" else "logits"
        every = torch.cat([getattr(out, key)[0] for out in outs])
        result["positions"] = torch.from_numpy(positions.astype(np.int32))
        result["prediction_logits"] = every[torch.from_numpy(positions)]
    if kind == "BertForPreTraining":
        result["seq_relationship_logits"] = torch.cat([out.seq_relationship_logits for out in outs])
    if kind == "BertForNextSentencePrediction":
        result["seq_relationship_logits"] = torch.cat([out.logits for out in outs])
    if kind == "BertForSequenceClassification":
        result["logits"] = torch.cat([out.logits for out in outs])
    if kind == "BertForTokenClassification":
        result["logits"] = torch.cat([out.logits[0] for out in outs])
    if kind == "BertForMultipleChoice":
        result["logits"] = torch.cat([out.logits for out in outs]).reshape(-1, choices)
    if kind == "BertForQuestionAnswering":
        result["start_logits"] = torch.cat([out.start_logits[0] for out in outs])
        result["end_logits"] = torch.cat([out.end_logits[0] for out in outs])
    return result


def stored_tensors(model, case):
    """What the checkpoint holds: the model's tensors under the names and in the dtype of the case."""
    dtype = getattr(torch, case.get("dtype", "float32"))
    tensors = {name: value.detach().to(dtype).clone() for name, value in model.state_dict().items()}
    config = model.config
    if "cls.predictions.decoder.weight" in tensors and config.tie_word_embeddings:
        if case.get("different"):
            tensors["cls.predictions.decoder.weight"] = tensors["cls.predictions.decoder.weight"].flip(0).contiguous()
        elif not case.get("store_tied"):
            del tensors["cls.predictions.decoder.weight"], tensors["cls.predictions.decoder.bias"]
    if case.get("one_bias"):
        tensors["cls.predictions.bias"] = tensors.pop("cls.predictions.decoder.bias")
    if case.get("legacy"):
        for name in list(tensors):
            if "LayerNorm." in name:
                new = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
                tensors[new] = tensors.pop(name)
    if case.get("prefix"):
        tensors = {"bert." + name: value for name, value in tensors.items()}
    return tensors


def save_weights(directory, tensors, shards):
    if not shards:
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        return
    weight_map = {}
    for index, names in enumerate(np.array_split(sorted(tensors), shards)):
        file = f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        save_file({str(n): tensors[str(n)] for n in names}, directory / file, metadata={"format": "pt"})
        weight_map.update({str(n): file for n in names})
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def save_tokenizer(directory, config):
    assert config.vocab_size <= len(VOCABULARY)
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY[: config.vocab_size]) + "\n")
    settings = dict(
        tokenizer_class="BertTokenizer", do_lower_case=True, model_max_length=config.max_position_embeddings
    )
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def reload(directory, case):
    """The directory as transformers reads it, in float64; nothing may be missing or left over."""
    kind = getattr(transformers, case["head"])
    extra = {} if case.get("pooler", True) else {"add_pooling_layer": False}
    model, info = kind.from_pretrained(
        directory, dtype=torch.float64, attn_implementation="eager", output_loading_info=True, **extra
    )
    missing, unexpected = set(info["missing_keys"]), set(info["unexpected_keys"])
    if case.get("one_bias"):  # transformers 5 no longer ties the bias of an untied decoder: do as 4 did
        assert missing == {"cls.predictions.decoder.bias"}, missing
        missing = set()
        model.cls.predictions.decoder.bias = model.cls.predictions.bias
    assert not missing and not unexpected and not info["mismatched_keys"], (directory, info)
    return model.eval()


def make_case(name, case, output):
    rng = np.random.default_rng([2018, *name.encode()])
    directory = output / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = transformers.BertConfig(**{**COMMON, **case.get("config", {})})
    kind = getattr(transformers, case["head"])
    extra = {} if case.get("pooler", True) else {"add_pooling_layer": False}
    config.architectures = [case["head"]]
    config.dtype = case.get("dtype", "float32")
    model = kind(config, **extra).double()
    random_weights(model, rng)
    config.save_pretrained(directory)
    save_weights(directory, stored_tensors(model, case), case.get("shards"))
    save_tokenizer(directory, config)

    model = reload(directory, case)
    lengths, choices = case.get("lengths", LENGTHS), case.get("choices")
    ids, types = packed_batch(config, lengths, rng)
    alone = run(model, ids, types, lengths, choices)
    outputs = outputs_of(model, alone, config, choices, lengths, rng)
    golden = {
        "input_ids": torch.from_numpy(np.concatenate(ids).astype(np.int32)),
        "token_type_ids": torch.from_numpy(np.concatenate(types).astype(np.int32)),
        "position_ids": torch.cat([torch.arange(n, dtype=torch.int32) for n in lengths]),
        "cu_seqlens": torch.from_numpy(np.cumsum([0, *lengths]).astype(np.int32)),
    }
    golden.update(
        {k: (v if v.dtype == torch.int32 else v.to(torch.float32)).contiguous() for k, v in outputs.items()}
    )
    save_file(golden, directory / "golden.safetensors")
    size = sum(f.stat().st_size for f in directory.iterdir())
    print(f"{name:30} {case['head']:32} {sum(p.numel() for p in model.parameters()):7} parameters {size / 1024:7.1f} KiB")
    return size


SENTENCES = [
    ("Hello, my dog is cute", None),
    ("A man is eating food.", None),
    ("Naïve café — 東京 was founded in 1457, wasn't it?", None),
    ("Where was the treaty signed?", "The treaty was signed in Vienna in the autumn of 1815."),
    ("a", None),
    ("", None),
    ("The quick brown fox jumps over the lazy dog. " * 60, None),  # truncated to the model's 512
]


def make_minilm(source, output):
    """Real weights on real sentences: ids and a selection of rows; the weights are not committed."""
    model = transformers.AutoModel.from_pretrained(source, dtype=torch.float64, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    ids, types, rows, lengths, pooled = [], [], [], [], []
    row_indices = []
    for text, pair in SENTENCES:
        encoded = tokenizer(text, pair, truncation=True, max_length=512, return_tensors="pt")
        with torch.no_grad():
            out = model(**encoded)
        n = encoded.input_ids.shape[1]
        start = sum(lengths)
        chosen = range(n) if len(lengths) == 0 else sorted({0, n // 2, n - 1})
        rows.append(out.last_hidden_state[0, list(chosen)])
        row_indices += [start + row for row in chosen]
        ids.append(encoded.input_ids[0])
        types.append(encoded.token_type_ids[0])
        pooled.append(out.pooler_output)
        lengths.append(n)
    golden = {
        "input_ids": torch.cat(ids).to(torch.int32),
        "token_type_ids": torch.cat(types).to(torch.int32),
        "position_ids": torch.cat([torch.arange(n, dtype=torch.int32) for n in lengths]),
        "cu_seqlens": torch.from_numpy(np.cumsum([0, *lengths]).astype(np.int32)),
        "row_indices": torch.tensor(row_indices, dtype=torch.int32),
        "rows": torch.cat(rows).to(torch.float32),
        "pooler_output": torch.cat(pooled).to(torch.float32),
    }
    save_file(golden, output / "minilm.safetensors")
    (output / "minilm.json").write_text(
        json.dumps([{"text": t, "pair": p, "tokens": n} for (t, p), n in zip(SENTENCES, lengths)], ensure_ascii=False, indent=1)
        + "\n"
    )
    print(f"minilm: {sum(lengths)} tokens, {(output / 'minilm.safetensors').stat().st_size / 1024:.1f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE)
    parser.add_argument("--only", nargs="*", help="names of cases")
    parser.add_argument(
        "--minilm",
        default=os.environ.get("CLOZE_TEST_MODEL"),
        help="directory of all-MiniLM-L6-v2; without it minilm.safetensors is left as it is",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    unknown = set(arguments.only or []) - set(CASES)
    if unknown:
        sys.exit(f"error: no such case: {', '.join(sorted(unknown))}")
    total = sum(make_case(n, c, arguments.output) for n, c in CASES.items() if not arguments.only or n in arguments.only)
    if arguments.minilm and not arguments.only:
        make_minilm(arguments.minilm, arguments.output)
    print(f"total {total / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
