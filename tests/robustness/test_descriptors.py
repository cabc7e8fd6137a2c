"""Standard streams that are closed when the command starts: their numbers are not reused for files."""

import os
import shutil

import harness


class ClosedAtStart(harness.Case):
    def closed(self, *descriptors):
        def close():
            for descriptor in descriptors:
                os.close(descriptor)

        return close

    def test_finetune_without_standard_error(self):
        """F11: messages do not end up inside of a file of the run."""
        whole, closed = self.folder / "whole", self.folder / "closed"
        self.succeeds(*self.finetune_arguments(whole, "--epochs", 1))
        finished = harness.cloze(*self.finetune_arguments(closed, "--epochs", 1), preexec_fn=self.closed(2))
        self.assertEqual(finished.code, 0, repr(finished))
        for name in "model.safetensors", "vocab.txt", "tokenizer.json":
            self.assertEqual((whole / name).read_bytes(), (closed / name).read_bytes(), name)
        said = harness.cloze(*self.finetune_arguments(self.folder / "again", "--epochs", 1)).err.splitlines()
        steps = [line[:12].encode() for line in said if line.startswith("step ")]
        self.assertTrue(steps)
        for path in closed.rglob("*"):
            if path.is_file():
                self.assertFalse(any(step in path.read_bytes() for step in steps), path)

    def test_no_stream_at_all(self):
        """F10: the file is what it is with all streams open."""
        self.vocab
        whole, closed = self.folder / "whole.txt", self.folder / "closed.txt"
        for path, descriptors in (whole, ()), (closed, (0, 1, 2)):
            finished = harness.cloze("vocab", "--text", self.text, "--size", 300, "-o", path,
                                     preexec_fn=self.closed(*descriptors))
            self.assertIn(finished.code, (0, 1), repr(finished))
        if closed.exists():
            self.assertEqual(whole.read_bytes(), closed.read_bytes())

    def commands(self):
        """Every command that prints, as short as it goes."""
        bare, labels = harness.GOLDENS / "bare_odd", harness.GOLDENS / "sequence_3_labels"
        masked, data = harness.GOLDENS / "pretraining", self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\n")
        return [
            ("--version",), ("--help",), ("encode", "--help"), ("info", "--model", bare),
            ("tokenize", "--model", bare, "a b"), ("encode", "--model", bare, "a b"),
            ("encode", "--model", bare, "a b", "-o", self.folder / "v.npy"),
            ("similarity", "--model", bare, "--pooling", "mean", "--query", "a", "b", "a b"),
            ("fill-mask", "--model", masked, "a [MASK]"), ("next-sentence", "--model", masked, "a", "b"),
            ("classify", "--model", labels, "the cat"), ("inspect", "--model", labels, "the cat", "--json"),
            ("evaluate", "--model", labels, "--data", data), ("convert", bare, self.folder / "converted"),
            ("export", bare, self.folder / "m.onnx", "--task", "feature-extraction"),
            ("vocab", "--text", self.text, "--size", 300, "-o", self.folder / "v.txt"),
        ]

    def test_results_that_go_nowhere(self):
        """F10: a command whose results cannot be written fails; it is never silently content."""
        for arguments in self.commands():
            with self.subTest(arguments[0]):
                self.fails(*arguments, code=1, says=["standard output", "Bad file descriptor"],
                           preexec_fn=self.closed(1))
                shutil.rmtree(self.folder / "converted", ignore_errors=True)
                with open("/dev/full", "wb") as full:
                    self.fails(*arguments, code=1, says=["standard output", "No space left"], stdout=full)
                shutil.rmtree(self.folder / "converted", ignore_errors=True)

    def test_texts_that_come_from_nowhere(self):
        """F10: standard input that is closed is an error, not an empty text."""
        self.fails("classify", "--model", harness.GOLDENS / "sequence_3_labels", code=1, says="Bad file descriptor",
                   preexec_fn=self.closed(0))

    def test_errors_that_nobody_reads(self):
        """F11: the exit code tells of a failure also where standard error is closed."""
        finished = harness.cloze("info", "--model", self.folder / "nowhere", preexec_fn=self.closed(2))
        self.assertEqual(finished.code, 1)


class EmptyTexts(harness.Case):
    def test_vocab_of_nothing(self):
        """R3, P1: a vocabulary of no words is refused, and a good one stays."""
        good = self.file("good.txt", "[PAD]\n[UNK]\nword\n")
        empty, blank = self.file("empty.txt", ""), self.file("blank.txt", " \n\t\n" * 100)
        for texts in (empty,), (blank,), (empty, blank), ("/proc/self/status",):
            self.fails("vocab", "--text", *texts, "--size", 3000, "-o", good, code=1, says="no words")
            self.assertEqual(good.read_text(), "[PAD]\n[UNK]\nword\n")
        self.assert_no_leftovers()


if __name__ == "__main__":
    harness.main()
