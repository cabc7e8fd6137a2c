#!/usr/bin/env python3
"""Makes the golden ELECTRAs of tests/bert: as make_goldens.py, for tests/goldens/electra/NAME.

    python tests/goldens/make_electra_goldens.py [--output tests/goldens/electra]

Besides the packed batch a golden.safetensors has `last_hidden_state` [tokens, hidden], `hidden_states.0` (what the
first layer reads) and what the head gives: `logits` (of the discriminator [tokens]), `start_logits` and `end_logits`,
or `prediction_logits` at `positions`. Where NAME ends in _bin the weights are a pytorch_model.bin with the names of
2020: buffers, and the generator's tied matrix stored.
"""

import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers
from make_distilbert_goldens import random_weights
from make_goldens import LENGTHS, save_tokenizer
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
PROJECTED = dict(embedding_size=16)
CASES = {
    "model": ("ElectraModel", PROJECTED),
    "generator": ("ElectraForMaskedLM", dict(PROJECTED, hidden_act="relu")),
    "generator_untied": ("ElectraForMaskedLM", dict(PROJECTED, tie_word_embeddings=False)),
    "generator_bin": ("ElectraForMaskedLM", PROJECTED),
    "discriminator": ("ElectraForPreTraining", dict(PROJECTED, hidden_act="relu")),
    "sequence": ("ElectraForSequenceClassification", dict(PROJECTED, hidden_act="relu")),
    "sequence_as_wide": ("ElectraForSequenceClassification", dict(embedding_size=32)),
    "token": ("ElectraForTokenClassification", PROJECTED),
    "question": ("ElectraForQuestionAnswering", PROJECTED),
    "choice": ("ElectraForMultipleChoice", PROJECTED),
}


def make(name, head, settings, output):
    rng = np.random.default_rng([2020, *name.encode()])
    config = transformers.ElectraConfig(
        vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=24, num_labels=2 if name == "question" else 3, architectures=[head], dtype="float32",
        **settings,
    )  # fmt: skip
    model = getattr(transformers, head)(config).double().eval()
    random_weights(model, rng)
    directory = output / name
    shutil.rmtree(directory, ignore_errors=True)
    model.float().save_pretrained(directory)
    if name.endswith("_bin"):
        (directory / "model.safetensors").unlink()
        tensors = dict(model.state_dict())
        tensors["electra.embeddings.position_ids"] = torch.arange(24)[None]
        tensors["generator_lm_head.weight"] = tensors["electra.embeddings.word_embeddings.weight"]
        torch.save(tensors, directory / "pytorch_model.bin")
    model = model.double()
    save_tokenizer(directory, config)
    ids = [rng.integers(0, config.vocab_size, length) for length in LENGTHS]
    types = [np.arange(length) % 2 for length in LENGTHS]
    first, hidden, logits = [], [], []
    with torch.no_grad():
        for sequence, segments in zip(ids, types):
            inputs = {"input_ids": torch.from_numpy(sequence)[None], "token_type_ids": torch.from_numpy(segments)[None]}
            if name == "choice":
                inputs = {key: value[None] for key, value in inputs.items()}
            out = model(**inputs, output_hidden_states=True)
            first.append(out.hidden_states[0][0])
            hidden.append(out.hidden_states[-1][0])
            if name == "question":
                logits.append((out.start_logits[0], out.end_logits[0]))
            elif head != "ElectraModel":
                logits.append(out.logits[0])
    golden = {
        "input_ids": torch.from_numpy(np.concatenate(ids).astype(np.int32)),
        "token_type_ids": torch.from_numpy(np.concatenate(types).astype(np.int32)),
        "position_ids": torch.cat([torch.arange(n, dtype=torch.int32) for n in LENGTHS]),
        "cu_seqlens": torch.from_numpy(np.cumsum([0, *LENGTHS]).astype(np.int32)),
        "hidden_states.0": torch.cat(first).float(),
        "last_hidden_state": torch.cat(hidden).float(),
    }
    if name == "question":
        golden["start_logits"] = torch.cat([start for start, _ in logits]).float()
        golden["end_logits"] = torch.cat([end for _, end in logits]).float()
    elif name.startswith("generator"):
        positions = np.sort(rng.choice(sum(LENGTHS), 9, replace=False))
        golden["positions"] = torch.from_numpy(positions.astype(np.int32))
        golden["prediction_logits"] = torch.cat(logits)[positions].float()
    elif logits:
        golden["logits"] = (torch.stack if name in ("sequence", "sequence_as_wide", "choice") else torch.cat)(logits).float()
    save_file({k: v.contiguous() for k, v in golden.items()}, directory / "golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "electra")
    output = parser.parse_args().output
    for name, (head, settings) in CASES.items():
        make(name, head, settings, output)


if __name__ == "__main__":
    main()
