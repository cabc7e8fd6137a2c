#!/usr/bin/env python3
"""Checkpoints in and out, end to end: what TensorFlow, PyTorch and transformers write against what Cloze makes of it.

    python bench/check_checkpoints.py [--build build/release] [--tensorflow PYTHON] [--transformers4 FOLDER]

1. TensorFlow. PYTHON (an interpreter with tensorflow) writes checkpoints with TensorFlow's Saver under the names of
   google-research/bert: a release, run_classifier.py's and run_squad.py's, with an optimizer's slots. `cloze convert`
   must give the very bits that TensorFlow's reader gives, and Cloze's logits must be those of transformers' own
   conversion, load_tf_weights_in_bert. transformers 5 has dropped it, so FOLDER has version 4:

       pip install --target FOLDER --no-deps transformers==4.57.1 'huggingface_hub<1' tokenizers==0.22.1

   That function imports tensorflow only to read variables; here it reads what PYTHON read. It knows no
   run_classifier.py and no cls/squad: those two heads' tensors are assigned by this script. Without --tensorflow the
   part is left out, and said to be.
2. PyTorch. pytorch_model.bin in the zip form and in the one before PyTorch 1.6, pickle protocols 2 to 5, f32, f16 and
   bf16, sharded, and inside a training checkpoint: the bits of every tensor.
3. transformers. Of every class: save_pretrained, `cloze convert`, from_pretrained without a warning, a missing or an
   unexpected tensor; the bytes of every tensor and the logits the same. With --dtype bf16 and f16: the tensors and the
   logits of the model cast by PyTorch.

Exits 1 at the first thing that is not so.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np

SMALL = dict(vocab_size=120, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
             max_position_embeddings=48, type_vocab_size=2, initializer_range=0.25)
LENGTHS = [[9], [24, 3, 40, 1], [17, 17]]
BAR = 1e-4

# What runs where tensorflow is: FOLDER has tensors by variable in NAME.npz; leaves FOLDER/NAME/ and NAME.read.npz.
TENSORFLOW = """
import os, pathlib, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np, tensorflow as tf
tf.compat.v1.disable_eager_execution()
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.npz")):
    values = dict(np.load(file))
    prefix = file.with_suffix("") / "bert_model.ckpt"
    prefix.parent.mkdir(exist_ok=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.get_variable(n, initializer=tf.constant(v), use_resource=False) for n, v in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(made).save(session, str(prefix), write_meta_graph=False)
    names = [name for name, _ in tf.train.list_variables(str(prefix))]
    np.savez(file.with_suffix(".read"), **{n: tf.train.load_variable(str(prefix), n) for n in names})
print(tf.__version__)
"""


def fail(message):
    sys.exit(f"not so: {message}")


def softly(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        fail(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return done.stdout


def google_variables(config, rng, head):
    """Random variables of a checkpoint as google-research/bert names them, with an optimizer's slots."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "bert/embeddings/word_embeddings": [config["vocab_size"], hidden],
        "bert/embeddings/position_embeddings": [config["max_position_embeddings"], hidden],
        "bert/embeddings/token_type_embeddings": [config["type_vocab_size"], hidden],
    }

    def linear(name, inputs, outputs):
        shapes[name + "/kernel"], shapes[name + "/bias"] = [inputs, outputs], [outputs]

    def norm(name):
        shapes[name + "/LayerNorm/gamma"] = shapes[name + "/LayerNorm/beta"] = [hidden]

    norm("bert/embeddings")
    for layer in range(config["num_hidden_layers"]):
        name = f"bert/encoder/layer_{layer}"
        for part in ("query", "key", "value"):
            linear(f"{name}/attention/self/{part}", hidden, hidden)
        linear(f"{name}/attention/output/dense", hidden, hidden)
        norm(f"{name}/attention/output")
        linear(f"{name}/intermediate/dense", hidden, inner)
        linear(f"{name}/output/dense", inner, hidden)
        norm(f"{name}/output")
    linear("bert/pooler/dense", hidden, hidden)
    if head == "release":
        linear("cls/predictions/transform/dense", hidden, hidden)
        norm("cls/predictions/transform")
        shapes["cls/predictions/output_bias"] = [config["vocab_size"]]
        shapes["cls/seq_relationship/output_weights"], shapes["cls/seq_relationship/output_bias"] = [2, hidden], [2]
    elif head == "classifier":
        shapes["output_weights"], shapes["output_bias"] = [2, hidden], [2]
    else:
        shapes["cls/squad/output_weights"], shapes["cls/squad/output_bias"] = [2, hidden], [2]
    values = {name: rng.normal(1 if name.endswith("gamma") else 0, 0.25, shape).astype(np.float32)
              for name, shape in shapes.items()}
    slots = {f"{name}/adam_{slot}": value * 0 for name, value in values.items() for slot in "mv"}
    return values | slots | {"global_step": np.asarray(7, np.int64)}


