"""--overwrite: everything is looked at first and removed last; what no run wrote stays, and so does what the run reads."""

import json
import os
import shutil
import signal

import harness
from harness import EXAMPLES


class ForeignDirectories(harness.Case):
    """Directories that hold no run of Cloze are refused, and not touched."""

    def refused(self, directory):
        before = harness.contents(directory)
        for arguments in (self.finetune_arguments(directory, "--overwrite", "--steps", 1),
                          self.pretrain_arguments(directory, "--overwrite", steps=1)):
            self.fails(*arguments, says=("is not empty and holds no run",))
            self.assert_unchanged(directory, before)

    def test_a_project(self):
        """C1: a project with a README.md, a run.json that is not ours, and folders of our names."""
        for name in ("README.md", "config.json", "vocab.txt", "modules.json", "tensorboard/mine", "checkpoint-1/thesis.tex",
                     "tokenizer/vocab.txt"):
            self.file(f"project/{name}", "mine")
        for settings in ('{"scripts": {"test": "true"}}', "mine", '{"seed": 1, "learning-rate": 0.1}', ""):
            self.file("project/run.json", settings)
            self.refused(self.folder / "project")

    def test_a_downloaded_model(self):
        """C2: a model that somebody else made, though it has the names that a run writes."""
        model = self.folder / "downloaded"
        self.succeeds(*self.pretrain_arguments(self.folder / "run", steps=1))
        shutil.copytree(self.folder / "run", model)
        for name in "run.json", "run-files.json":
            (model / name).unlink()
        self.file("downloaded/1_Pooling/config.json", "{}")
        self.file("downloaded/special_tokens_map.json", "{}")
        self.refused(model)

    def test_the_current_directory(self):
        """Z11: --output . in a repository."""
        project = self.folder / "repository"
        for name in ".git/HEAD", "README.md", "config.json", "tensorboard/x":
            self.file(f"repository/{name}", "mine")
        before = harness.contents(project)
        self.fails(*self.finetune_arguments(".", "--overwrite", "--steps", 1), cwd=project, says="holds no run")
        self.assert_unchanged(project, before)

    def test_a_manifest_that_lists_what_lies_elsewhere(self):
        """C1: a list of a run's files that was made up does not lead out of the directory."""
        victim = self.file("victim.txt", "mine")
        run = self.folder / "run"
        self.file("run/run.json", "{}")
        (self.folder / "elsewhere").mkdir()
        inside = self.file("elsewhere/mine.txt", "mine")
        (run / "linked").symlink_to(self.folder / "elsewhere")
        names = ["../victim.txt", str(victim), "linked/mine.txt", "run.json", "x/../../victim.txt"]
        self.file("run/run-files.json", json.dumps({"files": names}))
        self.succeeds(*self.finetune_arguments(run, "--overwrite", "--steps", 1))
        self.assertTrue(victim.exists() and inside.exists())


class Run(harness.Case):
    """A finished run of pre-training that is overwritten, or not."""

    @classmethod
    def setUpClass(cls):
        """The run is made once; each experiment has a copy."""
        maker = harness.Case()
        maker.setUp()
        cls.addClassCleanup(maker.doCleanups)
        cls.made = maker.folder / "run"
        maker.succeeds(*maker.pretrain_arguments(cls.made, steps=2))

    def setUp(self):
        super().setUp()
        self.run_directory = self.folder / "run"
        shutil.copytree(self.made, self.run_directory)

    def refused(self, *arguments, says=(), **options):
        before = harness.contents(self.run_directory)
        self.fails(*arguments, says=says, **options)
        self.assert_unchanged(self.run_directory, before)

    def without(self, option, arguments):
        if option not in arguments:
            return arguments
        at = arguments.index(option)
        return arguments[:at] + arguments[at + 2:]

    def replaced(self, arguments, more):
        """The arguments with those of `more` in place of the same ones."""
        for option in more:
            arguments = self.without(option, arguments) if str(option).startswith("--") else arguments
        return (*arguments, *more)

    def over(self, *more, **material):
        return self.replaced(self.pretrain_arguments(self.run_directory, "--overwrite", steps=1, **material), more)

    def over_with_model(self, *more):
        return (*self.without("--vocab", self.without("--size", self.over())), *more)

    def finetune_over(self, *more, **material):
        arguments = self.finetune_arguments(self.run_directory, "--overwrite", "--steps", 1, **material)
        return self.replaced(arguments, more)


