"""What a run derives (its vocabulary, tokenizer/) belongs to its settings: nothing of an earlier run is used by a new one."""

import os
import shutil
import signal

import harness


class StaleTokenizer(harness.Case):
    def words_of(self, path):
        return path.read_text().splitlines()

    def vocabulary(self, size, *more):
        path = self.folder / f"vocab-{size}{''.join(more)}.txt"
        self.succeeds("vocab", "--text", self.text, "--size", size, "-o", path, *more)
        return path

    def assert_of(self, run, vocabulary):
        for name in "tokenizer/vocab.txt", "vocab.txt", "checkpoint-1/vocab.txt":
            self.assertEqual(self.words_of(run / name), self.words_of(vocabulary), name)
        self.assertIn(str(vocabulary), (run / "run.json").read_text())

    def test_another_vocabulary(self):
        """AA1: --overwrite --vocab NEW trains on NEW."""
        run = self.pretrained("run", steps=1)
        other = self.vocabulary(80)
        self.succeeds(*self.pretrain_arguments(run, "--overwrite", vocab=other, steps=1))
        self.assert_of(run, other)

    @harness.slow
    def test_a_vocabulary_of_another_size(self):
        """AA2: --overwrite --vocab-size N trains on a vocabulary of its own."""
        run = self.pretrained("run", steps=1)
        arguments = self.pretrain_arguments(run, "--overwrite", "--vocab-size", 100, steps=1)
        at = arguments.index("--vocab")
        self.succeeds(*arguments[:at], *arguments[at + 2:])
        self.assertEqual(len(self.words_of(run / "tokenizer" / "vocab.txt")), 100)
        self.assertEqual(self.words_of(run / "tokenizer" / "vocab.txt"), self.words_of(run / "vocab.txt"))

    @harness.slow
    def test_a_cased_run_over_an_uncased_one(self):
        """AA3: --overwrite --cased takes the cased vocabulary, and keeps cases."""
        run = self.pretrained("run", steps=1)
        self.file("text.txt", self.text.read_text().replace("the", "The"))
        cased = self.vocabulary(200, "--cased")
        self.succeeds(*self.pretrain_arguments(run, "--overwrite", "--cased", vocab=cased, steps=1))
        self.assert_of(run, cased)
        finished = self.succeeds("tokenize", "--model", run, "The king", "--json")
        self.assertNotIn("[UNK]", finished.out)
        self.assertIn("The", finished.out)

    def test_a_vocabulary_that_is_none(self):
        """Z10: --vocab is read, so a file of weights is refused, and the run that is there stays."""
        run = self.pretrained("run", steps=1)
        weights = self.folder / "weights"
        shutil.copy(run / "model.safetensors", weights)
        before = harness.contents(run)
        self.fails(*self.pretrain_arguments(run, "--overwrite", vocab=weights, steps=1), says="weights")
        self.assert_unchanged(run, before)

    def test_a_tokenizer_that_lies_there_already(self):
        """AA1: a tokenizer/ that is no run's is not used: the directory is refused."""
        self.pretrained("run", steps=1)
        (self.folder / "new").mkdir()
        shutil.copytree(self.folder / "run" / "tokenizer", self.folder / "new" / "tokenizer")
        for more in (), ("--overwrite",):
            self.fails(*self.pretrain_arguments(self.folder / "new", *more, steps=1), says="is not empty")

    @harness.slow
    def test_a_tokenizer_that_was_exchanged(self):
        """AA1: a resumed run takes the tokenizer that it began with, or says that it is gone."""
        run = self.pretrained("run", steps=2)
        other = self.folder / "other"
        self.succeeds(*self.pretrain_arguments(other, vocab=self.vocabulary(80), steps=1))
        resume = ("pretrain", "--resume", "--output", run, "--steps", 3)
        shutil.move(run / "tokenizer", self.folder / "kept")
        self.fails(*resume, says="tokenizer")
        shutil.copytree(other / "tokenizer", run / "tokenizer")
        self.fails(*resume, says=("tokenizer is not the tokenizer that the run began with",))
        shutil.rmtree(run / "tokenizer")
        shutil.move(self.folder / "kept", run / "tokenizer")
        self.succeeds(*resume)

    @harness.slow
    def test_finetuning_over_pretraining(self):
        """AA1: what one kind of run left is not there for the other."""
        run = self.pretrained("run", steps=1)
        self.succeeds(*self.finetune_arguments(run, "--overwrite", "--steps", 1))
        self.assertFalse((run / "tokenizer").exists())
        self.succeeds(*self.pretrain_arguments(run, "--overwrite", vocab=self.vocabulary(80), steps=1))
        self.assertFalse((run / "README.md").exists())
        self.assert_of(run, self.vocabulary(80))


class InterruptedStart(harness.Case):
    def test_while_the_vocabulary_is_trained(self):
        """Y1: Ctrl-C while --vocab-size trains the vocabulary: the same command works again."""
        text = self.file("large.txt", harness.made_up_text(10000, 3))
        output = self.folder / "run"
        arguments = self.pretrain_arguments(output, text=text, steps=1)
        at = arguments.index("--vocab")
        arguments = (*arguments[:at], "--vocab-size", 300, *arguments[at + 2:])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process = self.started(*arguments)
            self.wait_until(lambda: output.exists(), "the directory")
            process.send_signal(number)
            self.assertNotEqual(harness.finish(process).code, 0)
            self.assertLessEqual({path.name for path in output.iterdir()} if output.exists() else set(), {".run-lock"})
        self.succeeds(*arguments)

    def test_a_start_that_fails_leaves_nothing(self):
        """Y1: directories that a run made for nothing are gone; one that was there stays."""
        outer = self.folder / "outer"
        self.fails(*self.pretrain_arguments(outer / "inner" / "run", "--held-out", 0.2, text=self.file("empty.txt", " ")))
        self.assertFalse(outer.exists())
        outer.mkdir()
        self.fails(*self.pretrain_arguments(outer, vocab=self.folder / "absent.txt"))
        self.assertEqual(list(outer.iterdir()), [])

    @harness.slow
    def test_killed_at_every_write_of_the_start(self):
        """Y1: killed at any write before the first step, the same command works again, or --resume does."""
        output = self.folder / "run"
        arguments = self.pretrain_arguments(output, steps=1)
        for number in range(1, 26, 1 if os.environ.get("CLOZE_ROBUSTNESS") == "all" else 6):
            shutil.rmtree(output, ignore_errors=True)
            harness.cloze(*arguments, env=harness.with_fault(f"kill:{number}:EIO:run/"))
            if (output / "run.json").exists():
                self.succeeds("pretrain", "--resume", "--output", output)
            else:
                self.succeeds(*arguments)
            self.assert_no_leftovers(output)


if __name__ == "__main__":
    harness.main()