def batch_of(lengths, rng):
    total = sum(lengths)
    return {
        "input_ids": rng.integers(0, SMALL["vocab_size"], total).astype(np.int32),
        "token_type_ids": rng.integers(0, 2, total).astype(np.int32),
        "position_ids": np.concatenate([np.arange(n) for n in lengths]).astype(np.int32),
        "cu_seqlens": np.cumsum([0, *lengths]).astype(np.int32),
    }


def torch_logits(model, batch):
    """A sequence at a time, by the names of transformers' output; rows are packed."""
    import torch

    rows = {}
    ends = batch["cu_seqlens"]
    for begin, end in zip(ends[:-1], ends[1:]):
        inputs = {k: torch.from_numpy(batch[k][begin:end].astype(np.int64))[None] for k in ("input_ids", "token_type_ids")}
        with torch.no_grad():
            out = model(**inputs)
        for name in ("prediction_logits", "start_logits", "end_logits"):  # a row a token
            if name in out:
                rows.setdefault(name, []).append(out[name][0])
        for name in ("seq_relationship_logits", "logits"):  # a row a sequence
            if name in out:
                rows.setdefault(name, []).append(out[name])
    return {name: torch.cat(parts).float().numpy() for name, parts in rows.items()}


def convert_in_transformers4(folder):
    """Runs with transformers 4 on the path: FOLDER's three checkpoints through load_tf_weights_in_bert, to .pt."""
    import types

    import torch
    import transformers
    from transformers.models.bert.modeling_bert import load_tf_weights_in_bert

    classes = {"release": "BertForPreTraining", "classifier": "BertForSequenceClassification",
               "squad": "BertForQuestionAnswering"}
    for name, kind in classes.items():
        read = dict(np.load(folder / f"{name}.read.npz"))
        module = types.ModuleType("tensorflow")
        known = [n for n in read if name == "release" or n.startswith("bert/")]
        if name == "squad":  # transformers' class has no pooler, and the function fails where there is none
            known = [n for n in known if not n.startswith("bert/pooler")]
        module.train = types.SimpleNamespace(list_variables=lambda path: [(n, list(read[n].shape)) for n in known],
                                             load_variable=lambda path, n: read[n])
        sys.modules["tensorflow"] = module
        config = transformers.BertConfig(**SMALL, hidden_act="gelu_new")  # what modeling.py computes as "gelu"
        model = getattr(transformers, kind)(config).eval()
        load_tf_weights_in_bert(model, config, "as read by tensorflow")
        if name == "classifier":
            model.classifier.weight.data = torch.from_numpy(read["output_weights"])
            model.classifier.bias.data = torch.from_numpy(read["output_bias"])
        elif name == "squad":
            model.qa_outputs.weight.data = torch.from_numpy(read["cls/squad/output_weights"])
            model.qa_outputs.bias.data = torch.from_numpy(read["cls/squad/output_bias"])
        for number, lengths in enumerate(LENGTHS):
            batch = dict(np.load(folder / f"batch{number}.npz"))
            np.savez(folder / f"{name}.logits{number}.npz", **torch_logits(model, batch))
        state = {n: v.numpy() for n, v in model.state_dict().items()}
        np.savez(folder / f"{name}.state.npz", **state)
    print(transformers.__version__)


def bits_of(array):
    return np.ascontiguousarray(array).tobytes()


