"""Two runs in one directory: one of them goes on, the other is refused and changes nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import harness


class Lock(harness.Case):
    """A run is held with SIGSTOP, so that the experiments do not depend on its speed."""

    def running(self, arguments, output):
        """The run of `arguments`, stopped in the midst of its training."""
        process = self.started(*arguments)
        self.wait_until(lambda: list(output.glob("checkpoint-*")) or process.poll() is not None, "a first checkpoint")
        self.assertIsNone(process.poll(), "the run should still go on")
        process.send_signal(signal.SIGSTOP)
        return process

    def long_finetuning(self, output, *more):
        return self.finetune_arguments(output, "--steps", 3000, "--save-every", 10, *more)

    def refused(self, arguments, output, process):
        before = harness.contents(output)
        self.fails(*arguments, says=(f"{output} is in use by process {process.pid} on {socket.gethostname()}",))
        self.assert_unchanged(output, before)

    def test_every_second_run_is_refused(self):
        """D2, D3: --overwrite, --resume and a plain start beside a run that goes on change nothing."""
        output = self.folder / "run"
        process = self.running(self.long_finetuning(output), output)
        for more in (), ("--overwrite", "--seed", 7):
            self.refused(self.long_finetuning(output, *more), output, process)
        self.refused(self.pretrain_arguments(output, "--overwrite"), output, process)
        self.refused(("finetune", "--resume", "--output", output), output, process)
        # By another name of the directory, too.
        other = self.folder / "other"
        other.symlink_to(output)
        self.fails("finetune", "--resume", "--output", other, says="is in use by process")
        # The first one is none the worse for it.
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        finished = harness.finish(process)
        self.assertIn("stopped, to be continued", finished.out + finished.err, repr(finished))
        self.assertFalse((output / ".run-lock").exists())
        self.succeeds(*self.finetune_arguments(output, "--overwrite", "--steps", 2))

    def test_two_resumed_at_once(self):
        """D3: of two --resume one goes on and the other leaves its work alone."""
        output = self.folder / "run"
        process = self.running(self.long_finetuning(output), output)
        process.kill()
        process.wait()
        resume = ("finetune", "--resume", "--output", output)
        first = self.started(*resume)
        self.wait_until(lambda: (output / ".run-lock").exists() and str(first.pid) in (output / ".run-lock").read_text(),
                        "the lock of the first")
        self.fails(*resume, says=f"is in use by process {first.pid} on")

    def at_once(self, runs):
        processes = [self.started(*arguments) for arguments in runs]
        return [harness.finish(process, arguments) for process, arguments in zip(processes, runs)]

    def one_goes_on(self, number):
        output = self.folder / f"run-{number}"
        vocabularies = [self.vocab, self.folder / "other.txt"]
        if not vocabularies[1].exists():
            self.succeeds("vocab", "--text", self.text, "--size", 80, "-o", vocabularies[1])
        runs = [self.pretrain_arguments(output, "--seed", seed, vocab=vocabularies[seed], steps=2) for seed in (0, 1)]
        finished = self.at_once(runs)
        codes = [one.code for one in finished]
        self.assertEqual(sorted(code == 0 for code in codes), [False, True], repr(finished))
        winner = codes.index(0)
        self.assert_failed(finished[1 - winner])
        self.assertIn(f'"seed": {winner}', (output / "run.json").read_text())
        self.assertEqual((output / "vocab.txt").read_bytes(), vocabularies[winner].read_bytes())
        self.assertFalse((output / ".run-lock").exists())

    def test_started_in_the_same_instant(self):
        """BB10: of two runs that start at once exactly one goes on, with its own vocabulary."""
        for number in range(2):
            self.one_goes_on(number)

    @harness.slow
    def test_started_in_the_same_instant_often(self):
        """BB10: the same, many times."""
        for number in range(40):
            self.one_goes_on(number)

    def test_the_lock_of_a_killed_run_holds_nobody_up(self):
        """D3: a run that was killed is resumed, and overwritten, at once."""
        output = self.folder / "run"
        for follow in ("finetune", "--resume", "--output", output), self.finetune_arguments(output, "--overwrite",
                                                                                            "--steps", 1):
            shutil.rmtree(output, ignore_errors=True)
            process = self.running(self.finetune_arguments(output, "--steps", 60, "--save-every", 10), output)
            process.kill()
            process.wait()
            self.assertTrue((output / ".run-lock").exists())
            self.succeeds(*follow)
            self.assertFalse((output / ".run-lock").exists())

    def test_a_lock_that_was_copied_is_none(self):
        """D3: the copy of a running run's directory is a run of its own."""
        output, copy = self.folder / "run", self.folder / "copy"
        self.running(self.long_finetuning(output), output)
        shutil.copytree(output, copy)
        self.assertTrue((copy / ".run-lock").exists())
        self.succeeds(*self.finetune_arguments(copy, "--overwrite", "--steps", 1))

    def test_a_directory_of_a_killed_start_is_empty(self):
        """BB10: a directory that has nothing but a lock and what was half written counts as empty."""
        output = self.folder / "run"
        output.mkdir()
        (output / ".run-lock").write_text("process 1 on no host")
        (output / ".run-files.json.7-0.tmp").write_text("{")
        self.succeeds(*self.finetune_arguments(output, "--steps", 1))
        self.assert_no_leftovers(output)


class WithoutLocks(harness.Case):
    """A file system that has no locks, or does not share them: the file's content counts."""

    def held_by(self, process, host):
        output = self.folder / "run"
        self.succeeds(*self.finetune_arguments(output, "--steps", 1))
        (output / ".run-lock").write_text(f"process {process}\nhost {host}\n")
        return output

    def resume(self, output):
        return ("finetune", "--resume", "--output", output)

    def test_a_process_that_lives(self):
        """D3: without locks a process of this host that lives keeps the directory."""
        output = self.held_by(os.getpid(), socket.gethostname())
        self.fails(*self.resume(output), env=harness.with_fault("flock:1:ENOLCK"),
                   says=(f"in use by process {os.getpid()}", "remove this file"))

    def test_a_process_that_is_gone(self):
        """D3: without locks a process of this host that is gone keeps nothing."""
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        output = self.held_by(child.pid, socket.gethostname())
        self.succeeds(*self.resume(output), env=harness.with_fault("flock:1:ENOLCK"))
        self.assertFalse((output / ".run-lock").exists())

    def test_a_process_of_another_host(self):
        """D3: without locks another host's process is asked about; on a disk of this host its lock is none."""
        output = self.held_by(1, "elsewhere")
        finished = self.fails(*self.resume(output), env=harness.with_fault("flock:1:ENOLCK"),
                              says=("in use by process 1 on elsewhere", "remove this file"))
        self.assertIn(str(output / ".run-lock"), finished.err)
        self.succeeds(*self.resume(output))

    def test_two_runs(self):
        """BB10: without locks, too, a second run is refused."""
        output = self.folder / "run"
        first = self.started(*self.finetune_arguments(output, "--steps", 3000, "--save-every", 10),
                             env=harness.with_fault("flock:1:ENOLCK"))
        self.wait_until(lambda: list(output.glob("checkpoint-*")) or first.poll() is not None, "a first checkpoint")
        self.fails(*self.resume(output), env=harness.with_fault("flock:1:ENOLCK"), says=f"in use by process {first.pid}")


if __name__ == "__main__":
    harness.main()
