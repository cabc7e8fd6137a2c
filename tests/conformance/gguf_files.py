#!/usr/bin/env python3
"""Holds `cloze convert` of GGUF files against PyPI's gguf, for every type that it can quantize to.

    pip install gguf safetensors numpy
    python3 tests/conformance/gguf_files.py [--cloze build/release/cloze] [--model ~/.cache/cloze/all-MiniLM-L6-v2]

The real model is written as GGUF in each type, as llama.cpp's converter names it. Each tensor of the converted directory must
be what gguf itself dequantizes, bit for bit; and `cloze encode` must give the vectors of a directory with these values, for
F32 those of the model.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy as np
    from safetensors.numpy import load_file, save_file
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TEXTS = ["Hello, my dog is cute", "A man is eating food.", "Die Würde des Menschen ist unantastbar"]
NAMES = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
         "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm"}
LAYER = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
         "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
         "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def their_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem in NAMES:
        return f"{NAMES[stem]}.{kind}"
    if stem.startswith("encoder.layer."):
        number, rest = stem[len("encoder.layer."):].split(".", 1)
        return f"blk.{number}.{LAYER[rest]}.{kind}"
    return None  # the pooler, which the converter leaves out


def their_token(token):
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def write_gguf(path, model, tensors, kind):
    """The file, and what its tensors are by transformers' names."""
    config = json.loads((model / "config.json").read_text())
    tokens = (model / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(2)
    writer.add_tokenizer_model("bert")
    writer.add_token_list([their_token(token) for token in tokens])
    for key, token in (("cls", "CLS"), ("seperator", "SEP"), ("padding", "PAD"), ("unknown", "UNK"), ("mask", "MASK")):
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tokens.index(f"[{token}]"))
    values = {}
    for name, tensor in tensors.items():
        own = their_name(name)
        if own is None:
            continue
        tensor = tensor.astype(np.float32)
        small = tensor.ndim == 1 or name.endswith("token_type_embeddings.weight")
        quantized = gguf.GGMLQuantizationType.F32 if small else kind
        data = tensor if small else gguf.quantize(tensor, kind)
        writer.add_tensor(own, data, raw_dtype=quantized)
        values[name] = tensor if small else gguf.dequantize(data, kind).astype(np.float32).reshape(tensor.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def read_floats(path):
    """The tensors of a safetensors file as f32: NumPy, and so safetensors' own reader, has no BF16."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin:8 + size + end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).astype(np.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def vectors(cloze, directory):
    out = subprocess.run([cloze, "encode", "--model", directory, "--json", *TEXTS], check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in out.stdout.splitlines()]
    return np.array([next(value for value in row.values() if isinstance(value, list)) for row in rows])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path.home() / ".cache/cloze/all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    cloze, model = os.path.abspath(arguments.cloze), arguments.model
    if not (model / "config.json").exists():
        print(f"skipped: {model} is not there (scripts/fetch-model)")
        sys.exit(77)
    tensors = {name: value for name, value in load_file(model / "model.safetensors").items() if "position_ids" not in name}
    wrong = 0
    for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            expected = write_gguf(folder / "m.gguf", model, tensors, gguf.GGMLQuantizationType[name])
            subprocess.run([cloze, "convert", folder / "m.gguf", folder / "converted"], check=True, capture_output=True)
            found = read_floats(folder / "converted" / "model.safetensors")
            differ = [key for key in set(found) & set(expected)
                      if not np.array_equal(found[key].view(np.int32), expected[key].view(np.int32))]
            if set(found) != set(expected) or differ:
                print(f"{name}: tensors differ: {differ or set(found) ^ set(expected)}")
                wrong += 1
            reference = folder / "reference"
            shutil.copytree(model, reference)
            save_file(expected, reference / "model.safetensors", {"format": "pt"})
            a, b = vectors(cloze, folder / "converted"), vectors(cloze, model if name == "F32" else reference)
            worst = np.abs(a - b).max()
            print(f"{name}: {len(expected)} tensors equal, largest difference of vectors {worst:.1e}")
            wrong += worst > 1e-6
    sys.exit(1 if wrong else 0)


main()
