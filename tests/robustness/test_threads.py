"""Threads that the system refuses: the work is done with those that there are, to the same results, and a line says so."""

import os
import shutil

import harness


class Refused(harness.Case):
    def commands(self):
        model = self.finetuned()
        out = lambda name: self.folder / name
        return {
            "encode": ("encode", "--model", model, "--threads", 8, "--json", "a good film"),
            "evaluate": ("evaluate", "--model", model, "--data", harness.EXAMPLES / "sentiment.dev.tsv", "--threads", 8, "--json"),
            "vocab": ("vocab", "--text", self.long_text(), "--size", 300, "--threads", 8, "-o", out("v.txt")),
            "finetune": harness.replaced(self.finetune_arguments(out("finetuned8"), "--epochs", 1), "--threads", 8),
            "pretrain": harness.replaced(self.pretrain_arguments(out("pretrained8"), steps=3), "--threads", 8),
        }

    def long_text(self):
        return self.file("long.txt", harness.made_up_text(4000, 1) * 60)

    def fresh(self):
        for name in "finetuned8", "pretrained8":
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def check(self, name, arguments, whole, **options):
        self.fresh()
        finished = harness.cloze(*arguments, **options)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertRegex(finished.err, r"warning: the system gave \d+ of the \d+ threads wanted .*: raise the limit",
                         repr(finished))
        if name in ("encode", "evaluate"):
            self.assertEqual(finished.out, whole.out)

    def test_threads_are_refused(self):
        """M1 to M6: from the third thread on."""
        self.refuse(3)

    @harness.slow
    def test_every_thread_is_refused(self):
        """M1 to M7: from the first, the second and the fifth thread on."""
        self.refuse(1, 2, 5)

    def refuse(self, *numbers):
        for name, arguments in self.commands().items():
            self.fresh()
            whole = harness.cloze(*arguments)
            self.assertEqual(whole.code, 0, repr(whole))
            for number in numbers:
                with self.subTest(command=name, number=number):
                    self.check(name, arguments, whole, env=harness.with_fault(f"pthread_create:{number}:EAGAIN"))

    @harness.needs_root
    @harness.slow
    def test_limit_on_processes(self):
        """M1 to M7, FF2: a user who may have so many threads alone."""
        user = 61000 + os.getpid() % 1000  # of nobody else, whose processes would count
        os.chmod(self.folder, 0o777)
        commands = self.commands()
        for path in self.folder.rglob("*"):
            os.chmod(path, 0o777 if path.is_dir() else 0o666)
        for limit in 1, 2, 4:
            for name, arguments in commands.items():
                self.fresh()
                (self.folder / "v.txt").unlink(missing_ok=True)
                with self.subTest(command=name, limit=limit):
                    finished = harness.cloze(*arguments, user=user, group=user, extra_groups=[],
                                             preexec_fn=harness.limits(NPROC=limit))
                    self.assertEqual(finished.code, 0, repr(finished))
                    self.assertIn("warning: the system gave", finished.err, repr(finished))

    def test_thousands_of_threads(self):
        """FF5: where memory is short for the threads, the message names them."""
        finished = harness.cloze("encode", "--model", self.finetuned(), "--threads", 4096, "-i",
                                 harness.EXAMPLES / "sentiment.dev.tsv", "--truncate",
                                 preexec_fn=harness.limits(AS=1 << 30))
        self.assertIn(finished.code, (0, 1), repr(finished))
        self.assertIn("threads", finished.err, repr(finished))


if __name__ == "__main__":
    harness.main()
