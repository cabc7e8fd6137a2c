#!/usr/bin/env python3
"""Writes unigram_goldens/: small Unigram tokenizers of several kinds, a SentencePiece model, and what
Hugging Face's tokenizers and transformers make of texts with them.

Needs: pip install tokenizers transformers sentencepiece protobuf. The files are committed; run this
to renew them. The encodings are those of the files: tokenizers reads some scores as a neighbour of the number that
was written, and a tokenizer in memory has that number.
"""
import json
import pathlib
import random
import shutil
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent / "unigram_goldens"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
# What the character map replaces: code points of the left side, of the right.
RULES = ["1\t", "8\t", "7F\t", "AD\t", "9\t20", "A\t20", "D\t20", "D A\t20", "A0\t20", "3000\t20", "2003\t20", "FEFF\t20", "200B\t20",
         "41 301\tC1", "65 301\tE9", "65 308\tEB", "66 69\tFB01", "FB01\t66 69", "FB03\t66 66 69", "2460\t31", "2026\t2E 2E 2E",
         "FF21\t41", "FF22\t42", "FF76\t30AB", "FF76 FF9E\t30AC", "FF9E\t3099", "1100 1161\tAC00", "AC00 11A8\tAC01", "340\t300",
         "344\t308 301", "390\t3B9", "2126\t3A9", "600\t61", "1F600\t3A 29", "1D15E\t64", "1E9B 323\t1E69", "BD\t31 2044 32"]
WORDS = """▁the ▁of ▁and ▁in ▁to ▁hello ▁my ▁dog ▁is ▁cute ▁new ▁york ▁playing ▁un aff able ing ed er s ization national ▁inter
▁straße ▁été ▁café ▁Hello ▁World ▁привет ▁мир ▁東京 東京 日本語 ▁中文 中文 ▁가각 나다 ▁नम स्ते ▁a ▁b aa aaa aaaa ab ba abab ▁ab ▁aa
▁▁ ▁▁▁ fi ffi ... カ ガ :) 1 2 ▁1 ▁2 ▁don ' t 't ▁' ▁, ▁. ▁( ) ▁<unk> mask""".split()
CHARS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIKLMN0123456789.,!?-()'" + "éëßáÁñçøабвгдежиклмнопрстуאבגדμαβγςσ東京日本語中文かなカガ가각")
TEXTS = [
    "", " ", "  ", "\t\n\r ", "\x01", "\x01hello", "\x08\x08 hello world", "Hello, my dog is cute", "hello  hello   hello", " hello ", "hello\u3000world",
    "unaffable internationalization playing", "don't can't", "The caf\u0065\u0301 in New York: été", "STRASSE Straße straße",
    "A\u0301 e\u0301 e\u0308 o\u0308", "\ufb01x \ufb03 \u2460 \u2026", "\uff21\uff22", "\uff76\uff9e \uff76", "\u1100\u1161 \u1100\u1161\u11a8 \uac00\u11a8",
    "a\u0340 a\u0344b \u0390", "\u0600a \u0600\u0301 \u0600", "\U0001f600 \U0001f600\ufe0f \U0001f468\u200d\U0001f469", "\U0001d15e\u0323",
    "\u1e9b\u0323 \u00bd", "привет, мир!", "שלום", "नमस्ते", "東京は日本語 中文。", "가각 나다 한국어", "a\u200bb c\u200dd \ufeffe", "x\u00ady", "a\u0000b",
    "nbsp\u00a0here", "em\u2003space", "line\u2028sep\u2029para", "nel\u0085x", "a\u000bb\u000cc", "\r\na\r\nb\r\n", "\u0301a", "a\u0301\u0301\u0301",
    "▁hello", "▁ hello", "hello▁world", "▁▁▁a", "a▁▁", "▁", "▁▁", "aaaa aaa aa a", "ababab abab baba", "<unk>", "字<unk>字", "字字 字", "<s> x </s>",
    "<mask>", "hello <mask>.", "hello   <mask>  world", "a<mask><mask> b", "<mask", "New new NEW", "x Éa y", "\U0001f1e9\U0001f1ea\U0001f1eb",
    "\u0915\u094d\u0937 \u0915\u094d\u200d\u0937", "\x7f\x01", "a\x01b", "\u00ad\u0340", "\ufb01\x01", "\u0344\x01x", "x" * 20 + " é " + "y" * 20,
    "hello " * 9, "a" * 50, "É" * 9, "   ", "hello\n\nworld", "½½", "1 2 12 21", "\U0010ffff \ue000 \U000e0001",
]
PAIRS = [("Hello, my dog is cute", "the café"), ("", "a"), ("a", ""), ("", ""), ("<mask> is", "東京 é"),
         ("a b c d e f g h i j", "k l m n o p q r s t u v w x y z"), ("a b c", "d e f g h i j k l m n o p q r")]
