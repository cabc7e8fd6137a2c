#!/usr/bin/env python3
"""Holds Cloze's Unigram tokenizers against tokenizers and transformers, on everything an Encoding says.

    tests/conformance/unigram.py --tool BUILD/tests/dump_encodings --data ../shared/data
                                 [--strings 200000] [--seed 1] [--only NAME] [--real DIR] [--every-line]

Trains a SentencePiece model on the text of --data and makes tokenizers of many kinds of it: with the character
maps that SentencePiece has, normalizers, pre-tokenizers and switches of every kind, as PreTrainedTokenizerFast
and as XLMRobertaTokenizer, and a SentencePiece model alone. Compares every line of --data, every code point,
blns.txt, generated strings over all of Unicode (alone, as pairs, as words, truncated, padded, with offsets in bytes,
decoded), and what Cloze saves. --real is a directory with a real tokenizer.json of this kind to compare as well.
The same seed trains the same model. tokenizers reads each tokenizer.json that Cloze reads: it does not read every
score of a file as the number that was written (docs/tokenizer.md), so that one in memory may cut ties otherwise.
Needs tokenizers, transformers, sentencepiece, numpy and protobuf; without them it says so and exits with 0.
Prints the share of identical encodings and the first differences; exits 1 if there is one.
"""
import argparse
import json
import os
import pathlib
import random
import sys
import tempfile

os.environ["RUST_BACKTRACE"] = "0"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
try:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors)
    from transformers import AutoTokenizer
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "text"))
    import compare_tokenizers as compare
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
Meta, Split, Steps, Pre = (pre_tokenizers.Metaspace, pre_tokenizers.WhitespaceSplit, normalizers.Sequence,
                           pre_tokenizers.Sequence)


class Generator(compare.Generator):
    """Adds what Unigram tokenizers trip over."""

    def __init__(self, seed):
        super().__init__(seed)
        self.words += ["▁", "▁▁", "<mask>", "<unk>", "<s>", "</s>", "<pad>", "\x01", "\u200b", "\u3000", "  ", "   ", "\ufb01",
                       "\uff76\uff9e", "\u1100\u1161", "\u0600", "\u1e9b\u0323", "hello", "the ", " the", "\u00ad"]
        self.pools += [
            [0x600, 0x601, 0x6DD, 0x70F, 0x8E2, 0x110BD, 0xD4E, 0x61, 0x301, 0x340, 0x20],          # prepended signs
            [0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 0x1160, 0xA960, 0xD7B0, 0xD7CB, 0x340, 0x301],  # Hangul, marks
            [0x915, 0x94D, 0x937, 0x200D, 0x93C, 0x340, 0x301, 0xA95, 0xACD, 0x1B05, 0x1B44],       # conjuncts
            [0xA9, 0x200D, 0x1F468, 0x1F3FB, 0xFE0F, 0x340, 0x301, 0x1F1E6, 0x1F1E7],               # pictures, flags
            [0xFF61 + i for i in range(63)], list(range(0x3300, 0x3400)), list(range(0xFB00, 0xFE00)),
            [0x0D, 0x0A, 0x09, 0x20, 0x85, 0xA0, 0x2581, 0x3000, 0x61, 0x01, 0x7F, 0xFEFF], list(range(0x1100, 0x1200)),
            [0x1E9B, 0x323, 0x307, 0x73, 0x17F, 0x344, 0x340, 0x341, 0x374, 0x37E, 0x387, 0x958, 0x2ADC],
        ]


def text_of(data, seed):
    """Lines to train with, in an order that the seed says: SentencePiece's own would be another in each run."""
    lines = []
    for path in sorted(data.iterdir()):
        if path.suffix in (".txt", ".tsv", ".dev", ".train", ".json", ".bmes") and not path.name.startswith("vocab."):
            lines += path.read_bytes().decode(errors="replace").split("\n")[::7]
    lines = [line[:2000] for line in lines if line.strip()][:40000]
    random.Random(seed).shuffle(lines)
    return lines[:20000]


def train(folder, lines, rule, size):
    prefix = str(pathlib.Path(folder, rule))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix, vocab_size=size, model_type="unigram",
        normalization_rule_name=rule, character_coverage=0.9995, shuffle_input_sentence=False, minloglevel=2,
        hard_vocab_limit=False, num_threads=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(pathlib.Path(prefix + ".model").read_bytes())
    return proto


