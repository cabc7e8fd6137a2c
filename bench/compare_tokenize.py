#!/usr/bin/env python3
"""Races Hugging Face tokenizers, flash-tokenizer, BlingFire and Cloze at tokenizing one file: the same
lines, one thread each, one after another in every round, so that a drift of the machine's speed
touches all alike. Prints medians, ratios, and the share of lines whose ids are Hugging Face's.

    bench/compare_tokenize.py --cloze build/release/cloze --vocab vocab.txt --input wikitext2.valid.txt

Needs (from PyPI): tokenizers, and for the peers flash-tokenizer and blingfire; peers that are not
installed are left out, saying so. BlingFire has models for bert-base-uncased, -cased, -chinese and
-multilingual-cased (--blingfire names the file).
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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze", help="the cloze binary")
    parser.add_argument("--vocab", required=True, type=Path)
    parser.add_argument("--input", required=True, type=Path)
    parser.add_argument("--cased", action="store_true")
    parser.add_argument("--blingfire", default="bert_base_tok.bin", help="BlingFire's model of the vocabulary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true",
                        help="time peers by the processor's clock (each is one thread), for a busy machine; "
                             "Cloze's figures are medians of short passes by the wall clock all the same")
    parser.add_argument("--json", help="also write the figures to this file")
    return parser.parse_args()


def hugging_face(vocab_file: Path, lower: bool):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocab = {line.rstrip(): i for i, line in enumerate(open(vocab_file, encoding="utf-8", newline="\n"))}
    hf = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    hf.normalizer = normalizers.BertNormalizer(lowercase=lower)
    hf.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    hf.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    hf.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(t, vocab[t]) for t in ("[CLS]", "[SEP]")])
    return hf


def peers(args, lines):
    """Name → (function that makes the ids of all lines, whether it makes offsets too)."""
    longest = max(map(len, lines)) + 2
    hf = hugging_face(args.vocab, not args.cased)
    found = {"Hugging Face, offsets": lambda: [e.ids for e in hf.encode_batch(lines)],
             "Hugging Face, ids": lambda: [e.ids for e in hf.encode_batch_fast(lines)]}
    try:
        from flash_tokenizer import BertTokenizerFlash

        flash = BertTokenizerFlash(str(args.vocab), do_lower_case=not args.cased).tokenizer
        found["flash-tokenizer, ids"] = lambda: [flash.encode(line, "longest", longest) for line in lines]
    except ImportError:
        print("flash-tokenizer is not installed: left out", file=sys.stderr)
    try:
        import ctypes

        import blingfire

        # BlingFire's own C function, called as its Python package does but without the copies.
        library = blingfire.blingfire if hasattr(blingfire, "blingfire") else None
        model = blingfire.load_model(os.path.join(os.path.dirname(blingfire.__file__), args.blingfire))
        unk = hf.token_to_id("[UNK]")
        raw = [line.encode() for line in lines]
        buffers = (ctypes.c_int32 * longest)()
        if library is None:
            raise ImportError

        def run():
            out = []
            for line in raw:
                n = library.TextToIds(ctypes.c_void_p(model), ctypes.c_char_p(line), ctypes.c_int(len(line)),
                                      ctypes.byref(buffers), ctypes.c_int(longest), ctypes.c_int(unk))
                out.append(buffers[:n])
            return out

        found["BlingFire, ids"] = run
    except ImportError:
        print("BlingFire is not installed: left out", file=sys.stderr)
    return found


def main() -> int:
    args = arguments()
    text = args.input.read_bytes().decode("utf-8", errors="replace")
    lines = [line for line in text.split("\n") if line]
    megabytes = sum(len(line.encode()) for line in lines) / 1e6
    clock = time.process_time if args.processor_time else time.perf_counter
    results: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "vocab.txt").write_bytes(args.vocab.read_bytes())
        Path(folder, "tokenizer_config.json").write_text(json.dumps({"do_lower_case": not args.cased}))
        Path(folder, "input.txt").write_text("\n".join(lines) + "\n")
        runners = peers(args, lines)
        reference = runners["Hugging Face, offsets"]()
        identical = {}
        for name, run in runners.items():
            ids = run()
            plain = "BlingFire" in name  # it adds no [CLS] and [SEP]
            identical[name] = sum(a == (b[1:-1] if plain else b) for a, b in zip(map(list, ids), reference))
        ours = subprocess.run([args.cloze, "tokenize", "--model", folder, "--json", "--single", "--input",
                               folder + "/input.txt"], stdout=subprocess.PIPE, check=True).stdout
        cloze_ids = [json.loads(line)["ids"] for line in ours.splitlines()]
        for name in ("ids", "offsets", "encodings", "one_core", "all_cores"):
            identical["Cloze, " + name] = sum(map(list.__eq__, cloze_ids, reference))
        for _ in range(args.rounds):
            for name, run in runners.items():
                begin = clock()
                run()
                results.setdefault(name, []).append(megabytes / (clock() - begin))
            bench = json.loads(subprocess.run(
                [args.cloze, "bench", "tokenize", "--model", folder, "--input", folder + "/input.txt", "--json",
                 "--iterations", "9"], stdout=subprocess.PIPE, check=True,
                env={k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}).stdout)
            results.setdefault("Cloze, ids", []).append(bench["mb_per_s"])
            results.setdefault("memory copy", []).append(bench["memory_mb_per_s"])
            for name in ("offsets", "encodings", "one_core", "all_cores"):
                results.setdefault("Cloze, " + name, []).append(bench[name]["mb_per_s"])
    median = {name: statistics.median(times) for name, times in results.items()}
    base = median["Hugging Face, offsets"]
    print(f"{args.input.name}: {len(lines)} lines, {megabytes:.2f} MB, median of {args.rounds} rounds\n")
    print("| | MB/s | × Hugging Face | identical lines |\n|---|---|---|---|")
    for name, speed in median.items():
        share = f"{identical[name]} of {len(lines)}" if name in identical else ""
        print(f"| {name} | {speed:.1f} | {speed / base:.1f} | {share} |")
    if args.json:
        Path(args.json).write_text(json.dumps({"results": results, "identical": identical}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
