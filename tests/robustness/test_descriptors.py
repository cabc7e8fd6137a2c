"""Standard streams that are closed when the command starts: their numbers are not reused for files."""

import os

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


if __name__ == "__main__":
    harness.main()
