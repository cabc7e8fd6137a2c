"""Every system call that writes fails once: the command says so, what was there stays, and nothing is left behind."""

import hashlib
import os
import shutil
import signal

import harness

MODEL = harness.GOLDENS / "sequence_3_labels"
BARE = harness.GOLDENS / "bare_odd"
CALLS = "write", "fsync", "rename", "open", "mkdir"
ERRORS = {"write": "No space left", "fsync": "Input/output error", "rename": "No space left", "open": "No space left",
          "mkdir": "No space left"}


def sums(*paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


class Faults(harness.Case):
    """`write(target)` is the command line; `target` is a file or directory in a folder of its own."""

    def first(self, name):
        """A target that holds something already."""
        folder = self.folder / "place"
        folder.mkdir()
        return folder / name

    def run_all(self, arguments, target, calls=CALLS, most=500):
        """Injects every fault, with an earlier result at the target and without."""
        folder = target.parent
        self.succeeds(*arguments)
        earlier = self.folder / "earlier"
        shutil.copytree(folder, earlier)
        failures = 0
        for present in True, False:
            for call in calls:
                error = "EIO" if call == "fsync" else "ENOSPC"
                for number in range(1, most):
                    shutil.rmtree(folder)
                    if present:
                        shutil.copytree(earlier, folder)
                    else:
                        folder.mkdir()
                    before = harness.contents(folder)
                    finished = harness.cloze(*arguments, env=harness.with_fault(f"{call}:{number}!:{error}:{folder}"))
                    if finished.code == 0:
                        break
                    failures += 1
                    self.assert_failed(finished, code=1, says=["cannot ", ERRORS[call], str(folder)])
                    after = harness.contents(folder)
                    if call == "fsync" and after != before:  # of the directory, when all is in place
                        self.assertEqual(sorted(after), sorted(harness.contents(earlier)))
                    else:
                        self.assertEqual(before, after, f"{call} {number}")
                    self.assertEqual(harness.leftovers(folder), [], f"{call} {number}")
                else:
                    self.fail(f"{call}: the command never ends")
        return failures

    def kill_all(self, arguments, target, check, most=500):
        """Kills the command at every change that it makes, over an earlier result."""
        earlier = self.folder / "before-kills"
        shutil.copytree(target.parent, earlier)
        for number in range(1, most):
            shutil.rmtree(target.parent)
            shutil.copytree(earlier, target.parent)
            finished = harness.cloze(*arguments, env=harness.with_fault(f"kill:{number}"))
            if finished.code == 0:
                return number
            self.assertEqual(finished.code, 128 + signal.SIGKILL, repr(finished))
            check()
        self.fail("the command never ends")

    def old_or_new(self, target, old, new):
        return lambda: self.assertIn(sums(target), (old, new))

    def test_vocab(self):
        """J1: vocab."""
        target = self.first("vocab.txt")
        text = self.file("small.txt", harness.made_up_text(40, 1))
        arguments = ("vocab", "--text", text, "--size", 80, "-o", target)
        self.assertGreaterEqual(self.run_all(arguments, target), 8)
        new = sums(target)
        target.write_text("old")
        old = sums(target)
        self.kill_all(arguments, target, self.old_or_new(target, old, new))

    def test_encode(self):
        """J1: encode, in each of its formats."""
        for name in "v.npy", "v.safetensors", "v.jsonl":
            with self.subTest(name):
                target = self.first(name)
                arguments = ("encode", "--model", BARE, "a b", "b a", "-o", target)
                self.assertGreaterEqual(self.run_all(arguments, target), 8)
                new = sums(target)
                target.write_text("old")
                old = sums(target)
                self.kill_all(arguments, target, self.old_or_new(target, old, new))
                shutil.rmtree(target.parent)
                shutil.rmtree(self.folder / "earlier")
                shutil.rmtree(self.folder / "before-kills")

    @harness.slow
    def test_evaluate(self):
        """J1: evaluate --predictions."""
        target = self.first("predicted.jsonl")
        data = self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\na dog\tLABEL_1\n")
        arguments = ("evaluate", "--model", MODEL, "--data", data, "--predictions", target)
        self.assertGreaterEqual(self.run_all(arguments, target), 8)

    @harness.slow
    def test_inspect(self):
        """J1: inspect, in each of its formats."""
        for name in "page.html", "page.json", "page.safetensors":
            with self.subTest(name):
                target = self.first(name)
                arguments = ("inspect", "--model", MODEL, "the cat", "--show", "attention", "-o", target)
                self.assertGreaterEqual(self.run_all(arguments, target), 8)
                shutil.rmtree(target.parent)
                shutil.rmtree(self.folder / "earlier")

    @harness.slow
    def test_embed_map(self):
        """J1: embed-map."""
        target = self.first("map.html")
        texts = self.file("texts", "a b\nb a\na\n")
        arguments = ("embed-map", texts, "--model", BARE, "-o", target)
        self.assertGreaterEqual(self.run_all(arguments, target), 8)

    @harness.slow
    def test_export(self):
        """J1: export."""
        target = self.first("m.onnx")
        arguments = ("export", BARE, target, "--task", "feature-extraction")
        self.assertGreaterEqual(self.run_all(arguments, target), 20)
        new = sums(target)
        target.write_bytes(b"old")
        old = sums(target)
        self.kill_all(arguments, target, self.old_or_new(target, old, new))

    @harness.slow
    def test_export_with_data(self):
        """Z17: export to two files: both are old, or both are new, or there is no model."""
        target = self.first("m.onnx")
        data = target.with_name("m.onnx.data")
        arguments = ("export", MODEL, target, "--external-data")
        self.assertGreaterEqual(self.run_all(arguments, target), 20)
        new = sums(target, data)
        # The same names, other weights: only the numbers tell which is which.
        other = self.folder / "other"
        shutil.copytree(MODEL, other)
        weights = bytearray((other / "model.safetensors").read_bytes())
        half = len(weights) // 2
        weights[half:] = bytes(len(weights) - half)
        (other / "model.safetensors").write_bytes(weights)
        self.succeeds("export", other, target, "--external-data")
        old = sums(target, data)
        self.assertNotEqual(old[1], new[1])

        def check():
            if target.exists():
                self.assertIn(sums(target, data), (old, new))

        self.kill_all(arguments, target, check)

    def test_convert(self):
        """J1: convert into a new directory."""
        target = self.folder / "place" / "model"
        for call in CALLS:
            error = "EIO" if call == "fsync" else "ENOSPC"
            for number in range(1, 200):
                shutil.rmtree(target.parent, ignore_errors=True)
                target.parent.mkdir()
                finished = harness.cloze("convert", BARE, target,
                                         env=harness.with_fault(f"{call}:{number}!:{error}:{target.parent}"))
                if finished.code == 0:
                    break
                self.assert_failed(finished, code=1, says=["cannot ", ERRORS[call], str(target.parent)])
                if not (call == "fsync" and target.exists()):
                    self.assertEqual(os.listdir(target.parent), [], f"{call} {number}")
                self.assertEqual(harness.leftovers(target.parent), [], f"{call} {number}")
            else:
                self.fail(f"{call}: the command never ends")

    @harness.slow
    def test_convert_over_a_model(self):
        """J4: convert over another model, which stays as it was."""
        target = self.folder / "place" / "model"
        self.succeeds("convert", MODEL, target)
        self.file("place/model/README.md", "mine")
        old = self.folder / "old"
        shutil.copytree(target, old)
        before = harness.contents(target)
        for call in CALLS:
            error = "EIO" if call == "fsync" else "ENOSPC"
            for number in range(1, 200):
                shutil.rmtree(target)
                shutil.copytree(old, target)
                finished = harness.cloze("convert", BARE, target, "--overwrite",
                                         env=harness.with_fault(f"{call}:{number}!:{error}:{target}"))
                if finished.code == 0:
                    break
                self.assert_failed(finished, code=1, says=["cannot ", ERRORS[call], str(target)])
                if call != "fsync":
                    self.assert_unchanged(target, before)
                self.assertEqual(harness.leftovers(target), [], f"{call} {number}")
            else:
                self.fail(f"{call}: the command never ends")


if __name__ == "__main__":
    harness.main()
