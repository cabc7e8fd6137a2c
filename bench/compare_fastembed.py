#!/usr/bin/env python3
"""Races fastembed, ONNX Runtime and Cloze at sentence vectors: the same model, the same sentences, the
same threads. First the values are compared, then the rates (each contender one process that keeps its
model; one after another in every round), then the time from the start of a process to its first vector.

    bench/compare_fastembed.py --model DIRECTORY --cloze build/release/cloze --python build/python/venv/bin/python

DIRECTORY is all-MiniLM-L6-v2 (scripts/fetch-model prints it), or another sentence-transformers model
of mean pooling and normalization. This script's Python has, from PyPI, fastembed, onnxruntime and
tokenizers; `--python` has the package cloze (make python). The peers read what `cloze export` writes
from the model, so that nothing is downloaded.

fastembed runs twice: with its own batches of 256, and with batches of 32, both in the order that the
sentences come in. ONNX Runtime gets what a careful user writes: sentences sorted by length, batches of
32. All pad a batch to its longest, Cloze nothing. Ends with 1 where vectors differ by more than they may.
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
from pathlib import Path

LEAST_COSINE = {"f32": 0.9999, "bf16": 0.999}
# Words a sentence: the lengths of bench/compare_encode.py's uneven case, less [CLS] and [SEP].
WORDS = [126, 62, 56, 48, 42, 38, 35, 32, 30, 28, 26, 24, 23, 22, 20, 19,
         18, 17, 16, 15, 14, 13, 13, 12, 11, 11, 10, 9, 8, 7, 7, 11]
FIRST = "a happy dog"


class Cloze:
    """The package cloze, whose texts of like length are computed together."""

    def __init__(self, place: str, threads: int, dtype: str):
        import cloze

        self.model = cloze.SentenceTransformer(place, dtype=dtype)

    def encode(self, lines: list[str]):
        return self.model.encode(lines)


class FastEmbed:
    def __init__(self, place: str, threads: int, batch: str):
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        TextEmbedding.add_custom_model("compare/model", pooling=PoolingType.MEAN, normalization=True,
                                       sources=ModelSource(url="http://none"), dim=width(place), model_file="model.onnx")
        self.model = TextEmbedding("compare/model", specific_model_path=place, threads=threads)
        self.batch = int(batch)

    def encode(self, lines: list[str]):
        import numpy as np

        return np.array(list(self.model.embed(lines, batch_size=self.batch)))


class OnnxRuntime:
    def __init__(self, place: str, threads: int, batch: str):
        import onnxruntime
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(f"{place}/tokenizer.json")
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(f"{place}/model.onnx", options, providers=["CPUExecutionProvider"])
        self.batch = int(batch)

    def encode(self, lines: list[str]):
        import numpy as np

        order = sorted(range(len(lines)), key=lambda i: -len(lines[i]))
        vectors = None
        for begin in range(0, len(order), self.batch):
            chosen = order[begin:begin + self.batch]
            texts = self.tokenizer.encode_batch([lines[i] for i in chosen])
            mask = np.array([text.attention_mask for text in texts], np.int64)
            states = self.session.run(None, {
                "input_ids": np.array([text.ids for text in texts], np.int64), "attention_mask": mask,
                "token_type_ids": np.array([text.type_ids for text in texts], np.int64)})[0]
            weights = mask[:, :, None].astype(np.float32)
            means = (states * weights).sum(axis=1) / weights.sum(axis=1)
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            if vectors is None:
                vectors = np.empty((len(lines), means.shape[1]), np.float32)
            vectors[chosen] = means
        return vectors


KINDS = {"cloze": Cloze, "fastembed": FastEmbed, "onnxruntime": OnnxRuntime}
# Name, kind, its setting, dtype. The first is what the others are held against.
CONTENDERS = [
    ("Cloze f32", "cloze", "float32", "f32"),
    ("Cloze bf16", "cloze", "bfloat16", "bf16"),
    ("fastembed, batches of 256", "fastembed", "256", "f32"),
    ("fastembed, batches of 32", "fastembed", "32", "f32"),
    ("ONNX Runtime, sorted", "onnxruntime", "32", "f32"),
]


def width(place: str) -> int:
    return json.loads((Path(place) / "config.json").read_text())["hidden_size"]


def work(kind: str, setting: str, place: str, threads: int) -> None:
    """A contender's process: reads the file of lines and for each name on its input encodes once, saying how long
    that took; what follows the name is where the vectors go. With no lines, one vector and its peak memory."""
    model = KINDS[kind](place, threads, setting)
    request = sys.stdin.readline().split()
    if not request:
        import resource

        model.encode([FIRST])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        return
    lines = Path(request[0]).read_text(encoding="utf-8").splitlines()
    model.encode(lines[:64])
    print("ready", flush=True)
    for where in sys.stdin:
        start = time.perf_counter()
        vectors = model.encode(lines)
        print(time.perf_counter() - start, flush=True)
        if where.strip():
            import numpy as np

            np.save(where.strip(), vectors)
            print("saved", flush=True)


class Process:
    """A contender, running."""

    def __init__(self, python: str, kind: str, setting: str, place: str, threads: int, lines: str):
        environment = {**os.environ, "CLOZE_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen([python, __file__, "--work", kind, setting, place, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if lines:
            self.ask(lines)

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        answer = self.process.stdout.readline().strip()
        if not answer:
            self.end()
            raise RuntimeError(f"it ended with {self.process.returncode}; its errors are above")
        return answer

    def end(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)


def first_vector(*of) -> tuple[float, float]:
    """Seconds from a process's start to its end after one vector, and its peak memory in MB."""
    start = time.perf_counter()
    process = Process(*of, "")
    memory = float(process.ask(""))
    process.end()
    return time.perf_counter() - start, memory


