#!/usr/bin/env python3
"""Holds CMRC 2018's exact match and F1 against its rules, written anew here, with NLTK's own tokenizer for Latin words.

    pip install nltk
    python3 tests/conformance/cmrc.py [--tool build/release/tests/answer_scores] [--pairs 20000] [--seed 1]

Build the target answer_scores first. Answers are made of Chinese and Latin parts, digits, and punctuation of both; the pairs are
related, or not. NLTK cuts each text as one sentence (the script also guesses where sentences end, by a model of English
that is data of its own), and its contractions ("cannot") and double quotation marks, which it writes anew, are left out of the
texts: Cloze does not have them.
"""
import argparse
import json
import random
import subprocess
import sys

try:
    from nltk.tokenize import NLTKWordTokenizer
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

LISTED = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
NLTK = NLTKWordTokenizer()
CHINESE = "中国北京大学研究生命科学院位于海淀区一二三四五六七八九十年月日的是在了和有人这"
LATIN = ["Apple", "iPhone", "GDP", "NBA", "Dr.", "U.S.", "3.14", "1,000", "15.3%", "$20", "2018", "A.B.", "it's", "don't", "O'Neil", "they're",
         "hello", "C++", "AT&T", "no.1", "(a)", "[x]", "etc...", "end.", "x!", "y?", "a,b", "a, b", "e-mail", "@home", "#tag", "Ürün", "Σ", "〈b〉"]
PUNCTUATION = list("，。：？！“”；’《》·、「」（）－～『』…—-:_*^/~+=.,;?!()[]<>%$&@# 　") + [" ", " ", "  ", "..", "...", "……"]


def segments(text):
    """Ideographs by themselves, and NLTK's words of what stands between them."""
    result, between = [], ""
    for c in text.lower().strip():
        if c in LISTED:
            continue
        if "\u4e00" <= c <= "\u9fa5":
            result += NLTK.tokenize(between) + [c]
            between = ""
        else:
            between += c
    return result + NLTK.tokenize(between)


def longest_run(a, b):
    lengths, best = {}, 0
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i] == b[j]:
                lengths[i, j] = lengths.get((i - 1, j - 1), 0) + 1
                best = max(best, lengths[i, j])
    return best


def scores(gold, predicted):
    plain = ["".join(c for c in text.lower().strip() if c not in LISTED) for text in (gold, predicted)]
    a, b = segments(gold), segments(predicted)
    common = longest_run(a, b)
    f1 = 2 * (common / len(b)) * (common / len(a)) / (common / len(b) + common / len(a)) if common else float(not a and not b)
    return int(plain[0] == plain[1]), f1, a, b


def answer(draw):
    parts = []
    for _ in range(draw.choice([0, 1, 2, 3, 5, 8])):
        kind = draw.random()
        if kind < 0.5:
            parts.append("".join(draw.choices(CHINESE, k=draw.randint(1, 6))))
        elif kind < 0.75:
            parts.append(draw.choice(LATIN))
        else:
            parts.append(draw.choice(PUNCTUATION))
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/release/tests/answer_scores")
    parser.add_argument("--pairs", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    pairs = []
    while len(pairs) < arguments.pairs:
        gold = answer(draw)
        other = answer(draw)
        begin = draw.randint(0, len(gold))
        predicted = draw.choice([gold, other, gold[begin:draw.randint(begin, len(gold))], other + gold, gold + "。", gold.upper(), gold[:begin] + other])
        pairs.append((gold, predicted))
    run = subprocess.run([arguments.tool], input="".join(json.dumps(pair) + "\n" for pair in pairs), capture_output=True, text=True, check=True)
    wrong = 0
    for pair, line in zip(pairs, run.stdout.splitlines(), strict=True):
        ours, theirs = json.loads(line), scores(*pair)
        if ours[0] != theirs[0] or abs(ours[1] - theirs[1]) > 1e-12 or ours[2:] != list(theirs[2:]):
            wrong += 1
            if wrong <= 20:
                print(f"{pair}: {ours} instead of {theirs}")
    matched = sum(scores(*pair)[0] for pair in pairs[:1000])
    print(f"{len(pairs)} pairs compared ({matched} of the first 1000 match), {wrong} differ")
    sys.exit(1 if wrong else 0)


main()
