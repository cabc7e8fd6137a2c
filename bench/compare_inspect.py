#!/usr/bin/env python3
"""Holds `cloze inspect` against transformers' attentions and captum's attributions.

    python bench/compare_inspect.py [--build build/release] [--minilm DIR] [--base]

For the golden models of tests/goldens and, with a head of random weights, for MiniLM and (--base) the shape
of BERT-base: the largest difference of an attention probability (bar: 1e-5), the largest difference of
integrated gradients and of gradient x input from captum's LayerIntegratedGradients and
LayerGradientXActivation on bert.embeddings.word_embeddings, 50 Gauss-Legendre steps, divided by captum's
largest value (bar: 1e-3), predictions by layer and under masks (bar: 1e-4), and the completeness gap at
Cloze's default steps (bar: 1 %). Exits 1 when a bar is missed. Needs torch, transformers, captum.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests/goldens"
SMALL = "the dogs a b"
CASES = [
    ("pretraining", "the dog [MASK] a b", None, "mask"),
    ("pretraining", SMALL, "a b the", "next"),
    ("masked_lm_untied", "the [MASK] a b", None, "mask"),
    ("masked_lm_tied_but_different", "[MASK] dogs", None, "mask"),
    ("sequence_3_labels", SMALL + " the dogs a b a dog the b" * 4, None, "label"),
    ("sequence_regression", "the dogs a b", None, "label"),
    ("token_5_layers", SMALL, None, "tag"),
    ("question_legacy_names", "the dogs", "a b the dog a b", "answer"),
]
SENTENCES = [
    ("The old fisherman mended his nets while the tide came in over the grey stones.", None),
    ("Who mended the nets?", "The old fisherman mended his nets while the tide came in."),
]
LONG = " ".join(f"{word} number {i} of the long text" for i, word in enumerate(["river", "bank", "money", "boat"] * 18))
CLASSES = {
    "mask": transformers.BertForMaskedLM,
    "next": transformers.BertForNextSentencePrediction,
    "label": transformers.BertForSequenceClassification,
    "tag": transformers.BertForTokenClassification,
    "answer": transformers.BertForQuestionAnswering,
}


def inspect(build, model, text, pair, *more):
    command = [build / "cloze", "inspect", "--model", model, *more]
    if pair is not None:
        command += ["--pair", pair]
    with tempfile.TemporaryDirectory() as work:
        tensors, description = pathlib.Path(work) / "x.safetensors", pathlib.Path(work) / "x.json"
        subprocess.run([*command, "-o", tensors, "--", text], check=True)
        subprocess.run([*command, "-o", description, "--", text], check=True)
        return load_file(tensors), json.loads(description.read_text())


def explained(question, prediction, labels, vocabulary):
    """The score that Cloze says it explains, as a function of transformers' output."""
    if question == "answer":
        start, end = [int(word) for word in prediction["score"].replace(",", "").split() if word.isdigit()]
        return lambda output: output.start_logits[:, start] + output.end_logits[:, end]
    if question == "next":
        at = 0 if prediction["answer"] == "is next" else 1
        return lambda output: output.logits[:, at]
    if question == "mask":
        return lambda output: output.logits[:, prediction["token"], vocabulary[prediction["answer"]]]
    at = 0 if "value" in prediction else labels[prediction["answer"]]
    if question == "tag":
        return lambda output: output.logits[:, prediction["token"], at]
    return lambda output: output.logits[:, at]


def relative(found, wanted):
    return ((found.double() - wanted).abs().max() / wanted.abs().max()).item()


