#!/usr/bin/env python3
"""Writes unicode_tables_hf.cc and unicode_tables_google.cc beside this script.

What Hugging Face's tokenizer thinks of a character comes from the tables inside its Rust crates
(unicode_categories, unicode-normalization-alignments, Rust's own), which are of different Unicode
versions. So the tables of `hf` mode are read out of the `tokenizers` package itself, one code point
at a time. Those of `google` mode are what Python's unicodedata says, which is what
google-research/bert's tokenization.py asks (Python 3.11: Unicode 14.0).

Needs: pip install tokenizers==0.23.3. Takes about a minute.
"""
import pathlib
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
REMOVED, WHITE, CJK, PUNCT, MARK, WORD, HANGUL, CASED, IGNORABLE = (1 << i for i in range(9))
HANGUL_BEGIN, HANGUL_END = 0xAC00, 0xD7A4
BLOCK = 64
HIGHEST_CLASS = "\u0345"  # 240, which every other combining class sorts before


def class_samples(nfd):
    """A character of each combining class that `nfd` knows as a combining character, in order."""
    samples = {}
    for c in CODE_POINTS:
        ch = chr(c)
        k = unicodedata.combining(ch)
        if k and k < 240 and k not in samples and nfd(ch) == ch and nfd(HIGHEST_CLASS + ch) == ch + HIGHEST_CLASS:
            samples[k] = ch
    samples = sorted(samples.items())
    for a, low in samples:
        for b, high in samples:
            assert (nfd(high + low) == low + high) or a >= b, (a, b)
    return samples


def class_by_order(nfd, samples, ch):
    """The combining class that `nfd` sorts `ch` by."""
    if ch == HIGHEST_CLASS:
        return 240
    if nfd(HIGHEST_CLASS + ch) == HIGHEST_CLASS + ch:
        return 0
    low, high = 0, len(samples)  # `ch` sorts before the samples from `low` on
    while low < high:
        mid = (low + high) // 2
        if nfd(samples[mid][1] + ch) == samples[mid][1] + ch:
            low = mid + 1
        else:
            high = mid
    combining_class, same = samples[low - 1]
    assert nfd(ch + same) == ch + same and nfd(same + ch) == same + ch, hex(ord(ch))
    return combining_class


def hf_properties():
    bert = normalizers.BertNormalizer
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    clean = bert(**{**off, "clean_text": True}).normalize_str
    lower = bert(**{**off, "lowercase": True}).normalize_str
    strip = bert(**{**off, "strip_accents": True}).normalize_str
    cjk = bert(**{**off, "handle_chinese_chars": True}).normalize_str
    nfd = normalizers.NFD().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    word = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    word.add_tokens([AddedToken("xyz", single_word=True, normalized=False)])
    samples = class_samples(nfd)
    for c in CODE_POINTS:
        ch = chr(c)
        flags = 0
        if clean(ch) == "":
            flags |= REMOVED
        pieces = len(split("a" + ch + "b"))
        flags |= {1: 0, 2: WHITE, 3: PUNCT}[pieces]
        if cjk(ch) != ch:
            flags |= CJK
        if word.encode(ch + "xyz").ids[-1] != 1:
            flags |= WORD
        decomposed = nfd(ch)
        ccc = 0
        if HANGUL_BEGIN <= c < HANGUL_END:
            flags |= HANGUL
            decomposed = ch
        elif decomposed == ch:
            ccc = class_by_order(nfd, samples, ch)
            if strip(ch) == "":
                flags |= MARK
        yield c, flags, ccc, decomposed, lower(ch)


def google_properties():
    cjk = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
           (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
    ascii_punct = [(33, 47), (58, 64), (91, 96), (123, 126)]
    for c in CODE_POINTS:
        ch = chr(c)
        category = unicodedata.category(ch)
        flags = 0
        if c in (0, 0xFFFD) or (category in ("Cc", "Cf") and ch not in "\t\n\r"):
            flags |= REMOVED
        if category == "Zs" or ch.isspace():
            flags |= WHITE
        if any(a <= c <= b for a, b in cjk):
            flags |= CJK
        if any(a <= c <= b for a, b in ascii_punct) or category.startswith("P"):
            flags |= PUNCT
        if category == "Mn":
            flags |= MARK
        # Python lower-cases a capital sigma by its neighbours: "cased", "case-ignorable" or neither.
        if (ch + "\u03a3").lower().endswith("\u03c2"):
            flags |= CASED
        elif ("A" + ch + "\u03a3").lower().endswith("\u03c2"):
            flags |= IGNORABLE
        decomposed = unicodedata.normalize("NFD", ch)
        if HANGUL_BEGIN <= c < HANGUL_END:
            flags |= HANGUL
            decomposed = ch
        yield c, flags, unicodedata.combining(ch), decomposed, ch.lower()


def rows(values, form):
    line, out = "", []
    for v in values:
        text = form(v) + ","
        if len(line) + len(text) > 110:
            out.append(line)
            line = ""
        line += text
    return "\n".join(out + [line])


def write(name, source, properties):
    records, pool = {}, []

    def pooled(text):
        if not text:
            return 0
        cps = [ord(k) for k in text]
        for at in range(len(pool) - len(cps) + 1):
            if pool[at : at + len(cps)] == cps:
                return at
        pool.extend(cps)
        return len(pool) - len(cps)

    pool_of = {}
    of = [0] * 0x110000
    # Record 0 is an ordinary letter that nothing changes; surrogates get it too (they never occur).
    records[(0, 0, 0, 0, 0, 0)] = 0
    for c, flags, ccc, decomposed, lower in properties:
        ch = chr(c)
        nfd = "" if decomposed == ch else decomposed
        low = "" if lower == ch else lower
        for text in (nfd, low):
            if text not in pool_of:
                pool_of[text] = pooled(text)
        key = (flags, ccc, len(nfd), pool_of[nfd], len(low), pool_of[low])
        of[c] = records.setdefault(key, len(records))
    blocks, index = {}, []
    for begin in range(0, 0x110000, BLOCK):
        block = tuple(of[begin : begin + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    path = pathlib.Path(__file__).with_name(f"unicode_tables_{name}.cc")
    path.write_text(f"""// Generated by generate_unicode_tables.py from {source}: change that, not this.
// clang-format off
#include "text/normalize/unicode_tables.h"

namespace cloze::text {{
namespace {{

constexpr std::uint16_t kIndex[] = {{
{rows(index, str)}}};

constexpr std::uint16_t kBlocks[] = {{
{rows((r for b in blocks for r in b), str)}}};

// flags, combining class, NFD size and place, lower case size and place
constexpr CharRecord kRecords[] = {{
{rows(records, lambda r: "{%d,%d,%d,%d,%d,%d}" % r)}}};

constexpr char32_t kPool[] = {{
{rows(pool, hex)}}};

}}  // namespace

const UnicodeTable& unicode_table_{name}() {{
  static constexpr UnicodeTable table{{kIndex, kBlocks, kRecords, kPool}};
  return table;
}}

}}  // namespace cloze::text
""")
    print(path, path.stat().st_size, "bytes;", len(records), "records,", len(blocks), "blocks")


if __name__ == "__main__":
    write("google", f"Python's unicodedata {unicodedata.unidata_version}", google_properties())
    write("hf", f"tokenizers {tokenizers.__version__}", hf_properties())
