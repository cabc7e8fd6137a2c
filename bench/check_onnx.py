#!/usr/bin/env python3
"""Exports models of every head with `cloze export` and holds ONNX Runtime against transformers.

    python bench/check_onnx.py [--build build/release] [--model ~/.cache/cloze/all-MiniLM-L6-v2]

Random models of every class (BERT's eight, DistilBERT's five; erf, tanh, relu and silu activations; odd sizes;
tied and untied decoders), and the real MiniLM as encoder and as sentence-transformers directory. Each is exported with
its weights inside and outside the file, goes through onnx.checker with full shape inference, and is run on batches of
several sizes and lengths, evenly and unevenly padded on the right. What is compared are the outputs where
attention_mask is 1, against transformers in float32. Prints the largest difference of each; exits 1 beyond 1e-4.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import transformers

BAR = 1e-4
# Batch sizes and, for each, the lengths of its texts: alone, even, uneven.
BATCHES = [[7], [1], [16, 16, 16], [12, 3, 1, 29, 8], [40, 40], [33, 63, 2, 17], [64, 64]]
CHOICES = 3

SMALL = dict(vocab_size=99, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=80,
             max_position_embeddings=64, type_vocab_size=2, initializer_range=0.3)
SMALL_DISTIL = dict(vocab_size=99, dim=48, n_layers=3, n_heads=4, hidden_dim=80, max_position_embeddings=64,
                    initializer_range=0.3)
OUTPUTS = {
    "Model": ["last_hidden_state", "pooler_output"],
    "ForPreTraining": ["prediction_logits", "seq_relationship_logits"],
    "ForQuestionAnswering": ["start_logits", "end_logits"],
}
BERT = [
    ("Model", dict(hidden_act="gelu")),
    ("Model", dict(hidden_act="gelu_new", hidden_size=36, num_attention_heads=3, intermediate_size=7)),
    ("ForPreTraining", dict(hidden_act="gelu_new")),
    ("ForMaskedLM", dict()),
    ("ForMaskedLM", dict(tie_word_embeddings=False, hidden_act="gelu_pytorch_tanh")),
    ("ForNextSentencePrediction", dict()),
    ("ForSequenceClassification", dict(num_labels=5, hidden_act="relu")),
    ("ForSequenceClassification", dict(num_labels=1, hidden_act="silu")),
    ("ForTokenClassification", dict(num_labels=9)),
    ("ForQuestionAnswering", dict()),
    ("ForMultipleChoice", dict(layer_norm_eps=1e-5)),
]
DISTIL = [
    ("Model", dict()),
    ("ForMaskedLM", dict()),
    ("ForSequenceClassification", dict(num_labels=4)),
    ("ForTokenClassification", dict(num_labels=9, activation="relu")),
    ("ForQuestionAnswering", dict()),
    ("ForMultipleChoice", dict()),
]


def make(family, head, settings, directory):
    """A random model whose biases and layer norms are random too."""
    config = (transformers.BertConfig(**SMALL | settings) if family == "Bert"
              else transformers.DistilBertConfig(**SMALL_DISTIL | settings))
    model = getattr(transformers, family + head)(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" in name or "layer_norm" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(directory)
    return model


def batch_of(lengths, vocabulary, types, choices, rng):
    rows = [length for length in lengths for _ in range(choices or 1)]
    width = max(rows) + (1 if len(set(rows)) > 1 else 0)
    mask = (np.arange(width)[None, :] < np.array(rows)[:, None]).astype(np.int64)
    inputs = {"input_ids": rng.integers(0, vocabulary, (len(rows), width)), "attention_mask": mask}
    if types:
        inputs["token_type_ids"] = rng.integers(0, 2, (len(rows), width))
    if choices:
        inputs = {name: array.reshape(len(lengths), choices, width) for name, array in inputs.items()}
    return inputs


def export(cloze, directory, path, *options):
    command = [cloze, "export", str(directory), str(path), "--json", *options]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    onnx.checker.check_model(str(path), full_check=True)
    return report, onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def difference(session, inputs, expected, mask):
    """The largest over the outputs, where there are tokens."""
    worst = 0.0
    for output, got in zip(session.get_outputs(), session.run(None, inputs)):
        want = expected[output.name]
        if got.shape != want.shape:
            sys.exit(f"{output.name} has shape {got.shape}, and transformers' {want.shape}")
        kept = got.shape[:2] == mask.shape and mask.ndim == 2 and got.ndim >= 2
        apart = np.abs(got - want)[mask == 1] if kept else np.abs(got - want)
        worst = max(worst, float(apart.max()) if np.isfinite(got).all() else float("inf"))
    return worst


def reference(model, names, inputs):
    with torch.no_grad():
        out = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: out[name].float().numpy() for name in names if out.get(name) is not None}


def check_random(cloze, folder, rng):
    worst = 0.0
    for family, cases in (("Bert", BERT), ("DistilBert", DISTIL)):
        for number, (head, settings) in enumerate(cases):
            torch.manual_seed(number)
            directory = folder / f"{family}{head}-{number}"
            model = make(family, head, settings, directory)
            names = OUTPUTS.get(head, ["logits"])
            choices = CHOICES if head == "ForMultipleChoice" else 0
            sessions = [export(cloze, directory, directory / "inside.onnx")[1],
                        export(cloze, directory, directory / "outside.onnx", "--external-data")[1]]
            apart = 0.0
            for lengths in BATCHES:
                inputs = batch_of(lengths, 99, family == "Bert", choices, rng)
                expected = reference(model, names, inputs)
                for session in sessions:
                    if [i.name for i in session.get_inputs()] != list(inputs):
                        sys.exit(f"{directory.name}: inputs {[i.name for i in session.get_inputs()]}")
                    if {o.name for o in session.get_outputs()} != set(expected):
                        sys.exit(f"{directory.name}: outputs {[o.name for o in session.get_outputs()]}")
                    apart = max(apart, difference(session, inputs, expected, inputs["attention_mask"]))
            print(f"{family + head:40} {settings.get('hidden_act', settings.get('activation', 'gelu')):18} {apart:.1e}")
            worst = max(worst, apart)
    return worst


def check_minilm(cloze, source, folder, rng):
    model = transformers.BertModel.from_pretrained(source).eval()
    apart = {"encoder": 0.0, "sentence_embedding": 0.0}
    _, encoder = export(cloze, source, folder / "encoder.onnx", "--task", "feature-extraction")
    report, sentences = export(cloze, source, folder / "sentences.onnx")
    if report["task"] != "sentence-similarity":
        sys.exit("MiniLM was not taken for a sentence-transformers directory")
    for lengths in [[9], [128] * 4, [5, 77, 256, 31, 2], [511, 100]]:
        inputs = batch_of(lengths, model.config.vocab_size, True, 0, rng)
        mask = inputs["attention_mask"]
        expected = reference(model, ["last_hidden_state", "pooler_output"], inputs)
        apart["encoder"] = max(apart["encoder"], difference(encoder, inputs, expected, mask))
        mean = (expected["last_hidden_state"] * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        expected["token_embeddings"] = expected["last_hidden_state"]
        expected["sentence_embedding"] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        apart["sentence_embedding"] = max(apart["sentence_embedding"], difference(sentences, inputs, expected, mask))
    for name, value in apart.items():
        print(f"{'all-MiniLM-L6-v2 ' + name:59} {value:.1e}")
    return max(apart.values())


def main():
    transformers.utils.logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--model", default="~/.cache/cloze/all-MiniLM-L6-v2")
    options = parser.parse_args()
    cloze = str(pathlib.Path(options.build) / "cloze")
    source = pathlib.Path(options.model).expanduser()
    rng = np.random.default_rng(8)
    with tempfile.TemporaryDirectory() as folder:
        worst = check_random(cloze, pathlib.Path(folder), rng)
        if source.is_dir():
            worst = max(worst, check_minilm(cloze, source, pathlib.Path(folder), rng))
        else:
            print(f"{source} is not there: only random models were checked")
    print(f"largest difference {worst:.1e}, bar {BAR:.0e}")
    sys.exit(worst > BAR)


if __name__ == "__main__":
    main()
