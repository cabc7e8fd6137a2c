#!/usr/bin/env python3
"""Breaks Cloze at random for a given time, with a seed, and counts what must be zero: losses, crashes, hangs, false results.

    CLOZE=build/release/cloze CLOZE_FAULTS=build/release/tests/libcloze_faults.so tests/robustness/torture.py --seconds 3600

Each round picks a scenario (kills, injected errors, damaged checkpoints, two runs at once, limits, inputs that shrink) and
its details by the seed of the round. `--round N` repeats one round of a seed alone and keeps its folder.

A run that was killed, or met an error, is resumed until it is finished. Its weights are then compared bit by bit with
those of a run that nothing disturbed.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

import harness

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT", "EMFILE")
GENTLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FOREIGN = {"thesis.txt": "years of work\n", "notes/README.md": "mine\n"}


class Broken(Exception):
    """A promise that did not hold. `kind` is loss, crash, hang or false."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Material:
    """What all rounds read: texts, a vocabulary, and what undisturbed runs come to."""

    def __init__(self, folder):
        self.folder = folder
        self.text, self.dev = folder / "text.txt", folder / "dev.txt"
        self.text.write_text(harness.made_up_text(1600, 1))
        self.dev.write_text(harness.made_up_text(200, 2))
        self.vocab = folder / "vocab.txt"
        self.must(harness.cloze("vocab", "--text", self.text, "--size", 300, "-o", self.vocab))
        self.kinds = {
            "pretrain": ("pretrain", "--text", self.text, "--dev", self.dev, "--vocab", self.vocab, "--size", "tiny",
                         "--max-length", 32, "--batch-tokens", 512, "--threads", 1, "--evaluation-sequences", 20,
                         "--steps", 40, "--save-every", 4, "--evaluate-every", 9, "--keep", 2),
            "pretrain-vocabulary": ("pretrain", "--text", self.text, "--vocab-size", 280, "--size", "tiny",
                                    "--max-length", 32, "--batch-tokens", 512, "--threads", 1, "--steps", 30,
                                    "--save-every", 5, "--evaluation-sequences", 20, "--seed", 3),
            "finetune": ("finetune", "--task", "text-classification", "--size", "tiny", "--vocab", self.vocab,
                         "--train", harness.EXAMPLES / "sentiment.train.tsv", "--dev",
                         harness.EXAMPLES / "sentiment.dev.tsv", "--batch-size", 32, "--learning-rate", "1e-3",
                         "--max-length", 32, "--threads", 1, "--epochs", 4, "--save-every", 5, "--keep", 2),
            "finetune-tags": ("finetune", "--task", "token-classification", "--size", "tiny", "--vocab", self.vocab,
                              "--train", harness.EXAMPLES / "entities.train.conll", "--dev",
                              harness.EXAMPLES / "entities.dev.conll", "--batch-size", 16, "--learning-rate", "1e-3",
                              "--max-length", 48, "--threads", 1, "--epochs", 2, "--save-every", 3, "--seed", 5),
        }
        self.expected, self.seconds = {}, {}
        for kind, arguments in self.kinds.items():
            started = time.monotonic()
            self.must(harness.cloze(*arguments, "--output", folder / kind))
            self.seconds[kind] = time.monotonic() - started
            self.expected[kind] = digest(folder / kind / "model.safetensors")
        self.model = folder / "finetune"
        self.lines = folder / "lines.txt"
        self.lines.write_text(harness.made_up_text(300, 4).replace("\n\n", "\n"))
        self.writers = {
            "vocab": lambda to: ("vocab", "--text", self.text, "--size", 290, "-o", to / "v.txt"),
            "encode npy": lambda to: ("encode", "-m", self.model, "--threads", 1, "-i", self.lines, "-o", to / "x.npy"),
            "encode safetensors": lambda to: ("encode", "-m", self.model, "--threads", 1, "-i", self.lines, "-o",
                                              to / "x.safetensors"),
            "encode jsonl": lambda to: ("encode", "-m", self.model, "--threads", 1, "-i", self.lines, "-o",
                                        to / "x.jsonl"),
            "export": lambda to: ("export", self.model, to / "model.onnx"),
            "evaluate": lambda to: ("evaluate", "--model", self.model, "--data", harness.EXAMPLES / "sentiment.dev.tsv",
                                    "--predictions", to / "predictions.tsv"),
            "convert": lambda to: ("convert", self.model, to / "converted"),
            "inspect": lambda to: ("inspect", "--model", self.model, "-o", to / "page.html", "the cat sees the moon ."),
        }
        self.written = {}
        for name, arguments in self.writers.items():
            to = folder / ("written " + name)
            to.mkdir()
            self.must(harness.cloze(*arguments(to)))
            self.written[name] = harness.contents(to)

    @staticmethod
    def must(finished):
        if finished.code != 0:
            sys.exit(f"error: the material cannot be made: {finished}")


