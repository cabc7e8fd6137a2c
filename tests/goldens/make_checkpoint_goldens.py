#!/usr/bin/env python3
"""Makes the goldens of tests/checkpoint: files as the reference libraries write them.

    python tests/goldens/make_checkpoint_goldens.py [--output tests/goldens/checkpoint]

Needs torch, transformers, safetensors and huggingface_hub (the committed files: torch 2.15,
transformers 5.23, safetensors 0.8).

    dtypes.safetensors   every dtype that Cloze has, a scalar, an empty tensor, a name full of
                         characters that JSON escapes; element i of a tensor is i - 2 (bool: i odd)
    sharded/             six tensors in shards of at most 200 bytes, and their index
    config/NAME.json     config.json as BertConfig writes it for several arguments
"""

import argparse
import json
import pathlib

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from transformers import BertConfig

HERE = pathlib.Path(__file__).resolve().parent

DTYPES = {
    "bool": torch.bool,
    "u8": torch.uint8,
    "i8": torch.int8,
    "i16": torch.int16,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i32": torch.int32,
    "f32": torch.float32,
    "f64": torch.float64,
    "i64": torch.int64,
}


def counting(shape, dtype=torch.float32):
    numel = torch.Size(shape).numel()
    if dtype == torch.bool:
        return (torch.arange(numel) % 2 == 1).reshape(shape)
    start = 0 if dtype == torch.uint8 else -2
    return torch.arange(start, start + numel).to(dtype).reshape(shape)


def write_dtypes(path):
    tensors = {f"{name}.weight": counting((2, 3), dtype) for name, dtype in DTYPES.items()}
    tensors["scalar"] = counting(())
    tensors["empty"] = counting((0, 4))
    tensors['q"\\/\n\t\x01\x1f\x7f é中😀'] = counting((1,))
    save_file(tensors, path, metadata={"format": "pt"})


def write_sharded(directory):
    # In the order of their names, in which Cloze divides too. "c" is over the limit alone.
    tensors = {
        "a": counting((10,)),
        "b": counting((4, 8)),
        "c": counting((9, 9)),
        "d": counting((20,), torch.bfloat16),
        "e": counting((40,)),
        "f": counting((3,), torch.int64),
    }
    split = split_torch_state_dict_into_shards(tensors, max_shard_size=200)
    directory.mkdir(parents=True, exist_ok=True)
    for file, names in split.filename_to_tensors.items():
        save_file({n: tensors[n] for n in names}, directory / file, metadata={"format": "pt"})
    # As transformers' save_pretrained writes it.
    parameters = sum(t.numel() for t in tensors.values())
    index = {
        "metadata": {"total_parameters": parameters, **split.metadata},
        "weight_map": split.tensor_to_filename,
    }
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    (directory / "model.safetensors.index.json").write_text(text)


CONFIGS = {
    "default": {},
    "large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
                  intermediate_size=4096, architectures=["BertForMaskedLM"], vocab_size=28996),
    "tiny_tanh": dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                      intermediate_size=37, hidden_act="gelu_new", layer_norm_eps=1e-5,
                      initializer_range=0.125, max_position_embeddings=40, type_vocab_size=1,
                      hidden_dropout_prob=0.0, tie_word_embeddings=False, pad_token_id=None),
    "relu": dict(hidden_act="relu", attention_probs_dropout_prob=0.25),
    "silu": dict(hidden_act="silu", dtype="bfloat16"),
    "labels_12": dict(num_labels=12, architectures=["BertForTokenClassification"],
                      classifier_dropout=0.3),
    "labels_named": dict(id2label={0: "négatif", 1: "中立", 2: "\"so\" \U0001f600"},
                         label2id={"négatif": 0, "中立": 1, "\"so\" \U0001f600": 2},
                         problem_type="single_label_classification"),
    "regression": dict(num_labels=1, problem_type="regression"),
    "extra": dict(my_field={"b": [1, 2.5, None, True], "a": "x"}, finetuning_task="mrpc",
                  max_shard=12345678901234567890, use_cache=False),
}


def write_configs(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, arguments in CONFIGS.items():
        config = BertConfig(**arguments)
        (directory / f"{name}.json").write_text(config.to_json_string(), encoding="utf-8")
        read = BertConfig.from_dict(json.loads((directory / f"{name}.json").read_text()))
        assert read.to_dict() == config.to_dict(), name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "checkpoint")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    write_dtypes(output / "dtypes.safetensors")
    write_sharded(output / "sharded")
    write_configs(output / "config")


if __name__ == "__main__":
    main()
