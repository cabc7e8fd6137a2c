"""Models from a Hub on this machine that cuts connections, a cache that others hold, lock or own."""

import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import signal
import threading

import harness

COMMIT = "a" * 40
FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "model.safetensors")


class Hub:
    """Serves one model, "me/model". `cut` is the number of bytes after which a connection ends."""

    def __init__(self, directory):
        hub = self
        self.files = {name: (pathlib.Path(directory) / name).read_bytes() for name in FILES}
        self.cut, self.gets = None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(False)

            def do_GET(self):
                self.answer(True)

            def answer(self, body):
                if self.path.startswith("/api/models/"):
                    content = json.dumps({"sha": COMMIT, "siblings": [{"rfilename": name} for name in hub.files]}).encode()
                    self.send(200, content, {}, body)
                    return
                name = self.path.rsplit("/", 1)[1]
                content = hub.files[name]
                headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
                begin = 0
                if body:
                    hub.gets.append(name)
                    if "Range" in self.headers:
                        begin = int(self.headers["Range"].split("=")[1].rstrip("-"))
                        headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                self.send(206 if begin else 200, content[begin:] if body else content, headers, body)

            def send(self, status, content, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if not body:
                    return
                if hub.cut is not None and len(content) > hub.cut and not self.path.startswith("/api/"):
                    self.wfile.write(content[:hub.cut])
                    self.close_connection = True
                    return
                self.wfile.write(content)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def environment(self, cache):
        return {"HF_ENDPOINT": f"http://127.0.0.1:{self.server.server_address[1]}", "HF_HUB_CACHE": str(cache), "HF_TOKEN": "",
                "NO_PROXY": "*", "no_proxy": "*"}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Pull(harness.Case):
    def setUp(self):
        super().setUp()
        self.hub = Hub(self.finetuned())
        self.addCleanup(self.hub.close)
        self.cache = self.folder / "cache"
        self.env = self.hub.environment(self.cache)

    def pull(self, *more, **options):
        return harness.cloze("pull", "me/model", *more, **{"env": self.env, **options})

    def lock_of(self, name):
        etag = hashlib.sha256(self.hub.files[name]).hexdigest()
        path = self.cache / ".locks" / "models--me--model" / f"{etag}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def test_connection_cut_again_and_again(self):
        """T4b: what has come is kept, and a request is tried five times."""
        size = len(self.hub.files["model.safetensors"])
        self.hub.cut = size // 4
        finished = self.pull()
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertEqual(self.hub.gets.count("model.safetensors"), 4)

    @harness.slow
    def test_five_tries(self):
        """T4b: a file that never comes whole is given up after five tries, not two."""
        self.hub.cut = 10
        finished = self.pull("--connections", 1)
        self.assert_failed(finished, code=1, says="(5 tries)")
        self.assertEqual(len(set(self.hub.gets)), 1)
        self.assertEqual(len(self.hub.gets), 5)

    def test_lock_of_another_process(self):
        """T6: waiting for another process is said once, with the file, the process and what to do."""
        lock = self.lock_of("model.safetensors")
        with open(lock, "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            err = self.folder / "err"
            with open(err, "wb") as errors:
                process = self.started("pull", "me/model", env=self.env, stderr=errors)
            self.wait_until(lambda: b"\n" in err.read_bytes(), "a word about the lock", 10)
            said = err.read_text()
            self.assertIn("waiting for", said)
            self.assertIn(str(lock), said)
            self.assertIn(f"kill {os.getpid()}", said)
            self.assertIsNone(process.poll())
        self.assertEqual(process.wait(20), 0)
        self.assertEqual(err.read_text().count("waiting for"), 1)

    @harness.slow
    def test_stopped_pull(self):
        """T6: a pull that was stopped (Ctrl-Z) is named."""
        reached, go_on = threading.Event(), threading.Event()
        whole = self.hub.files["model.safetensors"]

        class Slow(bytes):
            def __getitem__(slow, part):
                reached.set()
                go_on.wait(30)
                return bytes.__getitem__(slow, part)

        self.hub.files["model.safetensors"] = Slow(whole)
        first = self.started("pull", "me/model", env=self.env)
        self.assertTrue(reached.wait(20))
        first.send_signal(signal.SIGSTOP)
        err = self.folder / "err"
        with open(err, "wb") as errors:
            second = self.started("pull", "me/model", env=self.env, stderr=errors)
        self.wait_until(lambda: b"\n" in err.read_bytes(), "a word about the lock", 10)
        self.assertIn(f"process {first.pid}", err.read_text())
        first.kill()
        go_on.set()
        self.assertEqual(second.wait(20), 0)

    @harness.needs_root
    def test_cache_of_another_user(self):
        """T9: who may only read a whole cache is told that it is whole, and writes nothing."""
        self.assertEqual(self.pull().code, 0)
        os.chmod(self.folder, 0o755)
        before = harness.contents(self.cache)
        finished = self.pull("--json", user=4242, group=4242, extra_groups=[])
        self.assertEqual(finished.code, 0, repr(finished))
        self.assertEqual(json.loads(finished.out)["received"], 0)
        self.assertEqual(before, harness.contents(self.cache))
        # Also one that Python fetched, without Cloze's note.
        note = self.cache / "models--me--model" / ".cloze" / COMMIT
        note.unlink()
        finished = self.pull(user=4242, group=4242, extra_groups=[])
        self.assertEqual(finished.code, 0, repr(finished))
        # What is missing cannot be fetched there.
        for path in (self.cache / "models--me--model" / "snapshots" / COMMIT).glob("model.*"):
            path.unlink()
        self.assert_failed(self.pull(user=4242, group=4242, extra_groups=[]), code=1, says="Permission denied")

    def test_without_a_home(self):
        """T13: nothing is written below the current directory; the message asks for HF_HOME."""
        nowhere = self.folder / "nowhere"
        nowhere.mkdir()
        env = {name: value for name, value in {**os.environ, **self.env}.items()
               if name not in ("HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE", "CLOZE_CACHE")}
        for home in {}, {"HOME": ""}:
            for arguments in ("pull", "me/model"), ("encode", "--model", "me/model", "a"):
                process = harness.subprocess.run([harness.CLOZE, *arguments], env={**env, **home}, cwd=nowhere,
                                                 stdin=harness.subprocess.DEVNULL, capture_output=True)
                finished = harness.Finished(arguments, process.returncode, process.stdout, process.stderr)
                self.assert_failed(finished, code=(1, 2), says="HF_HOME")
                self.assertEqual(list(nowhere.iterdir()), [])
        # With a place, HOME is not needed; nor is it for a model on this machine.
        env["HF_HOME"] = str(self.folder / "home")
        for arguments in ("pull", "me/model"), ("encode", "--model", "me/model", "a"), ("info", "--model", self.folder / "finetuned"):
            process = harness.subprocess.run([harness.CLOZE, *arguments], env=env, cwd=nowhere,
                                             stdin=harness.subprocess.DEVNULL, capture_output=True)
            self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(list(nowhere.iterdir()), [])


if __name__ == "__main__":
    harness.main()
