#!/usr/bin/env python3
"""How long BERT-base takes to load, from safetensors and from a TensorFlow checkpoint.

    python bench/check_loading.py [--build build/release] [--tensorflow PYTHON] [--keep FOLDER]

Makes a BertModel of BERT-base's shape with random weights, as transformers saves it, and (where PYTHON has tensorflow)
the same weights as TensorFlow's Saver writes them, and runs `cloze bench load` on both. Bars: safetensors opened and
every tensor looked at within 150 ms, the TensorFlow checkpoint loaded within 1000 ms. Exits 1 when one is missed.
`--keep FOLDER` keeps the models there for the next run.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TENSORFLOW = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf
tf.compat.v1.disable_eager_execution()
values = np.load(sys.argv[1], mmap_mode="r")
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    made, feed = [], {}
    for name in values.files:
        value = values[name]
        place = tf.compat.v1.placeholder(tf.float32, value.shape)
        made.append(tf.compat.v1.get_variable(name, initializer=place, use_resource=False))
        feed[place] = value
    session.run(tf.compat.v1.global_variables_initializer(), feed)
    tf.compat.v1.train.Saver(made).save(session, sys.argv[2], write_meta_graph=False, write_state=False)
"""


def google_name(name):
    """What google-research/bert calls the tensor, and whether it is stored transposed."""
    norm = "LayerNorm" in name
    name = re.sub(r"\blayer\.(\d+)", r"layer_\1", name).replace("embeddings.weight", "embeddings")
    kernel = name.endswith(".weight") and not norm
    name = re.sub(r"\.weight$", ".gamma" if norm else ".kernel", name)
    name = re.sub(r"\.bias$", ".beta", name) if norm else name
    return "bert/" + name.replace(".", "/"), kernel


def make(folder, tensorflow):
    import numpy as np
    import torch
    import transformers

    if not (folder / "safetensors" / "model.safetensors").exists():
        torch.manual_seed(1)
        transformers.BertModel(transformers.BertConfig()).save_pretrained(folder / "safetensors")
    if tensorflow and not (folder / "tensorflow" / "bert_model.ckpt.index").exists():
        from safetensors.numpy import load_file

        (folder / "tensorflow").mkdir(exist_ok=True)
        config = json.loads((folder / "safetensors" / "config.json").read_text())
        (folder / "tensorflow" / "bert_config.json").write_text(json.dumps(config))
        values = {}
        for name, value in load_file(folder / "safetensors" / "model.safetensors").items():
            variable, kernel = google_name(name)
            values[variable] = value.T if kernel else value
        np.savez(folder / "values.npz", **values)
        subprocess.run([tensorflow, "-c", TENSORFLOW, str(folder / "values.npz"),
                        str(folder / "tensorflow" / "bert_model.ckpt")], check=True)
        (folder / "values.npz").unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--tensorflow", help="an interpreter with tensorflow")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--make-only", action="store_true", help="make the models of --keep and measure nothing")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        make(folder, options.tensorflow)
        if options.make_only:
            return
        for name, key, bar in (("safetensors", "open_ms", 150), ("tensorflow", "load_ms", 1000)):
            if not (folder / name).exists():
                print(f"{name}: left out, for want of --tensorflow")
                continue
            for dtype in ("f32", "bf16"):
                command = [str(pathlib.Path(options.build) / "cloze"), "bench", "load", "--model", str(folder / name),
                           "--dtype", dtype, "--json"]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                print(f"{name:11} {dtype:4} " + "  ".join(
                    f"{what} {found[what + '_ms']:.1f} ms" for what in ("open", "load", "first", "copy")))
                missed |= found[key] > bar
    sys.exit(missed)


if __name__ == "__main__":
    main()
