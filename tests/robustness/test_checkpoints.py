"""Checkpoints: damaged ones and copies never cost a run its progress, no weight that is no number is saved, and a
run goes on from what its checkpoint holds."""

import json
import shutil
import signal
import struct
import unittest

import harness
from harness import EXAMPLES


def damage(checkpoint, name="optimizer.safetensors"):
    """Cuts five bytes off, as a full disk or a torn copy does."""
    path = checkpoint / name
    path.write_bytes(path.read_bytes()[:-5])


def spoil(directory, tensor):
    """Writes NaN into a tensor of a model."""
    path = directory / "model.safetensors"
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", content)
    begin = json.loads(content[8:8 + length])[tensor]["data_offsets"][0]
    struct.pack_into("<f", content, 8 + length + begin, float("nan"))
    path.write_bytes(content)


def checkpoints(run):
    return sorted(int(path.name.split("-")[1]) for path in run.glob("checkpoint-*"))


class Run(harness.Case):
    def killed_at(self, run, step, *arguments):
        """Resumes a run and kills it when it has saved this step; what it said."""
        process = self.started(*arguments, "--resume", "--output", run)
        self.wait_until(lambda: (run / f"checkpoint-{step}").exists() or process.poll() is not None, "a checkpoint")
        process.send_signal(signal.SIGKILL)
        return harness.finish(process, arguments)


class Damaged(Run):
    @harness.slow
    def test_a_damaged_newest_checkpoint_costs_nothing_but_itself(self):
        """G2: the newest is damaged, --keep 1, killed and resumed three times: each time further than the last."""
        run = self.pretrained("run", "--keep", 10, steps=100)
        for step in range(20, 100, 10):
            shutil.rmtree(run / f"checkpoint-{step}")
        damage(run / "checkpoint-100")
        for start in (10, 20, 30):
            finished = self.killed_at(run, start + 10, "pretrain", "--keep", 1)
            self.assertIn(f"resuming from {run}/checkpoint-{start}\n", finished.err, repr(finished))
            self.assertIn("checkpoint-100 is damaged", finished.err)
            self.assertIn(start + 10, checkpoints(run))
        self.succeeds("pretrain", "--resume", "--output", run)
        finished = self.succeeds("pretrain", "--resume", "--output", run)
        self.assertNotIn("damaged", finished.err)
        self.assertIn(100, checkpoints(run))

    @harness.slow
    def test_a_damaged_checkpoint_goes_when_the_run_is_past_it(self):
        """G2: it does not take the place of a whole one, and is not there for ever."""
        run = self.pretrained("run", "--keep", 2, steps=20)
        damage(run / "checkpoint-20", "model.safetensors")
        self.succeeds("pretrain", "--resume", "--output", run, "--steps", 40, "--save-every", 15, "--keep", 2)
        self.assertEqual(checkpoints(run), [30, 40])

    def test_no_whole_checkpoint(self):
        """G4: all damaged: refused, with both ways out, and nothing is touched. Of both trainings."""
        for command, run in (("pretrain", self.pretrained()), ("finetune", self.finetuned())):
            for step in checkpoints(run):
                damage(run / f"checkpoint-{step}")
            before = harness.contents(run)
            self.fails(command, "--resume", "--output", run, says=("no whole checkpoint", "copy back", "overwrite"))
            self.assert_unchanged(run, before)

    @harness.slow
    def test_kinds_of_damage(self):
        """G4: whatever is wrong with the only checkpoint, the run does not begin anew over its model."""
        run = self.pretrained("run", "--keep", 1, steps=10)
        pristine = self.folder / "pristine"
        shutil.copytree(run, pristine)
        only = run / "checkpoint-10"
        harms = [lambda name=path.name: (only / name).unlink() for path in only.iterdir()]
        harms += [lambda: shutil.rmtree(only) or only.mkdir(),
                  lambda: (only / "checksums.json").write_text('{"files": {}}'),
                  lambda: (only / "checksums.json").write_text('{"files": 7}'),
                  lambda: (only / "trainer_state.json").write_text("{}"),
                  lambda: shutil.rmtree(only)]
        for harm in harms:
            harm()
            before = harness.contents(run)
            self.fails("pretrain", "--resume", "--output", run, says=(str(run), "checkpoint to go on from"))
            self.assert_unchanged(run, before)
            shutil.rmtree(run)
            shutil.copytree(pristine, run)

    @harness.slow
    def test_the_best_checkpoint_is_damaged(self):
        """G2: a damaged best model is not published, and does not count as the best any more."""
        # What a large rate makes of the model after its first steps is never better.
        run = self.pretrained("run", "--evaluate-every", 1, "--learning-rate", 0.5, "--schedule", "constant", "--warmup",
                              0, "--loss-spike", 0, steps=5)
        published = (run / "model.safetensors").read_bytes()
        best = json.loads((run / "checkpoint-5" / "trainer_state.json").read_text())["best_step"]
        self.assertLess(best, 5)
        damage(run / f"checkpoint-{best}", "model.safetensors")
        finished = self.succeeds("pretrain", "--resume", "--output", run)
        self.assertIn(f"checkpoint-{best}, cannot be used", finished.err)
        self.assertEqual((run / "model.safetensors").read_bytes(), published)


