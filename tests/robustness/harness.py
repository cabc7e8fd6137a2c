"""What the robustness tests share: the command as a child process, small runs to break, and what must hold after
every failure.

A test file holds the experiments of one kind: `test_KIND.py`, a method an experiment. `CLOZE` names the command,
`CLOZE_FAULTS` the library of `faults.cc`, `CLOZE_ROBUSTNESS=all` asks for the slow experiments too.
"""

import functools
import hashlib
import os
import pathlib
import random
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

CLOZE = os.environ.get("CLOZE", "")
FAULTS = os.environ.get("CLOZE_FAULTS", "")
SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = SOURCE / "examples" / "data"
GOLDENS = SOURCE / "tests" / "goldens"

# The longest that any experiment's command may take: one that waits for ever fails.
PATIENCE_S = 120
# Longer than any sentence, and short beside a value that was copied into a message.
LONGEST_MESSAGE = 2000
# Texts of libraries that no message may hold.
FOREIGN_TEXTS = ("json.exception", "terminate called", "std::", "what():", "basic_string", "filesystem error")


def slow(test):
    """Leaves an experiment to `make check-all`."""
    return unittest.skipUnless(os.environ.get("CLOZE_ROBUSTNESS") == "all", "slow: make check-all runs it")(test)


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


class Finished:
    """How a command ended: `code` is its exit code, or 128 + the signal that ended it."""

    def __init__(self, arguments, returncode, out, err):
        self.arguments = arguments
        self.code = returncode if returncode >= 0 else 128 - returncode
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")

    def __repr__(self):
        return (f"cloze {' '.join(map(str, self.arguments))[:500]}\nexit code {self.code}\n"
                f"stdout: {self.out[:1500]}\nstderr: {self.err[:3000]}")


def limits(**wanted):
    """A function for `preexec_fn` that sets resource limits: limits(FSIZE=1 << 20)."""

    def apply():
        for name, value in wanted.items():
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))

    return apply


def start(*arguments, env=None, **options):
    """Starts `cloze ARGUMENTS...` with pipes for its output."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([CLOZE, *map(os.fspath, map(text_of, arguments))], env={**os.environ, "HF_ENDPOINT": "", **(env or {})},
                            **options)


def text_of(argument):
    return argument if isinstance(argument, (bytes, str, os.PathLike)) else str(argument)


def finish(process, arguments=(), timeout=PATIENCE_S):
    """Waits for a started command."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout} s: cloze {' '.join(map(str, arguments))}\n"
                             f"stdout: {(out or b'')[-1000:]}\nstderr: {(err or b'')[-1000:]}") from None
    return Finished(arguments, process.returncode, out or b"", err or b"")


def cloze(*arguments, timeout=PATIENCE_S, **options):
    """Runs `cloze ARGUMENTS...` to its end."""
    return finish(start(*arguments, **options), arguments, timeout)


def with_fault(fault):
    """The environment in which faults.cc injects `fault`, such as "write:3:ENOSPC" (see there)."""
    return {"LD_PRELOAD": FAULTS, "CLOZE_FAULT": fault}