class Inputs(Run):
    def test_the_model_that_it_begins_with(self):
        """C3, C4: --init and --model that are the output itself, or in it."""
        model = self.run_directory
        for place in (model, model / "checkpoint-2", f"{model}/../{model.name}/"):
            self.refused(*self.over_with_model("--init", place), says="init ")
            arguments = self.without("--vocab", self.without("--size", self.finetune_over()))
            self.refused(*arguments, "--model", place, says="model ")
        link = self.folder / "link"
        link.symlink_to(model)
        self.refused(*self.over_with_model("--init", link), says="init ")

    def test_the_vocabulary(self):
        """C5, C6: --vocab that is the output itself, or a file of it."""
        for place in "", "vocab.txt", "tokenizer", "tokenizer/vocab.txt", "checkpoint-2/vocab.txt":
            self.refused(*self.over(vocab=self.run_directory / place), says="vocab ")

    def test_the_texts(self):
        """Z12: --text and --dev in what is replaced, by any name, or in folders that hold the output."""
        inside = self.run_directory / "tensorboard" / "book.txt"
        inside.write_bytes(self.text.read_bytes())
        self.refused(*self.over(text=inside), says="text ")
        self.refused(*self.over(text=self.run_directory / "tensorboard"), says="text ")
        self.refused(*self.over(text=self.run_directory), says="text ")
        self.refused(*self.over(text=self.folder), says="would be read as its text")
        link = self.folder / "link.txt"
        link.symlink_to(self.run_directory / "tokenizer" / "vocab.txt")
        self.refused(*self.over("--dev", link), says="dev ")

    def test_the_examples(self):
        """Z13: training data under a name that the run writes."""
        train = self.run_directory / "README.md"
        shutil.copy(EXAMPLES / "sentiment.train.tsv", train)
        self.refused(*self.finetune_over(train=train), says="train ")

    def test_a_config(self):
        """C5: --config of the run that is replaced."""
        arguments = self.without("--size", self.over())
        self.refused(*arguments, "--config", self.run_directory / "config.json", says="config ")

    def test_what_is_beside_may_be_read(self):
        """C5: an input that lies in the output and is nobody's but the user's stays and is read."""
        words = self.run_directory / "words" / "mine.txt"
        words.parent.mkdir()
        shutil.copy(self.vocab, words)
        self.succeeds(*self.over(vocab=words))
        self.assertTrue(words.exists())


