#!/usr/bin/env python3
"""Makes the goldens of pre-training: small models, a batch, and its gradients by PyTorch in float64.

    python tests/goldens/make_training_goldens.py

Needs torch, transformers and safetensors (the committed files: torch 2.15, transformers 5.24). Each
directory is a BertForPreTraining with `batch.safetensors` (training_reference.py says what is in one),
and `gradients.safetensors`: every parameter's gradient of the sum of the mean losses without dropout,
rounded once to f32, and `losses` [2].
"""

import pathlib

import torch
import training_reference as reference
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
CASES = {
    "training_erf": (
        dict(vocab_size=67, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=24),
        [1, 2, 24, 9, 13],
    ),
    "training_tanh": (
        dict(vocab_size=50, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=36,
             max_position_embeddings=140, hidden_act="gelu_new"),
        [140, 7],
    ),
}

for name, (sizes, lengths) in CASES.items():
    config = reference.make_config(**sizes)
    model = reference.make_model(config, seed=11, scale=3.0)
    batch = reference.make_batch(config, lengths, seed=12)
    model.save_pretrained(HERE / name)
    save_file(batch, HERE / name / "batch.safetensors")
    found, masked_lm, next_sentence = reference.gradients(model, batch)
    found = {key: value.float() for key, value in found.items()}
    found["losses"] = torch.tensor([masked_lm, next_sentence])
    save_file(found, HERE / name / "gradients.safetensors")
