#!/usr/bin/env python3
"""Makes the PyTorch files of tests/checkpoint: what torch.save writes, in each of its forms.

    python tests/goldens/make_pytorch_goldens.py [--output tests/goldens/pytorch]

Needs torch and safetensors (the committed files: torch 2.15). Every `state_*.bin` holds the tensors
of `expected.safetensors`: of several dtypes, transposed, sliced, expanded, sharing a storage, without
elements, without dimensions. `sharded/` is a `pytorch_model.bin.index.json` with its two shards.
"""

import argparse
import collections
import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def state():
    torch.manual_seed(8)
    base = torch.randn(6, 4)
    tensors = collections.OrderedDict()
    tensors["f32"] = torch.randn(3, 5)
    tensors["f16"] = torch.randn(7).half()
    tensors["bf16"] = torch.randn(2, 3).bfloat16()
    tensors["f64"] = torch.randn(2).double()
    tensors["i64"] = torch.arange(-3, 5)
    tensors["i32"] = torch.arange(4, dtype=torch.int32)
    tensors["i16"] = torch.arange(4, dtype=torch.int16)
    tensors["i8"] = torch.arange(-2, 2, dtype=torch.int8)
    tensors["u8"] = torch.arange(250, 256, dtype=torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["shared"] = base
    tensors["transposed"] = base.t()
    tensors["rows"] = base[2:5]
    tensors["columns"] = base[:, 1:3]
    tensors["steps"] = base[1::2, ::3]
    tensors["permuted"] = torch.randn(2, 3, 4).permute(2, 0, 1)
    tensors["expanded"] = torch.arange(5).expand(1, 5)
    tensors["repeated"] = torch.arange(3.0).expand(4, 3)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(4, 2))
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    # What state_dict() adds: an attribute of the dictionary, not an item of it.
    tensors._metadata = collections.OrderedDict({"": {"version": 1}, "layer": {"version": 2}})
    return tensors


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--output", type=pathlib.Path, default=HERE / "pytorch")
    output = arguments.parse_args().output
    (output / "sharded").mkdir(parents=True, exist_ok=True)

    tensors = state()
    save_file({name: t.detach().contiguous().clone() for name, t in tensors.items()}, output / "expected.safetensors")
    for protocol in (2, 3, 4, 5):
        torch.save(tensors, output / f"state_zip_{protocol}.bin", pickle_protocol=protocol)
        torch.save(tensors, output / f"state_legacy_{protocol}.bin", pickle_protocol=protocol,
                   _use_new_zipfile_serialization=False)  # fmt: skip
    # As trainers save it: the state inside a plain dictionary, beside numbers, strings and lists.
    torch.save(
        {"epoch": 3, "loss": 0.25, "name": "run", "steps": [1, 2.5, None, True], "big": 1 << 70, "state_dict": tensors},
        output / "state_nested.bin",
    )
    torch.serialization.set_crc32_options(False)
    torch.save(tensors, output / "no_crc32.bin")
    torch.serialization.set_crc32_options(True)
    # What no reader of weights should take: an object of a class, and a function to call.
    torch.save({"model": torch.nn.Linear(2, 2)}, output / "module.bin")

    names = list(tensors)
    shards = {"pytorch_model-00001-of-00002.bin": names[: len(names) // 2],
              "pytorch_model-00002-of-00002.bin": names[len(names) // 2 :]}  # fmt: skip
    for file, part in shards.items():
        torch.save({name: tensors[name] for name in part}, output / "sharded" / file)
    index = {"metadata": {"total_size": 0}, "weight_map": {name: file for file, part in shards.items() for name in part}}
    (output / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")


if __name__ == "__main__":
    main()