TRUNCATIONS = [(s, length, stride) for s in ("longest_first", "only_first", "only_second")
               for length, stride in ((8, 0), (9, 2), (12, 1), (5, 0))]


def train(folder, vocab_size):
    """A SentencePiece model with RULES for its character map."""
    rules = pathlib.Path(folder, "rules.tsv")
    rules.write_text("\n".join(RULES) + "\n")
    words = [w.replace("▁", " ") for w in WORDS]
    r = random.Random(7)
    lines = ["".join(r.choice(words) for _ in range(8)) for _ in range(3000)] + ["".join(CHARS)] * 3
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(pathlib.Path(folder, "model")), vocab_size=vocab_size,
        model_type="unigram", normalization_rule_tsv=str(rules), character_coverage=1.0, minloglevel=2, num_threads=1)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(pathlib.Path(folder, "model.model").read_bytes())
    return proto


def vocabulary(extra=()):
    r = random.Random(3)
    pieces = list(dict.fromkeys(["▁", *CHARS, *WORDS, *extra]))
    # Some scores are equal, so that paths tie; the last digits of others depend on who reads them.
    scored = [(p, -round(r.uniform(1, 9)) if len(p) < 3 else -r.uniform(2, 12)) for p in pieces if p not in SPECIAL]
    return [(t, 0.0) for t in SPECIAL] + [(p, float(s)) for p, s in scored] + [("<mask>", 0.0)]


# A run of the same character can be cut in ways that are as good as one another; the rounding of the sum of the scores
# decides, and so does the begin of the word, which is in the sum. The scores have 24 bits, as SentencePiece writes them:
# their sums are exact until a file is read otherwise.
TIED = [("▁", -3.271899938583374), ("▁3.", -10.237156867980957), ("▁0", -5.982580184936523), ("▁x", -11.707466125488281), ("9", -8.315099716186523),
        ("1", -8.55815601348877), ("11", -10.008228302001953), ("a", -8.052556991577148), ("aa", -10.009111404418945),
        ("字", -8.25672721862793), ("字字", -10.013318061828613)]
TIED_TEXTS = [begin + unit * count for begin in ("", "3.", "0", "x", "9", "3.9", "x99") for unit in "1a字" for count in (3, 5)]
TIED_TEXTS += ["3.111 0111 x111 9111 3.9111", "x111 " * 9, "3.11111 " * 5 + "0aaaa"]


def tied_vocabulary():
    return [(t, 0.0) for t in SPECIAL] + TIED + [("<mask>", 0.0)]


def check_ties(memory, file):
    """That the texts about ties are about them."""
    apart = sum(memory.encode(text).ids != file.encode(text).ids for text in TIED_TEXTS)
    cuts = [{tuple(file.encode(begin + unit * 3).tokens[-3:-1]) for begin in ("", "3.", "0", "x", "9")} for unit in "1a字"]
    if apart < 10 or min(map(len, cuts)) < 2:
        raise SystemExit(f"{apart} texts are cut otherwise in memory, and {cuts} after several begins: choose other scores")


def template(**types):
    second = types.get("second", 0)
    return processors.TemplateProcessing(single="<s> $A </s>", pair=f"<s> $A </s> </s> $B:{second} </s>:{second}",
                                         special_tokens=[("<s>", 0), ("</s>", 2)])