def check_tensorflow(cloze, head_batch, python, transformers4, folder, rng):
    from safetensors.numpy import load_file, save_file

    variables = folder / "tensorflow"
    variables.mkdir()
    for head in ("release", "classifier", "squad"):
        np.savez(variables / f"{head}.npz", **google_variables(SMALL, rng, head))
    version = softly([python, "-c", TENSORFLOW, str(variables)]).split()[-1]
    for head in ("release", "classifier", "squad"):
        config = {k: v for k, v in SMALL.items()} | {"hidden_act": "gelu", "hidden_dropout_prob": 0.1,
                                                      "attention_probs_dropout_prob": 0.1}
        (variables / head / "bert_config.json").write_text(json.dumps(config))
    batches = [batch_of(lengths, rng) for lengths in LENGTHS]
    for number, batch in enumerate(batches):
        np.savez(variables / f"batch{number}.npz", **batch)
        save_file(batch, variables / f"batch{number}.safetensors")
    script = [sys.executable, __file__, "--convert", str(variables)]
    other = softly(script, env=os.environ | {"PYTHONPATH": str(transformers4)}).split()[-1]
    classes = {"release": "ForPreTraining", "classifier": "ForSequenceClassification", "squad": "ForQuestionAnswering"}
    for head, kind in classes.items():
        softly([cloze, "convert", str(variables / head), str(variables / f"{head}-converted")])
        ours = load_file(variables / f"{head}-converted" / "model.safetensors")
        theirs = dict(np.load(variables / f"{head}.state.npz"))
        aliases = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "bert.embeddings.position_ids"}
        dropped = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"} if head == "squad" else set()
        if set(ours) | dropped != (set(theirs) - aliases) | dropped:
            fail(f"{head}: other tensors than transformers has: {set(ours) ^ (set(theirs) - aliases)}")
        for name, value in ours.items():
            if bits_of(value) != bits_of(theirs[name]):
                fail(f"{head}: {name} has other bits than transformers' conversion")
        apart = 0.0
        for source in (head, f"{head}-converted"):
            pairs = [str(variables / f"{part}{n}.safetensors") for n in range(len(batches)) for part in ("batch", "out")]
            softly([head_batch, str(variables / source), kind, *pairs])
            for number in range(len(batches)):
                got, want = load_file(variables / f"out{number}.safetensors"), np.load(variables / f"{head}.logits{number}.npz")
                for name, value in got.items():
                    if value.shape != want[name].shape:
                        fail(f"{head}: {name} has shape {value.shape}, and transformers' {want[name].shape}")
                    apart = max(apart, float(np.abs(value - want[name]).max()))
        print(f"TensorFlow {version} {head:11} {len(ours)} tensors bit-identical; logits of Cloze against transformers "
              f"{other}'s conversion: {apart:.1e}")
        if not apart <= BAR:
            fail("the logits")


def state_of(torch, dtype):
    torch.manual_seed(3)
    import transformers

    model = transformers.BertModel(transformers.BertConfig(**SMALL)).to(dtype)
    return model, {name: value.detach().clone() for name, value in model.state_dict().items()}


def tensor_bits(tensor):
    import torch

    return tuple(tensor.shape), str(tensor.dtype), tensor.contiguous().view(torch.uint8).numpy().tobytes()