def charsmap(folder, rule):
    """A character map that SentencePiece has, of a model of a few letters."""
    return train(folder, ["a b c d e f g h i j k l", "the quick brown fox"] * 30, rule, 60).normalizer_spec.precompiled_charsmap


def template(second=0):
    return processors.TemplateProcessing(single="<s> $A </s>", pair=f"<s> $A </s> </s> $B:{second} </s>:{second}",
                                         special_tokens=[("<s>", 0), ("</s>", 2)])


def tokenizer(pieces, normalizer, pre_tokenizer, post=None, unk=3, byte_fallback=False, decoder=decoders.Metaspace()):
    hf = Tokenizer(models.Unigram(pieces, unk, byte_fallback))
    if normalizer is not None:
        hf.normalizer = normalizer
    if pre_tokenizer is not None:
        hf.pre_tokenizer = pre_tokenizer
    if decoder is not None:
        hf.decoder = decoder
    hf.post_processor = post or template()
    hf.add_special_tokens([*SPECIAL, AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return hf


def variants(pieces, maps):
    """(name, tokenizer)"""
    nmt_nfkc = normalizers.Precompiled(maps["nmt_nfkc"])
    fold = normalizers.Precompiled(maps["nmt_nfkc_cf"])
    spaces, under = normalizers.Replace(Regex(" {2,}"), " "), normalizers.Replace(Regex(" {2,}"), "▁")
    strip = normalizers.Strip(left=False, right=True)
    yield "XLM-R", tokenizer(pieces, nmt_nfkc, Pre([Split(), Meta()]))
    yield "converted", tokenizer(pieces, Steps([nmt_nfkc, strip, under]), Meta(), template(1))
    yield "case-folded", tokenizer(pieces, Steps([fold, spaces]), Pre([Split(), Meta(prepend_scheme="first")]))
    yield "first", tokenizer(pieces, Steps([nmt_nfkc, normalizers.Strip(), spaces]), Meta(prepend_scheme="first"))
    yield "never", tokenizer(pieces, nmt_nfkc, Meta(prepend_scheme="never"), decoder=decoders.Metaspace(prepend_scheme="never"))
    yield "not split", tokenizer(pieces, Steps([nmt_nfkc, spaces]), Meta(split=False))
    yield "first, not split", tokenizer(pieces, Steps([normalizers.Strip(), nmt_nfkc]), Meta(prepend_scheme="first", split=False))
    yield "Nmt, NFKC", tokenizer(pieces, Steps([normalizers.Nmt(), normalizers.NFKC(), spaces]), Meta(),
                                 processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False))
    for prefix in (True, False):
        spaced = pieces + [("\u0120a", -3.0), ("b\u0120", -3.0), (" ", -2.0), ("e ", -2.5), (" \u3000", -2.5)]
        trimmed = tokenizer(spaced, None if prefix else spaces, None, decoder=None, post=processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=prefix))
        trimmed.add_tokens([AddedToken("<e>", lstrip=True, normalized=False), AddedToken("New", rstrip=True, normalized=True)])
        yield f"trimmed offsets, prefix {prefix}", trimmed
    yield "Lowercase before the map", tokenizer(pieces, Steps([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'),
                                                               normalizers.NFKC(), normalizers.Lowercase(), nmt_nfkc]), Pre([Split(), Meta()]))
    yield "no normalizer", tokenizer(pieces, None, Pre([Split(), Meta()]))
    yield "words alone", tokenizer(pieces, normalizers.NFKC(), Split())
    yield "nothing", tokenizer(pieces, None, None, decoder=None)
    yield "replaced", tokenizer(pieces, Steps([normalizers.Replace("e", "xyz"), normalizers.Replace("  ", ""), normalizers.Replace("a", ""), nmt_nfkc]), Meta())
    octets = [(f"<0x{b:02X}>", -20.0 - b / 7) for b in range(256)]
    yield "bytes", tokenizer(pieces + octets, nmt_nfkc, Pre([Split(), Meta()]), byte_fallback=True)
    r = random.Random(5)
    yield "tied scores", tokenizer([(p, float(-r.randrange(1, 4))) for p, _ in pieces], nmt_nfkc, Pre([Split(), Meta()]))
    yield "high scores", tokenizer([(p, r.uniform(-5, 60)) for p, _ in pieces], nmt_nfkc, Pre([Split(), Meta()]))
    added = tokenizer(pieces, Steps([nmt_nfkc, normalizers.Lowercase()]), Pre([Split(), Meta(prepend_scheme="first")]))
    added.add_tokens([AddedToken("New", normalized=True), AddedToken("new york", single_word=True), AddedToken("<e>", lstrip=True, normalized=False),
                      AddedToken("</e>", rstrip=True, normalized=False), AddedToken("\ufb01x", normalized=True), AddedToken("Éa", lstrip=True, rstrip=True)])
    yield "added tokens", added
    normalized = tokenizer(pieces, nmt_nfkc, Pre([Split(), Meta()]))
    normalized.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=True, special=True)])
    yield "normalized mask", normalized


