#!/usr/bin/env python3
"""Races `cloze vocab` and Hugging Face's WordPiece trainer on the same text in the same rounds: time, memory at its
highest, and how many pieces a word of held-out text is cut into by each one's vocabulary.

    bench/compare_vocabulary.py --cloze build/release/cloze --text train.txt --held-out held.txt [--size 30000]
                                [--cased] [--threads 2] [--rounds 3]

Needs (from PyPI): tokenizers. bench/plain_text.py makes text. Exits 1 when a bar is missed: memory over 1 GB,
slower than Hugging Face, or over 1 % more pieces a word.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PEER = """
import json, sys
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
files, output, size, lower, frequency = json.loads(sys.argv[1])
hf = Tokenizer(models.WordPiece(unk_token="[UNK]"))
hf.normalizer = normalizers.BertNormalizer(lowercase=lower)
hf.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
hf.train(files, trainers.WordPieceTrainer(
    vocab_size=size, min_frequency=frequency, limit_alphabet=1000, show_progress=False,
    special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
tokens = sorted(hf.get_vocab(), key=hf.get_vocab().get)
open(output, "w").write("".join(token + "\\n" for token in tokens))
"""


def run(command, environment):
    """(seconds of the clock, seconds of the processor, MB at most)"""
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3


def pieces_per_word(vocab_file, texts, lower):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocab = {line[:-1]: i for i, line in enumerate(open(vocab_file, encoding="utf-8", newline="\n"))}
    hf = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    hf.normalizer = normalizers.BertNormalizer(lowercase=lower)
    hf.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    figures = {}
    for text in texts:
        pieces = words = unknown = 0
        for encoding in hf.encode_batch(text.read_text(encoding="utf-8", errors="replace").split("\n")):
            pieces += len(encoding.ids)
            words += len(set(encoding.word_ids))
            unknown += encoding.ids.count(vocab["[UNK]"])
        figures[text.name] = (pieces / words, unknown / words)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--text", nargs="+", required=True)
    parser.add_argument("--held-out", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--size", type=int, default=30000)
    parser.add_argument("--min-frequency", type=int, default=2)
    parser.add_argument("--cased", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    megabytes = sum(os.path.getsize(name) for name in args.text) / 1e6
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads), "TOKENIZERS_PARALLELISM": "true"}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = folder + "/cloze.txt", folder + "/hf.txt"
        commands = {
            "Cloze": [args.cloze, "vocab", "--text", *args.text, "--size", str(args.size), "--output", ours,
                      "--min-frequency", str(args.min_frequency), "--threads", str(args.threads),
                      *(["--cased"] if args.cased else [])],
            "Hugging Face": [sys.executable, "-c", PEER, json.dumps(
                [args.text, theirs, args.size, not args.cased, args.min_frequency])]}
        figures = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                figures[name].append(run(command, environment))
        median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in figures.items()}
        print(f"{megabytes:.1f} MB of text, {args.size} tokens, {args.threads} threads, median of {args.rounds}\n")
        print("| | s | s of processor time | MB of memory |\n|---|---|---|---|")
        for name, (clock, processor, memory) in median.items():
            print(f"| {name} | {clock:.2f} | {processor:.2f} | {memory:.0f} |")
        tokens = [set(open(name, encoding="utf-8", newline="\n").read().split("\n")[:-1]) for name in (ours, theirs)]
        print(f"\n{len(tokens[0])} and {len(tokens[1])} tokens, {len(tokens[0] - tokens[1])} of them different\n")
        a, b = (pieces_per_word(name, args.held_out, not args.cased) for name in (ours, theirs))
        print("| held out | pieces a word, Cloze | Hugging Face | more | unknown words |\n|---|---|---|---|---|")
        for name in a:
            print(f"| {name} | {a[name][0]:.4f} | {b[name][0]:.4f} | {100 * (a[name][0] / b[name][0] - 1):+.2f} % | "
                  f"{100 * a[name][1]:.3f} %, {100 * b[name][1]:.3f} % |")
    (clock, _, memory), (peer, _, _) = median["Cloze"], median["Hugging Face"]
    missed = memory > 1000 or clock >= peer or any(a[name][0] > 1.01 * b[name][0] for name in a)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
