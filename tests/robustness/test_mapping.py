"""Files that become shorter, or other ones, while they are read: an error, never the end by SIGBUS."""

import os
import pathlib
import shutil
import signal
import time

import harness


class CutWhileInUse(harness.Case):
    def is_mapped(self, process, path):
        try:
            return str(path) in pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        except OSError:
            return False

    def waits_for_input(self, process):
        try:
            return " S " in pathlib.Path(f"/proc/{process.pid}/stat").read_text()
        except OSError:
            return False

    def encoding(self, *more):
        """`encode` that has loaded its model and waits for texts: the process, and the model's weights."""
        weights = self.pretrained() / "model.safetensors"
        process = self.started("encode", "--model", weights.parent, "--threads", 1, "--batch-tokens", 1, "-i", "-", *more,
                               stdin=harness.subprocess.PIPE)
        self.wait_until(lambda: self.is_mapped(process, weights) and self.waits_for_input(process), "a loaded model")
        time.sleep(0.2)
        return process, weights

    def answer(self, process, text="the old man sees the moon in the garden .\n" * 40):
        process.stdin.write(text.encode())
        process.stdin.close()
        process.stdin = None
        return harness.finish(process, ("encode",))

    def test_model_cut_short(self):
        """H5: a model's weights are cut short while it is in use."""
        process, weights = self.encoding("-o", self.folder / "v.npy")
        os.truncate(weights, 1000)
        self.assert_failed(self.answer(process), code=1, says=("model.safetensors", "shorter while it is in use"))
        self.assertFalse((self.folder / "v.npy").exists())
        self.assert_no_leftovers()

    def test_model_copied_over(self):
        """H5: `cp` of another model over the one in use writes over it in place."""
        process, weights = self.encoding()
        content = weights.read_bytes()
        weights.write_bytes(content[:-4] + b"\0\0\0\0")
        self.assert_failed(self.answer(process), code=1, says=("model.safetensors", "written to while it is in use"))

    def test_model_replaced(self):
        """H5: another file that takes the name is no concern of who uses the old one."""
        process, weights = self.encoding()
        other = self.file("other", weights.read_bytes()[:5000])
        os.replace(other, weights)
        self.assertEqual(self.answer(process).code, 0)

    @harness.slow
    def test_model_cut_short_while_it_loads(self):
        """H5: at whatever moment the weights are cut short, the command ends by itself."""
        run = self.pretrained()
        for number in range(12):
            model = self.folder / f"model{number}"
            shutil.copytree(run, model, ignore=shutil.ignore_patterns("checkpoint-*", "tensorboard"))
            weights = model / "model.safetensors"
            process = self.started("encode", "--model", model, "--threads", 2, "the old man", "a dog sees the moon")
            while process.poll() is None and not self.is_mapped(process, weights):
                pass
            process.send_signal(signal.SIGSTOP)
            os.truncate(weights, 1000 * number)
            process.send_signal(signal.SIGCONT)
            finished = harness.finish(process, ("encode",))
            self.assertIn(finished.code, (0, 1), repr(finished))
            if finished.code == 1:
                self.assert_failed(finished, says="cannot read" if number else "")
            self.assert_no_leftovers(model)

    def cut_while(self, *arguments, path, size):
        """Runs the command while `path`, of many megabytes, is cut short at some moment."""
        seen = set()
        content = path.read_bytes()
        for number in range(8):
            path.write_bytes(content)
            process = self.started(*arguments)
            time.sleep(0.02 + 0.03 * number)
            os.truncate(path, size)
            finished = harness.finish(process, arguments)
            self.assertIn(finished.code, (0, 1), repr(finished))
            if finished.code == 1:
                self.assert_failed(finished)
                seen.add(finished.err)
            self.assert_no_leftovers()
        return seen

    def test_text_cut_short_while_a_vocabulary_is_made(self):
        """H7: a text is cut short while it is counted."""
        text = self.file("long.txt", harness.made_up_text(4000, 1) * 80)
        seen = self.cut_while("vocab", "--text", text, "--size", 300, "--threads", 1, "-o", self.folder / "v.txt", path=text,
                              size=4096)
        self.assertTrue(any("shorter while it is in use" in message or "has changed" in message for message in seen), seen)

    @harness.slow
    def test_texts_cut_short_elsewhere(self):
        """H7: a table and a vocabulary that are cut short while they are read."""
        model = self.finetuned()
        table = self.file("table.tsv", "a good film\tpositive\n" * 400_000)
        self.cut_while("evaluate", "--model", model, "--data", table, "--max-samples", 50, path=table, size=100)
        vocabulary = self.file("big.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + "".join(f"word{i}\n" for i in range(400_000)))
        shutil.copy(vocabulary, model / "vocab.txt")
        (model / "tokenizer.json").unlink()
        self.cut_while("tokenize", "--model", model, "a word", path=model / "vocab.txt", size=5000)


if __name__ == "__main__":
    harness.main()