def save(hf, directory):
    directory.mkdir(exist_ok=True)
    hf.save(str(directory / "tokenizer.json"))
    return directory


def compare_all(comparison, name, hf, model, lines, generator, count, folder):
    """Everything for one tokenizer."""
    some = [(generator(),) for _ in range(count)]
    comparison.run(f"{name}: text", hf, model, lines)
    comparison.run(f"{name}: generated", hf, model, some)
    comparison.run(f"{name}: invalid UTF-8", hf, model, [(generator.bytes(),) for _ in range(count // 10)])
    pairs = [(generator(), generator()) for _ in range(max(200, count // 10))]
    comparison.run(f"{name}: pairs", hf, model, pairs)
    comparison.run(f"{name}: pairs, offsets in bytes", hf, model, pairs, offsets="bytes")
    words = [tuple([generator() if generator.random.random() < 0.5 else generator.random.choice(generator.words)
                    for _ in range(generator.random.randrange(7))] for _ in pair) for pair in pairs]
    comparison.run(f"{name}: words", hf, model, [w[:1] for w in words])
    comparison.run(f"{name}: words, pairs", hf, model, words)
    few = [p if i % 3 else p[:1] for i, p in enumerate(pairs[:200])]
    for strategy in ("longest_first", "only_first", "only_second"):
        for length, stride in ((8, 0), (12, 2), (24, 5), (5, 0)):
            comparison.run(f"{name}: {strategy} {length} stride {stride}", hf, model, few, (strategy, length, stride))
    comparison.run_decode(f"{name}: decode", hf, model, pairs + lines[::40])
    hf.no_truncation()
    saved = pathlib.Path(folder, "saved-" + "".join(c if c.isalnum() else "-" for c in name))
    compare.cloze_records(comparison.tool, model, [], ["hf", "none", 512, 0, "code_points", "save", saved])
    comparison.run(f"{name}: saved, read by Cloze", hf, saved, some[:2000] + lines[::40])
    if name.startswith("class "):
        loaded = AutoTokenizer.from_pretrained(saved)._tokenizer
        loaded.no_padding()
    else:
        loaded = Tokenizer.from_file(str(saved / "tokenizer.json"))
    comparison.run(f"{name}: saved, read by Hugging Face", loaded, model, some[:2000] + lines[::40])


def classes(proto, pieces, maps, folder):
    """(name, what transformers makes of a directory, the directory) for directories that name a class."""
    nmt_nfkc = normalizers.Precompiled(maps["nmt_nfkc"])
    strip = normalizers.Strip(left=False, right=True)
    named = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
             "pad_token": "<pad>", "mask_token": "<mask>"}
    mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False}
    decoder = {str(i): {"content": t, "lstrip": t == "<mask>", "normalized": False, "rstrip": False, "single_word": False, "special": True}
               for i, t in ((0, "<s>"), (1, "<pad>"), (2, "</s>"), (3, "<unk>"), (len(pieces) - 1, "<mask>"))}
    sources = {"its own": tokenizer(pieces, nmt_nfkc, Pre([Split(), Meta()])),
               "others": tokenizer(pieces, Steps([normalizers.Lowercase(), nmt_nfkc, strip]), Meta(prepend_scheme="first"), template(1)),
               "no map": tokenizer(pieces, normalizers.NFKC(), Meta(split=False))}
    configurations = {"bare": {}, "named": named, "mask": {**named, "mask_token": mask}, "decoder": {**named, "added_tokens_decoder": decoder},
                      "no prefix": {**named, "add_prefix_space": False}, "more": {**named, "additional_special_tokens": ["<e>", "hello"]}}
    for source, hf in sources.items():
        for title, configuration in configurations.items():
            for cls in ("XLMRobertaTokenizer", "XLMRobertaTokenizerFast", "PreTrainedTokenizerFast"):
                if cls.endswith("zerFast") and title not in ("bare", "mask"):
                    continue
                directory = save(hf, pathlib.Path(folder, f"{source}-{title}-{cls}".replace(" ", "-")))
                (directory / "tokenizer_config.json").write_text(json.dumps({**configuration, "tokenizer_class": cls}))
                (directory / "config.json").write_text('{"model_type": "bert"}')
                yield f"class {cls}, {source}, {title}", directory
    for title, configuration in configurations.items():
        directory = pathlib.Path(folder, f"alone-{title}".replace(" ", "-"))
        directory.mkdir()
        (directory / "sentencepiece.bpe.model").write_bytes(proto.SerializeToString())
        (directory / "tokenizer_config.json").write_text(json.dumps({**configuration, "tokenizer_class": "XLMRobertaTokenizer"}))
        (directory / "config.json").write_text('{"model_type": "bert"}')
        yield f"class XLMRobertaTokenizer, a SentencePiece model, {title}", directory


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tool", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--strings", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=8000, help="pieces of the trained model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    parser.add_argument("--every-line", action="store_true", help="with every kind, not with three; others see one in twenty")
    parser.add_argument("--real", type=pathlib.Path, nargs="*", default=[], help="directories with a real tokenizer")
    args = parser.parse_args()

    comparison = compare.Comparison(args.tool, args.only)
    generator = Generator(args.seed)
    lines = [(line,) for line in dict.fromkeys(compare.lines_of(
        [p for p in sorted(args.data.iterdir()) if not p.name.startswith("vocab.")]))]
    code_points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    every = [(" ".join(before + c + after for c in code_points[begin : begin + 32]),)
             for before, after in (("", ""), ("a", "b"), ("e\u0301", "\u0323"), ("a\x01", "\u0340"), ("\u0600", "\u0301"))
             for begin in range(0, len(code_points), 32)]
    with tempfile.TemporaryDirectory() as folder:
        proto = train(folder, text_of(args.data, args.seed), "nmt_nfkc", args.size)
        maps = {rule: charsmap(folder, rule) for rule in ("nmt_nfkc", "nmt_nfkc_cf")}
        pieces = [(t, 0.0) for t in SPECIAL] + [(p.piece, p.score) for p in list(proto.pieces)[3:]] + [("<mask>", 0.0)]
        known = dict(pieces)
        pieces += [(p, -9.0) for p in ("ab", "▁ab", "<unk>x", "カ", "가") if p not in known]
        for directory in args.real:
            hf = Tokenizer.from_file(str(directory / "tokenizer.json"))
            alone = pathlib.Path(folder, "real")
            alone.mkdir()
            (alone / "tokenizer.json").write_bytes((directory / "tokenizer.json").read_bytes())
            comparison.run(f"{directory.name}: every code point", hf, alone, every)
            compare_all(comparison, f"{directory.name}", hf, alone, lines, generator, args.strings // 4, folder)
        for number, (name, hf) in enumerate(variants(pieces, maps)):
            if args.only and args.only not in name:
                continue
            model = save(hf, pathlib.Path(folder, f"variant{number}"))
            hf = Tokenizer.from_file(str(model / "tokenizer.json"))
            if name in ("XLM-R", "Nmt, NFKC", "Lowercase before the map", "first"):
                comparison.run(f"{name}: every code point", hf, model, every)
            whole = args.every_line or name in ("XLM-R", "converted", "Nmt, NFKC")
            compare_all(comparison, name, hf, model, lines if whole else lines[number :: 20], generator,
                        args.strings // 4 if name == "XLM-R" else args.strings // 20, folder)
        for name, directory in classes(proto, pieces, maps, folder):
            if args.only and args.only not in name:
                continue
            hf = AutoTokenizer.from_pretrained(directory)._tokenizer
            hf.no_padding()
            compare_all(comparison, name, hf, directory, lines[::400], generator, 1000, folder)
    share = 100 * (1 - comparison.different / max(1, comparison.total))
    print(f"{comparison.total} encodings, {comparison.different} different: {share:.4f} % identical")
    return 1 if comparison.different else 0


if __name__ == "__main__":
    sys.exit(main())
