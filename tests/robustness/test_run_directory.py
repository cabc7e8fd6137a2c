"""The directory of a run while it goes on, and what it publishes there."""

import json
import os
import shutil
import signal

import harness
from harness import EXAMPLES


class WhileItGoesOn(harness.Case):
    def running(self, output):
        process = self.started(*self.finetune_arguments(output, "--steps", 3000, "--save-every", 10))
        self.wait_until(lambda: list(output.glob("checkpoint-*")) or process.poll() is not None, "a first checkpoint")
        process.send_signal(signal.SIGSTOP)
        return process

    def goes_on(self, process):
        process.send_signal(signal.SIGCONT)
        return harness.finish(process)

    def test_removed(self):
        """X8: the directory is removed amid the run: an error at the next save, and no new directory."""
        output = self.folder / "run"
        process = self.running(output)
        shutil.rmtree(output)
        self.assert_failed(self.goes_on(process), says=(f"{output} was removed",))
        self.assertFalse(output.exists())

    def test_removed_and_made_again(self):
        """X8: the same where another directory has the name now."""
        output = self.folder / "run"
        process = self.running(output)
        shutil.rmtree(output)
        output.mkdir()
        self.assert_failed(self.goes_on(process), says=(f"{output} was removed",))
        self.assertEqual(list(output.iterdir()), [])

    def test_renamed(self):
        """X9: the directory is renamed amid the run: the error says where it is, and there it goes on."""
        output, other = self.folder / "run", self.folder / "other"
        process = self.running(output)
        output.rename(other)
        self.assert_failed(self.goes_on(process), says=(f"{output} was moved to {other}",))
        self.assertFalse(output.exists())
        self.assertFalse((other / ".run-lock").exists())
        resumed = self.started("finetune", "--resume", "--output", other)
        self.wait_until(lambda: "resuming from" in os.read(resumed.stderr.fileno(), 4096).decode(), "the run to go on")

    def test_settings_removed(self):
        """X8: a run.json that somebody removes is there again with the next checkpoint."""
        output = self.folder / "run"
        process = self.running(output)
        before = {path.name for path in output.iterdir()}
        settings = (output / "run.json").read_bytes()
        (output / "run.json").unlink()
        process.send_signal(signal.SIGCONT)
        self.wait_until(lambda: (output / "run.json").exists() or process.poll() is not None, "run.json")
        self.assertIn("run.json", before)
        self.assertEqual((output / "run.json").read_bytes(), settings)

    def test_lock_removed(self):
        """X8: a lock that somebody removes is taken again, or the run stops when another has it."""
        output = self.folder / "run"
        process = self.running(output)
        (output / ".run-lock").unlink()
        process.send_signal(signal.SIGCONT)
        self.wait_until(lambda: (output / ".run-lock").exists() or process.poll() is not None, "the lock")
        self.fails("finetune", "--resume", "--output", output, says=f"in use by process {process.pid}")
        process.send_signal(signal.SIGSTOP)
        (output / ".run-lock").unlink()
        other = self.started("finetune", "--resume", "--output", output)
        self.wait_until(lambda: (output / ".run-lock").exists() or other.poll() is not None, "the lock of the other")
        self.wait_until(lambda: (output / ".run-lock").read_text() or other.poll() is not None, "the lock of the other")
        other.send_signal(signal.SIGSTOP)
        self.assert_failed(self.goes_on(process), says=f"in use by process {other.pid}")


