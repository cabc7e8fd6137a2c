#!/usr/bin/env python3
"""Holds the gradients of Cloze's pre-training step against PyTorch in float64.

    python bench/compare_gradients.py [--build build/release] [--base]

For several shapes of model and uneven packed batches, dropout off: the relative error of each
parameter's gradient, |g - reference| / |reference| (Frobenius), in f32 and bf16, the worst printed with
its name, and PyTorch's own f32 by the same measure. The bar is 1e-5 in f32. A key's bias has no
gradient (softmax does not see it): what rounding leaves there is measured against its query's bias.
`--base` adds one batch at the shape of BERT-base (some minutes).
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/goldens"))
import torch  # noqa: E402
import training_reference as reference  # noqa: E402

SHAPES = {
    "2 x 32, 4 heads": (
        dict(vocab_size=101, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
             max_position_embeddings=64),
        [1, 2, 64, 17, 33, 3],
    ),
    "3 x 60, 5 heads, gelu_new": (
        dict(vocab_size=77, hidden_size=60, num_hidden_layers=3, num_attention_heads=5, intermediate_size=84,
             max_position_embeddings=200, hidden_act="gelu_new"),
        [200, 129, 5, 128, 1, 64],
    ),
    "1 x 36, 3 heads, relu, 1 segment": (
        dict(vocab_size=64, hidden_size=36, num_hidden_layers=1, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=40, hidden_act="relu", type_vocab_size=1),
        [40, 7, 9],
    ),
    "4 x 256, 4 heads": (
        dict(vocab_size=3000, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024),
        [512, 128, 31, 300, 2],
    ),
}
BASE = {"12 x 768, 12 heads": (dict(), [128, 64, 17, 200, 5])}


def worst(found, wanted):
    errors = []
    for name, value in wanted.items():
        against = wanted[name.replace(".key.bias", ".query.bias")]
        error = (found[name].double() - value).norm() / against.norm()
        errors.append((float(error), name))
    return max(errors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    parser.add_argument("--base", action="store_true")
    options = parser.parse_args()
    failed = False
    for name, (sizes, lengths) in (SHAPES | (BASE if options.base else {})).items():
        config = reference.make_config(**sizes)
        model = reference.make_model(config, seed=5, scale=1.0 if name in BASE else 3.0)
        batch = reference.make_batch(config, lengths, seed=6)
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            model.save_pretrained(work / "model")
            save_file(batch, work / "batch.safetensors")
            wanted, masked_lm, next_sentence = reference.gradients(model, batch)
            torch_f32, _, _ = reference.gradients(model, batch, torch.float32)
            print(f"{name}: loss {masked_lm:.6f} + {next_sentence:.6f}")
            print("  torch f32      %.2e  %s" % worst(torch_f32, wanted))
            for mode in ["f32", "f32 recompute", "bf16"]:
                out = work / "out.safetensors"
                tool = options.build / "tests/train_batch"
                subprocess.run([tool, work / "model", *mode.split(), work / "batch.safetensors", out], check=True)
                found = load_file(out)
                loss = found.pop("losses")
                error, which = worst(found, wanted)
                off = max(abs(loss[0] - masked_lm) / masked_lm, abs(loss[1] - next_sentence) / next_sentence)
                print(f"  {mode:14} {error:.2e}  {which}; losses {off:.1e}")
                failed |= "f32" in mode and (error > 1e-5 or off > 1e-5)
    print("bar missed" if failed else "every f32 gradient within 1e-5")
    sys.exit(failed)


if __name__ == "__main__":
    main()
