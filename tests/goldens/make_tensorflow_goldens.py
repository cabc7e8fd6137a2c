#!/usr/bin/env python3
"""Makes the TensorFlow checkpoints of tests/checkpoint from golden models of make_goldens.py.

    python tests/goldens/make_tensorflow_goldens.py [--output tests/goldens/tensorflow]

Needs tensorflow (in an environment of its own; the committed files: 2.21) and nothing else: it reads
the golden models' safetensors itself. The variables have the names of google-research/bert, and are
written by tf.compat.v1.train.Saver, as run_pretraining.py, run_classifier.py and run_squad.py do:

    release      pretraining_tanh as Google releases it: bert_config.json, vocab.txt, bert_model.ckpt.*
    classifier   sequence_regression as run_classifier.py leaves it: optimizer slots, `checkpoint`, two steps
    squad        question_legacy_names as run_squad.py leaves it
    small        two tensors and a slot, for the tests that change every byte
    shards       pretraining_tanh in two data files, and tensors of all types
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import struct

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).resolve().parent
tf.compat.v1.disable_eager_execution()


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", (name, entry)
        begin, end = entry["data_offsets"]
        raw = data[8 + length + begin : 8 + length + end]
        tensors[name] = np.frombuffer(raw, "<f4").reshape(entry["shape"])
    return tensors


HEADS = {
    "cls.predictions.bias": "cls/predictions/output_bias",
    "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
    "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    "classifier.weight": "output_weights",
    "classifier.bias": "output_bias",
    "qa_outputs.weight": "cls/squad/output_weights",
    "qa_outputs.bias": "cls/squad/output_bias",
}


def google_name(name):
    """The variable's name, and whether it is stored transposed."""
    if name in HEADS:
        return HEADS[name], False
    norm = "LayerNorm" in name
    name = re.sub(r"\blayer\.(\d+)", r"layer_\1", name)
    name = name.replace("embeddings.weight", "embeddings")
    kernel = name.endswith(".weight") and not norm
    name = re.sub(r"\.weight$", ".gamma" if norm else ".kernel", name)
    name = re.sub(r"\.bias$", ".beta", name) if norm else name
    return name.replace(".", "/"), kernel


def variables(model):
    result = {}
    for name, value in read_safetensors(HERE / model / "model.safetensors").items():
        variable, transposed = google_name(name)
        result[variable] = value.T if transposed else value
    return result


def save(values, prefix, shards=1, steps=()):
    """Through a session, as TensorFlow 1 does."""
    shutil.rmtree(prefix.parent, ignore_errors=True)
    prefix.parent.mkdir(parents=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        created = [tf.compat.v1.get_variable(n, initializer=tf.constant(v), use_resource=False) for n, v in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(created, write_version=2)
        for step in steps or [None]:
            saver.save(session, str(prefix), global_step=step, write_meta_graph=False, write_state=bool(steps))
    if shards > 1:
        split(prefix, values, shards)


def split(prefix, values, shards):
    """The same variables in several data files, as a Saver with `sharded=True` over devices writes them."""
    from tensorflow.python.ops import gen_io_ops

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = sorted(values)
        parts = []
        for shard in range(shards):
            part = names[shard::shards]
            file = f"{prefix}_part{shard}"
            session.run(gen_io_ops.save_v2(file, part, [""] * len(part), [tf.constant(values[n]) for n in part]))
            parts.append(file)
        for file in prefix.parent.glob(f"{prefix.name}.*"):
            file.unlink()
        session.run(gen_io_ops.merge_v2_checkpoints(parts, str(prefix), delete_old_dirs=False))


def with_slots(values):
    result = dict(values)
    for name, value in values.items():
        result[f"{name}/adam_m"] = np.full_like(value, 0.5)
        result[f"{name}/adam_v"] = np.full_like(value, 0.25)
    result["global_step"] = np.asarray(1000, np.int64)
    return result


def google_config(model):
    """The fields of bert_config.json, which says "gelu" for the function that modeling.py has under that name."""
    config = json.loads((HERE / model / "config.json").read_text())
    fields = (
        "attention_probs_dropout_prob hidden_act hidden_dropout_prob hidden_size initializer_range intermediate_size "
        "max_position_embeddings num_attention_heads num_hidden_layers type_vocab_size vocab_size"
    ).split()
    result = {name: config[name] for name in fields}
    if result["hidden_act"] == "gelu_new":
        result["hidden_act"] = "gelu"
    return json.dumps(result, indent=2) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--output", type=pathlib.Path, default=HERE / "tensorflow")
    output = arguments.parse_args().output

    save(variables("pretraining_tanh"), output / "release" / "bert_model.ckpt")
    (output / "release" / "bert_config.json").write_text(google_config("pretraining_tanh"))
    shutil.copy(HERE / "pretraining_tanh" / "vocab.txt", output / "release")

    save(with_slots(variables("sequence_regression")), output / "classifier" / "model.ckpt", steps=[998, 1000])
    (output / "classifier" / "bert_config.json").write_text(google_config("sequence_regression"))
    # The older of the two is there to be told from the newer; its tensors are not needed for that.
    (output / "classifier" / "model.ckpt-998.data-00000-of-00001").write_bytes(b"")

    squad = {}
    for name, value in read_safetensors(HERE / "question_legacy_names" / "model.safetensors").items():
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))
        variable, transposed = google_name(name)
        squad[variable] = value.T if transposed else value
    save(squad, output / "squad" / "model.ckpt")

    small = {"bert/pooler/dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "output_bias": np.ones(2, np.float16)}
    save(with_slots(small), output / "small" / "model.ckpt")

    types = {f"types/{np.dtype(t).name}": np.arange(4).astype(t) for t in ("f2", "f4", "f8", "i1", "u1", "i2", "i4", "i8", "?")}
    types["types/bfloat16"] = np.arange(4).astype(tf.bfloat16.as_numpy_dtype)
    types["types/scalar"] = np.float32(1.5)
    types["types/empty"] = np.zeros((0, 3), np.float32)
    save({**variables("pretraining_tanh"), **types}, output / "shards" / "model.ckpt", shards=2)


if __name__ == "__main__":
    main()