class Copies(Run):
    @harness.slow
    def test_a_copy_under_another_number(self):
        """DD1: cp -r checkpoint-20 checkpoint-99999; resumed and killed three times: it does not win, and stays."""
        run = self.pretrained("run", "--keep", 1, steps=20)
        shutil.copytree(run / "checkpoint-20", run / "checkpoint-99999")
        copy = harness.contents(run / "checkpoint-99999")
        for start in (20, 30, 40):
            finished = self.killed_at(run, start + 10, "pretrain", "--steps", 100)
            self.assertIn(f"resuming from {run}/checkpoint-{start}\n", finished.err, repr(finished))
        self.succeeds("pretrain", "--resume", "--output", run, "--steps", 60)
        self.assertEqual(checkpoints(run), [60, 99999])
        self.assertEqual(harness.contents(run / "checkpoint-99999"), copy)

    @harness.slow
    def test_a_copy_is_a_way_out(self):
        """DD1, G4: the checkpoint itself is damaged, its copy is not: the run goes on from the copy, bit for bit."""
        whole = self.pretrained("whole", "--keep", 1, steps=30)
        run = self.pretrained("run", "--keep", 1, steps=20)
        shutil.copytree(run / "checkpoint-20", run / "checkpoint-7")
        damage(run / "checkpoint-20")
        finished = self.succeeds("pretrain", "--resume", "--output", run, "--steps", 30)
        self.assertIn(f"resuming from {run}/checkpoint-7\n", finished.err)
        self.assertEqual(checkpoints(run), [7, 30])
        self.assertTrue((whole / "model.safetensors").exists())


class Published(Run):
    @harness.slow
    def test_a_published_file_was_edited(self):
        """G3: config.json edited in place, then --resume --steps: the run goes on from its checkpoint."""
        run = self.pretrained("run", "--keep", 1)
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps({**config, "note": "mine"}))
        finished = self.succeeds("pretrain", "--resume", "--output", run, "--steps", 30)
        self.assertIn("resuming from", finished.err)
        self.assertEqual(checkpoints(run)[-1], 30)

    def test_edited_labels_stay(self):
        """G5: a finished run that is resumed has nothing to publish, so what was edited stays edited."""
        run = self.finetuned()
        config = json.loads((run / "config.json").read_text())
        config["id2label"] = {"0": "bad", "1": "fine"}
        (run / "config.json").write_text(json.dumps(config))
        (run / "README.md").write_text("My own card.\n")
        before = harness.contents(run)
        self.succeeds("finetune", "--resume", "--output", run)
        for name in ("config.json", "README.md", "model.safetensors"):
            self.assertEqual(harness.contents(run)[name], before[name], name)

    @harness.slow
    def test_what_is_missing_is_published_again(self):
        """G5: a run that was killed while it published completes its model."""
        run = self.finetuned()
        (run / "config.json").unlink()
        self.succeeds("finetune", "--resume", "--output", run)
        self.assertTrue((run / "config.json").exists())


class NotANumber(Run):
    def test_a_step_spoils_the_weights(self):
        """EE9: the state that is named is finite, is there, and answers."""
        run = self.folder / "run"
        spoiling = ("--learning-rate", 1e20, "--warmup", 0.5, "--keep", 1, "--weight-decay", 1e18, "--loss-spike", 0)
        arguments = [1 if word == 10 else word for word in self.pretrain_arguments(run, *spoiling)]  # --save-every
        finished = self.fails(*arguments, code=1, says="last good state")
        named = [step for step in checkpoints(run) if f"good state is {run}/checkpoint-{step}" in finished.err]
        self.assertEqual(len(named), 1, repr(finished))
        answer = self.succeeds("fill-mask", "--json", "--model", run / f"checkpoint-{named[0]}", "the [MASK] .")
        self.assertNotIn("null", answer.out)

    @harness.slow
    def test_given_weights_are_no_numbers(self):
        """V5: the error names the model and the tensor, not an option."""
        tensor = "bert.encoder.layer.1.output.dense.weight"
        model, trained = self.pretrained("model"), self.finetuned("trained")
        spoil(model, tensor)
        spoil(trained, tensor)
        text = ("--text", self.text, "--steps", 5, "--max-length", 32, "--threads", 1)
        table = ("--task", "text-classification", "--train", EXAMPLES / "sentiment.train.tsv", "--threads", 1)
        for arguments, directory in ((("pretrain", "--init", model, *text), model),
                                     (("finetune", "--model", model, *table), model),
                                     (("finetune", "--model", trained, *table), trained)):
            finished = self.fails(*arguments, "--output", self.folder / "new", says=(str(directory), tensor, "NaN"))
            self.assertNotIn("learning rate", finished.err)
            self.assertFalse((self.folder / "new").is_dir() and any((self.folder / "new").glob("checkpoint-*")))

    def test_answers_that_are_no_numbers(self):
        """V3: evaluate, and every command that answers, says which tensor it is instead of an answer."""
        tensor = "bert.encoder.layer.0.attention.self.query.bias"
        model, trained = self.pretrained("model"), self.finetuned("trained")
        spoil(model, tensor)
        spoil(trained, tensor)
        for arguments in (("evaluate", "--model", trained, "--data", EXAMPLES / "sentiment.dev.tsv"),
                          ("classify", "--model", trained, "the cat"), ("encode", "--model", trained, "the cat"),
                          ("encode", "--model", trained, "--pooling", "mean", "the cat"),
                          ("fill-mask", "--model", model, "the [MASK] ."),
                          ("next-sentence", "--model", model, "the cat", "a dog"),
                          ("similarity", "--model", model, "--query", "a", "b"),
                          ("inspect", "--model", trained, "the cat", "--json")):
            finished = self.fails(*arguments, code=1, says=(tensor, "NaN"))
            self.assertEqual(finished.out, "")