class Round:
    def __init__(self, material, folder, seed):
        self.material, self.folder, self.chance = material, folder, random.Random(seed)
        self.commands = 0
        self.log = []

    def run(self, *arguments, allowed=(), **options):
        """Runs a command to its end; codes above 128 are crashes unless `allowed`."""
        return self.judge(harness.start(*arguments, **options), arguments, allowed)

    def judge(self, process, arguments, allowed=()):
        self.commands += 1
        try:
            finished = harness.finish(process, arguments)
        except AssertionError as error:
            raise Broken("hang", str(error)) from None
        self.log.append(repr(finished))
        if finished.code >= 128 and finished.code not in allowed:
            raise Broken("crash", repr(finished))
        for foreign in harness.FOREIGN_TEXTS:
            if foreign in finished.err:
                raise Broken("false", f"the text of a library: {finished}")
        return finished

    def killed(self, arguments, longest):
        """Starts a command and sends a signal after some time, or none if it is done before."""
        sent = self.chance.choice((signal.SIGKILL, signal.SIGKILL, *GENTLE))
        process = harness.start(*arguments)
        time.sleep(self.chance.uniform(0, longest))
        if process.poll() is None:
            process.send_signal(sent)
        return self.judge(process, arguments, allowed=(128 + sent,))

    # Runs.

    def new_run(self):
        kind = self.chance.choice(list(self.material.kinds))
        output = self.folder / "run"
        return kind, output, (*self.material.kinds[kind], "--output", output)

    def to_the_end(self, kind, output, arguments, disturb):
        """Begins a run and resumes it until it is finished; `disturb(arguments)` runs the first few commands."""
        for attempt in range(12):
            begun = (output / "run.json").exists()
            command = (arguments[0], "--output", output, "--resume") if begun else arguments
            finished = disturb(command) if attempt < 5 else self.run(*command)
            if begun and finished.code == 0 and self.is_finished(output, kind):
                break
            if not begun and finished.code == 0 and self.is_finished(output, kind):
                break
            if attempt >= 5 and finished.code != 0:
                raise Broken("loss", f"the run cannot go on: {finished}")
        self.compare(kind, output)

    def is_finished(self, output, kind):
        model = output / "model.safetensors"
        return model.exists() and digest(model) == self.material.expected[kind]

    def compare(self, kind, output):
        found = digest(output / "model.safetensors") if (output / "model.safetensors").exists() else "none"
        if found != self.material.expected[kind]:
            raise Broken("false", f"the weights of {kind} are not those of an undisturbed run")
        left = [name for name in harness.leftovers(output) if "checkpoint" not in name]
        if left:
            raise Broken("false", f"temporaries stay: {left}")
        classify = "fill-mask" if kind.startswith("pretrain") else "tag" if kind == "finetune-tags" else "classify"
        text = "the cat [MASK] the moon ." if classify == "fill-mask" else "the cat sees the moon ."
        if self.run(classify, "--model", output, text).code != 0:
            raise Broken("loss", "the finished model does not answer")

    def kills(self):
        """A run that is killed again and again."""
        kind, output, arguments = self.new_run()
        self.to_the_end(kind, output, arguments, lambda command: self.killed(command, self.material.seconds[kind]))

    def errors(self):
        """A run that meets errors of the system."""
        kind, output, arguments = self.new_run()
        self.to_the_end(kind, output, arguments, self.faulty)

    def faulty(self, command):
        call = self.chance.choice(("write", "write", "fsync", "rename", "open", "pthread_create", "kill"))
        number = self.chance.randint(1, 300 if call == "write" else 80)
        once = self.chance.choice(("", "!"))
        error = "EAGAIN" if call == "pthread_create" else self.chance.choice(ERRORS)
        return self.run(*command, env=harness.with_fault(f"{call}:{number}{once}:{error}"), allowed=(137,))

    def damage(self):
        """Damaged checkpoints: the run goes on from a whole one, or says that there is none."""
        kind, output, arguments = self.new_run()
        self.killed(arguments, self.material.seconds[kind])
        checkpoints = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
        if not checkpoints:
            return self.to_the_end(kind, output, arguments, lambda command: self.run(*command))
        victims = checkpoints if self.chance.random() < 0.2 else checkpoints[-1:]
        for victim in victims:
            self.damage_file(self.chance.choice([path for path in victim.rglob("*") if path.is_file()]))
        finished = self.run(arguments[0], "--output", output, "--resume")
        if finished.code == 0:
            return self.compare(kind, output)
        if len(victims) < len(checkpoints):
            raise Broken("loss", f"a whole checkpoint was not used: {finished}")
        if not all(path.exists() for path in checkpoints):
            raise Broken("loss", "a refused run removed checkpoints")
        finished = self.run(*arguments, "--overwrite")
        if finished.code != 0:
            raise Broken("loss", f"no way out of damaged checkpoints: {finished}")
        self.compare(kind, output)

    def damage_file(self, path):
        how = self.chance.choice(("cut", "flip", "remove", "empty", "grow"))
        content = bytearray(path.read_bytes())
        if how == "remove":
            return path.unlink()
        if how == "cut":
            content = content[: self.chance.randrange(len(content))]
        elif how == "flip":
            content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
        elif how == "empty":
            content = bytearray()
        else:
            content += b"x"
        path.write_bytes(content)

    def overwriting(self):
        """A run that replaces another and is killed: foreign files stay, and the command works again."""
        kind, output, arguments = self.new_run()
        first = self.chance.choice(list(self.material.kinds))
        self.run(*self.material.kinds[first], "--output", output)
        for name, content in FOREIGN.items():
            (output / name).parent.mkdir(exist_ok=True)
            (output / name).write_text(content)
        for _ in range(self.chance.randint(1, 4)):
            self.killed((*arguments, "--overwrite"), self.material.seconds[kind])
        finished = self.run(*arguments, "--overwrite")
        if finished.code != 0:
            raise Broken("loss", f"a killed --overwrite cannot be repeated: {finished}")
        for name, content in FOREIGN.items():
            if not (output / name).exists() or (output / name).read_text() != content:
                raise Broken("loss", f"a foreign file is gone: {name}")
        self.compare(kind, output)

    def together(self):
        """Several commands on one directory at once: one of them trains, the others are refused."""
        kind, output, arguments = self.new_run()
        count = self.chance.randint(2, 4)
        processes = []
        for _ in range(count):
            processes.append(harness.start(*arguments))
            time.sleep(self.chance.choice((0, 0, self.chance.uniform(0, 0.3))))
        codes = [self.judge(process, arguments).code for process in processes]
        if codes.count(0) != 1:
            raise Broken("false", f"{codes.count(0)} of {count} runs in one directory ended well")
        self.compare(kind, output)

    # Other commands.

    def writing(self):
        """A command that writes a file is killed or meets an error: the file is the old one or the new one."""
        name = self.chance.choice(list(self.material.writers))
        to = self.folder / "written"
        to.mkdir()
        arguments = self.material.writers[name](to)
        new = self.material.written[name]
        states = [{}, new]
        if self.chance.random() < 0.5 and name != "convert":
            for file in new:
                (to / file).write_text("old\n")
            states[0] = harness.contents(to)
        for _ in range(3):
            if self.chance.random() < 0.5:
                finished = self.killed(arguments, 0.4)
            else:
                finished = self.faulty(arguments)
            found = {file: content for file, content in harness.contents(to).items() if ".tmp" not in file}
            self.require_whole(name, found, states, finished)
        finished = self.run(*arguments) if not (name == "convert" and found) else finished
        found = harness.contents(to)
        if {file: content for file, content in found.items() if ".tmp" not in file} != new:
            raise Broken("loss", f"{name} cannot be repeated: {finished}, found {found}")

    def require_whole(self, name, found, states, finished):
        if found in states:
            return
        # A directory that cannot be taken for a model is not half of one.
        if name == "convert" and "converted/config.json" not in found:
            return
        raise Broken("false", f"{name} left half of what it writes: {found}, after {finished}")

    def limits(self):
        """Limits of memory, processes, files and file sizes: a sentence, or the right result."""
        kind, output, arguments = self.new_run()
        limit = self.chance.choice(("AS", "NPROC", "NOFILE", "FSIZE"))
        value = {"AS": self.chance.randint(80, 600) << 20, "NPROC": self.chance.randint(1, 6),
                 "NOFILE": self.chance.randint(3, 24), "FSIZE": self.chance.randint(1, 2000) << 10}[limit]
        finished = self.run(*arguments, preexec_fn=harness.limits(**{limit: value}))
        if finished.code != 0 and "error: " not in finished.err and limit != "AS":
            raise Broken("false", f"failed without a word: {finished}")
        if finished.code == 0:
            return self.compare(kind, output)
        self.to_the_end(kind, output, arguments, lambda command: self.run(*command))

    def shrinking(self):
        """Inputs and models that become shorter while they are read."""
        text = self.folder / "text.txt"
        shutil.copy(self.material.text, text)
        model = self.folder / "model"
        shutil.copytree(self.material.model, model)
        command = self.chance.choice((
            ("vocab", "--text", text, "--size", 300, "-o", self.folder / "v.txt"),
            ("encode", "-m", model, "-i", text, "-o", self.folder / "x.npy"),
            ("pretrain", "--text", text, "--init", self.material.folder / "pretrain", "--steps", 10, "--max-length", 32,
             "--threads", 1, "--output", self.folder / "run"),
            ("classify", "-m", model, "-i", text),
        ))
        victim = self.chance.choice((text, model / "model.safetensors", model / "vocab.txt"))
        process = harness.start(*command)
        time.sleep(self.chance.uniform(0, 0.15))
        os.truncate(victim, self.chance.randrange(victim.stat().st_size))
        self.judge(process, command)

    SCENARIOS = (("kills", 4), ("errors", 4), ("damage", 3), ("overwriting", 2), ("together", 1), ("writing", 6),
                 ("limits", 2), ("shrinking", 2))

    def play(self):
        names = [name for name, weight in self.SCENARIOS for _ in range(weight)]
        name = self.chance.choice(names)
        getattr(self, name)()
        return name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, help="play this round alone")
    parser.add_argument("--jobs", type=int, default=1, help="rounds at a time")
    arguments = parser.parse_args()
    base = pathlib.Path(tempfile.mkdtemp(prefix="cloze-torture-"))
    material = Material(base)
    print(f"seed {arguments.seed}; material made", flush=True)
    rounds = [arguments.round] if arguments.round is not None else None
    played, broken, commands = collections.Counter(), [], 0
    end, told = time.monotonic() + arguments.seconds, time.monotonic()
    number = 0
    while rounds or (rounds is None and time.monotonic() < end):
        number = rounds.pop() if rounds else number + 1
        folder = base / f"round-{number}"
        folder.mkdir()
        round_ = Round(material, folder, f"{arguments.seed}/{number}")
        keep = arguments.round is not None
        try:
            played[round_.play()] += 1
        except Broken as error:
            keep = True
            broken.append(error.kind)
            print(f"round {number}: {error}\nfolder {folder}", flush=True)
        except (OSError, json.JSONDecodeError, IndexError) as error:
            keep = True
            broken.append("false")
            print(f"round {number}: {type(error).__name__}: {error}\nfolder {folder}", flush=True)
        commands += round_.commands
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if arguments.round is None and time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{number} rounds, {commands} commands, {len(broken)} broken, {end - told:.0f} s left", flush=True)
    count = collections.Counter(broken)
    print(f"{number if arguments.round is None else 1} rounds, {commands} commands: " +
          ", ".join(f"{name} {times}" for name, times in sorted(played.items())))
    print(f"{count['loss']} losses, {count['crash']} crashes, {count['hang']} hangs, {count['false']} false results")
    if broken:
        sys.exit(1)
    if arguments.round is None:
        shutil.rmtree(base, ignore_errors=True)


main()
