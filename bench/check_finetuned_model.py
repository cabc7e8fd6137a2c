#!/usr/bin/env python3
"""Fine-tunes a model for every head with `cloze finetune`, loads it in transformers, and compares what both
compute for random texts.

    bench/check_finetuned_model.py [--build build/release] [--model DIR] [--texts 40]

Each model must load without a warning, and the probabilities (regression: the value) that `cloze classify`,
`tag`, `answer`, `choose` and `rank` give in f32 must be those of transformers in f32 to 1e-4. Trains on the
files of examples/data. The other direction, transformers' models in Cloze's commands, is tests/cli/tasks_test.cc.
Needs torch and transformers. Exits 1 where something differs.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "examples/data"
HEADS = {
    "sequence": ("text-classification", "sentiment", "tsv", []),
    "multi-label": ("text-classification", "topics", "tsv", ["--multi-label"]),
    "regression": ("regression", "likeness", "tsv", []),
    "ranking": ("ranking", "responses", "tsv", []),
    "token": ("token-classification", "entities", "conll", []),
    "span": ("question-answering", "questions", "json", ["--version-2"]),
    "choice": ("multiple-choice", "choices", "jsonl", []),
}
CLASSES = {
    "token": transformers.AutoModelForTokenClassification,
    "span": transformers.AutoModelForQuestionAnswering,
    "choice": transformers.AutoModelForMultipleChoice,
}


def load(head, directory):
    """The model and its tokenizer; and what was said about keys or anything else."""
    kind = CLASSES.get(head, transformers.AutoModelForSequenceClassification)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, info = kind.from_pretrained(directory, output_loading_info=True, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    said = [str(w.message) for w in caught]
    said += [f"{name}: {sorted(keys)}" for name, keys in info.items() if keys]
    return model.eval(), tokenizer, said


def random_text(rng, words, least=1, most=40):
    return " ".join(rng.choices(words, k=rng.randint(least, most))) + rng.choice([".", "!", "?", ""])


def answers(command, arguments, lines, work):
    file = work / "lines.txt"
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    command = [*command, *arguments, "--json", "--dtype", "f32", "--input", file]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def best_answer(start, end, tokens, longest=30):
    """transformers' question-answering pipeline: probabilities over the context, begin times end."""
    start, end = start.clone(), end.clone()
    outside = [i for i, sequence in enumerate(tokens) if sequence != 1 and i != 0]
    start[outside] = end[outside] = -10000.0
    start, end = torch.softmax(start, 0), torch.softmax(end, 0)
    start[0] = end[0] = 0
    pairs = torch.triu(torch.outer(start, end)) - torch.triu(torch.outer(start, end), longest)
    return float(pairs.max())


@torch.no_grad()
def compare(head, cloze, directory, rng, words, count, work):
    """The greatest difference, over `count` random texts."""
    model, tokenizer, said = load(head, directory)
    texts = [random_text(rng, words) for _ in range(count)]
    worst = 0.0
    if head in ("sequence", "multi-label", "regression"):
        pairs = head == "regression"
        others = [random_text(rng, words) for _ in texts]
        lines = [f"{a}\t{b}" for a, b in zip(texts, others)] if pairs else texts
        got = answers([cloze, "classify", "--model", directory], [] if pairs else ["--all"], lines, work)
        for text, other, found in zip(texts, others, got, strict=True):
            logits = model(**tokenizer(text, other if pairs else None, return_tensors="pt")).logits[0]
            if pairs:
                worst = max(worst, abs(float(logits[0]) - found["score"]))
                continue
            scores = torch.sigmoid(logits) if head == "multi-label" else torch.softmax(logits, -1)
            given = {entry["label"]: entry["score"] for entry in found["labels"]}
            for index, score in enumerate(scores):
                worst = max(worst, abs(float(score) - given[model.config.id2label[index]]))
    elif head == "ranking":
        query = random_text(rng, words)
        got = answers([cloze, "rank", "--model", directory, "--query", query], [], texts, work)
        found = {entry["text"]: entry["score"] for line in got for entry in line.get("ranked", [line])}
        for text in texts:
            logit = model(**tokenizer(query, text, return_tensors="pt")).logits[0, 0]
            worst = max(worst, abs(float(torch.sigmoid(logit)) - found[text]))
    elif head == "token":
        got = answers([cloze, "tag", "--model", directory], ["--aggregation", "none"], texts, work)
        for text, found in zip(texts, got, strict=True):
            scores = torch.softmax(model(**tokenizer(text, return_tensors="pt")).logits[0], -1)
            for entity in found["entities"]:
                label = model.config.label2id[entity["label"]]
                worst = max(worst, abs(float(scores[entity["index"], label]) - entity["score"]))
                worst = max(worst, float(scores[entity["index"]].max() - scores[entity["index"], label]))
    elif head == "span":
        # Words of one token, none twice: answers that read the same would be added up.
        short = [w for w in words if w.isalpha() and len(tokenizer.tokenize(w)) == 1]
        short = sorted({w.lower() for w in short})
        texts = [" ".join(rng.sample(short, rng.randint(5, 60))) for _ in texts]
        questions = [random_text(rng, words, 2, 8) for _ in texts]
        lines = [f"{question}\t{text}" for question, text in zip(questions, texts)]
        got = answers([cloze, "answer", "--model", directory], [], lines, work)
        for question, text, found in zip(questions, texts, got, strict=True):
            encoded = tokenizer(question, text, return_tensors="pt")
            out = model(**encoded)
            score = best_answer(out.start_logits[0], out.end_logits[0], encoded.sequence_ids(0))
            worst = max(worst, abs(score - found["answers"][0]["score"]))
    else:
        rows = [[random_text(rng, words, 1, 12) for _ in range(3)] for _ in texts]
        lines = ["\t".join([text, *row]) for text, row in zip(texts, rows)]
        got = answers([cloze, "choose", "--model", directory], [], lines, work)
        for text, row, found in zip(texts, rows, got, strict=True):
            encoded = tokenizer([text] * len(row), row, return_tensors="pt", padding=True)
            logits = model(**{key: value[None] for key, value in encoded.items()}).logits[0]
            scores = torch.softmax(logits, -1)
            for score, given in zip(scores, found["scores"], strict=True):
                worst = max(worst, abs(float(score) - given))
    return worst, said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--model", default=pathlib.Path.home() / ".cache/cloze/all-MiniLM-L6-v2")
    parser.add_argument("--texts", default=40, type=int)
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--seed", default=1, type=int)
    options = parser.parse_args()
    cloze = options.build / "cloze"
    rng = random.Random(options.seed)
    words = sorted({w for f in DATA.glob("*.tsv") for w in f.read_text(encoding="utf-8").split()})
    failed = False
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for head in options.heads:
            task, name, ending, more = HEADS[head]
            command = [cloze, "finetune", "--task", task, "--model", options.model, "--output", work / head]
            command += ["--train", DATA / f"{name}.train.{ending}", "--dev", DATA / f"{name}.dev.{ending}"]
            command += ["--steps", 8, "--learning-rate", "3e-4", *more]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
            worst, said = compare(head, cloze, work / head, rng, words, options.texts, work)
            bad = worst > 1e-4 or bool(said)
            failed |= bad
            print(f"{head:12} {options.texts} texts: differs by {worst:.1e}" + "".join(f"\n  {s}" for s in said), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
