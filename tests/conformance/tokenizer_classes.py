#!/usr/bin/env python3
"""Holds the tokenizer's classes and switches against transformers, over all their combinations.

    python3 tests/conformance/tokenizer_classes.py [--cloze build/release/cloze]

Needs transformers (5.x; no PyTorch). Every directory has a tokenizer.json with some switches, a tokenizer_config.json that
states some of them or none, and a class. AutoTokenizer and `cloze tokenize` must give the same tokens, or Cloze must refuse
the class by its name.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

TEXTS = ["Hello É hello é 中文 e", "a" * 60 + " b", "x\u0000y\u200bz", "[MASK] Hello."]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["hello", "Hello", "É", "é", "e", "中", "文", "中文", "##文", ".", "E", "\u0301", "##\u0301"]
VOCABULARY = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *LETTERS.upper(),
                                 *("##" + c for c in LETTERS), *WORDS]))
BERT = ["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizerFast", "ElectraTokenizer", "MobileBertTokenizerFast",
        "SqueezeBertTokenizer", "LayoutLMTokenizer", "DPRQuestionEncoderTokenizer", "DPRContextEncoderTokenizerFast",
        "BertJapaneseTokenizer"]
FILE = ["PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "RetriBertTokenizer"]
REFUSED = ["XLMRobertaTokenizer", "CamembertTokenizerFast", "KoBertTokenizer",
           "BertweetTokenizer", "MPNetTokenizer", "HerbertTokenizer", "RoFormerTokenizer", "FunnelTokenizer"]


def tokenizer_json(lowercase, strip_accents, chinese, clean_text=True, max_chars=100, cleanup=True):
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(VOCABULARY)}, unk_token="[UNK]",
                                           max_input_chars_per_word=max_chars))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=clean_text, handle_chinese_chars=chinese,
                                                      strip_accents=strip_accents, lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=cleanup)
    tokenizer.add_special_tokens(VOCABULARY[:5])
    return tokenizer


def directories(root):
    """Every combination, as (name, path)."""
    def stated(name, values):
        return [{}] + [{name: value} for value in values]

    files = [(lower, strip, chinese, True, 100) for lower, strip, chinese in
             itertools.product((True, False), (None, True, False), (True, False))]
    files += [(False, None, False, False, 50)]
    configurations = [{**a, **b, **c} for a, b, c in itertools.product(
        stated("do_lower_case", (True, False)), stated("strip_accents", (None, True, False)),
        stated("tokenize_chinese_chars", (True, False)))]
    for switches in files:
        source = tokenizer_json(*switches)
        for number, configuration in enumerate(configurations):
            for cls in (None, "BertTokenizer", "PreTrainedTokenizerFast"):
                yield f"{switches} {configuration} {cls}", source, configuration, cls, None
    source = tokenizer_json(False, None, False)
    for cls in BERT + FILE + REFUSED:
        yield f"class {cls}", source, {}, cls, None
        yield f"config.json's class {cls}", source, {}, None, cls


def write(directory, source, configuration, cls, model_class):
    directory.mkdir()
    source.save(str(directory / "tokenizer.json"))
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    model = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(VOCABULARY)}
    if model_class:
        model["tokenizer_class"] = model_class
    (directory / "config.json").write_text(json.dumps(model))
    (directory / "tokenizer_config.json").write_text(
        json.dumps({**configuration, **({"tokenizer_class": cls} if cls else {})}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    arguments = parser.parse_args()
    compared = refused = 0
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        texts = pathlib.Path(folder) / "texts.txt"
        texts.write_bytes("".join(text + "\n" for text in TEXTS).encode())
        for number, (name, *what) in enumerate(directories(folder)):
            directory = pathlib.Path(folder) / str(number)
            write(directory, *what)
            run = subprocess.run([arguments.cloze, "tokenize", "--model", directory, "--input", texts, "--single",
                                  "--json"], capture_output=True, text=True)
            cls = what[2] or what[3]
            if cls in REFUSED:
                refused += 1
                if run.returncode == 0 or cls not in run.stderr:
                    wrong.append(f"{name}: not refused by name: {run.stderr.strip()}")
                continue
            if run.returncode != 0:
                wrong.append(f"{name}: {run.stderr.strip()}")
                continue
            ours = [json.loads(line)["tokens"] for line in run.stdout.splitlines()]
            reference = AutoTokenizer.from_pretrained(directory)
            theirs = [reference.convert_ids_to_tokens(reference(text)["input_ids"]) for text in TEXTS]
            compared += 1
            if ours != theirs:
                wrong.append(f"{name}: {ours} instead of {theirs}")
    print("\n".join(wrong[:40]))
    print(f"{compared} directories compared, {refused} refused by name, {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


main()
