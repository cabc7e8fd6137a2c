#!/usr/bin/env python3
"""Holds Cloze's tokenizer against Hugging Face's, on everything an Encoding says.

    compare_tokenizers.py --tool BUILD/tests/dump_encodings --data ../shared/data
                          [--strings 1000000] [--texts FILE_OR_DIR ..] [--seed 1] [--vocabulary NAME ..]

For each of the four vocabularies: every line of every file of --data and --texts, then generated
strings over all of Unicode: alone, as pairs, as words that were split before, without and with
truncation, padded in a batch, with offsets in bytes, decoded again, and tokenized by what Cloze saved.
A text in several files is compared once. --strings counts those of all four vocabularies together.
Needs `tokenizers` and `transformers`.
Prints the share of identical encodings and the first differences; exits 1 if there is one.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

import numpy

os.environ["RUST_BACKTRACE"] = "0"  # upstream panics where truncation is impossible, often
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers,  # noqa: E402
                        processors)

VOCABULARIES = {"bert-base-uncased": True, "bert-base-cased": False,
                "bert-base-multilingual-cased": False, "bert-base-chinese": True}


def reference(vocab_file, lower, **switches):
    tokens = [line.rstrip() for line in open(vocab_file, encoding="utf-8", newline="\n")]
    vocab = {token: i for i, token in enumerate(tokens)}
    hf = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    hf.normalizer = normalizers.BertNormalizer(
        **{"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lower,
           **switches})
    hf.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    hf.decoder = decoders.WordPiece(prefix="##")
    hf.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    hf.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    return hf


def hf_record(e):
    ids = lambda values: [-1 if v is None else v for v in values]
    return (e.ids, e.type_ids, e.offsets, e.special_tokens_mask, ids(e.word_ids), ids(e.sequence_ids),
            e.attention_mask, e.tokens, [hf_record(o) for o in e.overflowing])


def bytes_record(record, texts):
    """The record with offsets in bytes of `texts`, as Hugging Face's count of code points says."""
    starts = []
    for text in texts:
        sizes = numpy.frombuffer(text.encode("utf-32-le"), "<u4")
        widths = 1 + (sizes > 0x7F) + (sizes > 0x7FF) + (sizes > 0xFFFF)
        starts.append([0, *numpy.cumsum(widths).tolist()])
    def at(pair, sequence):
        return pair if sequence < 0 else (starts[sequence][pair[0]], starts[sequence][pair[1]])
    offsets = [at(pair, sequence) for pair, sequence in zip(record[2], record[5])]
    return (*record[:2], offsets, *record[3:8], [bytes_record(o, texts) for o in record[8]])


