#!/usr/bin/env python3
"""Holds BertJapaneseTokenizer against transformers: words by MeCab or by white space, pieces by WordPiece or characters.

    python3 tests/conformance/japanese.py [--cloze build/release/cloze] [--texts 1500] [--text FILE..] [--seed 1]

Needs transformers (4 or 5; no PyTorch), fugashi, and the dictionaries ipadic and unidic-lite from the Python package index;
Cloze is given the directories of the same dictionaries, or finds them by the name. Texts are made of Japanese phrases, words of any script, half and
full width, compatibility characters, combining marks, white space of all kinds, emoji and added tokens; --text adds the
lines of files. Every switch that tokenizer_config.json has for this class is in one of the directories. Tokens and ids
must be the same, for texts alone and for pairs that are truncated; offsets must lead to what a token was made of.
"""

import argparse
import importlib
import inspect
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import fugashi
import transformers
from transformers import AutoTokenizer
from transformers.models.bert_japanese.tokenization_bert_japanese import MecabTokenizer

PHRASES = """東京都に行く人がいる。|私は学生ですが、毎日大学へ行きません。|吾輩は猫である。名前はまだ無い。|すもももももももものうち
国際連合は1945年に設立された|自然言語処理の研究をしています|お寿司を食べたいなあ!|彼女は「はい」と答えた。|昨日、渋谷でコーヒーを飲んだ
関西国際空港|人工知能|データベース|インターネット|プログラミング言語C++|株式会社|経済産業省|ﾊﾝｶｸｶﾅ|ｶﾞｷﾞｸﾞｹﾞｺﾞ|ﾊﾟﾋﾟﾌﾟ|ＡＢＣ１２３
ｆｕｌｌ　ｗｉｄｔｈ|㈱|㍻元年|㎏と㎡|①②③|Ⅳ章|½カップ|™と®|ﬁne|か゛|か\u3099き\u3099|は\u309a|e\u0301te\u0301|Straße|ΑΣ ΟΔΟΣ Σ|İstanbul
Apple iPhone|HELLO World|don't|e-mail: foo@example.com|https://example.com/a_b?c=1|1,234.56円|-5℃|2023年10月5日|12:34
😀|👨‍👩‍👧|🇯🇵|♪|〜|ー|・|…|...|!!|？！|「」|『』|（笑）|々|〆|ヶ月|ヴァイオリン|ゐゑ|髙橋|𠮷野家|神\ufa19|한국어|中文|Привет|café|naïve""".replace("\n", "|").split("|")
SPACES = [" ", "  ", "\u3000", "\u00a0", "\u2003", "\t", "\u200b", "\u2028", "\x0b", "\x85", "\x1c"]
ADDED = ["[MASK]", "[SEP]", "[UNK]", "[CLS]", "<新>", "foo bar", "[mask]"]
RANGES = [(0x21, 0x7E), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FEF), (0xFF01, 0xFF9F), (0x3200, 0x33FF),
          (0xA0, 0x24F), (0x370, 0x3FF), (0x2100, 0x218F), (0x300, 0x36F), (0x1F300, 0x1F64F), (0xAC00, 0xD7A3),
          (0x20, 0x2FFF), (0xF900, 0xFAFF)]


def random_text(random):
    parts = []
    for _ in range(random.choice([0, 1, 2, 3, 5, 8, 13])):
        kind = random.random()
        if kind < 0.55:
            parts.append(random.choice(PHRASES))
        elif kind < 0.7:
            low, high = random.choice(RANGES)
            letters = "".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 6)))
            # Of another version of Unicode, or no text.
            parts.append("".join(c for c in letters if unicodedata.category(c) not in ("Cn", "Cs", "Cc")))
        elif kind < 0.8:
            parts.append(random.choice(PHRASES).upper() if random.random() < 0.5 else random.choice(PHRASES).lower())
        elif kind < 0.93:
            parts.append(random.choice(SPACES))
        else:
            parts.append(random.choice(ADDED))
    if random.random() < 0.02:
        parts.append(random.choice("aあ漢") * random.choice([99, 100, 101, 150]))
    return "".join(parts).replace("\n", "").replace("\r", "")