class Mistakes(Run):
    def test_of_pretraining(self):
        """C8, C10, S4b, Z4, Z5, Z7, Z8, Z10: whatever is wrong, the run that is there stays whole."""
        short = self.file("short.txt", "one document .\nof two lines .\n")
        broken = self.file("broken.json", "{")
        no_head = self.folder / "classifier"
        self.succeeds(*self.finetune_arguments(no_head, "--steps", 1))
        self.refused(*self.over(vocab=self.folder / "absent.txt"), says="absent.txt")
        self.refused(*self.over(vocab=self.run_directory / "model.safetensors"))
        self.refused(*self.over(vocab=self.file("binary", os.urandom(5000))))
        self.refused(*self.over("--max-length", 1000), says="512")
        self.refused(*self.over_with_model("--init", no_head))
        self.refused(*self.over_with_model("--init", self.folder / "absent"), says="absent")
        self.refused(*self.over("--learning-rate", "nan"))
        self.refused(*self.over("--warmup", "nan"))
        self.refused(*self.over("--max-time", "nan"))
        self.refused(*self.over("--max-time", "inf"))
        self.refused(*self.over("--held-out", 0.5, text=short))
        self.refused(*self.over("--dev", self.file("empty.txt", "")))
        self.refused(*self.over(text=self.folder / "absent.txt"), says="absent.txt")
        self.refused(*self.without("--size", self.over()), "--config", broken, says="broken.json")
        self.refused(*self.over("--seed", "many"))

    def test_of_finetuning(self):
        """Z3, Z4: the same of fine-tuning."""
        empty = self.file("empty.tsv", "")
        other = self.file("other.tsv", "a text\tunheard-of\n")
        for more, material in [(("--best-metric", "f2"), {}), (("--learning-rate", "nan"), {}),
                               (("--class-weights", "1,2,3,4,5"), {}), (("--class-weights", "nan,1"), {}),
                               (("--max-length", 4000), {}), (("--task", "no-such-task"), {}),
                               ((), {"train": self.folder / "absent.tsv"}), ((), {"train": empty}), ((), {"dev": empty}),
                               ((), {"dev": other})]:
            with self.subTest(more=more, material=material):
                self.refused(*self.finetune_over(*more, **material))

    def test_too_little_memory(self):
        """Z8: a model that does not fit into the memory."""
        arguments = self.without("--size", self.over())
        self.refused(*arguments, "--size", "base", preexec_fn=harness.limits(AS=600 << 20))

    @harness.slow
    def test_too_little_memory_for_a_step(self):
        """Z8: a model that fits, and a step that does not."""
        limit = 200 << 20
        while limit < 4 << 30:
            before = harness.contents(self.run_directory)
            finished = harness.cloze(*self.over("--batch-tokens", 20000), preexec_fn=harness.limits(AS=limit))
            if finished.code == 0:
                break
            (self.run_directory / ".run-lock").unlink(missing_ok=True)  # of a process that has crashed
            self.assert_unchanged(self.run_directory, before)
            limit = limit * 4 // 3

    @harness.needs_root
    def test_too_small_a_disk(self):
        """Z8: a disk without room for a checkpoint and the model."""
        disk = self.folder / "disk"
        disk.mkdir()
        if os.system(f"mount -t tmpfs -o size=9m none {disk} 2>/dev/null") != 0:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(os.system, f"umount {disk}")
        self.succeeds(*self.pretrain_arguments(disk / "run", "--keep", 1, steps=1))
        before = harness.contents(disk)
        arguments = self.without("--size", self.pretrain_arguments(disk / "run", "--overwrite", steps=1))
        self.fails(*arguments, "--size", "mini", says=("room for", "MB"))
        self.assert_unchanged(disk, before)

    @harness.needs_root
    def test_files_that_cannot_be_removed(self):
        """C8: a directory of another user's in the run."""
        if os.system("which setpriv >/dev/null") != 0:
            self.skipTest("no setpriv")
        os.chmod(self.folder, 0o755)
        os.chown(self.run_directory, 4242, 4242)
        before = harness.contents(self.run_directory)
        done = os.system(f"setpriv --reuid 4242 --regid 4242 --clear-groups {harness.CLOZE} "
                         + " ".join(map(str, self.over())) + " >/dev/null 2>&1")
        self.assertNotEqual(done, 0)
        self.assert_unchanged(self.run_directory, before)


