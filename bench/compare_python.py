#!/usr/bin/env python3
"""The Python module against transformers and sentence-transformers, in one run.

    bench/compare_python.py --model DIRECTORY [--lines 10000] [--only tokenizer,models,...] [--peers PYTHON] [--json]

DIRECTORY is all-MiniLM-L6-v2 (scripts/fetch-model prints it). Needs torch, transformers and
sentence-transformers beside cloze, numpy and safetensors. Correctness first: every output of both is
compared on fresh random inputs (--seed). Then time and memory, each side in processes of its own
where a start counts. Ends with 1 where something differs by more than it may.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable

import numpy as np

import cloze

failures: list[str] = []
figures: dict[str, Any] = {}


def report(name: str, value: Any, fine: bool = True) -> None:
    figures[name] = value
    print(f"{'ok  ' if fine else 'FAIL'} {name}: {value}", flush=True)
    if not fine:
        failures.append(name)


def random_lines(count: int, seed: int, words: list[str]) -> list[str]:
    """Uneven lines of known words, made-up ones, accents, CJK, emoji, controls and punctuation."""
    rng = random.Random(seed)
    odd = ["naïve", "Ünïcödé", "東京都に", "🙂👍🏽", "don't", "e-mail", "U.S.A.", "x²", "\u00ad", "[MASK]", "[SEP]", "ﬁne", "İstanbul", "ß", "a\u0301", "1,234.5", "#tag", "@you", "\t", "ΣΊΣΥΦΟΣ", "한국어", "…", "“q”"]
    lines = []
    for _ in range(count):
        length = int(rng.lognormvariate(2.3, 0.9)) + 1
        parts = []
        for _ in range(min(length, 300)):
            kind = rng.random()
            if kind < 0.8:
                word = rng.choice(words)
                parts.append(word.capitalize() if rng.random() < 0.1 else word)
            elif kind < 0.9:
                parts.append(rng.choice(odd))
            else:
                parts.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 12))))
        lines.append(" ".join(parts) + rng.choice(["", ".", "!", " ?", " "]))
    return lines


def same(a: Any, b: Any) -> bool:
    if hasattr(a, "tolist"):
        a = a.tolist()
    if hasattr(b, "tolist"):
        b = b.tolist()
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return bool(a == b)


def compare_tokenizer(directory: str, lines: list[str]) -> None:
    from transformers import AutoTokenizer

    theirs, ours = AutoTokenizer.from_pretrained(directory), cloze.AutoTokenizer.from_pretrained(directory)
    other = list(reversed(lines))
    words = [line.split() or ["x"] for line in lines]
    questions = [" ".join(line.split()[:20]) for line in lines]  # leave room for the second text
    extras = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_length": True}
    cases: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "single": ((lines,), {}),
        "single, all outputs": ((lines,), {**extras, "truncation": True, "max_length": 64}),
        "pair": ((lines, other), {**extras, "truncation": True, "max_length": 96}),
        "pair, only_second, stride": (
            (questions, other),
            {**extras, "truncation": "only_second", "max_length": 160, "stride": 32, "return_overflowing_tokens": True},
        ),
        "stride": ((lines,), {**extras, "truncation": True, "max_length": 24, "stride": 8, "return_overflowing_tokens": True, "padding": True}),
        "right padding": ((lines,), {**extras, "padding": True, "truncation": True, "max_length": 48, "return_tensors": "np"}),
        "left padding": ((lines,), {**extras, "padding": "max_length", "truncation": True, "max_length": 40, "padding_side": "left", "return_tensors": "np"}),
        "cut at the left": ((lines,), {**extras, "truncation": True, "max_length": 40, "truncation_side": "left"}),
        "pair, cut at the left": ((lines, other), {**extras, "truncation": True, "max_length": 96, "truncation_side": "left"}),
        "windows from the left": (
            (lines,),
            {**extras, "truncation": True, "max_length": 24, "stride": 8, "return_overflowing_tokens": True, "truncation_side": "left"},
        ),
        "padding to a multiple": ((lines,), {"padding": True, "truncation": True, "max_length": 64, "pad_to_multiple_of": 8}),
        "pre-split": ((words,), {**extras, "is_split_into_words": True, "truncation": True, "max_length": 64}),
        "pre-split pair": ((words, words[::-1]), {**extras, "is_split_into_words": True, "truncation": True, "max_length": 64}),
        "without special tokens": ((lines,), {"add_special_tokens": False, "truncation": True, "max_length": 64}),
    }
    for name, (texts, options) in cases.items():
        theirs.truncation_side = ours.truncation_side = options.pop("truncation_side", "right")
        wanted, got = theirs(*texts, **options), ours(*texts, **options)
        different = [key for key in wanted.keys() if not same(wanted[key], got[key])]
        fine = list(wanted.keys()) == list(got.keys()) and not different
        report(f"tokenizer, {name}, {len(lines)} lines", "equal" if fine else f"differ in {different or list(got.keys())}", fine)
        if wanted.encodings:
            wrong = 0
            for i in random.Random(1).sample(range(len(wanted.encodings)), 200):
                wrong += not same(wanted.word_ids(i), got.word_ids(i))
                wrong += not same(wanted.sequence_ids(i), got.sequence_ids(i))
                wrong += wanted.tokens(i) != got.tokens(i)
                for at in range(0, 60, 7):
                    wrong += wanted.char_to_token(i, at) != got.char_to_token(i, at)
                    wrong += tuple(wanted.word_to_tokens(i, at) or ()) != tuple(got.word_to_tokens(i, at) or ())
            report(f"alignment, {name}, 200 sequences", f"{wrong} differences", wrong == 0)
    ids = theirs(lines[:2000])["input_ids"]
    fine = all(
        theirs.batch_decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)
        == ours.batch_decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)
        for skip in (True, False)
        for clean in (True, False)
    )
    report("batch_decode, 2000 lines", "equal" if fine else "differs", fine)


def random_model(kind: str, directory: str, vocabulary: int, **config: Any) -> str:
    import torch
    import transformers

    if kind == "BertForQuestionAnswering":
        config.pop("num_labels", None)  # its outputs are two
    torch.manual_seed(7)
    made = getattr(transformers, kind)(
        transformers.BertConfig(
            vocab_size=vocabulary, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512, initializer_range=0.1, **config
        )
    ).eval()
    made.save_pretrained(directory)
    return directory


def compare_models(directory: str, lines: list[str]) -> None:
    import torch
    import transformers

    tokenizer = cloze.AutoTokenizer.from_pretrained(directory)
    batches = [
        tokenizer(lines[:24], padding=True, truncation=True, max_length=64, return_tensors="pt"),
        tokenizer(lines[24:40], lines[40:56], padding=True, truncation=True, max_length=48, padding_side="left", return_tensors="pt"),
    ]
    heads = ["BertModel", "BertForMaskedLM", "BertForNextSentencePrediction", "BertForPreTraining", "BertForSequenceClassification", "BertForTokenClassification", "BertForQuestionAnswering", "BertForMultipleChoice"]
    for kind in heads:
        with tempfile.TemporaryDirectory() as place:
            random_model(kind, place, len(tokenizer), num_labels=5)
            theirs = getattr(transformers, kind).from_pretrained(place, attn_implementation="eager").eval()
            ours = getattr(cloze, kind).from_pretrained(place)
            worst_state = worst_logit = 0.0
            for batch in batches:
                inputs = dict(batch)
                if kind == "BertForMultipleChoice":
                    inputs = {k: v.reshape(-1, 4, v.shape[-1]) for k, v in inputs.items()}
                with torch.no_grad():
                    wanted = theirs(**inputs, output_hidden_states=True, output_attentions=True)
                got = ours(**inputs, output_hidden_states=True, output_attentions=True)
                named = [key for key in wanted.keys() if key != "cross_attentions"]  # an encoder's are empty
                assert named == list(got.keys()), (named, list(got.keys()))
                mask = inputs["attention_mask"].reshape(-1, inputs["attention_mask"].shape[-1]).bool()
                left = bool((mask[:, 0] == 0).any())
                for key in named:
                    values = zip(wanted[key], got[key]) if isinstance(wanted[key], tuple) else [(wanted[key], got[key])]
                    for x, y in values:
                        assert x.shape == y.shape and isinstance(y, torch.Tensor), (key, x.shape, y.shape)
                        if key == "attentions":
                            keep = (mask[:, None, :, None] & mask[:, None, None, :]).expand_as(x)
                            x, y = x[keep], y[keep]
                        elif x.shape[:2] == mask.shape:
                            x, y = x[mask], y[mask]
                        elif left:
                            continue  # heads on [CLS] read column 0, which is padding, in transformers
                        gap = float((x - y).abs().max())
                        if key in ("last_hidden_state", "hidden_states", "pooler_output", "attentions"):
                            worst_state = max(worst_state, gap)
                        else:
                            worst_logit = max(worst_logit, gap)
            report(f"{kind}, states and attentions, largest difference", f"{worst_state:.1e}", worst_state <= 2e-5)
            if kind != "BertModel":
                report(f"{kind}, logits, largest difference", f"{worst_logit:.1e}", worst_logit <= 1e-4)
    compare_losses(directory, lines)


def compare_losses(directory: str, lines: list[str]) -> None:
    import torch
    import transformers

    tokenizer = cloze.AutoTokenizer.from_pretrained(directory)
    # All of one length: transformers gives padding a share of an answer's probability.
    even = [line for line in lines if len(line.split()) > 12][:8]
    batch = tokenizer(even, truncation=True, max_length=12, return_tensors="pt")
    length = batch["input_ids"].shape[1]
    tokens = torch.where(batch["attention_mask"].bool(), batch["input_ids"], torch.tensor(-100))
    labels = {
        "BertForMaskedLM": {"labels": tokens},
        "BertForNextSentencePrediction": {"labels": torch.tensor([0, 1] * 4)},
        "BertForPreTraining": {"labels": tokens, "next_sentence_label": torch.tensor([0, 1] * 4)},
        "BertForSequenceClassification": {"labels": torch.tensor([0, 1, 2, 3] * 2)},
        "BertForTokenClassification": {"labels": torch.where(tokens >= 0, tokens % 5, tokens)},
        "BertForQuestionAnswering": {"start_positions": torch.arange(8) % length, "end_positions": torch.arange(8) % length},
    }
    for kind, given in labels.items():
        with tempfile.TemporaryDirectory() as place:
            random_model(kind, place, len(tokenizer), num_labels=5)
            with torch.no_grad():
                wanted = getattr(transformers, kind).from_pretrained(place).eval()(**batch, **given).loss
            got = getattr(cloze, kind).from_pretrained(place)(**batch, **given).loss
            gap = abs(float(wanted) - float(got))
            report(f"{kind}, loss, difference", f"{gap:.1e}", gap <= 1e-4)


def close(a: Any, b: Any, path: str = "") -> str:
    """Where two results of pipelines differ; empty where they do not (scores within 1e-5)."""
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return f"{path}: {list(a)} / {list(b)}"
        return next((found for key in a if (found := close(a[key], b[key], f"{path}.{key}"))), "")
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return f"{path}: {len(a)} / {len(b)} items"
        return next((found for i, (x, y) in enumerate(zip(a, b)) if (found := close(x, y, f"{path}[{i}]"))), "")
    if isinstance(a, float) or hasattr(a, "dtype"):
        return "" if abs(float(a) - float(b)) <= 1e-5 else f"{path}: {a} / {b}"
    return "" if a == b and isinstance(b, type(a)) else f"{path}: {a!r} / {b!r}"


def compare_pipelines(directory: str, lines: list[str]) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    texts = [line for line in lines if "[MASK]" not in line and "[SEP]" not in line and len(line) < 200][:40]
    masked = [text + " [MASK] ok" for text in texts[:8]]
    tags = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
    labels = {0: "contradiction", 1: "neutral", 2: "entailment"}
    cases: list[tuple[str, str, dict[str, Any], list[tuple[tuple[Any, ...], dict[str, Any]]]]] = [
        (
            "text-classification", "BertForSequenceClassification", {"num_labels": 4},
            [((texts[0],), {}), ((texts,), {}), ((texts[0],), {"top_k": 2}), ((texts[0],), {"top_k": None}), ((texts[:5],), {"top_k": None}), ((texts[:5],), {"top_k": 1}), (({"text": texts[0], "text_pair": texts[1]},), {}), ((texts[:3],), {"function_to_apply": "sigmoid"}), ((texts[:3],), {"function_to_apply": "none"})],
        ),
        (
            "token-classification", "BertForTokenClassification", {"id2label": tags, "label2id": {v: k for k, v in tags.items()}},
            [((text,), {"aggregation_strategy": strategy}) for strategy in ("none", "simple", "first", "max", "average") for text in (texts[0], texts[:10])] + [((texts[3],), {"ignore_labels": []})],
        ),
        ("fill-mask", "BertForMaskedLM", {}, [((masked[0],), {}), ((masked,), {}), ((masked[0],), {"top_k": 2}), (("a [MASK] b [MASK]",), {}), ((["a [MASK] b [MASK]"],), {}), ((masked[:1],), {}), ((masked[0],), {"targets": ["good", "bad"]})]),
        ("feature-extraction", "BertModel", {}, [((texts[0],), {}), ((texts[:3],), {})]),
        (
            "zero-shot-classification", "BertForSequenceClassification", {"id2label": labels, "label2id": {v: k for k, v in labels.items()}},
            [((texts[0], ["sport", "politics", "art"]), {}), ((texts[:3], ["sport", "politics"]), {}), ((texts[0], "a, b"), {"multi_label": True}), ((texts[0], ["one"]), {"hypothesis_template": "It is {}."})],
        ),
    ]
    for task, kind, config, calls in cases:
        with tempfile.TemporaryDirectory() as place:
            random_model(kind, place, len(tokenizer), **config)
            tokenizer.save_pretrained(place)
            theirs, ours = transformers.pipeline(task, place), cloze.pipeline(task, place)
            wrong = []
            for args, options in calls:
                got = ours(*args, **options)
                json.dumps(got)
                found = close(theirs(*args, **options), got)
                if found:
                    wrong.append(f"{str(options)}{'' if isinstance(args[0], str) else ' list'}: {found}")
            report(f"pipeline {task}, {len(calls)} kinds of call", "equal" if not wrong else wrong[:4], not wrong)


def compare_sentences(directory: str, lines: list[str]) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    theirs, ours = SentenceTransformer(directory, device="cpu"), cloze.SentenceTransformer(directory)
    some = lines[:1000]
    wanted, got = theirs.encode(some, batch_size=64), ours.encode(some)
    cosines = (wanted * got).sum(axis=1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(got, axis=1)
    report(f"encode, least cosine, {len(some)} lines", f"{cosines.min():.7f}", bool(cosines.min() >= 0.99999))
    shapes = [
        ({"inputs": some[0]}, "str"), ({"inputs": some[:3]}, "list"), ({"inputs": some[:3], "convert_to_tensor": True}, "tensor"),
        ({"inputs": []}, "empty"), ({"inputs": some[:3], "truncate_dim": 64}, "truncated"), ({"inputs": some[:3], "normalize_embeddings": True}, "normalized"),
        *(({"inputs": some[:120], "precision": precision}, precision) for precision in ("int8", "uint8", "binary", "ubinary")),
    ]
    for options, name in shapes:
        inputs = options.pop("inputs")
        a, b = theirs.encode(inputs, **options), ours.encode(inputs, **options)
        fine = type(a) is type(b) and tuple(a.shape) == tuple(b.shape) and a.dtype == b.dtype
        if fine and a.dtype in (np.int8, np.uint8) and name in ("int8", "uint8"):
            fine = bool((np.abs(a.astype(int) - b.astype(int)) <= 1).all())
        report(f"encode, {name}", f"{type(b).__name__} {list(b.shape)} {b.dtype}", fine)
    x, y = torch.tensor(wanted[:50]), torch.tensor(wanted[50:90])
    for name in ("cosine", "dot", "euclidean", "manhattan"):
        theirs.similarity_fn_name = ours.similarity_fn_name = name
        gap = float((theirs.similarity(x, y) - ours.similarity(x, y)).abs().max())
        pair = float((theirs.similarity_pairwise(x[:40], y) - ours.similarity_pairwise(x[:40], y)).abs().max())
        report(f"similarity {name}, largest difference", f"{max(gap, pair):.1e}", max(gap, pair) < 1e-4)


def compare_cross_encoder(directory: str, lines: list[str]) -> None:
    import transformers
    from sentence_transformers import CrossEncoder

    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    for labels in (1, 3):
        with tempfile.TemporaryDirectory() as place:
            random_model("BertForSequenceClassification", place, len(tokenizer), num_labels=labels)
            tokenizer.save_pretrained(place)
            theirs, ours = CrossEncoder(place, device="cpu"), cloze.CrossEncoder(place)
            pairs = list(zip(lines[:60], lines[60:120]))
            a, b = theirs.predict(pairs), ours.predict(pairs)
            gap = float(np.abs(a - b).max())
            fine = a.shape == b.shape and a.dtype == b.dtype and gap <= 1e-5
            report(f"CrossEncoder, {labels} labels, largest difference", f"{gap:.1e} {list(b.shape)}", fine)
            if labels == 1:
                ranked = [hit["corpus_id"] for hit in theirs.rank(lines[0], lines[1:30])]
                report("CrossEncoder.rank", "equal order", ranked == [hit["corpus_id"] for hit in ours.rank(lines[0], lines[1:30])])


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def fresh(code: str, python: str = sys.executable) -> tuple[float, float, str]:
    """Wall seconds and peak MB of a process of its own, and what it printed."""
    script = f"{code}\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    start = time.perf_counter()
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=300)
    taken = time.perf_counter() - start
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise RuntimeError(done.stderr[-2000:])
    return taken, int(lines[-1]) / 1024, "\n".join(lines[:-1])


# all-MiniLM-L6-v2 with ONNX Runtime and tokenizers alone, as its users write it.
WITH_ONNX = """
import numpy as np, onnxruntime, tokenizers
tokenizer = tokenizers.Tokenizer.from_file({place!r} + "/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(256)
session = onnxruntime.InferenceSession({place!r} + "/model.onnx", providers=["CPUExecutionProvider"])
one = tokenizer.encode("a happy dog")
inputs = dict(input_ids=one.ids, attention_mask=one.attention_mask, token_type_ids=one.type_ids)
states = session.run(None, {{name: np.array([ids], np.int64) for name, ids in inputs.items()}})[0]
vector = states[0].mean(axis=0)
print(*(vector / np.linalg.norm(vector))[:4])
"""
WITH_FASTEMBED = """
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
name = "compare/minilm"
TextEmbedding.add_custom_model(name, pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(url="http://none"), dim=384,
                               model_file="model.onnx")
print(*next(iter(TextEmbedding(name, specific_model_path={place!r}).embed(["a happy dog"])))[:4])
"""


def measure_peers(directory: str, python: str) -> None:
    """ONNX Runtime and fastembed in `python`, with the same model, exported."""
    wanted = cloze.SentenceTransformer(directory).encode("a happy dog")[:4]
    with tempfile.TemporaryDirectory() as place:
        cloze.export_onnx(directory, os.path.join(place, "model.onnx"))
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(os.path.join(directory, name), place)
        with open(os.path.join(place, "special_tokens_map.json"), "w", encoding="utf-8") as file:
            json.dump(cloze.BertTokenizer.from_pretrained(directory).special_tokens_map, file)
        for name, code in (("ONNX Runtime and tokenizers", WITH_ONNX), ("fastembed", WITH_FASTEMBED)):
            try:
                runs = [fresh(code.format(place=place), python) for _ in range(5)]
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"skipped: {name}: {str(error).strip().splitlines()[-1]}")
                continue
            best = min(runs, key=lambda run: run[0])
            gap = float(np.abs(np.array(best[2].split(), dtype=float) - wanted).max())
            report(f"start of process to first vector, {name}, s", round(best[0], 2))
            report(f"start of process to first vector, {name}, MB", round(best[1]))
            report(f"first vector, {name}, largest difference", f"{gap:.1e}", gap <= 1e-4)


def measure_start(directory: str, peers: str) -> None:
    numpy_alone = min(fresh("import numpy")[0] for _ in range(5))
    with_cloze = min(fresh("import numpy, cloze, sys; assert 'torch' not in sys.modules")[0] for _ in range(5))
    report("import cloze beyond numpy, ms", round(1000 * (with_cloze - numpy_alone), 1), with_cloze - numpy_alone <= 0.05)
    one = f"from cloze import SentenceTransformer\nSentenceTransformer({directory!r}).encode('a happy dog')"
    runs = sorted((fresh(one) for _ in range(10)), key=lambda run: run[0])
    best = runs[0]
    report("start of process to first vector, cloze, s", round(best[0], 3), best[0] <= 0.25)
    report("start of process to first vector, cloze, median of ten, s", round(statistics.median(run[0] for run in runs), 3))
    report("start of process to first vector, cloze, MB", round(best[1]), best[1] <= 200)
    theirs = f"from sentence_transformers import SentenceTransformer\nSentenceTransformer({directory!r}, device='cpu').encode('a happy dog')"
    taken, memory, _ = fresh(theirs)
    report("start of process to first vector, sentence-transformers, s", round(taken, 2))
    report("start of process to first vector, sentence-transformers, MB", round(memory))
    if peers:
        measure_peers(directory, peers)


def measure_encode(directory: str, lines: list[str], command: str) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoTokenizer

    ours = cloze.SentenceTransformer(directory)
    ours.encode(lines[:64])
    own = seconds(lambda: ours.encode(lines))
    report(f"encode, {len(lines)} lines, cloze in Python, lines/s", round(len(lines) / own))
    if command:
        # The command reads and writes files; what it takes to start and load is measured and left out.
        def run(texts: list[str], name: str) -> float:
            with tempfile.TemporaryDirectory() as place:
                path = os.path.join(place, "lines.txt")
                with open(path, "w", encoding="utf-8") as file:
                    file.write("\n".join(" ".join(text.split()) for text in texts) + "\n")
                call = [command, "encode", "--model", directory, "--input", path, "--output", os.path.join(place, name), "--truncate"]
                return seconds(lambda: subprocess.run(call, check=True, capture_output=True), 3)

        rate = len(lines) / (run(lines, "all.npy") - run(lines[:1], "one.npy"))
        own = min(own, seconds(lambda: ours.encode(lines)))
        share = len(lines) / own / rate
        report(f"encode, {len(lines)} lines, cloze encode, lines/s", round(rate))
        report("encode, Python's share of the command's rate", round(share, 3), share >= 0.97)
    theirs = SentenceTransformer(directory, device="cpu")
    other = seconds(lambda: theirs.encode(lines), 1)
    report(f"encode, {len(lines)} lines, sentence-transformers, lines/s", round(len(lines) / other))
    report("encode, ratio to sentence-transformers", round(other / own, 2), other / own >= 3)
    fast, slow = cloze.BertTokenizer.from_pretrained(directory), AutoTokenizer.from_pretrained(directory)
    for offsets in (False, True):
        a, b = (seconds(lambda t=t: t(lines, return_offsets_mapping=offsets)) for t in (fast, slow))
        report(f"tokenize, {len(lines)} lines, offsets {offsets}, cloze and transformers, lines/s", [round(len(lines) / a), round(len(lines) / b)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="all-MiniLM-L6-v2's directory")
    parser.add_argument("--lines", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--command", default="", help="the binary cloze, to compare the rate of encode with")
    parser.add_argument("--peers", default="", help="a Python that has onnxruntime, tokenizers and fastembed, to start beside")
    parser.add_argument("--only", default="tokenizer,models,pipelines,sentences,cross,start,encode")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the end")
    options = parser.parse_args()
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = cloze.BertTokenizer.from_pretrained(options.model)
    words = [token for token in tokenizer.get_vocab() if token.isalpha() and token.isascii() and len(token) > 1]
    lines = random_lines(options.lines, options.seed, sorted(words))
    parts = {
        "tokenizer": lambda: compare_tokenizer(options.model, lines),
        "models": lambda: compare_models(options.model, lines),
        "pipelines": lambda: compare_pipelines(options.model, lines),
        "sentences": lambda: compare_sentences(options.model, lines),
        "cross": lambda: compare_cross_encoder(options.model, lines),
        "start": lambda: measure_start(options.model, options.peers),
        "encode": lambda: measure_encode(options.model, lines, options.command),
    }
    for name in options.only.split(","):
        parts[name]()
    if options.json:
        print(json.dumps(figures))
    print(f"{len(figures)} figures, {len(failures)} not as they should be" + "".join(f"\n  {name}" for name in failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