def vocabulary(texts, taggers, random):
    words, characters = {}, {}
    for text in texts:
        normal = unicodedata.normalize("NFKC", text)
        for form in (normal, normal.lower()):
            characters.update(dict.fromkeys(form))
            for tagger in taggers:
                words.update(dict.fromkeys(word.surface for word in tagger(form)))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pool = [word for word in words if not any(c.isspace() or c == "\0" for c in word)]
    random.shuffle(pool)
    tokens += pool[: len(pool) // 2]
    for c in characters:
        if c.isspace() or c == "\0":
            continue
        tokens += [c] if random.random() < 0.95 else []
        tokens += ["##" + c] if random.random() < 0.9 else []
    for word in pool[len(pool) // 2:: 3]:  # and pieces of more than one character
        if len(word) > 2:
            tokens.append("##" + word[1:])
    return list(dict.fromkeys(tokens))


def dictionary_of(package):
    return importlib.import_module(package).DICDIR


def configurations():
    """(name, tokenizer_config.json without the class, dictionary's package or None)."""
    mecab = {"word_tokenizer_type": "mecab", "mecab_kwargs": {"mecab_dic": "ipadic"}}
    lite = {"word_tokenizer_type": "mecab", "mecab_kwargs": {"mecab_dic": "unidic_lite"}}
    character = {"subword_tokenizer_type": "character"}
    added = {"added_tokens_decoder": {}}
    for name, base, package in (("ipadic", mecab, "ipadic"), ("unidic_lite", lite, "unidic_lite"), ("basic", {}, None)):
        for lower in (None, False, True):
            for pieces in ({}, character, {"do_subword_tokenize": False}):
                config = {**base, **pieces, **({} if lower is None else {"do_lower_case": lower})}
                yield f"{name} {pieces or 'wordpiece'} lower {lower}", config, package
    # Found by name among this Python's packages; without a name the one that transformers takes.
    yield "unidic_lite, found", lite, None
    if inspect.signature(MecabTokenizer).parameters["mecab_dic"].default == "unidic_lite":
        for name, kwargs in (("no mecab_kwargs", {}), ("mecab_kwargs null", {"mecab_kwargs": None}),
                             ("no mecab_dic", {"mecab_kwargs": {"normalize_text": False}})):
            yield name, {"word_tokenizer_type": "mecab", **kwargs}, None
    raw = {"word_tokenizer_type": "mecab", "mecab_kwargs": {"mecab_dic": "ipadic", "normalize_text": False}}
    option = {"word_tokenizer_type": "mecab",
              "mecab_kwargs": {"mecab_dic": None, "mecab_option": f'-d "{dictionary_of("ipadic")}" -r /dev/null -Owakati'}}
    grouped = {"word_tokenizer_type": "mecab", "mecab_kwargs": {"mecab_dic": "ipadic", "mecab_option": "-M 4 --node-format=%m"}}
    for pieces in ({}, character):
        yield f"not normalized {pieces}", {**raw, **pieces}, "ipadic"
        yield f"mecab_option {pieces}", {**option, **pieces}, None
        yield f"grouping {pieces}", {**grouped, **pieces}, "ipadic"
        yield f"no words {pieces}", {"do_word_tokenize": False, **pieces}, None
        yield f"never split {pieces}", {**mecab, **pieces, "do_lower_case": True,
                                       "never_split": ["TM", "HELLO", "World", "Apple"]}, "ipadic"
    yield "never split, basic", {"do_lower_case": True, "never_split": ["HELLO", "don't", "e-mail:", "…"]}, None
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<新>", "foo bar"]
    for lower in (False, True):
        decoder = {str(i): {"content": token, "lstrip": token == "[MASK]", "rstrip": token == "<新>", "single_word": False,
                            "normalized": i == 6, "special": i < 6} for i, token in enumerate(names)}
        yield f"added tokens, lower {lower}", {**mecab, "do_lower_case": lower, "added": decoder}, "ipadic"


def write(directory, config, tokens):
    config = dict(config)
    decoder = config.pop("added", None)
    if decoder is not None:  # those that the vocabulary lacks come at its end
        config["added_tokens_decoder"] = {}
        for index, token in decoder.items():
            place = int(index) if int(index) < 5 else len(tokens) + int(index) - 5
            config["added_tokens_decoder"][str(place)] = token
    directory.mkdir()
    (directory / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="utf-8", newline="\n")
    (directory / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertJapaneseTokenizer", **config}, ensure_ascii=False), encoding="utf-8")


def run(cloze, directory, package, lines, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", newline="\n") as file:
        file.write("".join(line + "\n" for line in lines))
        file.flush()
        given = ["--dictionary", dictionary_of(package)] if package else []
        done = subprocess.run([cloze, "tokenize", "--model", directory, "--input", file.name, "--json", *given, *options],
                              capture_output=True, text=True, encoding="utf-8", env={**os.environ, "VIRTUAL_ENV": sys.prefix})
    if done.returncode != 0:
        return None, done.stderr.strip()
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]], ""


def leads_back(text, token, offsets, unknown):
    """Whether a token's place in the text is what it was made of."""
    begin, end = offsets
    if not 0 <= begin < end <= len(text):
        return False
    if token == unknown:
        return True
    def plain(s):
        s = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", s).lower()).lower()
        # Marks go with upper case, and controls inside of a word by `basic`.
        return "".join(c for c in s if unicodedata.category(c) != "Mn" and unicodedata.category(c)[0] != "C").replace("ς", "σ")
    piece = token[2:] if token.startswith("##") and len(token) > 2 else token
    return plain(piece) in plain(text[begin:end]) or plain(token) in plain(text[begin:end])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--text", nargs="*", default=[], type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    texts = PHRASES + [random_text(draw) for _ in range(arguments.texts)]
    for path in arguments.text:
        texts += [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()][:20000]
    texts = [text.replace("\0", "") for text in texts]
    taggers = [fugashi.GenericTagger(f'-d "{dictionary_of(p)}" -r "{dictionary_of(p)}/mecabrc"') for p in ("ipadic", "unidic_lite")]
    tokens = vocabulary(texts, taggers, draw)
    print(f"transformers {transformers.__version__}, seed {arguments.seed}: {len(texts)} texts, {len(tokens)} tokens", flush=True)

    version_4 = transformers.__version__.startswith("4.")
    wrong, compared, pairs, placed = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, config, package) in enumerate(configurations()):
            # Version 4 also lower-cases the whole text before it looks for words.
            if version_4 and config.get("do_lower_case"):
                continue
            directory = pathlib.Path(folder) / str(number)
            write(directory, config, tokens)
            ours, why = run(arguments.cloze, directory, package, texts, "--single")
            if ours is None:
                wrong.append(f"{name}: {why}")
                continue
            reference = AutoTokenizer.from_pretrained(directory)
            before = len(wrong)
            for text, mine in zip(texts, ours, strict=True):
                # A tab is white space to --single, as it is to the tokenizer.
                ids, words = reference(text)["input_ids"], reference.tokenize(text)
                compared += 1
                if mine["ids"] != ids or mine["tokens"][1:-1] != words:
                    wrong.append(f"{name}: {text!r}: {mine['tokens'][1:-1]} instead of {words}")
                    continue
                for token, offsets, special in zip(mine["tokens"], mine["offsets"], mine["special"]):
                    placed += not special
                    if not special and not leads_back(text, token, offsets, "[UNK]"):
                        wrong.append(f"{name}: {text!r}: {token!r} is placed at {offsets}: {text[slice(*offsets)]!r}")
            paired = [(draw.choice(texts).replace("\t", " "), draw.choice(texts).replace("\t", " ")) for _ in range(200)]
            paired = [pair for pair in paired if all(pair)]
            for limit in (9, 20):
                ours, why = run(arguments.cloze, directory, package, ["\t".join(pair) for pair in paired], "--max-length", str(limit))
                for (first, second), mine in zip(paired, ours or [], strict=True):
                    theirs = reference(first, second, truncation="longest_first", max_length=limit, return_token_type_ids=True)
                    pairs += 1
                    if mine["ids"] != theirs["input_ids"] or mine["type_ids"] != theirs["token_type_ids"]:
                        wrong.append(f"{name}, {limit}: {first!r}, {second!r}: {mine['ids']} {mine['type_ids']} instead of {theirs}")
            print(f"{'ok' if len(wrong) == before else 'WRONG':6}{name}", flush=True)
    print("\n".join(wrong[:30]))
    print(f"{compared} texts and {pairs} pairs compared, {placed} places; {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


main()
