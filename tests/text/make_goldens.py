#!/usr/bin/env python3
"""Writes goldens/: a small vocabulary, tokenizers that use it, and what Hugging Face makes of texts.

Needs: pip install tokenizers transformers. The files are committed; run this to renew them.
"""
import json
import pathlib
import shutil

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertTokenizer

HERE = pathlib.Path(__file__).parent / "goldens"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the of and in to hello my dog is cute new york playing un play read token embedding internationalization
straße strasse été ete café na ve привет мир שלום مرحبا don can Hello World UNITED İstanbul istanbul
ς σ οδος 東京 ありがとう""".split()
PIECES = """##s ##ing ##aff ##able ##e ##ed ##er ##ization ##national ##inter ##t ##n ##ve ##ß ##é ##ому ##ет
##λος ##ς ##σ ##京 ##ना ##a ##b ##c ##aa ##aaaa ##aaaaaaaaaaaaaaaaaaaaaaaa ##ɪ ##ᅡ ##ᆨ""".split()
CHARS = [chr(c) for r in ((33, 127), (0xA1, 0x180), (0x391, 0x3CA), (0x410, 0x450), (0x5D0, 0x5EB), (0x621, 0x64B),
                          (0x905, 0x940), (0x1100, 0x1113), (0xE01, 0xE31), (0x3041, 0x3097)) for c in range(*r)
         if chr(c).strip()] + list("東京日本語中文一二三한국가각、。！？…—«»¿¡€№")

TEXTS = [
    "", " ", "\t\n\r ", "Hello, my dog is cute", "hello hello", "unaffable internationalization playing",
    "UN-AFFABLE!", "don't can't", "The café in New York: été, naïve STRASSE Straße",
    "\u00c5ngstr\u00f6m A\u030angstro\u0308m \u212bngstr\u00f6m", "İstanbul ISTANBUL ıstanbul",
    "ΟΔΟΣ ΟΔΟΣ. οδος Σ", "привет, МИР!", "שָׁלוֹם", "مَرْحَبًا", "नमस्ते", "ที่", "東京は日本語 中文。", "한국어 각 가",
    "ありがとう", "a\u200bb c\u200dd \ufeffe", "x\u00ady", "a\u0000b", "tab\there", "nbsp\u00a0here", "em\u2003space",
    "line\u2028sep\u2029para", "nel\u0085x", "a\u000bb\u000cc", "\u0301a", "e\u0301\u0323\u0302", "a\u0344",
    "=\u0338 \u2260 \u226e", "\u037e \u1fef \u2000 \u2329", "\U0001d15e\u0323", "a\u0301\u302e\u0327b",
    "\U0001d160\U0001d15e\u0327\u0301", "\u302e\u0301", "\u0f73\u0f71", "x\u0951\u06ed\u302a\U0001d16f\u1ce7\U0001d16f", "👨\u200d👩\u200d👧 🇩🇪 ☺\ufe0f", "ﬁ ﬀ Ⅷ ①",
    "\U0002f800 \uf900 \U0002b820 \U0002b920", "\U000e0001 \ue000 \U0010ffff", "\u0378 \u0890 \u1734 \u111c9",
    "$100.50 #tag @user a_b c/d [x] {y} ~z", "[MASK] is [mask] and[SEP]this[MASK]", "[MASK][MASK] [ MASK ]",
    "[CLS] a [UNK] [PAD]", "the [MASK", "a" * 100, "a" * 101, "é" * 100, "é" * 101, "東" * 3 + "a" * 7,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "hello" * 300, "a b " * 600, "x" * 70 + " é " + "y" * 70,
    "ab" * 31 + "é", "hello " * 11 + "é hello", " " * 63 + "hello", "." * 130, "a." * 70, "é." * 40,
]
PAIRS = [("Hello, my dog is cute", "the café"), ("", "a"), ("a", ""), ("", ""), ("[MASK] is", "東京 é"),
         ("a b c d e f g h i j", "k l m n o p q r s t u v w x y z"), ("a b c", "d e f g h i j k l m n o p q r")]
TRUNCATIONS = [(s, length, stride) for s in ("longest_first", "only_first", "only_second")
               for length, stride in ((8, 0), (9, 2), (12, 1), (4, 0))]


