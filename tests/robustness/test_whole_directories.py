"""Directories that are whole or not there: what convert writes, and what it may replace."""

import json
import os
import shutil
import signal
import subprocess

import harness

SOURCE = harness.GOLDENS / "sequence_3_labels"
OTHER = harness.GOLDENS / "bare_odd"
KINDS = {"BertForSequenceClassification": SOURCE, "BertModel": OTHER}


class Case(harness.Case):
    def model(self, name, source=OTHER):
        """A converted model, to be replaced."""
        self.succeeds("convert", source, self.folder / name)
        return self.folder / name

    def loads(self, directory):
        finished = harness.cloze("encode", "--model", directory, "a b")
        return finished.code == 0

    def assert_whole_or_nothing(self, directory):
        """A directory that loads has everything that a finished conversion of its model has."""
        if not self.loads(directory):
            return None
        kind = json.loads((directory / "config.json").read_text())["architectures"][0]
        whole = self.folder / ("whole-" + kind)
        if not whole.exists():
            self.succeeds("convert", KINDS[kind], whole)
        expected, found = harness.contents(whole), harness.contents(directory)
        self.assertEqual(expected, {name: found.get(name) for name in expected})
        return kind


class Room(Case):
    @harness.needs_root
    def test_small_disk(self):
        """J1: where there is no room for all of it, there is nothing."""
        for kilobytes in 64, 180, 190, 196, 204, 220:
            disk = self.folder / f"disk-{kilobytes}"
            disk.mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk],
                                     capture_output=True)
            if mounted.returncode != 0:
                self.skipTest("no mounts here")
            try:
                finished = harness.cloze("convert", SOURCE, disk / "model")
                if finished.code == 0:
                    self.assertIsNotNone(self.assert_whole_or_nothing(disk / "model"))
                else:
                    self.assert_failed(finished, code=1, says=["cannot write", "No space left"])
                    self.assertEqual(os.listdir(disk), [])
                # A disk that is the destination itself: empty before, and after.
                shutil.rmtree(disk / "model", ignore_errors=True)
                finished = harness.cloze("convert", SOURCE, disk)
                if finished.code == 0:
                    self.assertIsNotNone(self.assert_whole_or_nothing(disk))
                else:
                    self.assertEqual(os.listdir(disk), [])
            finally:
                subprocess.run(["umount", disk], check=True)


class Replaced(Case):
    def refuses(self, *arguments, says):
        before = harness.contents(self.folder)
        self.fails("convert", *arguments, code=2, says=says)
        self.assert_unchanged(self.folder, before)

    def test_another_model(self):
        """J3: a directory that holds a model is refused, and replaced when told; foreign files stay."""
        target = self.model("target")
        self.file("target/README.md", "mine")
        self.file("target/1_Pooling/config.json", "mine")
        self.refuses(SOURCE, target, says=["is not empty", "overwrite"])
        self.succeeds("convert", SOURCE, target, "--overwrite")
        self.assertEqual(self.assert_whole_or_nothing(target), "BertForSequenceClassification")
        self.assertEqual((target / "README.md").read_text(), "mine")
        self.assertEqual((target / "1_Pooling/config.json").read_text(), "mine")
        self.assert_no_leftovers()

    def test_what_belongs_to_the_old_model_goes(self):
        """J3: settings and weights of the old model do not mix with the new one."""
        target = self.model("target")
        for name in ("modules.json", "special_tokens_map.json", "added_tokens.json", "sentence_bert_config.json",
                     "model.safetensors.index.json", "model-00001-of-00002.safetensors"):
            self.file(f"target/{name}", "[]" if name == "modules.json" else "{}")
        self.succeeds("convert", SOURCE, target, "--overwrite")
        expected = self.folder / "expected"
        self.succeeds("convert", SOURCE, expected)
        self.assertEqual(harness.contents(expected), harness.contents(target))

    def test_a_run(self):
        """J3: a training run's directory is not overwritten."""
        target = self.model("target")
        for name in "run.json", "checkpoint-100/config.json":
            self.file(f"target/{name}", "{}")
            for arguments in (), ("--overwrite",):
                self.refuses(SOURCE, target, *arguments, says=["holds a training run"])
            shutil.rmtree(target)
            target = self.model("target")

    def test_a_project(self):
        """J3, C1: what is no model is not overwritten, whatever its names."""
        self.file("project/config.json", '{"port": 80}')
        self.file("project/vocab.txt", "words\n")
        self.refuses(SOURCE, self.folder / "project", "--overwrite", says="holds no model")
        os.unlink(self.folder / "project/config.json")
        self.refuses(SOURCE, self.folder / "project", "--overwrite", says="holds no model")

    def test_the_source(self):
        """J3: a directory is not converted into itself, or into a place inside of it."""
        source = self.model("source")
        os.symlink("source", self.folder / "link")
        for name in "source", "link", "source/.", "source/inside", "link/inside/deep":
            for arguments in (), ("--overwrite",):
                self.refuses(source, self.folder / name, *arguments, says="what is converted")

    def test_links_are_not_written_through(self):
        """J3: a model of links, as the Hub's cache has them, loses its links and not what they lead to."""
        real, target = self.model("real"), self.folder / "target"
        target.mkdir()
        for path in real.iterdir():
            os.symlink(path, target / path.name)
        before = harness.contents(real)
        self.succeeds("convert", SOURCE, target, "--overwrite")
        self.assert_unchanged(real, before)
        self.assertEqual(self.assert_whole_or_nothing(target), "BertForSequenceClassification")

    def test_modes_and_protection(self):
        """A9, EE5: modes of replaced files are kept; a read-only one is refused, and all stays."""
        target = self.model("target")
        os.chmod(target / "model.safetensors", 0o600)
        self.succeeds("convert", SOURCE, target, "--overwrite")
        self.assertEqual(self.mode_of(target / "model.safetensors"), 0o600)
        for name in "vocab.txt", "config.json":
            os.chmod(target / name, 0o444)
            before = harness.contents(target)
            self.fails("convert", OTHER, target, "--overwrite", code=1, says=["read-only", name])
            self.assert_unchanged(target, before)
            os.chmod(target / name, 0o644)

    def test_empty_directories(self):
        """J1: an empty directory is filled, and stays the directory that it was, by any name."""
        target = self.folder / "target"
        target.mkdir(mode=0o700)
        before = os.stat(target)
        self.succeeds("convert", SOURCE, ".", cwd=target)
        after = os.stat(target)
        self.assertEqual((before.st_ino, before.st_mode), (after.st_ino, after.st_mode))
        self.assertEqual(self.assert_whole_or_nothing(target), "BertForSequenceClassification")
        os.symlink("elsewhere", self.folder / "dangling")
        self.succeeds("convert", SOURCE, self.folder / "dangling")
        self.succeeds("convert", SOURCE, str(self.folder / "new" / "deep") + "/")
        self.assertTrue(self.loads(self.folder / "elsewhere") and self.loads(self.folder / "new" / "deep"))
        self.assert_no_leftovers()


