"""Numbers: every option of every command that takes one refuses what is no number, by the option's name."""

import json
import re
import unittest

import harness

# What stands after an option in the help, where it takes a number or a list of numbers.
NUMBERS = ("N", "FLOAT", "P", "SHARE", "TIME", "W,W,...", "I,...")
# No number of any kind; and numbers that no count, share or rate can be.
NEVER = ("nan", "inf", "-inf", "NaN", "1e308", "-1e308", "0x10", "", " ", "1 5", "five", "1e", "--")
# For counts besides: what 64 bits do not hold, and a comma for a point.
NEVER_COUNTS = ("100000000000000000000000", "18446744073709551616", "1,5")


def commands():
    """Each command with its help; those of `bench` too."""
    for program in ((), ("bench",)):
        for name in re.findall(r"^  ([a-z][a-z-]*)  +", harness.cloze(*program, "--help").out, re.M):
            if name != "bench":
                yield (*program, name)


def numeric_options(command):
    """The options of a command that take numbers, with the type that the help names."""
    text = harness.cloze(*command, "--help").out
    found = re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+) ([A-Z][A-Z,.]*)(?:[=\s]|$)", text, re.M)
    return [(name, kind) for name, kind in found if kind in NUMBERS]


class Options(harness.Case):
    def options(self):
        return [(command, name, kind) for command in commands() for name, kind in numeric_options(command)]

    def refused(self, command, name, value):
        """Exit code 2, and the sentence names the option."""
        finished = harness.cloze(*command, f"{name}={value}")
        self.assert_failed(finished, code=2, says=name)

    def test_there_are_numeric_options(self):
        """The help is read as it is meant to be."""
        found = self.options()
        self.assertGreater(len(found), 100)
        for expected in ((("pretrain",), "--warmup", "FLOAT"), (("finetune",), "--seed", "N"),
                         (("pretrain",), "--max-time", "TIME"), (("bench", "encode"), "--batch", "N")):
            self.assertIn(expected, found)

    def test_every_option_refuses_nan(self):
        """C9, O1, O2, S4b, Z4: nan is taken by none."""
        for command, name, _ in self.options():
            with self.subTest(command=command, option=name):
                self.refused(command, name, "nan")

    def test_trainings_refuse_infinity_and_the_absurd(self):
        """O1, O2, S4c: infinities, numbers that no step survives, and an unset variable of a script."""
        for command in (("pretrain",), ("finetune",)):
            for name, _ in numeric_options(command):
                for value in ("inf", "1e308", ""):
                    with self.subTest(command=command, option=name, value=value):
                        self.refused(command, name, value)

    @harness.slow
    def test_every_option_refuses_what_is_no_number(self):
        """O1, O2, EE8, Z1: 16 values x all numeric options of all commands."""
        for command, name, kind in self.options():
            for value in NEVER + (NEVER_COUNTS if kind == "N" else ()):
                with self.subTest(command=command, option=name, value=value):
                    self.refused(command, name, value)


class Values(harness.Case):
    def pretrain_refuses(self, *arguments, says):
        finished = self.fails(*self.pretrain_arguments(self.folder / "run", *arguments), code=2, says=says)
        self.assertFalse((self.folder / "run").exists(), repr(finished))

    def finetune_refuses(self, *arguments, says):
        finished = self.fails(*self.finetune_arguments(self.folder / "run", *arguments), code=2, says=says)
        self.assertFalse((self.folder / "run").exists(), repr(finished))

    def test_seeds(self):
        """EE8: seeds that 64 bits do not hold are refused; the largest one is not."""
        for seed in (-1, 10 ** 23, 2 ** 64):
            self.pretrain_refuses("--seed", seed, says="--seed")
            self.finetune_refuses("--seed", seed, says="--seed")
        self.finetuned("run", "--seed", 2 ** 64 - 1, "--max-train-samples", 32)

    def test_class_weights(self):
        """Z1: nan, inf, negative, all zero, absurd and too many: before anything is made."""
        for weights in ("nan,1", "inf,1", "-1,1", "0,0", "1e38,1", "1e39,1", "1,,1", "1,", "1;2", "0x1,1"):
            self.finetune_refuses("--class-weights=" + weights, says="class")
        self.finetune_refuses("--class-weights", "1,2,3", says="3 class weights for 2 labels")

    def test_times(self):
        """S4b, S4c: a time that is none, or longer than any run."""
        for time in ("nan", "inf", "infh", "1e308", "1e308h", "-5m", "0", "1e12", "5x"):
            self.pretrain_refuses(f"--max-time={time}", says="--max-time")

    def test_a_run_is_not_lost_by_a_number(self):
        """EE4: what resuming would refuse is refused at the start, so that no run.json has it."""
        self.pretrain_refuses("--max-grad-norm", "nan", says="--max-grad-norm")
        self.pretrain_refuses("--max-grad-norm", "1e308", says="--max-grad-norm")


class RunSettings(harness.Case):
    """run.json, edited: each value is refused by name, or harmless; of both trainings."""

    BAD = (None, -1, 1e308, 10 ** 23, "x", "", [], {"a": 1}, True, [1], "\u0000", "nan")

    def resumed(self, command, run, good, name, value):
        (run / "run.json").write_text(json.dumps({**good, name: value}))
        before = (run / "model.safetensors").read_bytes()
        finished = harness.cloze(command, "--resume", "--output", run)
        self.assertIn(finished.code, (0, 1, 2), repr(finished))
        self.assert_presentable(finished)
        self.assertEqual((run / "model.safetensors").read_bytes(), before)
        return finished

    def test_values_that_were_taken(self):
        """L1, EE4: what was taken without a word or crashed, and a null in a number's place."""
        for command, run, values in (
                ("pretrain", self.pretrained(),
                 {"threads": 100000, "data-fingerprint": 5, "dtype": "int8", "documents": "x", "held-out": 7, "beta2": 1,
                  "long-share": 2, "max-grad-norm": None, "masked": 0.95, "save-every-minutes": 1e308}),
                ("finetune", self.finetuned(),
                 {"threads": 100000, "data-fingerprint": 5, "dtype": "int8", "beta1": 1, "class-weights": "0,0",
                  "label-smoothing": 1, "layer-decay": 0, "epochs": 1e308, "max-grad-norm": None, "seed": -1})):
            good = json.loads((run / "run.json").read_text())
            for name, value in values.items():
                with self.subTest(command=command, name=name, value=value):
                    finished = self.resumed(command, run, good, name, value)
                    self.assert_failed(finished, says="int8" if value == "int8" else name)

    @harness.slow
    def test_every_setting(self):
        """L1: 12 values of several kinds for every setting."""
        for command, run in (("pretrain", self.pretrained()), ("finetune", self.finetuned())):
            good = json.loads((run / "run.json").read_text())
            for name in good:
                for value in self.BAD:
                    with self.subTest(command=command, name=name, value=value):
                        finished = self.resumed(command, run, good, name, value)
                        if finished.code != 0:
                            self.assert_failed(finished)


if __name__ == "__main__":
    unittest.main(verbosity=2)
