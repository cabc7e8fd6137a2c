#!/usr/bin/env python3
"""Holds Cloze against transformers in float64, at the shape of BERT-base and with random weights.

    python bench/compare_transformers.py [--build build/release] [--weights init|trained] [--layers 12] [--torch]
                                          [--keep DIR]

Builds a model directory in a temporary folder, runs batches of every kind of length (1 to 512 alone,
and uneven mixtures) through both, and prints for each batch

    f32    the largest absolute difference of last_hidden_state        (bar: 2e-5)
    alone  the largest difference between a sequence in the batch and alone   (bar: 1e-6)
    bf16   the mean and the smallest cosine of a token's vector         (bar: mean 0.9995)
    torch  transformers' own f32 and bf16, by the same measures: the yardstick (with --torch)

`--keep DIR` keeps the model and transformers' outputs in DIR, and a later run with it takes them from
there: the float64 pass takes minutes. Exits 1 when a bar is missed. `--weights trained` draws weights of a trained model's scale, where
attention looks at few tokens and every rounding is amplified by twelve layers; the bars are stated for
`init`, transformers' own initialisation.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

ALONE = [1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 384, 511, 512]
# 32 sentences, 887 tokens, longest 128: the uneven batch of the project's speed figures.
SENTENCES = [128, 96, 74, 61, 52, 45, 40, 36, 33, 30, 28, 26, 24, 22, 21, 19, 18, 17, 16, 15, 14, 12, 11, 10, 9]
SENTENCES += [8, 6, 5, 4, 3, 2, 2]
MIXTURES = {
    "uneven": [1, 512, 2, 17, 128, 33, 64, 5, 200],
    "32 sentences": SENTENCES,
    "8x128": [128] * 8,
    "100x3": [3] * 100,
}


def make_model(directory, layers, weights):
    torch.manual_seed(2018)
    config = transformers.BertConfig(num_hidden_layers=layers)
    model = transformers.BertModel(config)
    if weights == "trained":
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("LayerNorm.weight"):
                    parameter.normal_(1, 0.2)
                elif name.endswith("bias"):
                    parameter.normal_(0, 0.2)
                elif "embeddings" in name:
                    parameter.normal_(0, 0.5)
                elif ".query." in name or ".key." in name:
                    parameter.normal_(0, 1.3 / parameter.shape[1] ** 0.5)
                else:
                    parameter.normal_(0, 0.9 / parameter.shape[1] ** 0.5)
    model.save_pretrained(directory)


def make_batch(lengths, rng):
    total = sum(lengths)
    types = np.concatenate([(np.arange(n) >= rng.integers(1, n + 1)).astype(np.int32) for n in lengths])
    return {
        "input_ids": torch.from_numpy(rng.integers(0, 30522, total).astype(np.int32)),
        "token_type_ids": torch.from_numpy(types),
        "position_ids": torch.cat([torch.arange(n, dtype=torch.int32) for n in lengths]),
        "cu_seqlens": torch.from_numpy(np.cumsum([0, *lengths]).astype(np.int32)),
    }


def load_model(directory, dtype):
    return transformers.BertModel.from_pretrained(directory, dtype=dtype, attn_implementation="eager").eval()


def sequences(batch):
    bounds = batch["cu_seqlens"].tolist()
    for begin, end in zip(bounds, bounds[1:]):
        part = {k: batch[k][begin:end].contiguous() for k in ("input_ids", "token_type_ids", "position_ids")}
        yield {**part, "cu_seqlens": torch.tensor([0, end - begin], dtype=torch.int32)}


def by_transformers(model, batch):
    outputs = []
    for part in sequences(batch):
        with torch.no_grad():
            out = model(part["input_ids"][None].long(), token_type_ids=part["token_type_ids"][None].long())
        outputs.append(out.last_hidden_state[0].double())
    return torch.cat(outputs)


def by_cloze(binary, model, precision, batches, scratch):
    arguments = [str(binary), str(model), precision]
    for index, batch in enumerate(batches):
        save_file(batch, scratch / f"in{index}.safetensors")
        arguments += [str(scratch / f"in{index}.safetensors"), str(scratch / f"out{index}.safetensors")]
    subprocess.run(arguments, check=True)
    return [load_file(scratch / f"out{i}.safetensors")["last_hidden_state"].double() for i in range(len(batches))]


def cosines(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=-1)


def largest(difference):
    return difference.abs().nan_to_num(nan=float("inf")).max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--weights", choices=["init", "trained"], default="init")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--torch", action="store_true", help="measure transformers' own f32 and bf16 as well")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the model and transformers' outputs")
    arguments = parser.parse_args()
    binary = arguments.build / "tests" / "forward_batch"
    if not binary.exists():
        sys.exit(f"error: {binary} is missing; build the tests, or name the build directory with --build")

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    rng = np.random.default_rng(2018)
    cases = {f"1x{n}": [n] for n in ALONE} | MIXTURES
    batches = [make_batch(lengths, rng) for lengths in cases.values()]
    mixtures = [batch for name, batch in zip(cases, batches) if name in MIXTURES]
    singles = [part for batch in mixtures for part in sequences(batch)]

    def progress(what):
        print(what, "...", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        kept = (arguments.keep or folder) / f"{arguments.weights}-{arguments.layers}"
        model = kept / "model"
        if not (model / "model.safetensors").exists():
            make_model(model, arguments.layers, arguments.weights)

        def theirs(dtype):
            progress(f"transformers in {dtype}")
            outputs, loaded = [], None
            for name, batch in zip(cases, batches):
                file = kept / f"{dtype} {name}.safetensors"
                if not file.exists():
                    loaded = loaded or load_model(model, dtype)
                    save_file({**batch, "output": by_transformers(loaded, batch)}, file)
                saved = load_file(file)
                if any(not torch.equal(saved[key], batch[key]) for key in batch):
                    sys.exit(f"error: {file} is of another batch; delete it")
                outputs.append(saved["output"])
            return outputs

        progress("cloze in f32 and bf16")
        f32 = by_cloze(binary, model, "f32", batches, folder)
        bf16 = by_cloze(binary, model, "bf16", batches, folder)
        alone = iter(by_cloze(binary, model, "f32", singles, folder))
        reference = theirs(torch.float64)
        if arguments.torch:
            torch_f32, torch_bf16 = theirs(torch.float32), theirs(torch.bfloat16)

    print(f"BERT-base shape, {arguments.layers} layers, {arguments.weights} weights")
    yardstick = f" | {'torch f32':>9} {'bf16 mean':>10} {'min':>9}" if arguments.torch else ""
    print(f"{'batch':>14} {'f32':>9} {'alone':>9} {'bf16 mean':>10} {'min':>9}{yardstick}")
    worst_f32 = worst_alone = 0.0
    tokens, cosine_sum = 0, 0.0
    for i, (name, lengths) in enumerate(cases.items()):
        difference = largest(f32[i] - reference[i])
        apart = ""
        if name in MIXTURES:
            worst = largest(torch.cat([next(alone) for _ in lengths]) - f32[i])
            worst_alone, apart = max(worst_alone, worst), f"{worst:.2e}"
        ours = cosines(bf16[i], reference[i])
        line = f"{name:>14} {difference:9.2e} {apart:>9} {ours.mean():10.7f} {ours.min():9.6f}"
        if arguments.torch:
            other = cosines(torch_bf16[i], reference[i])
            line += f" | {largest(torch_f32[i] - reference[i]):9.2e} {other.mean():10.7f} {other.min():9.6f}"
        print(line)
        worst_f32 = max(worst_f32, difference)
        tokens, cosine_sum = tokens + len(ours), cosine_sum + ours.sum().item()
    bars = [
        ("f32 max abs difference", worst_f32, "<=", 2e-5, worst_f32 <= 2e-5),
        ("alone or in a batch", worst_alone, "<=", 1e-6, worst_alone <= 1e-6),
        ("bf16 mean cosine", cosine_sum / tokens, ">=", 0.9995, cosine_sum / tokens >= 0.9995),
    ]
    for what, value, sign, bar, held in bars:
        print(f"{what:>24}: {value:.7g} {sign} {bar:g} {'held' if held else 'MISSED'}")
    sys.exit(0 if all(held for *_, held in bars) else 1)


if __name__ == "__main__":
    main()
