"""What stands at an output's path, and what may be done to it: devices, FIFOs, links, modes, owners, names."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import threading

import harness

MODEL = harness.GOLDENS / "sequence_3_labels"
BARE = harness.GOLDENS / "bare_odd"
NULL = os.makedev(1, 3)


class Case(harness.Case):
    """Commands that write a file, each with a path of the caller's."""

    WRITERS = "vocab", "export", "inspect", "evaluate", "encode"

    def arguments(self, command, path):
        if command == "vocab":
            return ("vocab", "--text", self.text, "--size", 300, "-o", path)
        if command == "export":
            return ("export", BARE, path, "--task", "feature-extraction")
        if command == "inspect":
            return ("inspect", "--model", MODEL, "the cat", "--show", "attention", "-o", path)
        if command == "evaluate":
            data = self.file("data.tsv", "sentence\tlabel\nthe cat\tLABEL_0\na dog\tLABEL_1\n")
            return ("evaluate", "--model", MODEL, "--data", data, "--predictions", path)
        return ("encode", "--model", BARE, "a b", "a", "-o", path)

    def ending(self, command):
        return {"inspect": ".html", "encode": ".jsonl", "export": ".onnx"}.get(command, "")

    def place(self, command):
        """A name in a folder of its own, in which nothing else is to be left."""
        folder = self.folder / command
        folder.mkdir()
        return folder / ("out" + self.ending(command))


class Devices(Case):
    @harness.needs_root
    def test_null(self):
        """A1, A2, A3, A4: a device is written to, not replaced; through a link, too."""
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                device = path.parent / "null"
                os.mknod(device, 0o666 | stat.S_IFCHR, NULL)
                os.symlink("null", path)
                self.succeeds(*self.arguments(command, path))
                if not self.ending(command):
                    self.succeeds(*self.arguments(command, device))
                self.assertTrue(path.is_symlink())
                self.assertTrue(stat.S_ISCHR(os.stat(device).st_mode))
                self.assertEqual(os.stat(device).st_rdev, NULL)
                self.assertEqual(sorted(os.listdir(path.parent)), sorted({"null", path.name}))

    @harness.needs_root
    def test_external_data_beside_a_device(self):
        """A2: weights do not go to a file beside a device."""
        folder = self.folder / "dev"
        folder.mkdir()
        os.mknod(folder / "null", 0o666 | stat.S_IFCHR, NULL)
        self.fails("export", BARE, folder / "null", "--task", "feature-extraction", "--external-data", says="null")
        self.assertEqual(os.listdir(folder), ["null"])

    def test_full(self):
        """A1: a device's error is the command's."""
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                os.symlink("/dev/full", path)
                self.fails(*self.arguments(command, path), code=1, says=[path.name, "No space left"])

    def test_fifo(self):
        """A7: a FIFO's reader gets everything, and the FIFO stays."""
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                self.succeeds(*self.arguments(command, path))
                expected = path.read_bytes()
                path.unlink()
                os.mkfifo(path)
                received = []
                reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
                reader.start()
                self.succeeds(*self.arguments(command, path))
                reader.join(harness.PATIENCE_S)
                self.assertEqual(len(received), 1)
                self.assertEqual(len(received[0]), len(expected))
                self.assertTrue(stat.S_ISFIFO(os.stat(path).st_mode))
                self.assertEqual(os.listdir(path.parent), [path.name])

    def test_array_to_a_fifo(self):
        """A7: what must be written out of order says so, and the FIFO stays."""
        for name in "out.npy", "out.safetensors":
            fifo = self.folder / name
            os.mkfifo(fifo)
            reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            self.fails("encode", "--model", BARE, "a b", "-o", fifo, code=1, says=["out of order", name])
            os.close(reader)
            self.assertTrue(stat.S_ISFIFO(os.stat(fifo).st_mode))


