"""What is read: labels, vocabularies and tokenizers that are odd, large or wrong."""

import json
import shutil
import time

import harness


class Labels(harness.Case):
    def test_label_not_utf8(self):
        """R9: refused when the file is read, with its line, before anything is trained."""
        table = self.file("latin.tsv", b"good\tfine\nbad\tcaf\xe9\n" * 4)
        output = self.folder / "out"
        finished = self.fails(*self.finetune_arguments(output, train=table, dev=table), code=1,
                              says=("line 2 of", "latin.tsv", "caf\\xe9", "not UTF-8"))
        self.assertNotIn("step ", finished.err)
        self.assertFalse((output / "model.safetensors").exists())

    def test_other_forms(self):
        """R9: CSV, tags, several labels, and a file to evaluate on."""
        model = self.finetuned()
        table = self.file("latin.csv", b"text,label\ngood,caf\xe9\n")
        self.fails("evaluate", "--model", model, "--data", table, code=1, says="line 2 of")
        tags = self.file("latin.conll", b"Paris B-L\xe9\nis O\n\n")
        arguments = ("finetune", "--task", "token-classification", "--size", "tiny", "--vocab", self.vocab, "--train", tags,
                     "--dev", tags, "--output", self.folder / "tagger")
        self.fails(*arguments, code=1, says=("line 1 of", "not UTF-8"))
        several = self.file("several.tsv", b"good\ta, caf\xe9\n")
        self.fails(*self.finetune_arguments(self.folder / "several", "--multi-label", train=several, dev=several), code=1,
                   says=("line 1 of", "not UTF-8"))

    def test_text_not_utf8(self):
        """R9: texts are read, what is wrong in them as U+FFFD."""
        table = self.file("latin.tsv", b"good caf\xe9\tfine\nbad \xff\tbad\n" * 8)
        self.succeeds(*self.finetune_arguments(self.folder / "out", "--epochs", 1, train=table, dev=table))


class Vocabularies(harness.Case):
    def model_with(self, vocabulary):
        model = self.folder / "model"
        shutil.copytree(self.finetuned(), model)
        (model / "tokenizer.json").unlink()
        (model / "vocab.txt").write_bytes(vocabulary)
        return model

    @harness.slow
    def test_values_without_end(self):
        """U5b: a message holds a short part of a value."""
        model = self.model_with(b"")
        long = b"x" * (30 << 20)
        for content in (b"[PAD]\r[UNK]\r[CLS]\r" + long, long, long + b"\n" + long + b"\n", b"[PAD]\n" + long + b"\xff\n",
                        b"\x00" * 1000, b"\n\n\n"):
            (model / "vocab.txt").write_bytes(content)
            self.fails("tokenize", "--model", model, "a", code=1, says="model")
        (model / "vocab.txt").write_bytes(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
        for name in "config.json", "tokenizer_config.json", "tokenizer.json":
            for content in (b'"' + long + b'"', b'{"' + long + b'": 1}', b'{"a": "' + long, long,
                            b'{"model": "' + long + b'", "hidden_size": "' + long + b'", "model_type": "' + long +
                            b'", "do_lower_case": "' + long + b'"}'):
                before = (model / name).read_bytes() if (model / name).exists() else None
                (model / name).write_bytes(content)
                finished = harness.cloze("encode", "--model", model, "a")
                self.assertIn(finished.code, (0, 1), repr(finished))
                self.assert_presentable(finished)
                if before is None:
                    (model / name).unlink()
                else:
                    (model / name).write_bytes(before)

    def test_many_added_tokens(self):
        """U3b: 200,000 added tokens are read in seconds, found and decoded."""
        model = self.finetuned()
        path = model / "tokenizer.json"
        tokenizer = json.loads(path.read_text())
        vocabulary = tokenizer["model"]["vocab"]
        first = max(vocabulary.values()) + 1
        tokenizer["added_tokens"] += [
            {"id": first + i, "content": f"<extra {i}>", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": i % 2 == 0, "special": i % 3 == 0} for i in range(200_000)]
        path.write_text(json.dumps(tokenizer))
        begin = time.monotonic()
        finished = self.succeeds("tokenize", "--model", model, "--json", "the <extra 199999> end <extra 4>")
        self.assertLess(time.monotonic() - begin, 12)
        tokens = json.loads(finished.out)["tokens"]
        self.assertIn("<extra 199999>", tokens)
        self.assertIn("<extra 4>", tokens)

    @harness.slow
    def test_many_added_tokens_in_the_configuration(self):
        """U3b: the same in added_tokens_decoder, and in added_tokens.json."""
        model = self.model_with((self.finetuned("other") / "vocab.txt").read_bytes())
        first = len((model / "vocab.txt").read_text().splitlines())
        path = model / "tokenizer_config.json"
        original = path.read_text()
        config = json.loads(original)
        config["added_tokens_decoder"] = {str(first + i): {"content": f"<extra {i}>", "special": False} for i in range(100_000)}
        config["additional_special_tokens"] = [f"<extra {i}>" for i in range(100_000)]
        path.write_text(json.dumps(config))
        begin = time.monotonic()
        self.assertIn("<extra 99999>", self.succeeds("tokenize", "--model", model, "<extra 99999>").out)
        path.write_text(original)
        config = json.loads(original)
        config.pop("added_tokens_decoder", None)
        path.write_text(json.dumps(config))
        (model / "added_tokens.json").write_text(json.dumps({f"<extra {i}>": first + i for i in range(100_000)}))
        self.assertIn("<extra 99999>", self.succeeds("tokenize", "--model", model, "<extra 99999>").out)
        self.assertLess(time.monotonic() - begin, 20)


if __name__ == "__main__":
    harness.main()
