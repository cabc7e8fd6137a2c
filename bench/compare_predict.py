#!/usr/bin/env python3
"""Work on many lines: how fast `cloze encode`, `classify` and `tag` are beside the encoder alone, and how much memory
they take.

    python3 bench/compare_predict.py --data DIR [--cloze build/release/cloze] [--model all-MiniLM-L6-v2]
        [--commands encode classify tag] [--lines 10000 100000] [--dtype bf16] [--threads 2]

DIR has sst2.train.tsv (a sentence, a tab, a label): its sentences, drawn over and over, are the lines. `encode`
writes an .npy file of sentence vectors. The classifier and the tagger are the model with heads that have been trained for one step on examples/data: speed does not depend on
what they have learnt. A command's rate is the lines' tokens over the time of the whole process, its start and its
output included; the encoder's is `cloze bench encode --lengths` on the same sentences, before and after it.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time

from machine import print_machine

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples" / "data"
TASKS = {
    "classify": ("text-classification", "sentiment", "tsv"),
    "tag": ("token-classification", "entities", "conll"),
}


def run(command, **streams):
    """Seconds, MiB at most, and what it wrote to standard output, if that is a pipe."""
    begin = time.monotonic()
    process = subprocess.Popen(command, **streams)
    out = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    if status:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return seconds, usage.ru_maxrss / 1024, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--commands", nargs="+", choices=["encode", *TASKS], default=["encode", *TASKS])
    parser.add_argument("--lines", nargs="+", type=int, default=[10000, 100000])
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    print_machine(o.cloze, o.threads)

    sentences = [line.rsplit("\t", 1)[0] for line in (o.data / "sst2.train.tsv").read_text().splitlines()]
    chosen = random.Random(o.seed).choices(sentences, k=max(o.lines))
    common = ["--dtype", o.dtype, "--threads", o.threads]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = {n: folder / f"{n}.txt" for n in [*o.lines, 2000]}
        for count, file in files.items():
            file.write_text("".join(line + "\n" for line in chosen[:count]))
        models = {"encode": o.model}
        for command in set(o.commands) & set(TASKS):
            task, name, ending = TASKS[command]
            models[command] = folder / command
            files_of = [f"--{part}={EXAMPLES / name}.{part}.{ending}" for part in ("train", "dev")]
            run([o.cloze, "finetune", "--task", task, "--model", o.model, *files_of, "--steps", "1", "--batch-size", "8",
                 "--output", models[command]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

        def tokens_of(file):
            ids = run([o.cloze, "tokenize", "--model", o.model, "--single", "--json", "--input", file], stdout=subprocess.PIPE)[2]
            return sum(len(json.loads(line)["ids"]) for line in ids.splitlines())

        def encoder():
            out = run([o.cloze, "bench", "encode", "--model", o.model, "--lengths", files[2000], "--warmup", "1",
                       "--iterations", "3", "--json", *common], stdout=subprocess.PIPE)[2]  # fmt: skip
            return json.loads(out)["tokens_per_s"]

        print(f"{'command':10} {'lines':>8} {'tokens':>10} {'seconds':>8} {'tokens/s':>9} {'encoder':>9} {'share':>6} {'MiB':>6}")
        for command in o.commands:
            for count in o.lines:
                tokens = tokens_of(files[count])
                before = encoder()
                command_line = [o.cloze, command, "--model", models[command], "--input", files[count], *common]
                if command == "encode":
                    seconds, memory, _ = run([*command_line, "--output", folder / "out.npy"])
                    with open(folder / "out.npy", "rb") as out:
                        written = int(re.search(rb"'shape': \((\d+)", out.read(128)).group(1))
                else:
                    with open(folder / "out.jsonl", "wb") as out:
                        seconds, memory, _ = run([*command_line, "--json"], stdout=out)
                    with open(folder / "out.jsonl", "rb") as out:
                        written = sum(1 for _ in out)
                alone = (before + encoder()) / 2
                if written != count:
                    raise SystemExit(f"{command} wrote {written} lines for {count}")
                rate = tokens / seconds
                print(f"{command:10} {count:8,} {tokens:10,} {seconds:8.1f} {rate:9,.0f} {alone:9,.0f} {rate / alone:6.1%} {memory:6.0f}",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