def check_pytorch(cloze, folder):
    import torch
    from safetensors.torch import load_file

    checked = 0
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        model, state = state_of(torch, dtype)
        for zipped in (True, False):
            for protocol in (2, 3, 4, 5):
                for shape in ("plain", "training", "sharded"):
                    source = folder / f"torch-{str(dtype)[6:]}-{zipped}-{protocol}-{shape}"
                    source.mkdir()
                    model.config.to_json_file(source / "config.json")
                    config = json.loads((source / "config.json").read_text())
                    (source / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))

                    def save(what, name):
                        torch.save(what, source / name, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)

                    if shape == "plain":
                        save(state, "pytorch_model.bin")
                    elif shape == "training":
                        save({"epoch": 3, "state_dict": state, "losses": [0.5, 0.25]}, "pytorch_model.bin")
                    else:
                        names, half = list(state), len(state) // 2
                        parts = {"pytorch_model-00001-of-00002.bin": names[:half], "pytorch_model-00002-of-00002.bin": names[half:]}
                        for file, members in parts.items():
                            save({name: state[name] for name in members}, file)
                        index = {"metadata": {}, "weight_map": {name: file for file, members in parts.items() for name in members}}
                        (source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
                    target = source.with_name(source.name + "-converted")
                    softly([cloze, "convert", str(source), str(target)])
                    got = load_file(target / "model.safetensors")
                    if set(got) != set(state):
                        fail(f"{source.name}: other tensors: {set(got) ^ set(state)}")
                    for name, value in state.items():
                        if tensor_bits(got[name]) != tensor_bits(value):
                            fail(f"{source.name}: {name} has other bits")
                    checked += 1
    print(f"PyTorch {torch.__version__}: {checked} files (zip and legacy, protocols 2 to 5, f32, f16, bf16; plain, in a "
          "training checkpoint, sharded) bit-identical")


class Complaints(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def load_quietly(transformers, kind, directory):
    """from_pretrained that may say nothing and miss nothing."""
    handler = Complaints()
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    text = io.StringIO()
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(text):
            warnings.simplefilter("always")
            model, info = getattr(transformers, kind).from_pretrained(directory, output_loading_info=True)
    finally:
        logger.removeHandler(handler)
    said = handler.said + [str(w.message) for w in caught]
    missing = {k: v for k, v in info.items() if v}
    if said or missing:
        fail(f"{directory}: transformers says {said} {missing}")
    return model.eval()


def check_transformers(cloze, folder, rng):
    import torch
    import transformers
    from safetensors.torch import load_file

    heads = ["Model", "ForPreTraining", "ForMaskedLM", "ForNextSentencePrediction", "ForSequenceClassification",
             "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"]
    distil = ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
              "ForMultipleChoice"]
    kinds = ["Bert" + head for head in heads] + ["DistilBert" + head for head in distil]
    settings = {name: {} for name in kinds} | {"BertForMaskedLM untied": {"tie_word_embeddings": False},
                                               "BertForSequenceClassification 7": {"num_labels": 7}}
    renamed = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
               "intermediate_size": "hidden_dim"}
    for number, (title, extra) in enumerate(settings.items()):
        kind = title.split()[0]
        torch.manual_seed(number)
        sizes = dict(SMALL)
        if kind.startswith("Distil"):
            sizes = {renamed.get(k, k): v for k, v in sizes.items() if k != "type_vocab_size"}
        config_class = transformers.DistilBertConfig if kind.startswith("Distil") else transformers.BertConfig
        model = getattr(transformers, kind)(config_class(**sizes, **extra)).eval()
        source = folder / f"transformers-{number}"
        model.save_pretrained(source)
        rows = {"input_ids": torch.from_numpy(rng.integers(0, SMALL["vocab_size"], (4, 23)))}
        if kind.startswith("Bert"):
            rows["token_type_ids"] = torch.from_numpy(rng.integers(0, 2, (4, 23)))
        if kind.endswith("MultipleChoice"):
            rows = {name: value.reshape(2, 2, 23) for name, value in rows.items()}

        def logits(of):
            with torch.no_grad():
                return [value for value in of(**rows).values() if isinstance(value, torch.Tensor)]

        for dtype in (None, torch.float32, torch.bfloat16, torch.float16):
            name = {None: None, torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}[dtype]
            target = folder / f"transformers-{number}-{name}"
            softly([cloze, "convert", str(source), str(target), *([] if name is None else ["--dtype", name])])
            before, after = load_file(source / "model.safetensors"), load_file(target / "model.safetensors")
            if set(before) != set(after):
                fail(f"{title}: other tensors: {set(before) ^ set(after)}")
            for tensor, value in before.items():
                want = value if dtype is None else value.to(dtype)
                if tensor_bits(after[tensor]) != tensor_bits(want):
                    fail(f"{title} {name}: {tensor} has other bytes")
            again = load_quietly(transformers, kind, target)
            want = logits(model if dtype is None else getattr(transformers, kind).from_pretrained(source, dtype=dtype).eval())
            for x, y in zip(want, logits(again), strict=True):
                if tensor_bits(x) != tensor_bits(y):
                    fail(f"{title} {name}: other logits")
    print(f"transformers {transformers.__version__}: {len(settings)} models of {len(kinds)} classes, each as stored, f32, "
          "bf16 and f16: loaded without a word, every byte and every logit the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--tensorflow", help="an interpreter with tensorflow")
    parser.add_argument("--transformers4", default="/tmp/tf4", help="where transformers 4 was installed")
    parser.add_argument("--convert", type=pathlib.Path, help=argparse.SUPPRESS)  # the part that runs with transformers 4
    options = parser.parse_args()
    if options.convert:
        convert_in_transformers4(options.convert)
        return
    import transformers

    transformers.utils.logging.disable_progress_bar()
    build = pathlib.Path(options.build)
    cloze, head_batch = str(build / "cloze"), str(build / "tests" / "head_batch")
    rng = np.random.default_rng(8)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if options.tensorflow:
            check_tensorflow(cloze, head_batch, options.tensorflow, options.transformers4, folder, rng)
        else:
            print("TensorFlow: left out, for want of --tensorflow")
        check_pytorch(cloze, folder)
        check_transformers(cloze, folder, rng)


if __name__ == "__main__":
    main()
