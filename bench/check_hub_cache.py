#!/usr/bin/env python3
"""Cloze and Python's huggingface_hub in one cache: each must find what the other fetched.

    bench/check_hub_cache.py --cloze build/release/cloze --model DIRECTORY [--megabytes N]

Serves DIRECTORY (a sentence-transformers or BERT directory) as a Hub on loopback, lets each side fetch
it into a fresh cache, and the other read it offline. With --megabytes, also times `cloze pull` and
`snapshot_download` of a model with N MB of made-up weights, alternating. Needs huggingface_hub (see
bench/README.md).
"""
import argparse
import hashlib
import http.server
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

COMMIT = "1234567890abcdef1234567890abcdef12345678"
LARGE = (".safetensors", ".bin")


def checksum(name, content):
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files = {}  # name -> content

    def log_message(self, *_):
        pass

    def reply(self, status, content=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_GET(self):
        path = self.path.split("?")[0]
        if re.match(r"/api/models/me/model/revision/", path):
            siblings = [{"rfilename": name} for name in self.files]
            body = {"id": "me/model", "sha": COMMIT, "siblings": siblings}
            return self.reply(200, json.dumps(body).encode())
        if re.match(r"/api/models/me/model/tree/", path):
            entries = []
            for name, content in self.files.items():
                entry = {"type": "file", "path": name, "size": len(content), "oid": checksum("", content)}
                if name.endswith(LARGE):
                    entry["lfs"] = {"oid": checksum(name, content), "size": len(content), "pointerSize": 130}
                entries.append(entry)
            return self.reply(200, json.dumps(entries).encode())
        found = re.match(r"/me/model/resolve/[^/]+/(.+)", path)
        if not found or found[1] not in self.files:
            return self.reply(404, headers=[("X-Error-Code", "EntryNotFound")])
        content = self.files[found[1]]
        headers = [("X-Repo-Commit", COMMIT), ("ETag", f'"{checksum(found[1], content)}"')]
        span = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if span:
            begin = int(span[1])
            headers.append(("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}"))
            return self.reply(206, content[begin:], headers)
        return self.reply(200, content, headers)

    do_HEAD = do_GET


def check(what, good):
    print(f"{'ok  ' if good else 'FAIL'} {what}")
    if not good:
        sys.exit(1)


def environment(cache, endpoint, offline=False):
    plain = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return plain | {"HF_HOME": str(cache), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "1" if offline else "0",
                    "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def python(code, env):
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"error: {done.stderr.strip().splitlines()[-1:]}"


def cloze(binary, arguments, env):
    done = subprocess.run([binary, *arguments], env=env, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else done.stderr


SNAPSHOT = "import huggingface_hub as h; print(h.snapshot_download('me/model'))"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--megabytes", type=int, default=0)
    options = parser.parse_args()
    for path in sorted(options.model.rglob("*")):
        if path.is_file():
            Hub.files[str(path.relative_to(options.model))] = path.read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"

    with tempfile.TemporaryDirectory() as folder:
        cache = pathlib.Path(folder) / "by_cloze"
        pulled = json.loads(cloze(options.cloze, ["pull", "me/model", "--json"], environment(cache, endpoint)))
        offline = environment(cache, endpoint, offline=True)
        check("snapshot_download, offline, finds what cloze pulled",
              python(SNAPSHOT, offline) == pulled["directory"])
        for file in pulled["files"]:
            code = (f"import huggingface_hub as h; p = h.hf_hub_download('me/model', {file['name']!r}, "
                    "local_files_only=True); print(p); assert open(p, 'rb').read()")
            check(f"hf_hub_download(local_files_only) of {file['name']}",
                  python(code, offline) == os.path.join(pulled["directory"], file["name"]))
        scan = ("import huggingface_hub as h; i = h.scan_cache_dir(); r = list(i.repos)[0]; "
                "print(len(i.warnings), r.repo_id, list(r.revisions)[0].commit_hash, list(r.refs))")
        check("scan_cache_dir sees a healthy cache", python(scan, offline) == f"0 me/model {COMMIT} ['main']")
        online = environment(cache, endpoint)
        check("snapshot_download completes it online", python(SNAPSHOT, online) == pulled["directory"])
        blobs = {p.name: checksum("" if len(p.name) == 40 else ".bin", p.read_bytes())
                 for p in (cache / "hub/models--me--model/blobs").iterdir()}
        check(f"{len(blobs)} blobs are what their names say", all(k == v for k, v in blobs.items()))

        cache = pathlib.Path(folder) / "by_python"
        directory = python(SNAPSHOT, environment(cache, endpoint))
        offline = environment(cache, endpoint, offline=True)
        found = cloze(options.cloze, ["pull", "me/model", "--json"], offline)
        check("cloze pull --offline finds what snapshot_download fetched",
              found.startswith("{") and json.loads(found)["directory"] == directory)
        info = cloze(options.cloze, ["info", "--model", "me/model", "--json"], offline)
        check("cloze info --model me/model reads it", info.startswith("{"))
        again = cloze(options.cloze, ["pull", "me/model", "--json"], environment(cache, endpoint))
        check("cloze pull fetches none of it again", json.loads(again)["received"] == 0)

        if options.megabytes:
            weights = os.urandom(options.megabytes * 1_000_000)
            Hub.files = {k: v for k, v in Hub.files.items() if not k.endswith(LARGE)} | {"model.safetensors": weights}
            times = {"cloze": [], "python": []}
            for turn in range(3):
                for who in times:
                    env = environment(pathlib.Path(folder) / f"{who}{turn}", endpoint)
                    begin = time.perf_counter()
                    if who == "cloze":
                        cloze(options.cloze, ["pull", "me/model"], env)
                    else:
                        python(SNAPSHOT, env)
                    times[who].append(time.perf_counter() - begin)
            for who, seconds in times.items():
                middle = statistics.median(seconds)
                print(f"{who:8} {options.megabytes} MB in {middle:.2f} s, {options.megabytes / middle:.0f} MB/s")


if __name__ == "__main__":
    main()
