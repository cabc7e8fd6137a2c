"""Memory: what bounds it, and what happens where there is not enough."""

import functools
import os
import subprocess

import harness

MEBIBYTE = 1 << 20


def peak_of(*arguments, stdin=subprocess.DEVNULL, timeout=harness.PATIENCE_S):
    """How the command ended, and the most MiB that it had resident."""
    process = harness.start(*arguments, stdin=stdin, stdout=subprocess.DEVNULL)
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    return harness.Finished(arguments, process.returncode, b"", err), usage.ru_maxrss / 1024


class LongLines(harness.Case):
    """A line that is cut needs memory for itself, not for what is cut off."""

    def line(self, mebibytes, words=b"the old man sees \xc3\xa9t\xc3\xa9 "):
        # Piece by piece: what this process has resident counts for its children too.
        path = self.folder / "line.txt"
        piece = words * (MEBIBYTE // len(words))
        with open(path, "wb") as file:
            file.write(b"the [MASK] sees ")
            for _ in range(mebibytes):
                file.write(piece)
            file.write(b"\n")
        return path

    def commands(self, line):
        model, pretrained = self.finetuned(), self.pretrained()
        return (("encode", "--model", pretrained, "--truncate", "--pooling", "mean", "-i", line),
                ("encode", "--model", pretrained, "--truncate", "-i", line),
                ("classify", "--model", model, "--truncate", "--single", "-i", line),
                ("fill-mask", "--model", pretrained, "--truncate", "-i", line),
                ("tokenize", "--model", model, "--max-length", 16, "--single", "-i", line),
                ("tokenize", "--model", model, "--max-length", 16, "--json", "-i", line))

    def check(self, line, mebibytes, times):
        for command in self.commands(line):
            begin = os.times().elapsed
            finished, peak = peak_of(*command)
            self.assertEqual(finished.code, 0, repr(finished))
            self.assertLess(peak, times * mebibytes + 110, f"{command[0]} of a line of {mebibytes} MiB: {peak} MiB")
            self.assertLess(os.times().elapsed - begin, 20, command)

    @harness.slow
    def test_line_that_is_cut(self):
        """Q2, Q3: lines of 40 MiB."""
        self.check(self.line(40), 40, 3)

    @harness.slow
    def test_pair_that_is_cut(self):
        """Q2: both texts of a pair are long."""
        half = self.line(20).read_bytes().rstrip()
        line = self.file("pair.txt", half + b"\t" + half + b" the end\n")
        del half
        finished, peak = peak_of("classify", "--model", self.finetuned(), "--truncate", "-i", line)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertLess(peak, 4 * 40 + 110)

    @harness.slow
    def test_line_of_200_mib(self):
        """Q2, Q3: as the page has them."""
        self.check(self.line(200), 200, 3)

    def test_line_for_the_vectors_of_texts(self):
        """Q2: a line of 40 MiB for one command."""
        finished, peak = peak_of(*self.commands(self.line(40))[0])
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertLess(peak, 3 * 40 + 110)

    def test_line_that_is_not_cut(self):
        """Q2: counting the tokens of a text that is too long needs no memory for them."""
        line = self.line(40)
        finished, peak = peak_of("encode", "--model", self.pretrained(), "-i", line)
        self.assert_failed(finished, code=1, says="--truncate")
        self.assertLess(peak, 3 * 40 + 110)

    @harness.slow
    def test_bytes_that_are_no_text(self):
        """Q2: what is not UTF-8 is repaired only as far as it is read."""
        line = self.line(40, b"\xff\xfe the \x80\x80 ")
        finished, peak = peak_of("tokenize", "--model", self.finetuned(), "--max-length", 16, "-i", line)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertLess(peak, 3 * 40 + 110)


class OddInputs(harness.Case):
    """P1: inputs that are no files, or without end."""

    @functools.cached_property
    def models(self):
        return self.finetuned(), self.pretrained()

    def commands(self, path):
        model, pretrained = self.models
        out = self.folder / "out"
        return (("encode", "--model", pretrained, "--truncate", "-i", path), ("classify", "--model", model, "-i", path),
                ("tokenize", "--model", model, "-i", path), ("vocab", "--text", path, "--size", 100, "-o", self.folder / "v.txt"),
                ("evaluate", "--model", model, "--data", path), self.finetune_arguments(out, "--epochs", 1, train=path),
                self.pretrain_arguments(out, text=path, steps=2), ("tokenize", "--model", path, "a"),
                self.pretrain_arguments(out, vocab=path, steps=2), ("answer", "--model", model, "--context-file", path, "a?"))

    def check(self, path, most=1200, codes=(0, 1, 2)):
        for command in self.commands(path):
            finished, peak = peak_of(*command)
            self.assertIn(finished.code, codes, repr(finished))
            self.assert_presentable(finished)
            self.assertLess(peak, most, repr(finished))
            self.assert_no_leftovers()
            if finished.code != 0:
                self.assertEqual(finished.err.count("error: "), 1, repr(finished))

    @harness.slow
    def test_directory(self):
        """P1: a directory."""
        directory = self.folder / "directory"
        directory.mkdir()
        self.check(directory, codes=(1, 2))

    @harness.slow
    def test_null_device(self):
        """P1: /dev/null."""
        self.check("/dev/null")

    @harness.slow
    def test_files_that_the_system_makes_up(self):
        """P1: /proc and /sys."""
        for path in "/proc/meminfo", "/proc/self/mem", "/sys/kernel/notes":
            if os.path.exists(path):
                self.check(path)

    @harness.slow
    def test_fifo_without_a_writer(self):
        """P1: a FIFO is refused where a file is needed; where texts are streamed it is read to its end."""
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        for command in self.commands(fifo):
            holder = os.open(fifo, os.O_RDWR)  # so that nobody waits to open it
            process = self.started(*command)
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                pass
            os.close(holder)
            finished = harness.finish(process, command, 20)
            self.assertIn(finished.code, (0, 1, 2), repr(finished))

    def test_empty_text(self):
        """P1, R3: a vocabulary of nothing is none."""
        good = self.file("good.txt", "a\nb\n")
        for content in "", " \n\t\n", "\x01":
            self.fails("vocab", "--text", self.file("empty.txt", content), "--size", 100, "-o", good, says="empty.txt")
            self.assertEqual(good.read_text(), "a\nb\n")

    @harness.slow
    def test_zeros_without_end(self):
        """P1: /dev/zero."""
        self.check("/dev/zero", most=2600, codes=(1, 2))


class NotEnough(harness.Case):
    """N3, N5, DD4: an error of one sentence, never the end by a signal."""

    def check(self, arguments, what, **options):
        finished = harness.cloze(*arguments, **options)
        if finished.code == 127:  # the libraries were not even loaded
            return
        self.assertIn(finished.code, (0, 1), f"{what}: {finished!r}")
        if finished.code == 1:
            self.assert_failed(finished, code=1)

    def limits(self, command, most, step):
        for mebibytes in range(70, most, step):
            self.check(command(mebibytes), f"{mebibytes} MiB", preexec_fn=harness.limits(AS=mebibytes * MEBIBYTE))

    def finetune(self, name, threads=1):
        return harness.replaced(self.finetune_arguments(self.folder / f"out{name}", "--epochs", 1, "--max-train-samples", 40),
                                "--threads", threads)

    def pretrain(self, name):
        return self.pretrain_arguments(self.folder / f"run{name}", steps=2)

    def test_limits(self):
        """N3, N5: some limits of memory."""
        model = self.finetuned()
        self.limits(lambda _: ("encode", "--model", model, "--threads", 8, "a good film"), 130, 8)
        self.limits(self.finetune, 300, 60)

    @harness.slow
    def test_many_limits(self):
        """N3, N5: every few MiB."""
        model = self.finetuned()
        for threads in 1, 2, 8:
            self.limits(lambda _: ("encode", "--model", model, "--threads", threads, "a good film"), 260, 2)
        self.limits(self.finetune, 420, 4)
        self.limits(self.pretrain, 420, 6)

    def refusals(self, numbers):
        model = self.finetuned()
        self.vocab
        for number in numbers:
            for once in "", "!":
                fault = harness.with_fault(f"mmap:{number}{once}:ENOMEM")
                self.check(("encode", "--model", model, "a good film"), fault, env=fault)
                self.check(self.finetune(f"{number}{once}"), fault, env=fault)
                self.check(self.pretrain(f"{number}{once}"), fault, env=fault)

    @harness.slow
    def test_refused_mappings(self):
        """DD4: the system refuses some mappings."""
        self.refusals((1, 5, 9, 14, 20))

    @harness.slow
    def test_many_refused_mappings(self):
        """DD4: at every place."""
        self.refusals(range(1, 90))

    def test_advice_fits(self):
        """N5: the message names an option that the command has."""
        text = self.file("long.txt", "the old man " * (3 << 20))
        finished = harness.cloze("vocab", "--text", text, "--size", 300, "-o", self.folder / "v.txt", "--threads", 1,
                                 preexec_fn=harness.limits(AS=75 * MEBIBYTE))
        if finished.code == 1:
            self.assert_failed(finished, says="not enough memory")
            self.assertNotIn("--batch-tokens", finished.err)


if __name__ == "__main__":
    harness.main()