class StandardOutput(Case):
    def test_pipe(self):
        """A6: -o /dev/stdout, and links that lead there, mean standard output, which holds nothing else."""
        whole = self.folder / "whole.txt"
        self.succeeds(*self.arguments("vocab", whole))
        os.symlink("/proc/self/fd/1", self.folder / "stdout")
        os.symlink("/proc/self/fd", self.folder / "fd")
        for name in "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1", self.folder / "stdout", self.folder / "fd" / "1":
            finished = self.succeeds(*self.arguments("vocab", name))
            self.assertEqual(finished.out, whole.read_text(), name)
            self.assertIn("tokens", finished.err)
        self.assertTrue((self.folder / "stdout").is_symlink())

    def test_file(self):
        """A6: where standard output is a file, it is appended to, and nothing is made beside it."""
        whole, log = self.folder / "whole.txt", self.file("log", "before\n")
        self.succeeds(*self.arguments("vocab", whole))
        with open(log, "ab") as out:
            finished = harness.cloze(*self.arguments("vocab", "/dev/stdout"), stdout=out)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertEqual(log.read_text(), "before\n" + whole.read_text())

    def test_reader_that_leaves(self):
        """A6: `| head` ends the command quietly."""
        process = self.started(*self.arguments("vocab", "/dev/stdout"))
        process.stdout.close()
        process.stdout = open(os.devnull, "rb")
        self.assertEqual(harness.finish(process).code, 0)

    def test_descriptor_of_another_process(self):
        """A6: a name below /proc that is none of this process's is opened, not replaced."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        finished = harness.cloze(*self.arguments("vocab", f"/proc/{os.getpid()}/fd/{write}"))
        os.close(write)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertTrue(os.read(read, 1 << 16).startswith(b"[PAD]\n"))


class ModesAndOwners(Case):
    def test_mode_is_kept(self):
        """A9: what was private stays private."""
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                path.write_bytes(b"")
                for mode in 0o600, 0o640, 0o751:
                    os.chmod(path, mode)
                    self.succeeds(*self.arguments(command, path))
                    self.assertEqual(self.mode_of(path), mode)
                self.assertEqual(os.listdir(path.parent), [path.name])

    def test_never_readable_in_between(self):
        """A9: the temporary of a private file is private from its first moment on."""
        path = self.file("private", "secret")
        os.chmod(path, 0o600)
        seen = set()
        process = self.started("vocab", "--text", self.text, "--size", 2000, "-o", path)
        while process.poll() is None:
            for entry in os.scandir(self.folder):
                if entry.name.startswith(".private."):
                    try:
                        seen.add(stat.S_IMODE(entry.stat().st_mode))
                    except FileNotFoundError:
                        pass
        self.assertLessEqual(seen, {0o600})

    @harness.needs_root
    def test_owner_is_kept(self):
        """A9: root does not take a file away from its owner."""
        path = self.file("foreign", "before")
        os.chown(path, 4242, 4243)
        os.chmod(path, 0o640)
        self.succeeds(*self.arguments("vocab", path))
        found = os.stat(path)
        self.assertEqual((found.st_uid, found.st_gid, self.mode_of(path)), (4242, 4243, 0o640))

    def test_new_files_follow_the_umask(self):
        """A9: a new file has the mode that the user's umask gives."""
        for umask, mode in (0o022, 0o644), (0o077, 0o600), (0o002, 0o664):
            path = self.folder / f"new-{umask}"
            self.succeeds(*self.arguments("vocab", path), preexec_fn=lambda: os.umask(umask))
            self.assertEqual(self.mode_of(path), mode)

    def test_read_only(self):
        """EE5: a file that nobody may write is refused, by root too."""
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                path.write_text("keep")
                os.chmod(path, 0o444)
                self.fails(*self.arguments(command, path), says=["cannot write", path.name])
                self.assertEqual(path.read_text(), "keep")
                self.assertEqual(os.listdir(path.parent), [path.name])

    @harness.needs_root
    def test_foreign(self):
        """EE5: a file that belongs to somebody else is refused, although the directory may be written."""
        self.text, self.vocab
        os.chmod(self.folder, 0o777)
        theirs = self.file("theirs", "keep")
        os.chmod(theirs, 0o600)

        def nobody():
            os.setgid(4242)
            os.setuid(4242)

        self.fails(*self.arguments("vocab", theirs), code=1, says=["theirs", "Permission denied"], preexec_fn=nobody)
        self.assertEqual(theirs.read_text(), "keep")
        self.assert_no_leftovers()

    def test_links(self):
        """A4: links are followed, to files that are there and to new ones; the links stay."""
        (self.folder / "real").mkdir()
        real = self.file("real/there", "before")
        os.symlink("real/there", self.folder / "link")
        os.symlink(self.folder / "link", self.folder / "outer")
        os.symlink("real/new", self.folder / "dangling")
        for name in "outer", "dangling":
            self.succeeds(*self.arguments("vocab", self.folder / name))
            self.assertTrue((self.folder / name).is_symlink())
        self.assertTrue(real.read_text().startswith("[PAD]"))
        self.assertEqual(sorted(os.listdir(self.folder / "real")), ["new", "there"])

    def test_circle(self):
        """A4: links in a circle are an error."""
        os.symlink("b", self.folder / "a")
        os.symlink("a", self.folder / "b")
        self.fails(*self.arguments("vocab", self.folder / "a"), code=1, says="Too many levels")


