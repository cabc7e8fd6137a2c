#!/usr/bin/env python3
"""Makes tests/metrics/goldens.json: what scikit-learn, SciPy, seqeval and the official SQuAD logic
say about random and degenerate predictions.

    python tests/metrics/make_goldens.py [--output tests/metrics/goldens.json]

Needs scikit-learn, scipy, seqeval, and a transformers 4 (later ones have no squad_metrics); the
committed file: scikit-learn 1.7, scipy 1.16, seqeval 1.2.2, transformers 4.57.1.
"""

import argparse
import json
import math
import pathlib
import random
import warnings

import numpy as np
import scipy.stats
import seqeval.metrics
import sklearn.metrics as sk
from transformers.data.metrics import squad_metrics
from transformers.data.processors.squad import SquadExample

warnings.filterwarnings("ignore")


def averages(truth, predicted, **more):
    result = {}
    for average in ("macro", "weighted", "micro"):
        p, r, f, _ = sk.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0, **more)
        result[average] = [p, r, f]
    return result


def classification(rng):
    cases = []
    shapes = [(2, 40), (3, 60), (5, 17), (12, 80)]
    inputs = []
    for labels, count in shapes:
        inputs.append((labels, rng.integers(0, labels, count), rng.integers(0, labels, count)))
        biased = rng.integers(0, labels, count)
        inputs.append((labels, biased, np.where(rng.random(count) < 0.7, biased, rng.integers(0, labels, count))))
    inputs += [
        (2, np.array([1]), np.array([1])),
        (2, np.array([0]), np.array([1])),
        (2, np.zeros(9, int), np.zeros(9, int)),
        (2, np.zeros(9, int), np.ones(9, int)),
        (2, rng.integers(0, 2, 9), np.ones(9, int)),
        (4, np.array([0, 0, 1]), np.array([0, 3, 3])),
        (3, rng.integers(0, 3, 20), np.full(20, 2)),
    ]
    for labels, truth, predicted in inputs:
        p, r, f, s = sk.precision_recall_fscore_support(
            truth, predicted, labels=list(range(labels)), average=None, zero_division=0
        )
        cases.append(
            {
                "labels": labels,
                "truth": truth.tolist(),
                "predicted": predicted.tolist(),
                "accuracy": sk.accuracy_score(truth, predicted),
                "matthews": sk.matthews_corrcoef(truth, predicted),
                "confusion": sk.confusion_matrix(truth, predicted, labels=list(range(labels))).tolist(),
                "by_label": [[*x] for x in zip(p.tolist(), r.tolist(), f.tolist(), s.tolist())],
                **averages(truth, predicted),
            }
        )
    return cases


def multi_label(rng):
    cases = []
    inputs = [(rng.integers(0, 2, (25, 4)), rng.integers(0, 2, (25, 4))) for _ in range(2)]
    inputs += [
        (np.zeros((5, 3), int), rng.integers(0, 2, (5, 3))),
        (rng.integers(0, 2, (5, 3)), np.zeros((5, 3), int)),
        (np.zeros((5, 3), int), np.zeros((5, 3), int)),
        (np.ones((4, 2), int), np.ones((4, 2), int)),
    ]
    for truth, predicted in inputs:
        cases.append(
            {
                "truth": truth.tolist(),
                "predicted": predicted.tolist(),
                "exact": sk.accuracy_score(truth, predicted),
                **averages(truth, predicted),
            }
        )
    return cases


def correlation(rng):
    x = rng.normal(size=30)
    inputs = [
        (x, x + rng.normal(size=30)),
        (x, -x),
        (rng.integers(0, 4, 40).astype(float), rng.integers(0, 3, 40).astype(float)),
        (np.array([1.0, 2.0]), np.array([5.0, 3.0])),
        (np.array([1.0, 1.0, 1.0]), np.array([5.0, 3.0, 1.0])),
        (x, np.full(30, 0.25)),
        (np.array([1e9, 1e9 + 1, 1e9 + 2]), np.array([1.0, 2.0, 4.0])),
        (np.full(5, 2.0), np.full(5, 2.0)),
    ]
    number = lambda v: None if math.isnan(v) else float(v)
    return [
        {
            "x": a.tolist(),
            "y": b.tolist(),
            "pearson": number(scipy.stats.pearsonr(a, b)[0]),
            "spearman": number(scipy.stats.spearmanr(a, b)[0]),
            "mse": sk.mean_squared_error(a, b),
        }
        for a, b in inputs
    ]


def random_tags(rng, count, valid):
    types = ["PER", "LOC", "ORG-X", "人"]
    tags = []
    for _ in range(count):
        if valid and tags and tags[-1] != "O" and rng.random() < 0.5:
            tags.append("I" + tags[-1][1:])
        elif rng.random() < 0.4:
            tags.append("O")
        else:
            tags.append(("B-" if valid or rng.random() < 0.5 else "I-") + types[rng.integers(0, len(types))])
    return tags