def compare(build, directory, text, pair, question):
    found, description = inspect(build, directory, text, pair, "--explain", question, "--steps", "50")
    _, default = inspect(build, directory, text, pair, "--explain", question, "--show", "attribution")
    ids, types = found["input_ids"][None].long(), found["token_type_ids"][None].long()
    model = CLASSES[question].from_pretrained(directory, attn_implementation="eager").eval().double()
    with torch.no_grad():
        output = model(ids, token_type_ids=types, output_attentions=True, output_hidden_states=True)
    result = {}
    result["attention"] = max(
        (found[f"attentions.{i}"].double() - layer[0]).abs().max().item() for i, layer in enumerate(output.attentions))

    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    vocabulary = tokenizer.get_vocab()
    score = explained(question, description["prediction"], model.config.label2id, vocabulary)
    keep = torch.tensor([[bool(s) or t == "[MASK]" for s, t in zip(description["special"], description["tokens"])]])
    baseline = torch.where(keep, ids, torch.full_like(ids, vocabulary["[PAD]"]))
    layer = model.bert.embeddings.word_embeddings

    def forward(inputs):
        return score(model(inputs, token_type_ids=types.expand(inputs.shape[0], -1)))

    gradients = LayerIntegratedGradients(forward, layer)
    wanted = gradients.attribute(ids, baselines=baseline, n_steps=50, internal_batch_size=max(1, 1024 // ids.shape[1]))
    result["integrated"] = relative(found["integrated_gradients"], wanted[0].sum(-1).detach())
    wanted = LayerGradientXActivation(forward, layer).attribute(ids)
    result["gradient x input"] = relative(found["gradient_x_input"], wanted[0].sum(-1).detach())
    result["gap"] = default["attribution"]["completeness_gap"]
    result["steps"] = default["attribution"]["steps"]

    if question == "mask":
        worst = 0
        for layer, hidden in enumerate(output.hidden_states):
            with torch.no_grad():
                wanted = model.cls(hidden)[0, :, : len(vocabulary)].softmax(-1)
            own = wanted.gather(-1, found["layers.ids"][layer].long())
            worst = max(worst, (own - found["layers.probabilities"][layer].double()).abs().max().item())
            best = wanted.topk(own.shape[-1]).values
            worst = max(worst, (own - best).abs().max().item())
        result["layers"] = worst
    if question == "mask":
        rows = []
        for position in found["masks.positions"].tolist():
            masked = ids.clone()
            masked[0, position] = vocabulary["[MASK]"]
            with torch.no_grad():
                logits = model(masked, token_type_ids=types)
            rows.append(-logits.logits[0, position, : len(vocabulary)].log_softmax(-1)[ids[0, position]])
        result["masks"] = (torch.stack(rows) - found["masks.surprise"].double()).abs().max().item()
    return result


def with_head(source, folder, question, seed, config=None):
    """A copy of the encoder in `source` (or a random one of `config`) with a random head, vocabulary included."""
    torch.manual_seed(seed)
    target = pathlib.Path(folder) / f"{question}-{'base' if config else 'minilm'}"
    if config:
        model = CLASSES[question](config)
    else:
        more = {} if question in ("mask", "next", "answer") else {"num_labels": 4}
        model = CLASSES[question].from_pretrained(source, **more)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("classifier", "qa_outputs", "cls.")) and name.endswith("weight") and "decoder" not in name:
                if "LayerNorm" not in name:
                    parameter.normal_(0, 0.05)
    model.save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--minilm", type=pathlib.Path, default=pathlib.Path.home() / ".cache/cloze/all-MiniLM-L6-v2")
    parser.add_argument("--base", action="store_true", help="also at the shape of BERT-base, 512 tokens (minutes)")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    bars = {"attention": 1e-5, "integrated": 1e-3, "gradient x input": 1e-3, "gap": 0.01, "layers": 1e-4, "masks": 1e-4}
    missed = False

    def report(name, question, result):
        nonlocal missed
        over = [key for key, bar in bars.items() if result.get(key, 0) > bar]
        missed |= bool(over)
        numbers = ", ".join(f"{key} {value:.2g}" if key != "steps" else f"{value} steps" for key, value in result.items())
        print(f"{name:>28} {question:6} {numbers}{'  MISSED: ' + ', '.join(over) if over else ''}", flush=True)

    for name, text, pair, question in CASES:
        report(name, question, compare(options.build, GOLDENS / name, text, pair, question))
    with tempfile.TemporaryDirectory() as folder:
        if options.minilm.exists():
            for question in CLASSES:
                directory = with_head(options.minilm, folder, question, 7)
                for text, pair in SENTENCES:
                    if question == "mask":
                        text = text.replace("nets", "[MASK]")
                    if pair is None and question in ("next", "answer"):
                        continue
                    report("MiniLM, random head", question, compare(options.build, directory, text, pair, question))
        if options.base:
            config = transformers.BertConfig(num_labels=3, initializer_range=0.04)
            directory = with_head(options.minilm, folder, "label", 8, config)
            report("BERT-base shape, 512 tokens", "label", compare(options.build, directory, LONG, None, "label"))
    print("a bar was missed" if missed else "every bar held")
    sys.exit(missed)


if __name__ == "__main__":
    main()
