#!/usr/bin/env python3
"""Makes the golden DistilBERTs of tests/bert: as make_goldens.py, for tests/goldens/distilbert/NAME.

    python tests/goldens/make_distilbert_goldens.py [--output tests/goldens/distilbert]

Besides the packed batch a golden.safetensors has `last_hidden_state` [tokens, hidden] and what the
head gives: `logits`, `start_logits` and `end_logits`, or `prediction_logits` at `positions`.
"""

import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers
from make_goldens import LENGTHS, save_tokenizer
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
HEADS = {
    "masked_lm": "DistilBertForMaskedLM",
    "sequence": "DistilBertForSequenceClassification",
    "token": "DistilBertForTokenClassification",
    "question": "DistilBertForQuestionAnswering",
}


def random_weights(model, rng):
    """As make_goldens.py has them, by DistilBERT's names."""
    for name, parameter in sorted(model.named_parameters()):
        normal = rng.standard_normal(tuple(parameter.shape))
        if parameter.dim() == 1:
            value = (1 if name.endswith("weight") else 0) + 0.3 * normal
        else:
            value = normal * (0.6 if "embeddings" in name else 1.2 / np.sqrt(parameter.shape[1]))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(value))


def make(name, head, output):
    rng = np.random.default_rng([2019, *name.encode()])
    config = transformers.DistilBertConfig(
        vocab_size=61, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=24,
        num_labels=2 if name == "question" else 3, tie_weights_=True, architectures=[head], dtype="float32",
    )  # fmt: skip
    model = getattr(transformers, head)(config).double().eval()
    random_weights(model, rng)
    directory = output / name
    shutil.rmtree(directory, ignore_errors=True)
    model.float().save_pretrained(directory)
    model = model.double()
    save_tokenizer(directory, config)
    ids = [rng.integers(0, config.vocab_size, length) for length in LENGTHS]
    hidden, logits = [], []
    with torch.no_grad():
        for sequence in ids:
            out = model(torch.from_numpy(sequence)[None], output_hidden_states=True)
            hidden.append(out.hidden_states[-1][0])
            logits.append((out.start_logits[0], out.end_logits[0]) if name == "question" else out.logits[0])
    golden = {
        "input_ids": torch.from_numpy(np.concatenate(ids).astype(np.int32)),
        "token_type_ids": torch.cat([torch.arange(n, dtype=torch.int32) % 2 for n in LENGTHS]),
        "position_ids": torch.cat([torch.arange(n, dtype=torch.int32) for n in LENGTHS]),
        "cu_seqlens": torch.from_numpy(np.cumsum([0, *LENGTHS]).astype(np.int32)),
        "last_hidden_state": torch.cat(hidden).float(),
    }
    if name == "question":
        golden["start_logits"] = torch.cat([start for start, _ in logits]).float()
        golden["end_logits"] = torch.cat([end for _, end in logits]).float()
    elif name == "masked_lm":
        positions = np.sort(rng.choice(sum(LENGTHS), 9, replace=False))
        golden["positions"] = torch.from_numpy(positions.astype(np.int32))
        golden["prediction_logits"] = torch.cat(logits)[positions].float()
    else:
        golden["logits"] = (torch.cat(logits) if name == "token" else torch.stack(logits)).float()
    save_file({k: v.contiguous() for k, v in golden.items()}, directory / "golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "distilbert")
    output = parser.parse_args().output
    for name, head in HEADS.items():
        make(name, head, output)


if __name__ == "__main__":
    main()
