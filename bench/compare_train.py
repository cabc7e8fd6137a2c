#!/usr/bin/env python3
"""Races and compares Cloze's pre-training steps with transformers + PyTorch, on the same weights and batches.

    python bench/compare_train.py speed [--threads 2] [--rounds 3] [--build build/release]
    python bench/compare_train.py losses [--threads 2]
    python bench/compare_train.py recipe --text FILE --dev FILE --vocab FILE [--steps 400]

speed   A step is forward, backward, clipping and AdamW, dropout off. PyTorch in bf16 autocast and f32, with
        the fused AdamW and SDPA attention, in processes that alternate with Cloze's; medians in ms, tokens/s,
        ratios of the same round, and the most memory that each process had resident. Cases: BERT-base 8x128,
        BERT-mini 32x128, and BERT-mini on the lengths of real text (uneven), which PyTorch gets as a padded
        rectangle with its mask.
losses  The same initial weights and batches: 200 steps in f32 (bar: every loss within 1e-4 relative of
        PyTorch's f32) and 500 in bf16 (bar: within 1 % of PyTorch's f32 after them).
recipe  BERT-mini on the same batches of real text, by both in bf16, at equal tokens: the held-out masked-LM
        loss of each, and the unigram entropy of the same held-out tokens (what a model that knows nothing but
        how frequent each token is in the training text would lose).
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from machine import print_machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/goldens"))

BASE = dict()
MINI = dict(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024)
# A pre-training batch of real text: what 128-token sequences are where documents end and sentences do not fit.
UNEVEN = [128] * 14 + [127, 126, 125, 121, 118, 109, 101, 96, 84, 77, 65, 58, 44, 37, 29, 21, 12, 8]
CASES = {
    "base 8x128": (BASE, [128] * 8, 5),
    "mini 32x128": (MINI, [128] * 32, 10),
    "mini uneven": (MINI, UNEVEN, 10),
}
SMALL = dict(vocab_size=2000, hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512,
             max_position_embeddings=128)


def torch_steps(model_directory, dtype, steps, learning_rate, directory, warmup=0):
    """What tests/train/train_steps.cc does, by transformers."""
    import torch
    import training_reference as reference
    import transformers
    from safetensors.torch import load_file

    batches = [load_file(path) for path in sorted(directory.glob("batch-*.safetensors"), key=lambda p: int(p.stem[6:]))]
    model = transformers.BertForPreTraining.from_pretrained(
        model_directory, dtype=torch.float32, attn_implementation="sdpa"
    )
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    decayed, others = [], []
    for name, parameter in model.named_parameters():
        (others if name.endswith("bias") or "LayerNorm" in name else decayed).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=learning_rate, eps=1e-8, fused=True,
    )
    losses, times = [], []
    for step in range(steps):
        if warmup:
            share = step / warmup if step < warmup else (steps - step) / (steps - warmup)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * share
        batch = batches[step % len(batches)]
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            masked_lm, next_sentence = reference.losses(model, batch)
            loss = masked_lm + next_sentence
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        times.append(1e3 * (time.perf_counter() - start))
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total, count = 0.0, 0
    model.eval()
    with torch.no_grad():
        for path in directory.glob("dev-*.safetensors"):
            batch = load_file(path)
            masked = len(batch["masked_labels"])
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
                total += masked * reference.losses(model, batch)[0].item()
            count += masked
    dev = total / count if count else 0.0
    print(json.dumps({"losses": losses, "ms": times, "peak_memory": peak, "dev_masked_lm_loss": dev}))


def make(work, sizes, batches):
    import training_reference as reference
    from safetensors.torch import save_file

    config = reference.make_config(**sizes)
    reference.make_model(config, seed=3).save_pretrained(work / "model")
    for i, lengths in enumerate(batches):
        save_file(reference.make_batch(config, lengths, seed=100 + i), work / f"batch-{i}.safetensors")


def run(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), TQDM_DISABLE="1")
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def cloze(options, work, dtype, steps, learning_rate):
    tool = options.build / "tests/train_steps"
    return run([tool, work / "model", dtype, steps, learning_rate, work], options.threads)


def peer(options, work, dtype, steps, learning_rate):
    command = [sys.executable, __file__, "torch-steps", work / "model", dtype, steps, learning_rate, work]
    return run(command, options.threads)


def speed(options):
    runners = {"Cloze bf16": (cloze, "bf16"), "PyTorch bf16": (peer, "bf16"), "Cloze f32": (cloze, "f32"),
               "PyTorch f32": (peer, "f32")}
    for case, (sizes, lengths, steps) in CASES.items():
        if options.only and options.only not in case:
            continue
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            make(work, sizes, [lengths])
            found = {name: [] for name in runners}
            memory = {}
            for _ in range(options.rounds):
                for name, (runner, dtype) in runners.items():
                    out = runner(options, work, dtype, steps + 2, 1e-4)
                    found[name].append(statistics.median(out["ms"][2:]))
                    memory[name] = out["peak_memory"]
            print(f"\n{case}, {sum(lengths)} tokens, {options.threads} threads")
            for name, values in found.items():
                ms = statistics.median(values)
                print(f"  {name:14}{ms:9.1f} ms{1e3 * sum(lengths) / ms:9.0f} tokens/s{memory[name] / 2**20:8.0f} MiB")
            for ours, theirs in [("Cloze bf16", "PyTorch bf16"), ("Cloze f32", "PyTorch f32")]:
                ratios = [b / a for a, b in zip(found[ours], found[theirs])]
                share = memory[ours] / memory[theirs]
                print(f"  {ours} over {theirs}: {statistics.median(ratios):.2f} times as fast, {share:.0%} of its memory")


def losses(options):
    import numpy as np

    rng = np.random.default_rng(9)
    batches = [[int(n) for n in rng.integers(5, 129, 6)] for _ in range(10)]
    failed = False
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        make(work, SMALL, batches)
        wanted = np.array(peer(options, work, "f32", 500, 3e-4)["losses"])
        for dtype, steps, bar in [("f32", 200, 1e-4), ("bf16", 500, 1e-2)]:
            got = np.array(cloze(options, work, dtype, steps, 3e-4)["losses"])
            off = np.abs(got - wanted[:steps]) / wanted[:steps]
            print(
                f"{dtype}: {steps} steps, loss {wanted[0]:.4f} -> {wanted[steps - 1]:.4f} (PyTorch f32), "
                f"{got[-1]:.4f} (Cloze); off by {off.max():.1e} at most, {off[-1]:.1e} at the end (bar {bar:g})"
            )
            failed |= bool((off.max() if dtype == "f32" else off[-10:].mean()) > bar)
    sys.exit(failed)


def unigram_entropy(work, vocabulary):
    """Mean -log p of the held-out labels, p by counts in the training batches, each plus one."""
    import numpy as np
    from safetensors.numpy import load_file

    counts = np.ones(vocabulary)
    for path in work.glob("batch-*.safetensors"):
        batch = load_file(path)
        ids = batch["input_ids"].copy()
        ids[batch["masked_positions"]] = batch["masked_labels"]
        np.add.at(counts, ids[ids >= 5], 1)  # special tokens are never masked
    logs = np.log(counts / counts.sum())
    labels = np.concatenate([load_file(path)["masked_labels"] for path in work.glob("dev-*.safetensors")])
    return -logs[labels].mean(), len(labels)


def recipe(options):
    import shutil

    import training_reference as reference

    tokens = 0
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "vocab").mkdir()
        shutil.copy(options.vocab, work / "vocab/vocab.txt")
        size = len(options.vocab.read_text().splitlines())
        config = reference.make_config(**MINI, vocab_size=size)
        import torch
        import transformers

        torch.manual_seed(1)
        transformers.BertForPreTraining(config).save_pretrained(work / "model")
        shape = [options.steps, options.batch_tokens, options.max_length]
        dump = [options.build / "tests/dump_batches", options.text, options.dev, work / "vocab", *shape, work]
        subprocess.run([str(part) for part in dump], check=True)
        from safetensors.numpy import load_file

        tokens = sum(len(load_file(path)["input_ids"]) for path in work.glob("batch-*.safetensors"))
        entropy, labels = unigram_entropy(work, size)
        warmup = max(1, options.steps // 10)
        arguments = [work / "model", "bf16", options.steps, options.learning_rate, work, warmup]
        found = {
            "Cloze": run([options.build / "tests/train_steps", *arguments], options.threads),
            "PyTorch": run([sys.executable, __file__, "torch-steps", *arguments], options.threads),
        }
    print(f"{options.steps} steps, {tokens:,} tokens; unigram entropy of the {labels:,} held-out labels {entropy:.4f}")
    for name, out in found.items():
        print(
            f"  {name:8} held-out masked-LM loss {out['dev_masked_lm_loss']:.4f}, last training losses "
            f"{statistics.mean(out['losses'][-20:]):.4f}, {sum(out['ms']) / 1e3:.0f} s"
        )
    ratio = found["Cloze"]["dev_masked_lm_loss"] / found["PyTorch"]["dev_masked_lm_loss"]
    print(f"  Cloze's over PyTorch's: {ratio:.4f} (bar 1.01)")
    sys.exit(ratio > 1.01)


def main():
    if sys.argv[1:2] == ["torch-steps"]:
        model, dtype, steps, learning_rate, directory, *warmup = sys.argv[2:]
        warmup = float(warmup[0]) if warmup else 0
        torch_steps(model, dtype, int(steps), float(learning_rate), pathlib.Path(directory), warmup)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "losses", "recipe"])
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--only", help="cases whose name has this part")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--dev", type=pathlib.Path)
    parser.add_argument("--vocab", type=pathlib.Path)
    parser.add_argument("--steps", default=400, type=int)
    parser.add_argument("--batch-tokens", default=2048, type=int)
    parser.add_argument("--max-length", default=128, type=int)
    parser.add_argument("--learning-rate", default=5e-4, type=float)
    options = parser.parse_args()
    print_machine(options.build / "cloze", options.threads)
    {"speed": speed, "losses": losses, "recipe": recipe}[options.what](options)


if __name__ == "__main__":
    main()
