#!/usr/bin/env python3
"""Loads a directory that `cloze pretrain` saved in transformers' BertForPreTraining: no missing, unexpected or
mismatched tensor and no warning; the tokenizers agree; and the same losses on a random packed batch, to 1e-5.

    python bench/check_saved_model.py DIRECTORY [--build build/release]
"""

import argparse
import logging
import pathlib
import subprocess
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/goldens"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    options = parser.parse_args()
    import torch
    import training_reference as reference
    import transformers
    from safetensors.torch import load_file, save_file

    said = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    transformers.logging.get_logger("transformers").addHandler(handler)
    warnings.simplefilter("error")
    model, info = transformers.BertForPreTraining.from_pretrained(
        options.directory, output_loading_info=True, attn_implementation="eager"
    )
    problems = [f"{kind}: {names}" for kind, names in info.items() if names and kind != "error_msgs"] + said
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.directory)
    text = "The captain's ship, 1851 – naïve & 東京."
    line = subprocess.run(
        [options.build / "cloze", "tokenize", "--json", "--model", options.directory, text], check=True, capture_output=True
    ).stdout
    import json

    if json.loads(line)["ids"] != tokenizer(text)["input_ids"]:
        problems.append("the tokenizers differ")
    batch = reference.make_batch(model.config, [7, 128, 33, 64], seed=1)
    model = model.eval()
    with torch.no_grad():
        wanted = [loss.item() for loss in reference.losses(model, batch)]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        save_file(batch, work / "in.safetensors")
        tool = options.build / "tests/train_batch"
        subprocess.run([tool, options.directory, "f32", work / "in.safetensors", work / "out.safetensors"], check=True)
        found = load_file(work / "out.safetensors")["losses"].tolist()
    print(f"transformers {wanted}, Cloze {found}")
    if any(abs(a - b) > 1e-5 * abs(b) for a, b in zip(found, wanted)):
        problems.append("the losses differ")
    print("\n".join(problems) or "loads without a warning, and computes the same")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
