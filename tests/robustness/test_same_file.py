"""An output that is an input: refused by every command that has both, whatever the names."""

import os
import shutil

import harness

MODEL = harness.GOLDENS / "sequence_3_labels"
BARE = harness.GOLDENS / "bare_odd"


class SameFile(harness.Case):
    def refuses(self, arguments, path, **options):
        """The command fails, says why, and changes nothing in the folder."""
        before = harness.contents(self.folder)
        self.fails(*arguments, says=["is read", os.path.basename(path)], **options)
        self.assert_unchanged(self.folder, before)
        self.assert_no_leftovers()

    def other_names(self, path):
        """`path`, a link to it, a hard link to it, and a way round."""
        link, hard = path.with_name("link" + path.suffix), path.with_name("hard" + path.suffix)
        os.symlink(path.name, link)
        os.link(path, hard)
        return path, link, hard, path.parent / "." / ".." / path.parent.name / path.name

    def model(self, source=MODEL):
        copy = self.folder / "model"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("golden*"))
        return copy

    def test_vocab(self):
        """R4: vocab --text F -o F."""
        text = self.file("text", harness.made_up_text(100, 1))
        for name in self.other_names(text):
            self.refuses(("vocab", "--text", text, "--size", 300, "-o", name), name)
        other = self.file("other", harness.made_up_text(10, 1))
        self.refuses(("vocab", "--text", other, text, "--size", 300, "-o", text), text)

    def test_encode(self):
        """R4: encode --input F -o F, and encode -o F < F."""
        texts = self.file("texts.jsonl", "a b\nb a\n")
        for name in self.other_names(texts):
            self.refuses(("encode", "--model", BARE, "--input", texts, "-o", name), name)
        with open(texts, "rb") as stdin:
            self.refuses(("encode", "--model", BARE, "-o", texts), texts, stdin=stdin)

    def test_evaluate(self):
        """R4: evaluate --data F --predictions F."""
        data = self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\n")
        for name in self.other_names(data):
            self.refuses(("evaluate", "--model", MODEL, "--data", data, "--predictions", name), name)

    def test_embed_map(self):
        """R4: embed-map F -o F, and a projector's files over F."""
        page = self.file("texts.html", "a b\tx\nb a\ty\n")
        self.refuses(("embed-map", page, "--model", BARE, "-o", page), page)
        for name in "metadata.tsv", "tensors.tsv", "projector_config.pbtxt":
            texts = self.file(name, "a b\tx\nb a\ty\n")
            self.refuses(("embed-map", texts, "--model", BARE, "--projector", self.folder), texts)

    def test_files_of_the_model(self):
        """R4, Z16: a file of the model in use is no place for results."""
        model = self.model()
        data = self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\n")
        os.link(model / "config.json", self.folder / "hard.json")
        os.symlink("model/model.safetensors", self.folder / "link.safetensors")
        for name in model / "model.safetensors", self.folder / "link.safetensors":
            self.refuses(("encode", "--model", model, "the cat", "-o", name), name)
            self.refuses(("inspect", "--model", model, "the cat", "-o", name), name)
        for name in model / "config.json", self.folder / "hard.json":
            self.refuses(("inspect", "--model", model, "the cat", "-o", name), name)
            self.refuses(("evaluate", "--model", model, "--data", data, "--predictions", name), name)
        self.refuses(("evaluate", "--model", model, "--data", data, "--predictions", model / "vocab.txt"), "vocab.txt")

    def test_beside_the_model(self):
        """R4: other files in the model's directory may be written, and written again."""
        model = self.model()
        data = self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\n")
        for _ in range(2):
            self.succeeds("encode", "--model", model, "the cat", "-o", model / "vectors.safetensors")
            self.succeeds("inspect", "--model", model, "the cat", "-o", model / "page.html")
            self.succeeds("evaluate", "--model", model, "--data", data, "--predictions", model / "predicted.jsonl")
            self.succeeds("export", model, model / "model.onnx")

    def test_standard_output_is_the_input(self):
        """R4: classify --input F >> F would read its own answers for ever."""
        texts = self.file("texts", "the cat\n" * 5)
        before = texts.read_bytes()
        with open(texts, "ab") as out:
            self.fails("classify", "--model", MODEL, "--input", texts, stdout=out, says="is read")
        self.assertEqual(texts.read_bytes(), before)


class Export(harness.Case):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "model"
        shutil.copytree(MODEL, self.model, ignore=shutil.ignore_patterns("golden*"))

    def unchanged_by(self, *arguments, says):
        before = harness.contents(self.folder)
        self.fails("export", self.model, *arguments, says=says)
        self.assert_unchanged(self.folder, before)

    def test_over_the_model(self):
        """Z16: a file of the model is refused, by every name of it."""
        os.symlink("model/model.safetensors", self.folder / "link.onnx")
        os.link(self.model / "model.safetensors", self.folder / "hard.onnx")
        for name in ("model/model.safetensors", "model/config.json", "model/vocab.txt", "link.onnx", "hard.onnx"):
            self.unchanged_by(self.folder / name, says="is read")

    def test_over_another_file(self):
        """Z16: what is there and no ONNX file is refused; what ends in .onnx, or is an export, is replaced."""
        thesis = self.file("thesis.tex", "years of work")
        self.unchanged_by(thesis, says=["thesis.tex", "no ONNX file"])
        os.symlink("thesis.tex", self.folder / "link.onnx")
        self.unchanged_by(self.folder / "link.onnx", says="no ONNX file")
        for name in self.file("old.onnx", "another"), self.file("empty", ""), self.folder / "new":
            for _ in range(2):
                self.succeeds("export", self.model, name)
            self.assertGreater(name.stat().st_size, 1000)

    def test_foreign_data(self):
        """Z17: a file of the data's name that no export wrote is refused."""
        self.file("m.onnx.data", "a measurement")
        self.unchanged_by(self.folder / "m.onnx", "--external-data", says=["m.onnx.data"])
        self.succeeds("export", self.model, self.folder / "m.onnx")
        self.assertEqual((self.folder / "m.onnx.data").read_text(), "a measurement")

    def test_stale_data(self):
        """Z17: data of an earlier export is replaced by the next, and removed when that has none."""
        path, data = self.folder / "m.onnx", self.folder / "m.onnx.data"
        for _ in range(2):
            self.succeeds("export", self.model, path, "--external-data")
            self.assertTrue(data.exists())
        self.succeeds("export", self.model, path)
        self.assertFalse(data.exists())
        self.assert_no_leftovers()


if __name__ == "__main__":
    harness.main()
