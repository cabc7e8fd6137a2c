#!/usr/bin/env python3
"""Holds `cloze evaluate` of a question-answering model against SQuAD's own script on the same predictions.

    python bench/check_squad.py --model RUN --data squad2.dev.json --transformers4 FOLDER [--build build/release]

The script is the one that transformers 4 carried along (`transformers/data/metrics/squad_metrics.py`); install it with
`pip install --no-deps --target FOLDER transformers==4.57.1 'huggingface_hub<1' tokenizers==0.22.1`. It gets the answers
and null scores that --predictions writes. Prints both sides of every figure; exits 1 if one differs by more than 1e-9.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from types import SimpleNamespace

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--transformers4", required=True)
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    options = parser.parse_args()
    sys.path.insert(0, options.transformers4)
    from transformers.data.metrics.squad_metrics import squad_evaluate

    questions = [
        question
        for article in json.loads(options.data.read_text())["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    version_2 = any("is_impossible" in question for question in questions)
    with tempfile.TemporaryDirectory() as directory:
        written = pathlib.Path(directory) / "predictions.jsonl"
        command = [options.build / "cloze", "evaluate", "--model", options.model, "--data", options.data]
        command += ["--json", "--predictions", written] + (["--version-2"] if version_2 else [])
        done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
        predicted = [json.loads(line) for line in written.read_text().splitlines()]
    result = json.loads(done.stdout)
    ours = {**result["metrics"], **result["details"]}

    examples = [
        SimpleNamespace(qas_id=question["id"], answers=[] if question.get("is_impossible") else question["answers"])
        for question in questions
    ]
    answers = {line["id"]: line.get("best", {}).get("text", "") for line in predicted}
    nulls = {line["id"]: line["null_score_diff"] for line in predicted} if version_2 else None
    theirs = squad_evaluate(examples, answers, nulls, no_answer_probability_threshold=0.0 if version_2 else 1.0)

    print(f"{len(questions)} questions, {sum(not answer for answer in answers.values())} without any answer of the model")
    worst = 0.0
    for name, value in theirs.items():
        if not version_2 and name not in ("exact_match", "f1", "total"):
            continue  # there are no questions without an answer
        name = {"exact": "exact_match"}.get(name, name)
        if name not in ours:
            sys.exit(f"cloze evaluate has no {name}: {sorted(ours)}")
        worst = max(worst, abs(ours[name] - value))
        print(f"  {name:18} {value:12.6f} {ours[name]:12.6f}")
    print(f"furthest apart: {worst:.1e}")
    sys.exit(worst > 1e-9)


if __name__ == "__main__":
    main()
