"""Figures: one that does not exist is null in JSON and a dash in text, and a finished run tells its own."""

import json
import signal
import unittest

import harness

DASH = "–"


def nothing_but_json(text):
    """JSON with neither NaN nor Infinity, which Python would read."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


class Figures(harness.Case):
    def stopped(self, *arguments):
        """A run that is stopped after its first logged steps, before it has evaluated."""
        process = self.started(*arguments, "--steps", 100000, "--log-every", 1)
        line = process.stderr.readline()
        while line and not line.startswith(b"step"):
            line = process.stderr.readline()
        process.send_signal(signal.SIGUSR1)
        finished = harness.finish(process, arguments)
        self.assertEqual(finished.code, 0, repr(finished))
        return finished

    def without_steps(self, arguments):
        place = arguments.index("--steps")
        return arguments[:place] + arguments[place + 2:]

    def test_pretraining_that_was_stopped_before_it_evaluated(self):
        """S11: no loss of 0, no perplexity of 1; the training loss under its own name."""
        arguments = self.without_steps(self.pretrain_arguments(self.folder / "a", "--json"))
        found = nothing_but_json(self.stopped(*arguments).out)
        for name in ("evaluated_step", "masked_lm_loss", "perplexity", "masked_lm_accuracy", "next_sentence_loss",
                     "next_sentence_accuracy", "best_step", "best_loss"):
            self.assertIsNone(found[name], name)
        self.assertFalse(found["finished"])
        self.assertGreater(found["train_loss"], 1)
        text = self.stopped(*self.without_steps(self.pretrain_arguments(self.folder / "b"))).out
        self.assertIn(f"loss {DASH} (perplexity {DASH})", text)

    def test_fine_tuning_that_was_stopped_before_it_evaluated(self):
        """S11: the same."""
        found = nothing_but_json(self.stopped(*self.finetune_arguments(self.folder / "run", "--evaluate-every", 100000,
                                                                       "--json")).out)
        self.assertIsNone(found["best_step"])
        self.assertIsNone(found["metrics"])
        self.assertEqual(found["history"], [])

    def test_a_finished_pretraining_is_resumed(self):
        """S5: it tells its saved evaluation; under --max-time and with fewer --steps (S6), too."""
        run = self.folder / "run"
        first = nothing_but_json(self.succeeds(*self.pretrain_arguments(run, "--json")).out)
        self.assertGreater(first["masked_lm_loss"], 1)
        for more in ((), ("--steps", 10), ("--max-time", "0.001s")):
            again = nothing_but_json(self.succeeds("pretrain", "--resume", "--output", run, "--json", *more).out)
            self.assertEqual(again, first, more)

    def test_a_finished_fine_tuning_is_resumed(self):
        """S5: the same."""
        run = self.folder / "run"
        arguments = self.finetune_arguments(run, "--epochs", 1, "--json")
        first = nothing_but_json(self.succeeds(*arguments).out)
        again = nothing_but_json(self.succeeds("finetune", "--resume", "--output", run, "--json").out)
        self.assertEqual(again, first)

    @harness.slow
    def test_nothing_to_evaluate_on(self):
        """S11: without held-out text there is no held-out loss, when the run is resumed, too."""
        arguments = list(self.pretrain_arguments(self.folder / "run", "--held-out", 0, "--json"))
        place = arguments.index("--dev")
        del arguments[place:place + 2]
        for _ in range(2):
            found = nothing_but_json(self.succeeds(*arguments).out)
            self.assertIsNone(found["masked_lm_loss"])
            self.assertIsNone(found["best_step"])
            self.assertGreater(found["train_loss"], 1)
            arguments = ["pretrain", "--resume", "--output", self.folder / "run", "--json"]

    @harness.slow
    def test_losses_that_are_infinite(self):
        """S11: a perplexity that no double holds is null."""
        run = self.folder / "run"
        finished = harness.cloze(*self.pretrain_arguments(run, "--learning-rate", 30, "--loss-spike", 0, "--json"))
        if finished.code == 0:
            nothing_but_json(finished.out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
