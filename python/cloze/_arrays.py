"""NumPy, and torch where the caller brings it: torch is never imported on Cloze's own account."""

from __future__ import annotations

import sys
from typing import Any, Optional

import numpy as np


def torch_if_loaded() -> Any:
    """The module torch if the program has imported it, else None."""
    return sys.modules.get("torch")


def require_torch(why: str) -> Any:
    """The module torch, imported. Raises ImportError that says what for."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"{why} needs PyTorch, which is not installed: pip install torch") from error
    return torch


def is_torch(value: Any) -> bool:
    torch = torch_if_loaded()
    return torch is not None and isinstance(value, torch.Tensor)


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """An array of NumPy of a tensor, an array or nested lists."""
    if is_torch(value):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
        return value.numpy()  # type: ignore[no-any-return]
    return np.asarray(value)


def to_torch(array: np.ndarray[Any, Any]) -> Any:
    """A tensor of torch that shares the array's memory where torch allows it."""
    torch = require_torch("a tensor")
    array = np.ascontiguousarray(array)
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array)


def like(array: Any, torch_wanted: bool) -> Any:
    """The array, or as a tensor of torch where the input was one."""
    if array is None or not torch_wanted:
        return array
    return to_torch(array)


def integers(value: Any, name: str) -> np.ndarray[Any, Any]:
    """int64 of integers in any form. Raises ValueError and TypeError that name what is wrong."""
    if value is None:
        raise TypeError(f"{name} is None")
    try:
        array = to_numpy(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged: every row must be as long as the others") from error
    if array.dtype == object:
        raise ValueError(
            f"{name} is ragged, or holds something that is no number: "
            "tokenize with padding=True to get a rectangle"
        )
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype == np.bool_:
        return array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        kind = "NaN" if np.issubdtype(array.dtype, np.floating) and np.isnan(array).any() else array.dtype
        raise TypeError(f"{name} holds {kind}, and must hold integers")
    return np.ascontiguousarray(array, dtype=np.int64)


def int32(array: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    """int32 of int64 whose values fit. Raises ValueError that names the first that does not."""
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        at = int(np.flatnonzero((array < -(2**31)) | (array >= 2**31))[0])
        raise ValueError(f"{name} holds {array.reshape(-1)[at]}, which is no id")
    return np.ascontiguousarray(array, dtype=np.int32)


def tensor_kind(kind: Any) -> Optional[str]:
    """ "np" or "pt" of what return_tensors may be. Raises ValueError for others."""
    if kind is None:
        return None
    name = getattr(kind, "value", kind)
    if name in ("np", "pt"):
        return str(name)
    raise ValueError(
        f"return_tensors is {kind!r}: Cloze makes 'np' (NumPy) and 'pt' (PyTorch)"
    )