def build(lower, **switches):
    tokens = SPECIAL + sorted(set(CHARS + WORDS + PIECES), key=lambda t: (len(t), t))
    vocab = {t: i for i, t in enumerate(tokens)}
    hf = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    hf.normalizer = normalizers.BertNormalizer(
        **{"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lower, **switches})
    hf.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    hf.decoder = decoders.WordPiece(prefix="##")
    hf.add_special_tokens(SPECIAL)
    hf.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    return hf, tokens


def record(e):
    flat = lambda values: [-1 if v is None else v for v in values]
    out = {"ids": e.ids, "offsets": [x for o in e.offsets for x in o], "words": flat(e.word_ids), "tokens": e.tokens}
    if 1 in e.type_ids:
        out["type_ids"] = e.type_ids
    if e.overflowing:
        out["overflowing"] = [record(o) for o in e.overflowing]
    return out


def attempt(call):
    try:
        return record(call())
    except BaseException:  # a Rust panic is no Exception
        return "error"


def save(name, tokenizer):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    variants = {"uncased": build(True)[0], "cased": build(False)[0], "raw": build(False, clean_text=False)[0],
                "accents": build(True, strip_accents=False)[0], "nocjk": build(True, handle_chinese_chars=False)[0]}
    added = build(True)[0]
    added.add_tokens([AddedToken("New"), AddedToken("my dog", single_word=True),
                      AddedToken("<e>", lstrip=True, normalized=False), AddedToken("</e>", rstrip=True, normalized=False),
                      AddedToken("Éa", lstrip=True, rstrip=True), AddedToken("<e>n", normalized=False, single_word=True)])
    added.add_special_tokens([AddedToken("[ENT]", lstrip=True, rstrip=True)])
    variants["added"] = added
    added_texts = ["New new newest renew NEW", "my dog mydog my dogs, my dog", "a <e> b </e>  c", "<e>n <e>na  <e>nn",
                   "x éa  \u2003 y", "ea\u0301 e\u0301a Éa", "[ENT] [MASK]  [ENT]x", "a[ENT]b\u00a0[ENT] ",
                   "東New京", "\u0301New", "<e><e> <e>", "my\u200b dog"]
    cases = []
    for name, hf in variants.items():
        save(name, hf)
        for text in (TEXTS if name in ("uncased", "cased") else TEXTS[:48]) + (added_texts if name == "added" else []):
            cases.append({"model": name, "text": text, "encoding": attempt(lambda: hf.encode(text))})
    hf = variants["uncased"]
    for a, b in PAIRS:
        cases.append({"model": "uncased", "text": a, "pair": b, "encoding": attempt(lambda: hf.encode(a, b))})
    for strategy, length, stride in TRUNCATIONS:
        hf.enable_truncation(length, stride=stride, strategy=strategy)
        for texts in [(PAIRS[5][1],), *PAIRS[4:]]:
            cases.append({"model": "uncased", "text": texts[0], **({"pair": texts[1]} if len(texts) == 2 else {}),
                          "truncation": strategy, "max_length": length, "stride": stride,
                          "encoding": attempt(lambda: hf.encode(*texts))})
        hf.no_truncation()
    words = ["Hello", "unaffable,", "", "é\u0301", "New York", "\u200b", "don't"]
    cases.append({"model": "uncased", "words": words, "encoding": attempt(lambda: hf.encode(words, is_pretokenized=True))})
    cases.append({"model": "uncased", "words": words, "pair_words": words[:2],
                  "encoding": attempt(lambda: hf.encode(words, words[:2], is_pretokenized=True))})
    (HERE / "encodings.json").write_text("\n".join(
        ["["] + [json.dumps(c, ensure_ascii=True, separators=(",", ":")) + "," for c in cases[:-1]]
        + [json.dumps(cases[-1], ensure_ascii=True, separators=(",", ":")), "]"]) + "\n")

    tokens = build(True)[1]
    folder = HERE / "vocab"
    folder.mkdir()
    (folder / "vocab.txt").write_text("".join(t + "\n" for t in tokens))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "model_max_length": 512}\n')
    bert = BertTokenizer.from_pretrained(folder)
    decodings = []
    for text in ["Hello, my dog is cute!", "don't you can't , we 've . I 'm", "un playing unaffable", "a ' b n't x",
                 "do not . do not", "[MASK] is . [SEP]", "東京。", "he 's ? they 're !"]:
        ids = bert(text)["input_ids"]
        for skip in (False, True):
            for clean in (False, True):
                decodings.append({"ids": ids, "skip": skip, "clean_up": clean, "text": bert.decode(
                    ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)})
    (HERE / "decodings.json").write_text(json.dumps(decodings, indent=0) + "\n")


if __name__ == "__main__":
    main()
