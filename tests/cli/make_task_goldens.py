#!/usr/bin/env python3
"""Makes tests/cli/task_goldens.json: what transformers' pipelines answer with the small random models of
tests/goldens.

    python tests/cli/make_task_goldens.py [--output tests/cli/task_goldens.json]

Needs torch and a transformers 4 (later ones have no question-answering pipeline); the committed file:
torch 2.15, transformers 4.57.1.
"""

import argparse
import json
import pathlib

import torch
import transformers

MODELS = pathlib.Path(__file__).resolve().parent.parent / "goldens"
TEXTS = ["the dogs .", "a b c, the dog?", "Zebra 東京 é dogs", "dog. cab's \U0001f600 the"]
QUESTIONS = [
    ["the dog", "a cat, the dogs é 東京 . b c d e"],
    ["dog?", "a b c d e f g h i j k l m n o p q r s t u v w x y z the dogs ."],
]


def load(kind, name):
    model = kind.from_pretrained(MODELS / name, torch_dtype=torch.float64)
    return {"model": model, "tokenizer": transformers.AutoTokenizer.from_pretrained(MODELS / name), "device": "cpu"}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return float(f"{value:.7g}") if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent / "task_goldens.json")
    arguments = parser.parse_args()
    goldens = {}
    parts = load(transformers.BertForSequenceClassification, "sequence_3_labels")
    classify = transformers.pipeline("text-classification", **parts)
    goldens["classify"] = [{"text": t, "labels": classify(t, top_k=3)} for t in TEXTS]
    parts = load(transformers.BertForTokenClassification, "token_5_layers")
    # Labels of entities, which the test writes into a copy of the model too.
    names = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    parts["model"].config.id2label = dict(enumerate(names))
    tag = transformers.pipeline("token-classification", **parts)
    goldens["tag"] = {
        "labels": names,
        "cases": [
            {"text": t, "aggregation": a, "entities": tag(t, aggregation_strategy=a, ignore_labels=["O"])}
            for t in TEXTS
            for a in ("none", "simple", "first", "max", "average")
        ],
    }
    parts = load(transformers.BertForQuestionAnswering, "question_legacy_names")
    answer = transformers.pipeline("question-answering", **parts)
    goldens["answer"] = [
        {
            "question": q,
            "context": c,
            "version_2": v,
            "answers": answer(
                question=q, context=c, top_k=4, max_answer_len=5, handle_impossible_answer=v, max_seq_len=20, doc_stride=6
            ),
        }
        for q, c in QUESTIONS
        for v in (False, True)
    ]
    arguments.output.write_text(json.dumps(plain(goldens), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