def build(normalizer, pre_tokenizer, post_processor, byte_fallback=False, extra=(), decoder=decoders.Metaspace(), pieces=None):
    hf = Tokenizer(models.Unigram(pieces or vocabulary(extra), 3, byte_fallback))
    if normalizer is not None:
        hf.normalizer = normalizer
    if pre_tokenizer is not None:
        hf.pre_tokenizer = pre_tokenizer
    if decoder is not None:
        hf.decoder = decoder
    hf.post_processor = post_processor
    hf.add_special_tokens([*SPECIAL, AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return hf


def record(e):
    flat = lambda values: [-1 if v is None else v for v in values]
    out = {"ids": e.ids, "offsets": [x for o in e.offsets for x in o], "words": flat(e.word_ids), "tokens": e.tokens}
    if 1 in e.type_ids:
        out["type_ids"] = e.type_ids
    if e.n_sequences > 1:
        out["sequences"] = flat(e.sequence_ids)
    if e.overflowing:
        out["overflowing"] = [record(o) for o in e.overflowing]
    return out


def attempt(call):
    try:
        return record(call())
    except BaseException:  # a Rust panic is no Exception
        return "error"


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    Meta, Split, Sequence = pre_tokenizers.Metaspace, pre_tokenizers.WhitespaceSplit, normalizers.Sequence
    with tempfile.TemporaryDirectory() as folder:
        proto = train(folder, 150)
    charsmap = proto.normalizer_spec.precompiled_charsmap
    precompiled = normalizers.Precompiled(charsmap)
    variants = {
        "split": build(precompiled, pre_tokenizers.Sequence([Split(), Meta()]), template()),
        "metaspace": build(Sequence([precompiled, normalizers.Strip(left=False, right=True),
                                     normalizers.Replace(Regex(" {2,}"), "▁")]), Meta(), template(second=1)),
        "first": build(Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(),
                                 normalizers.Replace(Regex(" {2,}"), " ")]), Meta(prepend_scheme="first"),
                       processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)),
        "whole": build(Sequence([normalizers.Replace("``", '"'), normalizers.Replace("é", "ee")]),
                       Meta(prepend_scheme="never", split=False), template(), decoder=decoders.Metaspace(prepend_scheme="never")),
        "bytes": build(normalizers.NFKC(), pre_tokenizers.Sequence([Split(), Meta(prepend_scheme="never")]), template(),
                       byte_fallback=True, extra=[f"<0x{b:02X}>" for b in range(256)]),
        "plain": build(None, None, template(), decoder=None),
        "underline": build(normalizers.Lowercase(), pre_tokenizers.Sequence([Meta(replacement="_")]), template(),
                           extra=["_the", "_hello", "_", "_a"], decoder=decoders.Metaspace(replacement="_")),
    }
    added = build(Sequence([precompiled, normalizers.Lowercase()]), pre_tokenizers.Sequence([Split(), Meta(prepend_scheme="first")]),
                  template())
    added.add_tokens([AddedToken("New", normalized=True), AddedToken("my dog", single_word=True), AddedToken("Éa", lstrip=True, rstrip=True),
                      AddedToken("\ufb01x", normalized=True), AddedToken("<e>", lstrip=True, normalized=False)])
    variants["added"] = added
    variants["ties"] = build(normalizers.NFKC(), Meta(), template(), pieces=tied_vocabulary())
    variants["ties-whole"] = build(normalizers.NFKC(), Meta(split=False), template(), pieces=tied_vocabulary())
    cases = []
    for name, hf in variants.items():
        directory = HERE / name
        directory.mkdir()
        hf.save(str(directory / "tokenizer.json"), pretty=False)
        file = Tokenizer.from_file(str(directory / "tokenizer.json"))
        ties = name.startswith("ties")
        if ties:
            check_ties(hf, file)
        hf = variants[name] = file
        for text in TIED_TEXTS if ties else TEXTS:
            encoding = attempt(lambda: hf.encode(text))
            case = {"model": name, "text": text, "encoding": encoding}
            if encoding != "error":
                case["decoded"] = [hf.decode(encoding["ids"], skip_special_tokens=skip) for skip in (False, True)]
            cases.append(case)
    for name in ("split", "metaspace", "first"):
        hf = variants[name]
        for a, b in PAIRS:
            cases.append({"model": name, "text": a, "pair": b, "encoding": attempt(lambda: hf.encode(a, b))})
        for strategy, length, stride in TRUNCATIONS:
            hf.enable_truncation(length, stride=stride, strategy=strategy)
            for texts in [(PAIRS[5][1],), *PAIRS[4:]]:
                cases.append({"model": name, "text": texts[0], **({"pair": texts[1]} if len(texts) == 2 else {}),
                              "truncation": strategy, "max_length": length, "stride": stride,
                              "encoding": attempt(lambda: hf.encode(*texts))})
            hf.no_truncation()
        words = ["Hello", "unaffable,", "", "e\u0301", "New York", "\u200b", "don't"]
        cases.append({"model": name, "words": words, "encoding": attempt(lambda: hf.encode(words, is_pretokenized=True))})
        cases.append({"model": name, "words": words, "pair_words": words[:2],
                      "encoding": attempt(lambda: hf.encode(words, words[:2], is_pretokenized=True))})
    (HERE / "encodings.json").write_text("\n".join(
        ["["] + [json.dumps(c, ensure_ascii=True, separators=(",", ":")) + "," for c in cases[:-1]]
        + [json.dumps(cases[-1], ensure_ascii=True, separators=(",", ":")), "]"]) + "\n")

    # What transformers reads of a SentencePiece model alone.
    directory = HERE / "sentencepiece"
    directory.mkdir()
    proto.ClearField("trainer_spec")
    (directory / "sentencepiece.bpe.model").write_bytes(proto.SerializeToString())
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}\n')
    bert = AutoTokenizer.from_pretrained(directory)
    cases = []
    for text in TEXTS:
        encoding = bert._tokenizer.encode(text)
        cases.append({"text": text, "encoding": record(encoding), "decoded": bert.decode(encoding.ids)})
    (HERE / "sentencepiece.json").write_text("\n".join(
        ["["] + [json.dumps(c, ensure_ascii=True, separators=(",", ":")) + "," for c in cases[:-1]]
        + [json.dumps(cases[-1], ensure_ascii=True, separators=(",", ":")), "]"]) + "\n")


if __name__ == "__main__":
    main()