def clean_up(text):
    """transformers' clean_up_tokenization."""
    for a, b in ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
                 (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")):
        text = text.replace(a, b)
    return text


class GoogleReference:
    """google-research/bert's rules, written out anew; ids without [CLS] and [SEP]."""

    CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
           (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))

    def __init__(self, vocab_file, lower):
        self.lower = lower
        self.vocab = {line.strip(): i for i, line in enumerate(open(vocab_file, encoding="utf-8", newline="\n"))}
        self.seen = {}  # word → ids

    def words(self, text):
        clean = []
        for c in text:
            category = unicodedata.category(c)
            space = c in " \t\n\r" or category == "Zs"
            if c in "\0\ufffd" or (category in ("Cc", "Cf") and not space):
                continue
            if any(a <= ord(c) <= b for a, b in self.CJK):
                c = f" {c} "
            clean.append(" " if space else c)
        out = []
        for word in "".join(clean).split():
            if self.lower:
                word = "".join(c for c in unicodedata.normalize("NFD", word.lower())
                               if unicodedata.category(c) != "Mn")
            out.append("".join(f" {c} " if unicodedata.category(c)[0] == "P" or
                               (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") else c
                               for c in word))
        return " ".join(out).split()

    def word_ids(self, word):
        pieces, start = [], 0
        while start < len(word) <= 200:
            end = next((e for e in range(len(word), start, -1)
                        if ("##" if start else "") + word[start:e] in self.vocab), None)
            if end is None:
                break
            pieces.append(self.vocab[("##" if start else "") + word[start:end]])
            start = end
        return pieces if start == len(word) else [self.vocab["[UNK]"]]

    def ids(self, text):
        out = []
        for word in self.words(text):
            if word not in self.seen:
                self.seen[word] = self.word_ids(word)
            out += self.seen[word]
        return out


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def numbers(self, n):
        self.at += 4 * n
        return numpy.frombuffer(self.data, "<i4", n, self.at - 4 * n).tolist()

    def text(self):
        size = self.numbers(1)[0]
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def record(self):
        n = self.numbers(1)[0]
        if n < 0:
            return "error: " + self.text()
        ids, types = self.numbers(n), self.numbers(n)
        flat = self.numbers(2 * n)
        offsets = list(zip(flat[::2], flat[1::2]))
        special, words, sequences, mask = (self.numbers(n) for _ in range(4))
        tokens = self.text()
        tokens = tokens[:-1].split("\n") if n else []
        if len(tokens) != n:  # a token with a line end in it (added tokens that strip)
            tokens = None
        return (ids, types, offsets, special, words, sequences, mask, tokens,
                [self.record() for _ in range(self.numbers(1)[0])])


def pack_side(side):
    words = [side] if isinstance(side, (str, bytes)) else side
    data = b"" if words is not side else struct.pack("<I", len(words))
    for word in words:
        raw = word if isinstance(word, bytes) else word.encode()
        data += struct.pack("<I", len(raw)) + raw
    return data


def cloze_records(tool, model, items, options=(), decoded=False):
    """A record for each item: (text,), (text, pair), or the same of lists of words."""
    data = bytearray()
    for item in items:
        data += struct.pack("<I", len(item) - 1 + 2 * isinstance(item[0], list)) + b"".join(map(pack_side, item))
    options = [*map(str, options), *(["decode"] if decoded else [])]
    out = subprocess.run([tool, model, *options], input=bytes(data), stdout=subprocess.PIPE, check=True).stdout
    reader = Reader(out)
    records = []
    for _ in items:
        records.append(reader.record())
        if decoded:
            records[-1] = (records[-1], [reader.text() for _ in range(3)])
    assert reader.at == len(out)
    return records


def same(ours, theirs):
    if isinstance(ours, str) or isinstance(theirs, str):
        return isinstance(ours, str) and isinstance(theirs, str)
    if len(ours[8]) != len(theirs[8]) or not all(map(same, ours[8], theirs[8])):
        return False
    return ours[:7] == theirs[:7] and (ours[7] is None or ours[7] == theirs[7])


class Comparison:
    def __init__(self, tool, only):
        self.tool, self.only, self.total, self.different = tool, only, 0, 0

    def run(self, name, hf, model, items, truncation=None, offsets="code_points"):
        if self.only not in name:
            return
        options = ["hf", "none", 512, 0, offsets]
        hf.no_truncation()
        if truncation:
            strategy, length, stride = truncation
            options[1:4] = [strategy, length, stride]
            hf.enable_truncation(length, stride=stride, strategy=strategy)
        different = 0
        for begin in range(0, len(items), 20000):
            part = items[begin : begin + 20000]
            ours = cloze_records(self.tool, model, part, options)
            texts = [tuple(t.decode(errors="replace") if isinstance(t, bytes) else t for t in item)
                     for item in part]
            split = bool(part) and isinstance(part[0][0], list)
            if truncation:  # each by itself: some cannot be truncated (the panics go to stderr)
                theirs = []
                for t in texts:
                    try:
                        theirs.append(hf_record(hf.encode(*t, is_pretokenized=split)))
                    except BaseException as error:  # noqa: B902 (PanicException is no Exception)
                        if isinstance(error, KeyboardInterrupt):
                            raise
                        theirs.append("error: " + str(error))
            else:
                theirs = map(hf_record, hf.encode_batch([t if len(t) == 2 else t[0] for t in texts],
                                                        is_pretokenized=split))
            if offsets == "bytes":
                theirs = map(bytes_record, theirs, texts)
            for item, a, b in zip(part, ours, theirs):
                if not same(a, b):
                    different += 1
                    self.show(different, name, item, a, b)
        self.count(name, len(items), different)

    def show(self, different, name, item, ours, theirs):
        if self.different + different > 5:
            return
        print("DIFFERENT", name, ascii(item)[:600])
        print("  cloze:    ", ascii(ours)[:1500])
        print("  reference:", ascii(theirs)[:1500])

    def count(self, name, total, different):
        self.total += total
        self.different += different
        share = 100 * (1 - different / max(1, total))
        print(f"{name:60} {total:8} encodings  {share:.4f} % identical", flush=True)

    def run_padding(self, name, hf, model, items):
        """encode_batch and pad, with overflowing windows, in batches of 7."""
        if self.only not in name:
            return
        different = total = 0
        for length, multiple, side in ((0, 0, "right"), (0, 8, "right"), (0, 8, "left"), (30, 0, "left"),
                                       (30, 8, "right"), (5, 0, "right")):
            for truncation in (None, 9):
                hf.no_truncation()
                if truncation:
                    hf.enable_truncation(truncation, stride=2)
                hf.enable_padding(direction=side, length=length or None, pad_to_multiple_of=multiple or None)
                for begin in range(0, len(items), 7):
                    part = items[begin : begin + 7]
                    ours = cloze_records(self.tool, model, part, [
                        "hf", "longest_first" if truncation else "none", truncation or 512, 2, "code_points",
                        "batch", "pad", length, multiple, side])
                    theirs = map(hf_record, hf.encode_batch([t if len(t) == 2 else t[0] for t in part]))
                    for item, a, b in zip(part, ours, theirs):
                        total += 1
                        if not same(a, b):
                            different += 1
                            self.show(different, name, item, a, b)
        hf.no_padding()
        hf.no_truncation()
        self.count(name, total, different)

    def run_decode(self, name, hf, model, items):
        if self.only not in name:
            return
        hf.no_truncation()
        different = 0
        for item, (record, ours) in zip(items, cloze_records(self.tool, model, items, ["hf", "none", 512, 0,
                                                                                      "code_points"], decoded=True)):
            theirs = [hf.decode(record[0], skip_special_tokens=skip) for skip in (False, True)]
            theirs.append(clean_up(theirs[1]))
            if ours != theirs:
                different += 1
                self.show(different, name, item, ours, theirs)
        self.count(name, len(items), different)

    def run_saved(self, name, hf, model, items, folder):
        """What Cloze writes, loaded by tokenizers, by transformers, and by Cloze from vocab.txt alone."""
        if self.only not in name:
            return
        import transformers

        hf.no_truncation()
        cloze_records(self.tool, model, [], ["hf", "none", 512, 0, "code_points", "save", folder])
        loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
        bert = transformers.AutoTokenizer.from_pretrained(str(folder))
        different = 0
        theirs = list(map(hf_record, hf.encode_batch([item[0] for item in items])))
        ours = list(map(hf_record, loaded.encode_batch([item[0] for item in items])))
        auto = bert([item[0] for item in items])["input_ids"]
        (folder / "tokenizer.json").unlink()
        plain = cloze_records(self.tool, folder, items)
        for item, reference, a, b, c in zip(items, theirs, ours, auto, plain):
            if a != reference or b != reference[0] or not same(c, reference):
                different += 1
                self.show(different, name, item, (a, b, c), reference)
        self.count(name, len(items), different)

    def run_google(self, name, google, model, items):
        if self.only not in name:
            return
        different = 0
        for begin in range(0, len(items), 20000):
            part = items[begin : begin + 20000]
            for (text,), ours in zip(part, cloze_records(self.tool, model, part, ["google"])):
                theirs = google.ids(text.decode(errors="replace") if isinstance(text, bytes) else text)
                if ours[0][1:-1] != theirs:
                    different += 1
                    if self.different + different <= 5:
                        print("DIFFERENT", name, ascii(text)[:600], ours[0][1:-1], theirs)
        self.count(name, len(items), different)


def lines_of(paths):
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            for line in file.read_bytes().split(b"\n"):
                yield line


class Generator:
    """Strings that break tokenizers: every corner of Unicode, alone and mixed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        every = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
        assigned = [c for c in every if unicodedata.category(chr(c)) not in ("Cn", "Co")]
        by = lambda f: [c for c in assigned if f(chr(c))]
        self.pools = [
            every, assigned, list(range(0x80)), list(range(0x20, 0x7F)), list(range(0x250)),
            by(lambda c: unicodedata.combining(c) != 0), by(lambda c: unicodedata.category(c)[0] == "M"),
            by(unicodedata.decomposition), by(lambda c: unicodedata.category(c)[0] in "ZC"),
            by(lambda c: unicodedata.category(c)[0] == "P"), by(lambda c: c.lower() != c),
            list(range(0xAC00, 0xD7A4)), list(range(0x1100, 0x1200)), list(range(0x4E00, 0x9FFF)),
            list(range(0x0590, 0x0780)), list(range(0x0900, 0x0E80)), list(range(0x1F000, 0x1FB00)),
            list(range(0x2000, 0x2070)) + [0xFEFF, 0xFE0F, 0x200D, 0xFFFD, 0x85, 0xA0, 0xAD],
            list(range(0x1D100, 0x1D200)), list(range(0x2F800, 0x2FA20)) + list(range(0xF900, 0xFB00)),
            [0x2B820, 0x2B91F, 0x2B920, 0x2CEAF, 0x9FFF, 0x3400, 0x4DBF, 0x2A6DF, 0x2A700],
            [0x1D15E, 0x1D160, 0x302E, 0x302F, 0x327, 0x323, 0x301, 0x338, 0x61, 0x65, 0x3D, 0x1D157],
        ]
        self.words = ["[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]", "[mask]", "[MASK", " ", "  ", "\n",
                      "unaffable", "##ing", "a" * 100, "a" * 101, "é" * 100, "é" * 101, "don't", "3.14",
                      "e\u0301", "\u0130", "\u03a3", "ΟΔΥΣΣΕΥΣ", "\U0001F468\u200d\U0001F469\u200d\U0001F467",
                      "\U0001F1E9\U0001F1EA", "नमस्ते", "สวัสดี", "שלום", "مرحبا", "한국어", "東京", "\r\n", "\x00"]

    def __call__(self):
        r = self.random
        out = []
        for _ in range(r.choice((1, 1, 2, 3, 5))):
            pool = r.choice(self.pools)
            out += [chr(r.choice(pool)) for _ in range(r.choice((1, 2, 3, 6, 12)))]
            if r.random() < 0.3:
                out.insert(r.randrange(len(out) + 1), r.choice(self.words))
            if r.random() < 0.3:
                out.append(" ")
        if r.random() < 0.1:
            r.shuffle(out)
        return "".join(out)

    def bytes(self):
        raw = bytearray(self().encode())
        for _ in range(self.random.choice((1, 1, 2, 4))):
            raw.insert(self.random.randrange(len(raw) + 1), self.random.choice(
                (0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xE2, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xF8, 0xFF)))
        return bytes(raw)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tool", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--strings", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-data", action="store_true", help="generated strings only")
    parser.add_argument("--vocabulary", choices=VOCABULARIES, nargs="*", default=list(VOCABULARIES))
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    args = parser.parse_args()

    comparison = Comparison(args.tool, args.only)
    lines = [] if args.no_data else [(line,) for line in dict.fromkeys(lines_of(
        [p for p in sorted(args.data.iterdir()) if not p.name.startswith("vocab.")] + args.texts))]
    every = [(f"{before}{chr(c)}{after}",) for before, after in (("", ""), ("a", "b"), ("e\u0301", "\u0323"))
             for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    with tempfile.TemporaryDirectory() as folder:
        for name in args.vocabulary:
            lower = VOCABULARIES[name]
            vocab_file = args.data / f"vocab.{name}.txt"
            model = pathlib.Path(folder, name)
            model.mkdir()
            (model / "vocab.txt").write_bytes(vocab_file.read_bytes())
            (model / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
            hf = reference(vocab_file, lower)
            generator = Generator(f"{args.seed}{name}")
            count = args.strings // 4
            if lines:
                comparison.run(f"{name}: text", hf, model, lines)
                comparison.run(f"{name}: every code point", hf, model, every)
            comparison.run(f"{name}: generated", hf, model, [(generator(),) for _ in range(count)])
            comparison.run(f"{name}: invalid UTF-8", hf, model,
                           [(generator.bytes(),) for _ in range(count // 10)])
            pairs = [(generator(), generator()) for _ in range(count // 10)]
            comparison.run(f"{name}: pairs", hf, model, pairs)
            comparison.run(f"{name}: pairs, offsets in bytes", hf, model, pairs, offsets="bytes")
            words = [tuple([generator() if generator.random.random() < 0.5 else generator.random.choice(generator.words)
                            for _ in range(generator.random.randrange(7))] for _ in pair) for pair in pairs]
            comparison.run(f"{name}: words", hf, model, [w[:1] for w in words])
            comparison.run(f"{name}: words, pairs", hf, model, words)
            comparison.run(f"{name}: words, pairs, truncated", hf, model, words[: count // 50],
                           ("longest_first", 13, 3))
            comparison.run_padding(f"{name}: padding", hf, model,
                                   [p if i % 3 else p[:1] for i, p in enumerate(pairs[:350])])
            comparison.run_decode(f"{name}: decode", hf, model, pairs + lines[:: 40])
            comparison.run_saved(f"{name}: saved", hf, model, [p[:1] for p in pairs],
                                 pathlib.Path(folder, name + "-saved"))
            text_pairs = [(a[0], b[0]) for a, b in zip(lines[:: 50], lines[7 :: 50])]
            for strategy, length, stride in (("longest_first", 64, 0), ("longest_first", 32, 8),
                                             ("only_first", 128, 32), ("only_second", 128, 32)):
                comparison.run(f"{name}: text pairs, {strategy} {length} stride {stride}", hf, model,
                               text_pairs, (strategy, length, stride))
            comparison.run(f"{name}: text, offsets in bytes", hf, model,
                           [(line.decode(errors="replace"),) for (line,) in lines[:: 10]], offsets="bytes")
            for strategy in ("longest_first", "only_first", "only_second"):
                for length, stride in ((8, 0), (12, 2), (24, 5), (4, 0), (5, 1)):
                    comparison.run(f"{name}: {strategy} {length} stride {stride}", hf, model,
                                   [p if i % 3 else p[:1] for i, p in enumerate(pairs[: count // 100])],
                                   (strategy, length, stride))
            google = GoogleReference(vocab_file, lower)
            comparison.run_google(f"{name}: google mode, text", google, model, lines)
            comparison.run_google(f"{name}: google mode, generated", google, model,
                                  [(generator(),) for _ in range(count)])
            # The switches one by one, through tokenizer.json.
            for switches in ({"clean_text": False}, {"handle_chinese_chars": False}, {"strip_accents": True},
                             {"strip_accents": False}, {"lowercase": not lower},
                             {"clean_text": False, "strip_accents": True, "handle_chinese_chars": False}):
                other = reference(vocab_file, lower, **switches)
                variant = pathlib.Path(folder, name + "-switches")
                variant.mkdir(exist_ok=True)
                other.save(str(variant / "tokenizer.json"))
                comparison.run(f"{name}: {switches}", other, variant,
                               [(generator(),) for _ in range(count // 10)])
            # Added tokens of every kind.
            other = reference(vocab_file, lower)
            other.add_tokens([AddedToken("New", normalized=True), AddedToken("new york", single_word=True),
                              AddedToken("<e>", lstrip=True, normalized=False),
                              AddedToken("</e>", rstrip=True, normalized=False),
                              AddedToken("<s> x", lstrip=True, rstrip=True, normalized=False, single_word=True),
                              AddedToken("Éa", normalized=True, lstrip=True, rstrip=True),
                              AddedToken("<e>n", normalized=False, single_word=True)])
            other.add_special_tokens([AddedToken("[ENT]", lstrip=True, rstrip=True)])
            variant = pathlib.Path(folder, name + "-added")
            variant.mkdir(exist_ok=True)
            other.save(str(variant / "tokenizer.json"))
            r = generator.random
            bits = ["New", "new", "new york", "New York", "<e>", "</e>", "<s> x", "Éa", "E\u0301a", "éA", "<e>n",
                    "[ENT]", "[MASK]", " ", "  ", "\t", "\u2003", "x", "ews", "n", "\u0301", ".", "東", "\u200b"]
            comparison.run(f"{name}: added tokens", other, variant,
                           [("".join(r.choice(bits) if r.random() < 0.8 else generator()
                                     for _ in range(r.randrange(1, 9))),) for _ in range(count // 5)])
    share = 100 * (1 - comparison.different / comparison.total)
    print(f"{comparison.total} encodings, {comparison.different} different: {share:.4f} % identical")
    return 1 if comparison.different else 0


if __name__ == "__main__":
    sys.exit(main())
