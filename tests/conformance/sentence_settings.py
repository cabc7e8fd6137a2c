#!/usr/bin/env python3
"""Holds the settings of sentence-transformers' directories against sentence-transformers itself, in the same run.

    python3 tests/conformance/sentence_settings.py [--cloze build/release/cloze] [--directories 400] [--seed 1]

Needs sentence-transformers (6.x) with PyTorch; without them it says so and ends with 77, which means "skipped". It builds
small models with random weights and a directory for each combination of settings: tokenizer, limits, prompts, poolings,
modules, dimensions, similarity functions; for cross-encoders activations, prompts and limits. Vectors and scores must be
equal to 1e-5, the order of a ranking the same, and what Cloze does not have must be refused by its name.
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                  CUDA_VISIBLE_DEVICES="")
try:
    import logging
    import numpy
    import torch
    from safetensors.torch import save_file
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from transformers import BertConfig, BertForSequenceClassification, BertModel
    from transformers.utils.logging import disable_progress_bar
except ImportError as error:
    print(f"skipped: {error}; install sentence-transformers and torch in an environment of your own")
    sys.exit(77)
logging.disable(logging.WARNING)
disable_progress_bar()

TEXTS = ["the cat", "The Cat sat", "", "a É é Ü cat", "cat " * 40, "dog 中文 the", "[MASK] SAT"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["the", "The", "cat", "Cat", "sat", "SAT", "dog", "query", ":", "passage", "É", "é", "e", "ü", "u", "中", "文"]
VOCABULARY = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *LETTERS.upper(),
                                 *("##" + c for c in LETTERS)]))
HIDDEN, POSITIONS, TOLERANCE = 16, 48, 1e-5


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def make_models(folder):
    """A BertModel and a cross-encoder, without a tokenizer."""
    torch.manual_seed(1)
    sizes = dict(vocab_size=len(VOCABULARY), hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=32, max_position_embeddings=POSITIONS, initializer_range=0.2)
    BertModel(BertConfig(**sizes)).save_pretrained(folder / "encoder")
    cross = BertForSequenceClassification(BertConfig(**sizes, num_labels=1))
    with torch.no_grad():
        cross.classifier.weight *= 8
        cross.classifier.bias += 30  # a sigmoid makes 1 of every such logit
    cross.save_pretrained(folder / "saturated")
    with torch.no_grad():
        cross.classifier.bias -= 30
        cross.classifier.weight /= 8
    cross.save_pretrained(folder / "cross")
    for name in ("encoder", "saturated", "cross"):
        (folder / name / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")


def dense(path, outputs, inputs, activation, residual):
    write(path / "config.json", {"in_features": inputs, "out_features": outputs, "bias": True,
                                 "activation_function": activation, **({"use_residual": True} if residual else {})})
    generator = torch.Generator().manual_seed(outputs)
    weights = {"linear.weight": torch.randn(outputs, inputs, generator=generator) / 4,
               "linear.bias": torch.randn(outputs, generator=generator)}
    if residual and outputs != inputs:
        weights["residual.weight"] = torch.randn(outputs, inputs, generator=generator)
    save_file(weights, path / "model.safetensors")


TOKENIZERS = [{"do_lower_case": lower, **limit} for lower in (True, False)
              for limit in ({}, {"model_max_length": 9}, {"max_len": 11}, {"model_max_length": int(1e30)})]
TRANSFORMER = [None, ("sentence_bert_config.json", {}), ("sentence_bert_config.json", {"max_seq_length": 10}),
               ("sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": True}),
               ("sentence_distilbert_config.json", {"max_seq_length": 8, "do_lower_case": True}),
               ("sentence_bert_config.json", {"do_lower_case": True, "model_args": {"add_pooling_layer": False}}),
               ("sentence_bert_config.json", {"max_seq_length": 10, "tokenizer_args": {"model_max_length": 7}}),
               ("sentence_bert_config.json", {"transformer_task": "feature-extraction",
                                              "module_output_name": "token_embeddings", "unpad_inputs": False,
                                              "modality_config": {"text": {"method": "forward", "method_output_name":
                                                                           "last_hidden_state"}}})]
MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
FLAGS = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
POOLINGS = ([{"pooling_mode": mode} for mode in MODES] + [{"pooling_mode": [mode]} for mode in MODES[:2]] +
            [{"pooling_mode": ["lasttoken", "mean", "cls"]}, {"pooling_mode": ["mean", "mean"]}, {},
             {"pooling_mode": MODES}] +
            [{f"pooling_mode_{flag}": flag in stated for flag in FLAGS}
             for stated in (["mean_tokens"], ["cls_token"], ["lasttoken", "cls_token", "mean_tokens"], FLAGS, [])])
PROMPTS = [{}, {"prompts": {"query": "query: ", "passage": "passage: "}},
           {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
           {"prompts": {"query": "que", "document": None}, "default_prompt_name": "query"},
           {"prompts": {"query": "", "document": ""}, "default_prompt_name": "document"}]
TORCH = "torch.nn.modules."
TAILS = [[], ["Normalize"], [("Dense", 5, "activation.Tanh", False)], [("Dense", 5, "linear.Identity", False),
         "Normalize"], ["Normalize", ("Dense", 7, "activation.ReLU", False)], ["Normalize", ("Dense", None,
         "linear.Identity", True), "Normalize"], [("Dense", 6, "activation.GELU", True)], [("Dense", 6,
         "activation.SiLU", False), "Dropout", ("Dense", 4, "activation.Tanh", True), "Normalize"]]
CALLS = [{}, {"prompt": "dog "}, {"prompt": ""}, {"prompt_name": "query"}]
WHOLE = [{}, {"similarity_fn_name": "dot"}, {"similarity_fn_name": "euclidean", "truncate_dim": 3},
         {"similarity_fn_name": "manhattan", "truncate_dim": 100}, {"similarity_fn_name": "cosine", "truncate_dim": 5}]


def sentence_directory(folder, models, number, rng):
    """A directory with one value of each setting."""
    directory = folder / f"st{number}"
    shutil.copytree(models / "encoder", directory)
    write(directory / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **rng.choice(TOKENIZERS)})
    if stated := rng.choice(TRANSFORMER):
        write(directory / stated[0], stated[1])
    pooling = {"word_embedding_dimension": HIDDEN, **rng.choice(POOLINGS)}
    if rng.random() < 0.5:
        pooling["include_prompt"] = rng.random() < 0.4
    write(directory / "1_Pooling" / "config.json", pooling)
    modes = pooling.get("pooling_mode", "mean")
    count = (len(modes) if isinstance(modes, list) else 1) if "pooling_mode" in pooling else max(
        1, sum(value is True for name, value in pooling.items() if name.startswith("pooling_mode_")))
    modules, width = [("Transformer", ""), ("Pooling", "1_Pooling")], HIDDEN * count
    for module in rng.choice(TAILS):
        name = module if isinstance(module, str) else module[0]
        path = f"{len(modules)}_{name}"
        modules.append((name, path))
        (directory / path).mkdir()
        if name == "Dense":
            outputs = module[1] or width
            dense(directory / path, outputs, width, TORCH + module[2], module[3])
            width = outputs
        elif name == "Dropout":
            write(directory / path / "config.json", {"dropout": 0.1})
    write(directory / "modules.json", [{"idx": i, "name": str(i), "path": path, "type":
                                        f"sentence_transformers.models.{name}"}
                                       for i, (name, path) in enumerate(modules)])
    whole = {**rng.choice(PROMPTS), **rng.choice(WHOLE), "__version__": {"sentence_transformers": "5.0.0"}}
    write(directory / "config_sentence_transformers.json", whole)
    call = dict(rng.choice(CALLS))
    if "prompt_name" in call and call["prompt_name"] not in whole.get("prompts", {}):
        call = {}
    if rng.random() < 0.3:
        call["normalize_embeddings"] = True
    if rng.random() < 0.3:
        call["truncate_dim"] = rng.choice([2, 4])
    return directory, call


def run(cloze, command, directory, *words, text=""):
    return subprocess.run([cloze, command, "--model", directory, "--json", "--threads", "1", *map(str, words)],
                          input=text, capture_output=True, text=True)


def options_of(call):
    words = []
    for name, option in (("prompt", "--prompt"), ("prompt_name", "--prompt-name"), ("truncate_dim", "--dimensions")):
        if name in call:
            words += [option, call[name]]
    return words + (["--normalize"] if call.get("normalize_embeddings") else [])


def compare_sentences(cloze, directory, call):
    """None where all is equal, else what is not."""
    described = {path.name: path.read_text() for path in sorted(directory.glob("*config*.json"))
                 if path.name != "config.json"}
    about = f"{directory.name} {call} {described} {(directory / '1_Pooling/config.json').read_text()} "
    reference = SentenceTransformer(str(directory), device="cpu")
    theirs = reference.encode(TEXTS, **call)
    ours = run(cloze, "encode", directory, "--single", *options_of(call), text="".join(t + "\n" for t in TEXTS))
    if ours.returncode != 0:
        return f"{about}: {ours.stderr.strip()}"
    vectors = numpy.array([json.loads(line)["embedding"] for line in ours.stdout.splitlines()])
    if vectors.shape != theirs.shape:
        return f"{about}: shape {vectors.shape} instead of {theirs.shape}"
    scale = max(1.0, float(numpy.abs(theirs).max()))
    if numpy.abs(vectors - theirs).max() > TOLERANCE * scale:
        row = int(numpy.abs(vectors - theirs).max(axis=1).argmax())
        return f"{about}: {TEXTS[row][:20]!r}: {vectors[row][:3]} instead of {theirs[row][:3]}"
    plain = {name: value for name, value in call.items() if name in ("prompt", "prompt_name", "truncate_dim")}
    pair = reference.encode(TEXTS[:2], **plain)
    score = float(reference.similarity_pairwise(pair[:1], pair[1:])[0])
    found = run(cloze, "similarity", directory, *options_of(plain), f"{TEXTS[0]}\t{TEXTS[1]}")
    if found.returncode != 0 or abs(json.loads(found.stdout)["score"] - score) > TOLERANCE * max(1, abs(score)):
        return f"{about}: similarity {found.stdout}{found.stderr} instead of {score}"
    return None


IDENTITY, SIGMOID, TANH = TORCH + "linear.Identity", TORCH + "activation.Sigmoid", TORCH + "activation.Tanh"


def cross_directories(folder, models):
    configs = [{}, {"sbert_ce_default_activation_function": IDENTITY}, {"sbert_ce_default_activation_function": None},
               {"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.0.0"}},
               {"sentence_transformers": {"activation_fn": TANH, "version": "5.0.0"},
                "sbert_ce_default_activation_function": IDENTITY}]
    wholes = [None, {"model_type": "CrossEncoder", "activation_fn": IDENTITY},
              {"model_type": "CrossEncoder", "activation_fn": SIGMOID, "prompts": {"query": "query: "},
               "default_prompt_name": "query"}, {"model_type": "CrossEncoder", "activation_fn": None}]
    limits = [{}, {"model_max_length": 9}, {"max_len": 14}]
    for number, (model, config, whole, limit) in enumerate(
            itertools.product(("cross", "saturated"), configs, wholes, limits)):
        directory = folder / f"ce{number}"
        shutil.copytree(models / model, directory)
        write(directory / "config.json", {**json.loads((directory / "config.json").read_text()), **config})
        write(directory / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **limit})
        if whole is not None:
            write(directory / "config_sentence_transformers.json", whole)
            write(directory / "sentence_bert_config.json", {"transformer_task": "sequence-classification"})
            write(directory / "modules.json", [{"idx": 0, "name": "0", "path": "", "type":
                                                "sentence_transformers.base.modules.transformer.Transformer"}])
        yield directory


def compare_ranking(cloze, directory, query="the cat"):
    reference = CrossEncoder(str(directory), device="cpu")
    documents = [text for text in TEXTS if text]
    theirs = [float(score) for score in reference.predict([(query, text) for text in documents])]
    logits = [float(logit) for logit in reference.predict([(query, text) for text in documents],
                                                          activation_fn=torch.nn.Identity())]
    ours = run(cloze, "rank", directory, "--truncate", "--query", query, text="".join(t + "\n" for t in documents))
    about = f"{directory.name} {(directory / 'config.json').read_text()}"
    if ours.returncode != 0:
        return f"{about}: {ours.stderr.strip()}"
    ranked = [json.loads(line) for line in ours.stdout.splitlines()]
    for each in ranked:
        if abs(each["score"] - theirs[each["index"]]) > TOLERANCE * max(1, abs(theirs[each["index"]])):
            return f"{about}: score of {each} instead of {theirs[each['index']]}"
    found = [logits[each["index"]] for each in ranked]
    if any(a < b - 1e-4 for a, b in zip(found, found[1:])):
        return f"{about}: order {found}"
    return None


REFUSED = [
    ("1_Pooling/config.json", {"pooling_mode": "attention"}, "attention"),
    ("sentence_bert_config.json", {"processing_kwargs": {"text": {"max_length": 4}}}, "processing_kwargs"),
    ("sentence_bert_config.json", {"query_length": 8}, "query_length"),
    ("sentence_bert_config.json", {"config_args": {"hidden_act": "relu"}}, "hidden_act"),
    ("sentence_bert_config.json", {"tokenizer_args": {"truncation_side": "left"}}, "truncation_side"),
    ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "Pooling"),
    ("config_sentence_transformers.json", {"model_type": "CrossEncoder"}, "CrossEncoder"),
    ("config_sentence_transformers.json", {"default_prompt_name": "absent"}, "absent"),
    ("modules.json", [{"path": "", "type": "sentence_transformers.models.Transformer"}], "Pooling"),
    ("modules.json", [{"path": "", "type": "sentence_transformers.models.Transformer"},
                      {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                      {"path": "2_LSTM", "type": "sentence_transformers.models.LSTM"}], "LSTM"),
]


def check_refusals(cloze, folder, models):
    wrong = []
    for number, (file, content, name) in enumerate(REFUSED):
        directory, _ = sentence_directory(folder, models, f"refused{number}", random.Random(3))
        write(directory / file, content)
        found = run(cloze, "encode", directory, "a")
        if found.returncode == 0 or name not in found.stderr:
            wrong.append(f"{file} {content}: not refused by name: {found.stderr.strip()}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--directories", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(arguments.seed)
    wrong, sentences, rankings = [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_models(folder / "models")
        for number in range(arguments.directories):
            directory, call = sentence_directory(folder, folder / "models", number, rng)
            problem = compare_sentences(arguments.cloze, directory, call)
            sentences += 1
            shutil.rmtree(directory)
            if problem:
                wrong.append(problem)
        for directory in cross_directories(folder, folder / "models"):
            problem = compare_ranking(arguments.cloze, directory)
            rankings += 1
            shutil.rmtree(directory)
            if problem:
                wrong.append(problem)
        wrong += check_refusals(arguments.cloze, folder, folder / "models")
    print("\n".join(wrong[:20]))
    print(f"seed {arguments.seed}: {sentences} sentence-transformers directories, {rankings} cross-encoders, "
          f"{len(REFUSED)} refusals; {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


main()