class Killed(Case):
    def kills(self, target, *arguments, most=400):
        """Kills a conversion at each change that it makes, until one ends; yields after each."""
        for number in range(1, most):
            finished = harness.cloze("convert", SOURCE, target, *arguments, env=harness.with_fault(f"kill:{number}"))
            if finished.code == 0:
                return
            self.assertEqual(finished.code, 128 + signal.SIGKILL, repr(finished))
            yield number
        self.fail("the conversion never ends")

    def test_new(self):
        """J1: no kill leaves a directory that loads and is not whole; the next try works."""
        target = self.folder / "target"
        count = 0
        for count in self.kills(target):
            if target.exists():
                self.assertEqual(self.assert_whole_or_nothing(target), "BertForSequenceClassification")
                shutil.rmtree(target)
        self.assertGreater(count, 10)
        self.assertEqual(self.assert_whole_or_nothing(target), "BertForSequenceClassification")
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith(".target")], [])

    @harness.slow
    def test_empty(self):
        """J1: the same in an empty directory."""
        target = self.folder / "target"
        target.mkdir()
        for _ in self.kills(target):
            self.assertIn(self.assert_whole_or_nothing(target), (None, "BertForSequenceClassification"))
            for path in target.iterdir():
                if not path.name.startswith("."):
                    os.unlink(path)

    @harness.slow
    def test_replaced(self):
        """J4: no kill leaves new weights with an old configuration: the model is the old or the new one."""
        target, old = self.folder / "target", self.model("old")
        kinds = set()
        shutil.copytree(old, target)
        for _ in self.kills(target, "--overwrite"):
            kinds.add(self.assert_whole_or_nothing(target))
            shutil.rmtree(target)
            shutil.copytree(old, target)
        self.assertEqual(kinds, {None, "BertModel", "BertForSequenceClassification"})

    def test_interrupted(self):
        """J4: Ctrl-C at any moment leaves the old model or the new one, and nothing else."""
        target, old = self.folder / "target", self.model("old")
        shutil.copytree(old, target)
        for delay in range(0, 60, 4):
            process = self.started("convert", SOURCE, target, "--overwrite")
            try:
                process.wait(delay / 1000)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            finished = harness.finish(process)
            self.assertIn(finished.code, (0, 128 + signal.SIGINT), repr(finished))
            self.assertIsNotNone(self.assert_whole_or_nothing(target))
            self.assert_no_leftovers()


if __name__ == "__main__":
    harness.main()
