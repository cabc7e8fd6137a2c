#!/usr/bin/env python3
"""Kills a run of pre-training or fine-tuning with SIGKILL at random moments, resumes it each time, and
compares the final weights with those of an undisturbed run, bit for bit. Then damages a checkpoint and does
it once more.

    python bench/kill_and_resume.py [pretrain|finetune] [--build build/release] [--kills 10] [--text FILE]

Needs nothing but Python. Prints what happened; exits 1 where a bit differs.
"""

import argparse
import hashlib
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def make_text(path, rng):
    words = ["sea", "ship", "captain", "storm", "whale", "harbour", "night", "sail", "wind", "island", "crew", "gold"]
    with open(path, "w") as out:
        for _ in range(300):
            for _ in range(rng.randint(3, 12)):
                sentences = [" ".join(rng.choices(words, k=rng.randint(4, 14))).capitalize() + "." for _ in range(4)]
                out.write(" ".join(sentences) + "\n")
            out.write("\n")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pretraining(options, work, rng):
    """The settings of a run of two phases with accumulation, and its last checkpoint."""
    text = options.text or work / "text.txt"
    if not options.text:
        make_text(text, rng)
    settings = ["--text", text, "--vocab-size", "300", "--size", "tiny", "--steps", "240", "--batch-tokens", "1024"]
    settings += ["--save-every", "9", "--evaluate-every", "50", "--log-every", "1000", "--held-out", "0.05"]
    settings += ["--accumulation", "2", "--long-share", "0.2", "--long-length", "256"]
    return settings, "checkpoint-240"


def fine_tuning(options, work):
    """The same of a tiny model from nothing on the project's own sentences, dropout and all."""
    data = ROOT / "examples/data"
    subprocess.run([options.build / "cloze", "vocab", "--text", data / "sentiment.train.tsv", "--size", "600",
                    "--output", work / "vocab.txt"], check=True, capture_output=True)
    settings = ["--task", "text-classification", "--size", "tiny", "--vocab", work / "vocab.txt", "--steps", "600"]
    settings += ["--train", data / "sentiment.train.tsv", "--dev", data / "sentiment.dev.tsv", "--accumulation", "2"]
    settings += ["--batch-size", "8", "--save-every", "9", "--evaluate-every", "50", "--log-every", "1000"]
    return settings, "checkpoint-600"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["pretrain", "finetune"], default="pretrain")
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--kills", default=10, type=int)
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--seed", default=int(time.time()), type=int)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    cloze = options.build / "cloze"
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        common = [cloze, options.what, "--output"]
        if options.what == "pretrain":
            settings, last = pretraining(options, work, rng)
        else:
            settings, last = fine_tuning(options, work)
        start = time.time()
        subprocess.run([*common, work / "undisturbed", *settings], check=True, capture_output=True)
        whole = time.time() - start
        print(f"undisturbed: {whole:.1f} s (seed {options.seed})")
        wanted = digest(work / f"undisturbed/{last}/model.safetensors")

        def run(arguments, limit):
            process = subprocess.Popen([*common, work / "killed", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                said = process.communicate(timeout=limit)[1].decode()
                return process.returncode, said
            except subprocess.TimeoutExpired:
                process.kill()
                return -9, process.communicate()[1].decode()

        kills, arguments = 0, settings
        while True:
            # A second of each is the start, which brings no run any further.
            limit = rng.uniform(0.1, 1 + 2 * whole / options.kills) if kills < options.kills else None
            code, said = run(arguments, limit)
            if code == 0:
                break
            if code != -9:
                sys.exit(f"the run failed with {code}: {said}")
            kills += 1
            found = sorted(work.glob("killed/checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
            print(f"  killed {kills}: {found[-1].name if found else 'no checkpoint yet'}")
            arguments = ["--resume"] if (work / "killed/run.json").exists() else ["--overwrite", *settings]
        same = digest(work / f"killed/{last}/model.safetensors") == wanted
        print(f"{kills} kills: final weights {'bit-identical' if same else 'DIFFER'}")

        # A torn checkpoint: the newest loses its end, the one before is used.
        found = sorted(work.glob("killed/checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
        torn = found[-1] / "optimizer.safetensors"
        torn.write_bytes(torn.read_bytes()[:-1000])
        code, said = run(["--resume"], None)
        told = [line for line in said.splitlines() if "damaged" in line]
        again = code == 0 and digest(work / f"killed/{last}/model.safetensors") == wanted
        print(f"torn {found[-1].name}: {told}; final weights {'bit-identical' if again else 'DIFFER'}")
        shutil.rmtree(work / "killed")
    sys.exit(not (same and again and told and kills >= options.kills))


if __name__ == "__main__":
    main()