class Names(Case):
    @harness.needs_root
    def test_same_process_id(self):
        """B1: in a container every command is process 1, and what a killed one left stops nobody."""
        path = self.folder / "x.npy"
        command = ["unshare", "-pf", harness.CLOZE]
        if subprocess.run(["unshare", "-pf", "true"], capture_output=True).returncode != 0:
            self.skipTest("no process namespaces here")
        for _ in range(3):
            process = subprocess.Popen([*command, "encode", "--model", BARE, "-o", path], stdin=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
            process.stdin.write(b"a b\n")
            process.stdin.flush()
            before = len(harness.leftovers(self.folder))
            self.wait_until(lambda: len(harness.leftovers(self.folder)) > before or process.poll() is not None,
                            "a temporary")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdin.close()
        self.assertFalse(path.exists())
        finished = subprocess.run([*command, "encode", "--model", BARE, "a b", "-o", path], capture_output=True)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertTrue(path.exists())

    def test_longest_name(self):
        """B1: a name of 255 bytes is taken."""
        self.succeeds(*self.arguments("vocab", self.folder / ("n" * 255)))
        self.assert_no_leftovers()

    def test_directory(self):
        """B1: a directory is not written to, and nothing is left beside it."""
        (self.folder / "dir").mkdir()
        for name in "dir", "dir/", "nowhere/file":
            self.fails(*self.arguments("vocab", str(self.folder / name)), code=1, says="cannot write")
        self.text
        self.assert_no_leftovers()


class Signals(Case):
    """Whatever ends a command, its temporary files go with it."""

    def started_writer(self, command):
        """A command that has begun to write, and goes on for a while."""
        path = self.place(command)
        if command == "vocab":
            text = self.file("large.txt", harness.made_up_text(60000, 3) * 8)
            return path, self.started("vocab", "--text", text, "--size", 30000, "-o", path)
        path = path.with_suffix(".npy")
        process = self.started("encode", "--model", BARE, "-o", path, stdin=subprocess.PIPE)
        process.stdin.write(b"a b\n")
        process.stdin.flush()
        return path, process

    def test_ended(self):
        """N8, H5: SIGINT, SIGTERM, SIGHUP and SIGQUIT remove what is unfinished; the signal is what ends it."""
        for command in "encode", "vocab":
            for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
                with self.subTest(f"{command} {number.name}"):
                    path, process = self.started_writer(command)
                    self.wait_until(lambda: harness.leftovers(path.parent) or process.poll() is not None,
                                    "a temporary")
                    process.send_signal(number)
                    finished = harness.finish(process)
                    self.assertEqual(finished.code, 128 + number, repr(finished))
                    self.assertEqual(os.listdir(path.parent), [])
                    shutil.rmtree(path.parent)

    def test_ignored(self):
        """S1h: what nohup ignores stays ignored."""
        path = self.folder / "x.npy"
        process = self.started("encode", "--model", BARE, "-o", path, stdin=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdin.write(b"a b\n")
        process.stdin.flush()
        self.wait_until(lambda: harness.leftovers(self.folder), "a temporary")
        process.send_signal(signal.SIGHUP)
        finished = harness.finish(process)
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertTrue(path.exists())

    def test_file_size_limit(self):
        """N8: a file over the limit (ulimit -f) is an error, and nothing stays behind."""
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

        texts = self.file("texts", "a b\n" * 100)
        for command in self.WRITERS:
            with self.subTest(command):
                path = self.place(command)
                arguments = self.arguments(command, path)
                if command == "encode":
                    arguments = ("encode", "--model", BARE, "-i", texts, "-o", path)
                if command == "evaluate":
                    data = self.file("more.tsv", "sentence\tlabel\n" + "the cat\tLABEL_0\n" * 200)
                    arguments = ("evaluate", "--model", MODEL, "--data", data, "--predictions", path)
                self.fails(*arguments, code=1, says=[path.name, "File too large"], preexec_fn=limited)
                self.assertEqual(os.listdir(path.parent), [])
        self.fails("convert", BARE, self.folder / "converted", code=1, says="File too large", preexec_fn=limited)
        self.assertFalse((self.folder / "converted").exists())
        self.assert_no_leftovers()


if __name__ == "__main__":
    harness.main()
