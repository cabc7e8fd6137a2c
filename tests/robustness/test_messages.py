"""What the command says: one plain sentence, in words of its own, and nothing that a terminal obeys."""

import json
import os
import shutil

import harness

# What libraries say of mistakes, in their own words.
FOREIGN = harness.FOREIGN_TEXTS + ("Could not convert", "not in range", "At Most", "required but", "_M_", "parse_error", "type_error", "syntax_error",
                                   "libprotobuf", "[libprotobuf", "CLI::", "No such node", "bad_alloc", "length_error")


class OddLabels(harness.Case):
    LABELS = ("two\nlines", "a\ttab", "\x1b[31mred\x1b[0m", "nul\x00byte", "\u009b31m", "plain")

    def model(self):
        rows = [{"text": f"text number {i % 6} {'abcdef'[i % 6] * 3}", "label": self.LABELS[i % 6]} for i in range(48)]
        table = self.file("odd.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
        output = self.folder / "odd"
        self.succeeds(*self.finetune_arguments(output, "--epochs", 1, train=table, dev=table))
        return output, table

    def assert_plain(self, text, lines=None):
        for character in text.replace("\n", ""):
            self.assertFalse(ord(character) < 32 or 127 <= ord(character) < 160, repr(text))
        if lines is not None:
            self.assertEqual(len(text.splitlines()), lines, repr(text))

    def test_readable_output(self):
        """R10: labels with line ends, tabs, NUL and escape sequences are escaped for people, and whole in JSON."""
        model, table = self.model()
        self.assert_plain(self.succeeds("classify", "--model", model, "a text").out, 1)
        every = self.succeeds("classify", "--model", model, "--all", "a text").out
        self.assert_plain(every, 7)
        for shown in "two\\nlines", "a\\ttab", "\\x1b[31mred", "nul\\x00byte", "\\x9b31m":
            self.assertIn(shown, every)
        found = json.loads(self.succeeds("classify", "--model", model, "--all", "--json", "a text").out)
        self.assertEqual({label["label"] for label in found["labels"]}, set(self.LABELS))
        finished = self.succeeds("evaluate", "--model", model, "--data", table)
        self.assert_plain(finished.out)
        self.assert_plain(finished.err)
        self.assert_plain(self.succeeds("info", "--model", model).out)

    def test_tokens(self):
        """R10: added tokens may hold anything too."""
        model = self.finetuned()
        path = model / "tokenizer.json"
        tokenizer = json.loads(path.read_text())
        first = max(tokenizer["model"]["vocab"].values()) + 1
        tokenizer["added_tokens"].append({"id": first, "content": "\x1b[5m\n", "single_word": False, "lstrip": False,
                                          "rstrip": False, "normalized": False, "special": False})
        path.write_text(json.dumps(tokenizer))
        self.assert_plain(self.succeeds("tokenize", "--model", model, "a \x1b[5m\n b").out, 2)


class OddNames(harness.Case):
    def test_json_with_paths_not_utf8(self):
        """S16b: the JSON of a command that has done its work is JSON, whatever its files are called."""
        model = self.folder / os.fsdecode(b"m\xf6del")
        shutil.copytree(self.finetuned(), model)
        out = lambda name: self.folder / os.fsdecode(b"\xfc-" + name)
        texts = self.folder / os.fsdecode(b"t\xe4xts.tsv")
        texts.write_text("a good film\tpositive\na bad film\tnegative\n" * 8)
        pair = ("--single", "-i", texts)
        for command in (("encode", "--model", model, "--pooling", "mean", "-o", out(b"v.npy"), *pair),
                        ("encode", "--model", model, *pair), ("classify", "--model", model, *pair),
                        ("tokenize", "--model", model, *pair), ("info", "--model", model),
                        ("evaluate", "--model", model, "--data", texts, "--predictions", out(b"p.jsonl")),
                        ("similarity", "--model", model, "--query", "a film", *pair[1:]),
                        ("convert", model, out(b"converted")), ("export", model, out(b"m.onnx")),
                        ("inspect", "--model", model, "a film", "-o", out(b"page.html")),
                        ("embed-map", texts, "--model", model, "-o", out(b"map.html"))):
            with self.subTest(command=command[0]):
                finished = harness.cloze(*command, "--json")
                if finished.code == 2 and "--json" in finished.err:  # it has none
                    finished = harness.cloze(*command)
                self.assertEqual(finished.code, 0, repr(finished))
                self.assert_presentable(finished)
                for line in finished.out.splitlines():
                    if line.startswith("{"):
                        json.loads(line)

    def test_names_in_errors(self):
        """S17: an error about a file whose name is not UTF-8."""
        odd = self.folder / os.fsdecode(b"x\xff\x1b[31m")
        for command in (("encode", "--model", odd, "a"), ("vocab", "--text", odd, "-o", self.folder / "v.txt"),
                        ("tokenize", "--model", self.finetuned(), "-i", odd), ("convert", odd, self.folder / "c")):
            finished = self.fails(*command, says="\\xff")
            self.assertNotIn("\x1b", finished.err)


class WordsOfItsOwn(harness.Case):
    def assert_own_words(self, finished, code=(1, 2)):
        self.assert_failed(finished, code=code)
        for text in FOREIGN:
            self.assertNotIn(text, finished.err, repr(finished))

    def test_command_lines(self):
        """U5b: mistakes in the command line."""
        model = self.finetuned()
        for more in (("--threads", "many"), ("--threads", "-1"), ("--threads", "99999999999999999999"), ("--threads",),
                     ("--batch-tokens", "0"), ("--batch-tokens", "1e99"), ("--batch-tokens", "nan"), ("--nothing",),
                     ("--dtype", "f99"), ("--device", "x" * 100_000), ("--" + "x" * 100_000,), ("--top-k", "x" * 100_000),
                     ("--threads", "1", "--threads", "2"), ("--input", "a", "b"), ("--model",)):
            with self.subTest(more=str(more)[:60]):
                self.assert_own_words(harness.cloze("classify", "--model", model, *more), code=(1, 2))

    @harness.slow
    def test_damaged_files(self):
        """U5b: files of a model that hold something else."""
        model = self.finetuned()
        whole = {name: (model / name).read_bytes() for name in ("config.json", "tokenizer.json", "tokenizer_config.json",
                                                               "model.safetensors")}
        for name, content in whole.items():
            for damaged in (b"", b"[]", b"{}", b"null", b"{", b"[" * 100_000, b'{"a":' * 50_000, content[: len(content) // 2],
                            b"\xff" * 300, content.replace(b":", b"", 1), content.replace(b'"', b"'", 40),
                            content.replace(b"null", b"[]"), content.replace(b"true", b'"yes"').replace(b"false", b"17"),
                            content.replace(b"128", b'"many"'), content.replace(b"1", b"-1"), content.replace(b"{", b"[{", 1)):
                (model / name).write_bytes(damaged)
                finished = harness.cloze("classify", "--model", model, "a")
                self.assertIn(finished.code, (0, 1), repr(finished))
                if finished.code == 1:
                    with self.subTest(name=name, damaged=damaged[:60]):
                        self.assert_own_words(finished)
            (model / name).write_bytes(content)

    def test_damaged_data(self):
        """U5b: tables and questions that are not what they should be."""
        model = self.finetuned()
        for content in (b'{"text": "a", "label": {"a": [1, 2]}}\n', b'{"text": 1}\n', b'{"text": "a", "label": "\xff"}\n', b"{\n",
                        b'{"text": "\\ud800", "label": "positive"}\n', b'"a","b\n', b"a\tb\tc\td\te\n", b"[1,2]\n"):
            for name in "data.jsonl", "data.tsv", "data.csv":
                self.assert_own_words(harness.cloze("evaluate", "--model", model, "--data", self.file(name, content)))


if __name__ == "__main__":
    harness.main()
