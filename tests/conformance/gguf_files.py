#!/usr/bin/env python3
"""Holds `cloze convert` of GGUF files against PyPI's gguf, for every type that it can quantize to.

    pip install gguf safetensors numpy
    python3 tests/conformance/gguf_files.py [--cloze build/release/cloze] [--model ~/.cache/cloze/all-MiniLM-L6-v2]

The real model is written as GGUF in each type, as llama.cpp's converter names it. Each tensor of the converted directory must
be what gguf itself dequantizes, bit for bit; and `cloze encode` must give the vectors of a directory with these values, for
F32 those of the model. With transformers and sentencepiece, a file whose tokenizer is a Unigram model ("t5") must be
tokenized as XLMRobertaTokenizer tokenizes.
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


def unigram(cloze):
    """Texts whose ids differ, of a file as llama.cpp's converter writes it for XLM-RoBERTa's tokenizer."""
    try:
        import pydoc_data.topics
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
        from transformers import AutoTokenizer
    except ImportError as error:
        print(f"Unigram: skipped: {error}")
        return 0
    text = [line for topic in pydoc_data.topics.topics.values() for line in topic.split("\n") if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        reference = folder / "reference"
        reference.mkdir()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text), model_prefix=str(folder / "spm"), vocab_size=2000,
                                                 character_coverage=0.999, minloglevel=2)
        shutil.copy(folder / "spm.model", reference / "sentencepiece.bpe.model")
        (reference / "config.json").write_text(json.dumps({"model_type": "bert"}))
        (reference / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "XLMRobertaTokenizer"}))
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString((folder / "spm.model").read_bytes())
        # Ids as in transformers, and rows of the model without a piece at the end; the converter names no mask.
        count, filler = len(model.pieces) + 2, 3
        tokens = [b"<s>", b"<pad>", b"</s>", b"<unk>"] + [piece.piece.encode() for piece in model.pieces][3:]
        scores = [0.0] * 4 + [piece.score for piece in model.pieces][3:]
        types = [3, 3, 3, 2] + [1] * (len(tokens) - 4)
        while len(tokens) < count + filler:
            tokens.append(f"[PAD{len(tokens)}]".encode())
            scores.append(-10000.0)
            types.append(5)
        hidden, rows = 16, len(tokens)
        writer = gguf.GGUFWriter(folder / "m.gguf", "bert")
        for add, value in ((writer.add_context_length, 64), (writer.add_embedding_length, hidden), (writer.add_feed_forward_length, 32),
                           (writer.add_block_count, 1), (writer.add_head_count, 2), (writer.add_layer_norm_eps, 1e-5),
                           (writer.add_causal_attention, False), (writer.add_pooling_type, gguf.PoolingType.MEAN),
                           (writer.add_token_type_count, 1), (writer.add_tokenizer_model, "t5"), (writer.add_token_list, tokens),
                           (writer.add_token_scores, scores), (writer.add_token_types, types), (writer.add_add_space_prefix, True),
                           (writer.add_precompiled_charsmap, model.normalizer_spec.precompiled_charsmap),
                           (writer.add_bos_token_id, 0), (writer.add_pad_token_id, 1), (writer.add_eos_token_id, 2),
                           (writer.add_unk_token_id, 3), (writer.add_mask_token_id, count - 1)):
            add(value)
        random = np.random.default_rng(1)
        shapes = {"token_embd": (rows, hidden), "position_embd": (64, hidden), "token_types": (1, hidden), "blk.0.ffn_up": (32, hidden),
                  "blk.0.ffn_down": (hidden, 32), **{f"blk.0.attn_{part}": (hidden, hidden) for part in ("q", "k", "v", "output")}}
        norms = ["token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"]
        for name in norms:
            shapes[name] = (hidden,)
        for name, shape in shapes.items():
            writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype(np.float32))
            if name.startswith("blk") or name in norms:
                writer.add_tensor(f"{name}.bias", random.normal(size=shape[:1]).astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        run = subprocess.run([cloze, "convert", folder / "m.gguf", folder / "converted"], capture_output=True, text=True)
        if run.returncode != 0:
            print(f"Unigram: {run.stderr.strip()}")
            return 1
        tokenizer = AutoTokenizer.from_pretrained(reference)
        lines = [line.replace("\t", " ") for line in text[:3000]] + TEXTS + ["a <mask> b", "\u2167 \ufb01 \u3000x", "日本 café <pad> [PAD2003]x", ""]
        (folder / "lines.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        out = subprocess.run([cloze, "tokenize", "--model", folder / "converted", "--input", folder / "lines.txt", "--json"],
                             check=True, capture_output=True, text=True)
        ours = [json.loads(line)["ids"] for line in out.stdout.split("\n")[:-1]]
        differ = [line for line, ids in zip(lines, ours, strict=True) if ids != tokenizer(line)["input_ids"]]
        vectors(cloze, folder / "converted")
        print(f"Unigram: {len(lines)} texts tokenized, {len(differ)} differ {differ[:3]}")
        return len(differ)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path.home() / ".cache/cloze/all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    cloze, model = os.path.abspath(arguments.cloze), arguments.model
    wrong = unigram(cloze)
    if not (model / "config.json").exists():
        print(f"skipped: {model} is not there (scripts/fetch-model)")
        sys.exit(1 if wrong else 77)
    tensors = {name: value for name, value in load_file(model / "model.safetensors").items() if "position_ids" not in name}
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