class WhatIsKept(Run):
    def test_files_of_the_user(self):
        """C1: what the user has put beside the run's files, and into its folders, stays."""
        mine = {}
        for name in ("README.md", "notes.txt", "1_Pooling/config.json", "tensorboard/mine", "tokenizer/notes.txt",
                     "tensorboard/events.out.tfevents.1.other.2", "special_tokens_map.json", ".gitattributes", "model.onnx"):
            path = self.run_directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine")
            mine[name] = path
        self.succeeds(*self.over())
        for name, path in mine.items():
            self.assertEqual(path.read_text(), "mine", name)
        events = [path.name for path in (self.run_directory / "tensorboard").iterdir()]
        self.assertEqual(len(events), 3, events)
        self.assertFalse((self.run_directory / "checkpoint-2").exists())

    def test_names_that_the_new_run_needs(self):
        """C1: a file of the user's that the new run would replace is named, and nothing is done."""
        for name in "README.md", "checkpoint-2/notes.txt", "checkpoint-99/model.safetensors", "model-00001-of-00002.safetensors":
            path = self.run_directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine")
            self.refused(*self.finetune_over(), says=(name, "in the way"))
            path.unlink()
        shutil.rmtree(self.run_directory / "checkpoint-99")
        # A folder that is a link leads to what is not the run's.
        (self.folder / "elsewhere").mkdir()
        shutil.move(self.run_directory / "checkpoint-2", self.folder / "elsewhere")
        (self.run_directory / "checkpoint-2").symlink_to(self.folder / "elsewhere" / "checkpoint-2")
        self.refused(*self.finetune_over(), says="in the way")
        self.assertTrue((self.folder / "elsewhere" / "checkpoint-2" / "model.safetensors").exists())

    def test_a_file_that_comes_while_the_run_goes_on(self):
        """C1: a file that the user puts where the run publishes is not replaced, and nothing is lost."""
        run = self.folder / "second"
        process = self.started(*self.finetune_arguments(run, "--steps", 60, "--save-every", 10))
        self.wait_until(lambda: list(run.glob("checkpoint-*")) or process.poll() is not None, "a first checkpoint")
        (run / "README.md").write_text("mine")
        self.assert_failed(harness.finish(process), says=("README.md", "not written by this run", "move it away"))
        self.assertEqual((run / "README.md").read_text(), "mine")
        (run / "README.md").unlink()
        self.succeeds("finetune", "--resume", "--output", run)
        self.assertIn("Cloze", (run / "README.md").read_text())

    @harness.slow
    def test_a_run_of_an_earlier_version(self):
        """C1: a run without a list of its files is known by its run.json and the names that were written."""
        (self.run_directory / "run-files.json").unlink()
        settings = json.loads((self.run_directory / "run.json").read_text())
        settings.pop("tokenizer-fingerprint")
        (self.run_directory / "run.json").write_text(json.dumps(settings))
        for name in "README.md", "modules.json", "tensorboard/mine", "1_Pooling/config.json":
            path = self.run_directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine")
        self.succeeds("pretrain", "--resume", "--output", self.run_directory, "--steps", 3)
        (self.run_directory / "run-files.json").unlink()
        self.succeeds(*self.over())
        left = {path.name for path in self.run_directory.iterdir()}
        self.assertEqual(left & {"checkpoint-1", "checkpoint-2", "checkpoint-3"}, {"checkpoint-1"})
        for name in "README.md", "modules.json", "tensorboard/mine", "1_Pooling/config.json":
            self.assertEqual((self.run_directory / name).read_text(), "mine")

    def test_every_file_of_a_run_is_listed(self):
        """C1: the list has all that a run wrote, at its end and when it is resumed, and no more."""
        self.succeeds("pretrain", "--resume", "--output", self.run_directory, "--steps", 4)
        finetuned = self.folder / "sentences"
        self.succeeds(*self.replaced(
            self.finetune_arguments(finetuned, "--steps", 1, train=EXAMPLES / "likeness.train.tsv",
                                    dev=EXAMPLES / "likeness.dev.tsv"), ("--task", "sentence-embedding")))
        self.assertTrue((finetuned / "2_Normalize").is_dir())
        for run in self.run_directory, finetuned:
            listed = {name for name in json.loads((run / "run-files.json").read_text())["files"] if not name.endswith("/")}
            found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
            self.assertEqual(found - listed, set())


class Kills(Run):
    @harness.slow
    def test_while_the_earlier_run_is_removed(self):
        """Z14: killed at any moment, a run is there that can be resumed or overwritten; nothing else is touched."""
        whole = self.folder / "whole"
        shutil.copytree(self.run_directory, whole)
        (whole / "notes.txt").write_text("mine")
        ends = set()
        number = 1
        while 0 not in ends:
            shutil.rmtree(self.run_directory)
            shutil.copytree(whole, self.run_directory)
            finished = harness.cloze(*self.over(), env=harness.with_fault(f"kill:{number}:EIO:run/"))
            ends.add(finished.code)
            number += 1 if number < 90 else 20
            self.assertEqual((self.run_directory / "notes.txt").read_text(), "mine")
            if finished.code != 0 and number % 4 == 0:
                has_run = (self.run_directory / "run.json").exists()
                self.succeeds(*(("pretrain", "--resume", "--output", self.run_directory) if has_run else self.over()))
                self.assert_no_leftovers(self.run_directory)
        self.assertEqual(ends, {0, 128 + signal.SIGKILL})


if __name__ == "__main__":
    harness.main()