class GoingOn(Run):
    def test_other_labels_to_evaluate_on(self):
        """EE1: dev labels inverted, then finetune --resume: said, measured anew, and not compared."""
        run = self.finetuned("run")
        lines = (EXAMPLES / "sentiment.dev.tsv").read_text().splitlines()
        other = {"positive": "negative", "negative": "positive"}
        names = sorted({line.split("\t")[-1] for line in lines[1:]})
        other = dict(zip(names, reversed(names)))
        inverted = self.file("inverted.tsv", "\n".join(
            [lines[0], *("\t".join([*line.split("\t")[:-1], other[line.split("\t")[-1]]]) for line in lines[1:])]) + "\n")
        finished = self.succeeds("finetune", "--resume", "--output", run, "--dev", inverted, "--json")
        self.assertIn("dev set is not what it was", finished.err)
        said = json.loads(finished.out)
        measured = json.loads(self.succeeds("evaluate", "--model", run, "--data", inverted, "--json").out)
        self.assertEqual(len(said["history"]), 1)
        self.assertAlmostEqual(said["metrics"]["accuracy"], measured["metrics"]["accuracy"], places=6)

    @harness.slow
    def test_other_text_to_evaluate_on(self):
        """EE2: --dev replaced, then pretrain --resume: said, and the best is the new text's."""
        run = self.pretrained("run", "--evaluate-every", 10)
        other = self.file("other.txt", harness.made_up_text(200, 77))
        finished = self.succeeds("pretrain", "--resume", "--output", run, "--dev", other, "--steps", 40, "--json")
        self.assertIn("text to evaluate on is not what it was", finished.err)
        self.assertGreater(json.loads(finished.out)["best_step"], 20)
        again = self.succeeds("pretrain", "--resume", "--output", run, "--dev", other, "--json")
        self.assertNotIn("not what it was", again.err)

    @harness.slow
    def test_the_same_text_under_another_name(self):
        """EE2: what is compared is the content."""
        run = self.pretrained("run", "--evaluate-every", 10)
        same = self.file("same.txt", self.dev_text.read_bytes())
        finished = self.succeeds("pretrain", "--resume", "--output", run, "--dev", same)
        self.assertNotIn("not what it was", finished.err)

    @harness.slow
    def test_the_starting_model_is_gone(self):
        """Y2: pretrain --init M, M removed, --resume: the checkpoint holds all."""
        model = self.pretrained("model")
        arguments = ("pretrain", "--init", model, "--text", self.text, "--dev", self.dev_text, "--max-length", 32,
                     "--batch-tokens", 512, "--threads", 1, "--evaluation-sequences", 20, "--save-every", 5)
        self.succeeds(*arguments, "--steps", 10, "--output", self.folder / "whole")
        self.succeeds("pretrain", "--resume", "--output", self.folder / "whole", "--steps", 20)
        self.succeeds(*arguments, "--steps", 10, "--output", self.folder / "run")
        shutil.rmtree(model)
        self.succeeds("pretrain", "--resume", "--output", self.folder / "run", "--steps", 20)
        self.assertEqual((self.folder / "run/model.safetensors").read_bytes(),
                         (self.folder / "whole/model.safetensors").read_bytes())

    @harness.slow
    def test_the_machine_has_no_bf16(self):
        """Y7: what "auto" meant when the run began is what it goes on with, or it says why it cannot."""
        run = self.pretrained()
        began = json.loads((run / "run.json").read_text())["dtype"]
        self.assertIn(began, ("f32", "bf16"))
        finished = harness.cloze("pretrain", "--resume", "--output", run, "--steps", 22,
                                 env={"ONEDNN_MAX_CPU_ISA": "AVX2"})
        if began == "f32":
            self.assertEqual(finished.code, 0, repr(finished))
        else:
            self.assert_failed(finished, says=("bf16", "since it began"))

    @harness.slow
    def test_auto_may_be_said_again(self):
        """Y7: --dtype auto on resuming is the run's own."""
        run = self.pretrained()
        self.succeeds("pretrain", "--resume", "--output", run, "--steps", 22, "--dtype", "auto")


if __name__ == "__main__":
    unittest.main(verbosity=2)