def entities(rng):
    cases = []
    inputs = []
    for valid in (True, False):
        truth = [random_tags(rng, int(n), True) for n in rng.integers(1, 15, 12)]
        predicted = [
            [a if rng.random() < 0.7 else b for a, b in zip(sentence, random_tags(rng, len(sentence), valid))]
            for sentence in truth
        ]
        inputs.append((truth, predicted))
    inputs += [
        ([["O", "O"]], [["O", "O"]]),
        ([["O", "O"]], [["B-PER", "I-PER"]]),
        ([["B-PER", "I-PER"]], [["O", "O"]]),
        ([["B-PER", "B-PER", "I-PER"], ["I-LOC", "I-LOC"]], [["B-PER", "I-PER", "I-PER"], ["B-LOC", "I-LOC"]]),
        ([["I-PER", "I-LOC", "B-LOC"]], [["I-PER", "I-LOC", "I-LOC"]]),
    ]
    for truth, predicted in inputs:
        report = seqeval.metrics.classification_report(truth, predicted, output_dict=True, zero_division=0)
        keys = ("precision", "recall", "f1-score", "support")
        pick = lambda name: [float(report[name][k]) for k in keys] if name in report else None
        by_type = {k: pick(k) for k in report if not k.endswith(" avg")}
        cases.append(
            {
                "truth": truth,
                "predicted": predicted,
                "accuracy": float(seqeval.metrics.accuracy_score(truth, predicted)),
                "entities": [[list(e) for e in seqeval.metrics.sequence_labeling.get_entities(s)] for s in predicted],
                "by_type": by_type,
                "micro": pick("micro avg"),
                "macro": pick("macro avg"),
                "weighted": pick("weighted avg"),
            }
        )
    return cases


ANSWERS = [
    "the Eiffel Tower", "Eiffel Tower", "An eiffel-tower!", "1998", "in 1998,", "a  an the", "", "BSkyB", "B.Sky.B",
    "naïve café", "NAÏVE CAFÉ", "東京 タワー", "東京タワー", "ÉCOLE “normale”", "cat the cat", "cat cat dog", "dog a cat",
    "İstanbul", "i̇stanbul", "ẞ", "5%", "«5»", "the", "-", "a.b.c", "theory", "A\u00a0b", "\u3000x\u2003y",
]


def squad(rng):
    pick = random.Random(7)
    texts = [
        {"text": t, "normalized": squad_metrics.normalize_answer(t)} for t in ANSWERS
    ]
    pairs = [
        {"gold": a, "predicted": b, "exact": squad_metrics.compute_exact(a, b), "f1": float(squad_metrics.compute_f1(a, b))}
        for a in ANSWERS
        for b in ANSWERS
        if pick.random() < 0.25
    ]
    sets = []
    for name, no_answer, count in [("mixed", 0.5, 40), ("all", 0.0, 15), ("none", 1.0, 9), ("one", 0.0, 1)]:
        questions = []
        for i in range(count):
            impossible = pick.random() < no_answer
            golds = [] if impossible else [pick.choice(ANSWERS[:6] + ["the", "dog a cat"]) for _ in range(pick.randint(1, 3))]
            predicted = "" if pick.random() < 0.3 else pick.choice((golds or ANSWERS[:4]) + ANSWERS[:3])
            null = round(pick.random(), 2) if pick.random() < 0.9 else 0.5
            questions.append({"id": f"q{i}", "answers": golds, "predicted": predicted, "null": null})
        examples = [
            SquadExample(q["id"], "?", "", None, None, "", answers=[{"text": a} for a in q["answers"]], is_impossible=not q["answers"])
            for q in questions
        ]
        predictions = {q["id"]: q["predicted"] for q in questions}
        entry = {"name": name, "questions": questions}
        entry["plain"] = squad_metrics.squad_evaluate(examples, predictions)
        entry["with_null"] = squad_metrics.squad_evaluate(
            examples, predictions, no_answer_probs={q["id"]: q["null"] for q in questions}, no_answer_probability_threshold=0.6
        )
        sets.append(entry)
    return {"texts": texts, "pairs": pairs, "sets": sets}


def ranking(rng):
    cases = []
    for queries, candidates in [(6, 8), (1, 1), (5, 3)]:
        rows = []
        for q in range(queries):
            relevant = rng.random(candidates) < (0.3 if q else 0.0)
            scores = rng.permutation(100)[:candidates] / 100
            rows += [[q, int(l), float(s)] for l, s in zip(relevant, scores)]
        ap, rr, recall = [], [], {1: [], 2: [], 5: []}
        for q in range(queries):
            labels = np.array([l for i, l, _ in rows if i == q])
            scores = np.array([s for i, _, s in rows if i == q])
            if not labels.sum():
                continue
            ap.append(sk.average_precision_score(labels, scores))
            ranked = labels[np.argsort(-scores)]
            rr.append(1 / (1 + int(np.argmax(ranked))))
            for k in recall:
                recall[k].append(ranked[:k].sum() / labels.sum())
        mean = lambda v: float(np.mean(v)) if v else 0.0
        cases.append({"rows": rows, "map": mean(ap), "mrr": mean(rr), **{f"recall@{k}": mean(v) for k, v in recall.items()}})
    return cases


def rounded(value):
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            return None
        return float(f"{value:.12g}")
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent / "goldens.json")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    goldens = {
        "classification": classification(rng),
        "multi_label": multi_label(rng),
        "correlation": correlation(rng),
        "entities": entities(rng),
        "squad": squad(rng),
        "ranking": ranking(rng),
    }
    arguments.output.write_text(json.dumps(rounded(goldens), ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
