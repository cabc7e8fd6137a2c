#!/usr/bin/env python3
"""Writes gguf_goldens.safetensors: random blocks of every quantized type, and what PyPI's gguf makes of them.

    pip install gguf safetensors numpy
    python3 tests/formats/make_gguf_goldens.py
"""
import pathlib

import gguf
import numpy as np
from safetensors.numpy import save_file

BLOCKS = 6
# Where a block's half-precision scales lie.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}

chance = np.random.default_rng(7)
tensors = {}
for name, halves in HALVES.items():
    kind = gguf.GGMLQuantizationType[name]
    size = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = chance.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in halves:
        blocks[:, at:at + 2] = chance.normal(0, 0.05, (BLOCKS, 1)).astype(np.float16).view(np.uint8)
    tensors[f"{name}.blocks"] = blocks.reshape(-1)
    tensors[f"{name}.values"] = gguf.dequantize(blocks, kind).astype(np.float32).reshape(-1)
save_file(tensors, pathlib.Path(__file__).parent / "gguf_goldens.safetensors")
