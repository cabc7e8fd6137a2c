"""What is in a model's files, and other files made of them."""

from __future__ import annotations

import html
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._locate import Name
from ._progress import Bar
from .config import BertConfig

__all__ = [
    "ConvertedModel",
    "ExportedModel",
    "ModelInfo",
    "convert",
    "export_onnx",
    "load_safetensors",
    "model_info",
    "show_versions",
]


@dataclass(frozen=True)
class ModelInfo:
    """What a model directory holds, read from its configuration and the headers of its weights."""

    directory: Path
    config: BertConfig
    parameters: int
    bytes: int
    dtypes: Mapping[str, int]
    pooler: bool
    heads: tuple[Mapping[str, str], ...]
    tokenizer: Mapping[str, Any]
    settings: tuple[Mapping[str, str], ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        rows = [
            ("directory", self.directory),
            ("parameters", f"{self.parameters:,}"),
            ("stored", f"{self.bytes:,} bytes ({', '.join(self.dtypes)})"),
            ("layers", self.config.num_hidden_layers),
            ("hidden size", self.config.hidden_size),
            ("heads", ", ".join(head["name"] for head in self.heads) or "none"),
            ("tokenizer", self.tokenizer["problem"] or f"{self.tokenizer['vocab_size']:,} tokens"),
            *((setting["name"], setting["value"]) for setting in self.settings),
            *(("warning", warning) for warning in self.warnings),
        ]
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows
        )
        return f"<table>{cells}</table>"


@dataclass(frozen=True)
class ConvertedModel:
    """What `convert` wrote."""

    architecture: str
    tensors: int
    bytes: int
    tokenizer: bool
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class ExportedModel:
    """What `export_onnx` wrote."""

    task: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: int
    weights: int
    bytes: int
    data_file: Optional[Path]


def model_info(model: Name) -> ModelInfo:
    """Describes the model in a directory or of a name, without reading its weights."""
    with Bar(None, "Fetching") as bar:
        found = _cloze.model_info(os.fspath(model), bar.report)
    return ModelInfo(
        directory=Path(found["directory"]),
        config=BertConfig.from_dict(json.loads(found["config_json"])),
        parameters=found["parameters"],
        bytes=found["bytes"],
        dtypes=found["dtypes"],
        pooler=found["pooler"],
        heads=tuple(found["heads"]),
        tokenizer=found["tokenizer"],
        settings=tuple(found["settings"]),
        warnings=tuple(found["warnings"]),
    )


def convert(
    source: Name,
    destination: Name,
    dtype: Any = None,
    *,
    overwrite: bool = False,
    max_shard_bytes: int = 5_000_000_000,
    lowercase: Optional[bool] = None,
    show_progress_bar: Optional[bool] = None,
) -> ConvertedModel:
    """Writes any checkpoint that Cloze reads (a directory, a name, a GGUF file) as a Hugging Face
    directory. `dtype`: "float32", "float16" or "bfloat16"; None: as the tensors are stored."""
    name = None if dtype is None else str(dtype).replace("torch.", "")
    with Bar(show_progress_bar, "Converting") as bar:
        found = _cloze.convert(
            os.fspath(source),
            os.fspath(destination),
            dtype=name,
            max_shard_bytes=max_shard_bytes,
            overwrite=overwrite,
            lowercase=lowercase,
            progress=bar.report,
        )
    return ConvertedModel(**{**found, "left_out": tuple(found["left_out"])})


def export_onnx(
    model: Name,
    path: Name,
    task: str = "",
    *,
    external_data: bool = False,
    show_progress_bar: Optional[bool] = None,
) -> ExportedModel:
    """Writes a model as an ONNX file, with the inputs and outputs that Optimum gives it."""
    with Bar(show_progress_bar, "Exporting") as bar:
        found = _cloze.export_onnx(
            os.fspath(model), os.fspath(path), task=task, external_data=external_data, progress=bar.report
        )
    data = found.pop("data_file")
    return ExportedModel(
        **{**found, "inputs": tuple(found["inputs"]), "outputs": tuple(found["outputs"])},
        data_file=Path(data) if data else None,
    )


def load_safetensors(path: Name) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a file or a directory of weights, read-only views of the mapped file; bf16
    becomes f32, which NumPy does not have."""
    return dict(_cloze.load_tensors(os.fspath(path)))


def show_versions() -> dict[str, str]:
    """The versions that a bug report should have."""
    found = {
        "cloze": _cloze.version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "numpy": np.__version__,
        "threads": str(_cloze.get_num_threads()),
    }
    for name in ("torch", "transformers", "sentence_transformers"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(getattr(module, "__version__", "?"))
    return found