def contents(directory):
    """What a directory holds: for every name below it, its kind and the checksum of its bytes."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = "link to " + os.readlink(path)
        elif path.is_dir():
            found[name] = "directory"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "special"
    return found


def replaced(arguments, option, value):
    """The arguments with another value of an option that is among them."""
    arguments = list(arguments)
    arguments[arguments.index(option) + 1] = value
    return tuple(arguments)


def leftovers(directory):
    """Temporary files that a command should have removed."""
    return [str(path) for path in pathlib.Path(directory).rglob("*")
            if ".tmp" in path.name or ".partial" in path.name]


def made_up_text(sentences, seed):
    """Documents of sentences of a small language: enough for a masked language model to learn."""
    chance = random.Random(seed)
    subjects, verbs = "the cat|a dog|the old man|my sister|the king|a child".split("|"), "sees|likes|follows|hears".split("|")
    objects, places = "the moon|a red bird|some bread|the river".split("|"), "at home|in the garden|by the sea|every day".split("|")
    lines = []
    for number in range(sentences):
        lines.append(f"{chance.choice(subjects)} {chance.choice(verbs)} {chance.choice(objects)} {chance.choice(places)} .")
        if number % 8 == 7:
            lines.append("")
    return "\n".join(lines) + "\n"


class Case(unittest.TestCase):
    """An experiment with a folder of its own, `self.folder`, in which it runs nothing but what it names by path."""

    maxDiff = 4000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cloze-robustness-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    # Material.

    def file(self, name, content=""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    @functools.cached_property
    def text(self):
        return self.file("text.txt", made_up_text(1600, 1))

    @functools.cached_property
    def dev_text(self):
        return self.file("dev.txt", made_up_text(200, 2))

    @functools.cached_property
    def vocab(self):
        path = self.folder / "vocab.txt"
        self.succeeds("vocab", "--text", self.text, "--size", 300, "-o", path)
        return path

    def pretrain_arguments(self, output, *more, steps=20, text=None, vocab=None):
        """Pre-training that takes about a second."""
        return ("pretrain", "--text", text or self.text, "--dev", self.dev_text, "--vocab", vocab or self.vocab, "--size",
                "tiny", "--max-length", 32, "--batch-tokens", 512, "--threads", 1, "--evaluation-sequences", 20, "--steps",
                steps, "--save-every", 10, "--output", output, *more)

    def finetune_arguments(self, output, *more, train=None, dev=None):
        """Fine-tuning that takes about a second."""
        return ("finetune", "--task", "text-classification", "--size", "tiny", "--vocab", self.vocab, "--train",
                train or EXAMPLES / "sentiment.train.tsv", "--dev", dev or EXAMPLES / "sentiment.dev.tsv", "--batch-size",
                32, "--learning-rate", 1e-3, "--max-length", 32, "--threads", 1, "--output", output, *more)

    def pretrained(self, name="pretrained", *more, steps=20):
        """The directory of a finished pre-training run."""
        output = self.folder / name
        self.succeeds(*self.pretrain_arguments(output, *more, steps=steps))
        return output

    def finetuned(self, name="finetuned", *more):
        """The directory of a finished fine-tuning run."""
        output = self.folder / name
        self.succeeds(*self.finetune_arguments(output, "--epochs", 1, *more))
        return output

    # Checks.

    def succeeds(self, *arguments, **options):
        finished = cloze(*arguments, **options)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assert_presentable(finished)
        return finished

    def fails(self, *arguments, code=(1, 2), says=(), **options):
        """The command fails by itself, and its one error sentence holds all of `says`."""
        finished = cloze(*arguments, **options)
        self.assert_failed(finished, code=code, says=says)
        return finished

    def assert_failed(self, finished, code=(1, 2), says=()):
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(finished.code, codes, repr(finished))
        errors = [line for line in finished.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, repr(finished))
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, errors[0], repr(finished))
        self.assert_presentable(finished)

    def assert_presentable(self, finished):
        """Nothing that only a programmer can read, and nothing without end."""
        for foreign in FOREIGN_TEXTS:
            self.assertNotIn(foreign, finished.err, repr(finished))
        for line in finished.err.splitlines():
            self.assertLess(len(line), LONGEST_MESSAGE, repr(finished))

    def assert_unchanged(self, directory, before):
        self.assertEqual(before, contents(directory))

    def assert_no_leftovers(self, directory=None):
        self.assertEqual(leftovers(directory or self.folder), [])

    def wait_until(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited {seconds} s in vain: {what}")
            time.sleep(0.005)

    def started(self, *arguments, **options):
        """A command that is killed at the end of the test, if it still runs then."""
        process = start(*arguments, **options)

        def end():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def mode_of(self, path):
        return stat.S_IMODE(os.stat(path).st_mode)


def main():
    unittest.main(verbosity=2)
