#!/usr/bin/env python3
"""Races Hugging Face tokenizers and Cloze at a Unigram tokenizer: the same tokenizer.json, the same lines, one thread
each, one after another in every round, so that a drift of the machine's speed touches both alike. Prints medians and
ratios, and the share of lines whose ids are Hugging Face's.

    bench/compare_unigram.py --cloze build/release/cloze --model multilingual-e5-small --input wikitext2.valid.txt ..

Needs tokenizers. Hugging Face is timed by the processor's clock (it is one thread) with --processor-time, for a busy
machine; Cloze's figures are medians of short passes by the wall clock all the same, so that its ratios are then too low.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze", help="the cloze binary")
    parser.add_argument("--model", required=True, type=Path, help="a directory with tokenizer.json")
    parser.add_argument("--input", required=True, type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true")
    args = parser.parse_args()
    clock = time.process_time if args.processor_time else time.perf_counter
    hf = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    hf.no_truncation()
    hf.no_padding()
    for path in args.input:
        lines = [line for line in path.read_bytes().decode("utf-8", errors="replace").split("\n") if line]
        megabytes = sum(len(line.encode()) for line in lines) / 1e6
        runners = {"Hugging Face, offsets": lambda: [e.ids for e in hf.encode_batch(lines)],
                   "Hugging Face, ids": lambda: [e.ids for e in hf.encode_batch_fast(lines)]}
        results: dict[str, list[float]] = {}
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "tokenizer.json").write_bytes((args.model / "tokenizer.json").read_bytes())
            Path(folder, "input.txt").write_text("\n".join(lines) + "\n")
            ours = subprocess.run([args.cloze, "tokenize", "--model", folder, "--json", "--single", "--input", folder + "/input.txt"],
                                  stdout=subprocess.PIPE, check=True).stdout
            reference = runners["Hugging Face, offsets"]()
            same = sum(json.loads(line)["ids"] == ids for line, ids in zip(ours.splitlines(), reference))
            for _ in range(args.rounds):
                for name, run in runners.items():
                    begin = clock()
                    run()
                    results.setdefault(name, []).append(megabytes / (clock() - begin))
                bench = json.loads(subprocess.run(
                    [args.cloze, "bench", "tokenize", "--model", folder, "--input", folder + "/input.txt", "--json", "--iterations", "9"],
                    stdout=subprocess.PIPE, check=True).stdout)
                results.setdefault("Cloze, packed ids", []).append(bench["mb_per_s"])
                results.setdefault("Cloze, packed ids, offsets and word ids", []).append(bench["offsets"]["mb_per_s"])
                results.setdefault("Cloze, `Encoding` with everything", []).append(bench["encodings"]["mb_per_s"])
        median = {name: statistics.median(speeds) for name, speeds in results.items()}
        base = median["Hugging Face, offsets"]
        print(f"{path.name}: {len(lines)} lines, {megabytes:.2f} MB, {same} identical, median of {args.rounds} rounds\n")
        print("| one thread | MB/s | × Hugging Face with offsets |\n|---|---|---|")
        for name, speed in median.items():
            print(f"| {name} | {speed:.1f} | {speed / base:.1f} |")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