def sentences(model: Path, count: int) -> list[str]:
    """Sentences of the model's own whole words, the same every time."""
    vocabulary = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2)
    draw = random.Random(20)
    return [" ".join(draw.choices(words, k=draw.choice(WORDS))) for _ in range(count)]


def export(cloze: str, model: Path, place: Path) -> None:
    """The model as fastembed wants it: ONNX without the pooling, which it does itself."""
    subprocess.run([cloze, "export", str(model), str(place / "model.onnx"), "--task", "feature-extraction"],
                   check=True, stdout=subprocess.DEVNULL)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / name, place)
    tokens = json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {name: token["content"] if isinstance(token, dict) else token
               for name, token in tokens.items() if name.endswith("_token") and token}
    (place / "special_tokens_map.json").write_text(json.dumps(special))


def least_cosine(a, b) -> float:
    import numpy as np

    return float(((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))).min())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="all-MiniLM-L6-v2's directory")
    parser.add_argument("--cloze", default="build/release/cloze", help="the cloze binary")
    parser.add_argument("--python", default="build/python/venv/bin/python", help="a Python that has the package cloze")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=1000, help="sentences of a round")
    parser.add_argument("--starts", type=int, default=5, help="processes whose first vector is waited for")
    parser.add_argument("--input", type=Path, help="sentences of your own, one a line, for the made ones")
    parser.add_argument("--json", help="also write every time to this file")
    options = parser.parse_args()

    import fastembed
    import numpy as np
    import onnxruntime

    from machine import print_machine

    print_machine(options.cloze, options.threads)
    print(f"fastembed {fastembed.__version__}, onnxruntime {onnxruntime.__version__}, {options.threads} threads")
    wrong = False
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "onnx"
        place.mkdir()
        export(options.cloze, options.model, place)
        lines = (options.input.read_text(encoding="utf-8").splitlines() if options.input
                 else sentences(options.model, options.lines))
        lines = [line for line in lines if line.strip()]
        text = Path(scratch) / "lines.txt"
        text.write_text("\n".join(lines) + "\n", encoding="utf-8")

        def command(kind: str, setting: str) -> tuple[str, str, str, str, int]:
            mine = kind == "cloze"
            return (options.python if mine else sys.executable, kind, setting,
                    str(options.model if mine else place), options.threads)

        running = {name: Process(*command(kind, setting), str(text)) for name, kind, setting, _ in CONTENDERS}
        wanted = None
        print(f"\nvectors of {len(lines)} sentences; least cosine to those of {CONTENDERS[0][0]}")
        for name, _, _, dtype in CONTENDERS:
            file = Path(scratch) / "vectors.npy"
            running[name].ask(str(file))
            running[name].answer()
            vectors = np.load(file).astype(np.float64)
            wanted = vectors if wanted is None else wanted
            cosine = least_cosine(vectors, wanted)
            fine = vectors.shape == wanted.shape and cosine >= LEAST_COSINE[dtype]
            wrong = wrong or not fine
            print(f"{'ok  ' if fine else 'FAIL'} {name:<28}{cosine:.7f}", flush=True)

        times: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(options.rounds):
            for name, process in running.items():
                times[name].append(float(process.ask("")))
                time.sleep(0.05)  # let its spinning threads go to sleep before the next
        for process in running.values():
            process.end()
        starts: dict[str, list[tuple[float, float]]] = {name: [] for name in running}
        for _ in range(options.starts):
            for name, kind, setting, _ in CONTENDERS:
                starts[name].append(first_vector(*command(kind, setting)))

    print("\n| | sentences/s | Cloze f32, times as fast | Cloze bf16, times as fast | start to first vector, least and median | memory |")
    print("|---|---|---|---|---|---|")
    for name, values in times.items():
        # Ratios of the same round, so that both saw the machine in the same state.
        ratios = [statistics.median(a / b for a, b in zip(values, times[ours])) for ours in ("Cloze f32", "Cloze bf16")]
        taken = sorted(seconds for seconds, _ in starts[name])
        print(f"| {name} | {len(lines) / statistics.median(values):.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} "
              f"| {taken[0]:.2f} s, {statistics.median(taken):.2f} s | {max(memory for _, memory in starts[name]):.0f} MB |")
    if options.json:
        Path(options.json).write_text(json.dumps({"seconds": times, "starts": starts}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:5], int(sys.argv[5]))
    else:
        sys.exit(main())
