#!/usr/bin/env python3
"""Makes plain text of what Debian packages hold: HTML without its tags, manual pages without roff, text as it is.

    bench/plain_text.py /usr/share/doc/debian-handbook/html --output handbook      # a file for each folder in it
    bench/plain_text.py DIR.. --distinct train.txt [--megabytes 100] [--held-out held.txt]

With --distinct, every line once, from all files in an order that does not depend on the machine; every 100th or so
goes to --held-out and not to the training text.
"""
import argparse
import gzip
import hashlib
import html.parser
import pathlib
import re
import sys

BLOCKS = set("p div li h1 h2 h3 h4 h5 h6 br tr td th pre dt dd title option".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out, self.hidden = [], 0

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("script", "style")
        if tag in BLOCKS:
            self.out.append("\n")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")
        if tag in BLOCKS:
            self.out.append("\n")

    def handle_data(self, data):
        if not self.hidden:
            self.out.append(data)


ROFF = re.compile(r"\\f(\(..|\[[^]]*\]|.)|\\s[-+]?\d+|\\[&/,|^)%:]")
ROFF_CHARACTERS = {r"\-": "-", r"\ ": " ", r"\(aq": "'", r"\(dq": '"', r"\(bu": "•", r"\(en": "–", r"\(em": "—",
                   r"\e": "\\", r"\~": "\u00a0", r"\(co": "©", r"\(rs": "\\"}


def of_roff(text):
    lines = []
    for line in text.split("\n"):
        if re.match(r"""[.']\s*(\\"|TH|so|if|ie|el|de|ds|nr|PP|P\b|TP|RS|RE|nf|fi|sp|br|in|ft|ad|hy|it|na|ne|\.)""", line):
            continue
        line = re.sub(r"^[.']\s*[A-Za-z]{1,3}\s*", "", line)
        line = ROFF.sub("", line)
        for escape, character in ROFF_CHARACTERS.items():
            line = line.replace(escape, character)
        lines.append(line)
    return "\n".join(lines)


def plain(path):
    raw = path.read_bytes()
    name = path.name
    if name.endswith(".gz"):
        raw, name = gzip.decompress(raw), name[:-3]
    if b"\0" in raw[:4096]:
        return ""
    text = raw.decode("utf-8", errors="replace")
    if name.endswith((".html", ".htm", ".xhtml")):
        page = Page()
        page.feed(text)
        text = "".join(page.out)
    elif re.search(r"\.[1-8][a-z]*$", name):
        text = of_roff(text)
    elif not name.endswith((".txt", ".rst", ".tsv", ".bmes", ".dev", ".train")) and "." in name:
        return ""
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def files_of(place):
    return sorted(p for p in place.rglob("*") if p.is_file() and not p.is_symlink()) if place.is_dir() else [place]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", type=pathlib.Path, nargs="+")
    parser.add_argument("--output", type=pathlib.Path, help="a folder for a text a folder")
    parser.add_argument("--distinct", type=pathlib.Path)
    parser.add_argument("--megabytes", type=float, default=1e9)
    parser.add_argument("--held-out", type=pathlib.Path)
    args = parser.parse_args()
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
        for place in args.places:
            for folder in sorted(p for p in place.iterdir() if p.is_dir()):
                text = "\n".join(filter(None, map(plain, files_of(folder)))) + "\n"
                (args.output / f"{folder.name}.txt").write_text(text)
                print(f"{folder.name}: {len(text.encode()) / 1e6:.2f} MB")
        return 0
    if not args.distinct:
        parser.error("give --output or --distinct")
    seen, done, held = set(), 0, []
    with args.distinct.open("wb") as out:
        for place in args.places:
            before = done
            for file in files_of(place):
                for line in plain(file).split("\n"):
                    raw = line.encode() + b"\n"
                    key = hashlib.blake2b(raw, digest_size=8).digest()
                    if len(raw) < 2 or key in seen or done + len(raw) > 1e6 * args.megabytes:
                        continue
                    seen.add(key)
                    if args.held_out and int.from_bytes(key, "little") % 100 == 0:
                        held.append(raw)
                        continue
                    out.write(raw)
                    done += len(raw)
            print(f"{place}: {(done - before) / 1e6:.1f} MB of distinct lines")
    if args.held_out:
        args.held_out.write_bytes(b"".join(held))
    print(f"{args.distinct}: {done / 1e6:.1f} MB, {len(seen) - len(held):,} lines; held out {len(held):,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
