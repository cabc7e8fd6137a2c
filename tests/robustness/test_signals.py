"""Signals: what asks a training for an end finds it saved, and whoever sent it learns that it came."""

import json
import signal
import subprocess
import time
import unittest

import harness


class Signals(harness.Case):
    def begun(self, *more, command="pretrain", **options):
        """A training that is on its way, and would not end by itself."""
        run = self.folder / "run"
        if command == "pretrain":
            arguments = self.pretrain_arguments(run, "--log-every", 1, "--save-every-minutes", 0, *more, steps=1000000)
            arguments = tuple(0 if word == 10 else word for word in arguments)  # --save-every
        else:
            arguments = self.finetune_arguments(run, "--steps", 1000000, "--log-every", 1, *more)
        process = self.started(*arguments, **options)
        self.wait_for_step(process)
        return process

    def wait_for_step(self, process):
        line = process.stderr.readline()
        while line and not line.startswith(b"step"):
            line = process.stderr.readline()

    def saved_steps(self):
        return sorted(int(path.name.split("-")[1]) for path in (self.folder / "run").glob("checkpoint-*"))

    def ended(self, process):
        return harness.finish(process)

    @harness.slow
    def test_every_signal_saves(self):
        """BB1, S1h: SIGINT, SIGTERM and SIGHUP save, and the command ends as by the signal; SIGUSR1 saves, and 0."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            process = self.begun("--json")
            process.send_signal(number)
            finished = self.ended(process)
            self.assertEqual(process.returncode, 0 if number == signal.SIGUSR1 else -number, repr(finished))
            self.assertFalse(json.loads(finished.out)["finished"])
            self.assertEqual(len(self.saved_steps()), 1, repr(finished))
            step = self.saved_steps()[0]
            again = self.succeeds("pretrain", "--resume", "--output", self.folder / "run", "--steps", step + 2)
            self.assertIn(f"checkpoint-{step}\n", again.err)
            harness.shutil.rmtree(self.folder / "run")

    def test_fine_tuning(self):
        """S1h: the same of finetune."""
        process = self.begun(command="finetune")
        process.send_signal(signal.SIGHUP)
        self.ended(process)
        self.assertEqual(process.returncode, -signal.SIGHUP)
        self.assertEqual(len(self.saved_steps()), 1)

    @harness.slow
    def test_a_script_ends_with_its_command(self):
        """BB1: Ctrl-C on `pretrain; next` and `pretrain && next` runs no next."""
        for link in (";", "&&"):
            words = self.pretrain_arguments(self.folder / "run", "--log-every", 1, steps=1000000)
            script = self.file("script.sh", '"$@" ' + link + ' echo next\n')
            process = subprocess.Popen(["bash", script, harness.CLOZE, *map(str, words)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            self.addCleanup(process.kill)
            self.wait_for_step(process)
            harness.os.killpg(process.pid, signal.SIGINT)
            finished = self.ended(process)
            self.assertEqual(finished.code, 128 + signal.SIGINT, repr(finished))
            self.assertNotIn("next\n", finished.out)
            harness.shutil.rmtree(self.folder / "run")

    @harness.slow
    def test_what_was_ignored_stays_ignored(self):
        """S1h: under nohup a SIGHUP does nothing; a job in the background does not hear of Ctrl-C."""

        def ignore():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        process = self.begun(preexec_fn=ignore)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        self.wait_for_step(process)
        self.wait_for_step(process)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.ended(process)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(len(self.saved_steps()), 1)

    def test_a_second_signal_ends_at_once(self):
        """BB1: whoever does not want to wait for the save need not; what was saved before is whole."""
        process = self.begun()
        process.send_signal(signal.SIGSTOP)  # so that both come before it can do anything
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        self.ended(process)
        self.assertIn(process.returncode, (-signal.SIGINT, -signal.SIGTERM))
        self.assertEqual(self.saved_steps(), [])

    @harness.slow
    def test_a_terminal_that_closes(self):
        """S1h: the kernel and the shell both send SIGHUP: the second does not keep the first from saving."""
        process = self.begun()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
        process.send_signal(signal.SIGHUP)
        self.ended(process)
        self.assertEqual(process.returncode, -signal.SIGHUP)
        self.assertEqual(len(self.saved_steps()), 1)

    @harness.slow
    def test_a_scheduler_warns_and_ends(self):
        """S1h: SIGUSR1 and then SIGTERM: saved, and ended by SIGTERM."""
        process = self.begun()
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        self.ended(process)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(len(self.saved_steps()), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
