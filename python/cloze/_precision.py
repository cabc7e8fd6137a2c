"""What a model computes in, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np


class Device(str):
    """Where a model computes: "cpu", with the attributes that programs ask a torch.device for."""

    type = "cpu"


def precision_of(dtype: Any, config: Optional[Mapping[str, Any]] = None) -> str:
    """The name of what the library computes in: of a name, or a dtype of torch or NumPy. "auto" is
    what the checkpoint's config says. Raises ValueError for others."""
    if dtype is None:
        return "float32"
    name = dtype if isinstance(dtype, str) else str(dtype).replace("torch.", "")
    if not isinstance(dtype, str) and name.startswith("<class"):
        name = np.dtype(dtype).name
    if name == "auto":
        stated = config or {}
        name = str(stated.get("dtype") or stated.get("torch_dtype") or "float32")
        return "bfloat16" if name == "bfloat16" else "float32"
    names = {"f32": "float32", "bf16": "bfloat16", "float": "float32"}
    name = names.get(name, name)
    if name not in ("float32", "bfloat16", "int8", "best"):
        raise ValueError(
            f"dtype is {dtype!r}: Cloze computes in 'float32', 'bfloat16' and 'int8'; 'best' is what "
            "is fastest here without 8 bits, 'auto' what the checkpoint says"
        )
    return name