class Published(harness.Case):
    def resume(self, run, *more):
        return (("pretrain" if (run / "tokenizer").exists() else "finetune"), "--resume", "--output", run, *more)

    def assert_separate(self, run):
        """No published file shares its bytes with a checkpoint's."""
        inodes = {}
        for path in run.rglob("*"):
            if path.is_file():
                self.assertNotIn(path.stat().st_ino, inodes, path)
                inodes[path.stat().st_ino] = path

    def test_no_temporaries(self):
        """CC1: a finished run that is resumed leaves no temporary files in the model."""
        for run in self.finetuned("finetuned"), self.pretrained("pretrained"):
            for _ in range(2):
                self.succeeds(*self.resume(run))
                self.assert_no_leftovers(run)
                self.assert_separate(run)

    def test_temporaries_of_earlier_versions(self):
        """CC1: those that are there already are removed."""
        run = self.finetuned("finetuned")
        for name in ".model.safetensors.tmp", ".config.json.tmp", ".vocab.txt.tmp", ".README.md.7-0.tmp":
            (run / name).write_text("half")
        self.file("finetuned/.mine.tmp", "mine")
        self.succeeds(*self.resume(run))
        self.assertEqual([path for path in harness.leftovers(run) if "mine" not in path], [])
        self.assertTrue((run / ".mine.tmp").exists())

    @harness.slow
    def test_an_edited_config_of_pretraining(self):
        """G3: a published file that is edited in place is no part of a checkpoint: the run goes on from it."""
        run = self.pretrained("run", "--keep", 1, steps=2)
        config = json.loads((run / "config.json").read_text())
        with open(run / "config.json", "r+") as file:
            file.write(json.dumps({**config, "mine": True}))
        for name in "model.safetensors", "vocab.txt", "tokenizer.json":
            with open(run / name, "ab") as file:
                file.write(b"more")
        finished = self.succeeds(*self.resume(run, "--steps", 4))
        self.assertIn("resuming from", finished.err)
        self.assertIn("checkpoint-2", finished.err)
        self.assertNotIn("damaged", finished.err)

    def test_edited_labels_of_finetuning(self):
        """G5: the same with the labels of a fine-tuned model."""
        run = self.finetuned("run")
        config = json.loads((run / "config.json").read_text())
        config["id2label"] = {key: value.upper() for key, value in config["id2label"].items()}
        with open(run / "config.json", "r+") as file:
            file.write(json.dumps(config))
        finished = self.succeeds(*self.resume(run))
        self.assertIn("resuming from", finished.err)
        self.assertNotIn("damaged", finished.err)

    def test_sentence_models(self):
        """CC1: what a model of sentences needs besides is published and listed like the rest."""
        run = self.folder / "run"
        arguments = self.finetune_arguments(run, "--steps", 1, train=EXAMPLES / "likeness.train.tsv",
                                            dev=EXAMPLES / "likeness.dev.tsv")
        arguments = tuple("sentence-embedding" if word == "text-classification" else word for word in arguments)
        self.succeeds(*arguments)
        for name in "modules.json", "1_Pooling/config.json", "2_Normalize", "sentence_bert_config.json", "README.md":
            self.assertTrue((run / name).exists(), name)
        self.succeeds("encode", "--model", run, "a text")
        self.succeeds(*arguments, "--overwrite")
        self.succeeds(*self.finetune_arguments(run, "--steps", 1, "--overwrite"))
        for name in "modules.json", "1_Pooling", "2_Normalize", "sentence_bert_config.json":
            self.assertFalse((run / name).exists(), name)


class Names(harness.Case):
    """Paths that are not UTF-8, which JSON cannot hold as they are."""

    def named(self, name, source):
        path = os.fsencode(self.folder) + b"/" + name
        shutil.copyfile(source, path)
        return path

    @harness.slow
    def test_inputs_of_pretraining(self):
        """S17, S18: --text, --dev and --vocab that are not UTF-8: the run works, and is resumed without them."""
        text, dev = self.named(b"te\xffxt.txt", self.text), self.named(b"d\xe9v.txt", self.dev_text)
        vocab = self.named(b"v\xffocab.txt", self.vocab)
        output = self.folder / "run"
        arguments = [*self.pretrain_arguments(output, text=text, vocab=vocab, steps=2)]
        arguments[arguments.index("--dev") + 1] = dev
        self.succeeds(*arguments)
        self.succeeds("pretrain", "--resume", "--output", output, "--steps", 4)
        json.loads((output / "run.json").read_text())
        # Stated again they are the same; others are others.
        self.succeeds("pretrain", "--resume", "--output", output, "--vocab", vocab, "--text", text)
        other = self.named(b"v\xfeocab.txt", self.vocab)
        self.fails("pretrain", "--resume", "--output", output, "--vocab", other, says="vocab was")
        self.succeeds(*arguments, "--overwrite")

    def test_inputs_of_finetuning(self):
        """S17, S18: the same of --train, --dev and --model."""
        model = os.fsencode(self.folder) + b"/mod\xffel"
        self.succeeds(*self.finetune_arguments(model, "--steps", 1))
        train = self.named(b"tr\xffain.tsv", EXAMPLES / "sentiment.train.tsv")
        dev = self.named(b"d\xffev.tsv", EXAMPLES / "sentiment.dev.tsv")
        output = os.fsencode(self.folder) + b"/r\xffun"
        arguments = ("finetune", "--task", "text-classification", "--model", model, "--train", train, "--dev", dev,
                     "--max-length", 32, "--threads", 1, "--steps", 2, "--output", output)
        self.succeeds(*arguments)
        self.succeeds("finetune", "--resume", "--output", output)
        self.succeeds(*arguments, "--overwrite")
        self.succeeds("classify", "--model", output, "a text")

    def test_results(self):
        """S16b: --json with an output that is not UTF-8."""
        for kind in "finetune", "pretrain":
            output = os.fsencode(self.folder) + b"/" + kind.encode() + b"\xff"
            arguments = (self.finetune_arguments(output, "--steps", 1) if kind == "finetune" else
                         self.pretrain_arguments(output, steps=1))
            finished = self.succeeds(*arguments, "--json")
            self.assertIn("\ufffd", json.loads(finished.out)["output"])


if __name__ == "__main__":
    harness.main()
