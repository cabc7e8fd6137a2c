"""Padding of texts that are tokenized already: transformers' `PreTrainedTokenizerBase.pad`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from ._arrays import is_torch, to_numpy
from .batch_encoding import BatchEncoding


def pad_batch(
    encoded: Any,
    *,
    how: str,
    width: Optional[int],
    multiple: Optional[int],
    left: bool,
    pad_id: Optional[int],
    names: list[str],
    return_attention_mask: Optional[bool],
    return_tensors: Any,
) -> BatchEncoding:
    """Makes the rows equally long; see `BertTokenizer.pad`."""
    if isinstance(encoded, (list, tuple)) and encoded and isinstance(encoded[0], Mapping):
        encoded = {key: [example[key] for example in encoded] for key in encoded[0]}
    if not isinstance(encoded, Mapping):
        raise ValueError(f"pad wants a dict of lists or a list of dicts, not {type(encoded).__name__}")
    if names[0] not in encoded:
        raise ValueError(
            "You should supply an encoding or a list of encodings to this method "
            f"that includes {names[0]}, but you provided {list(encoded.keys())}"
        )
    rows = encoded[names[0]]
    if rows is None or len(rows) == 0:
        empty = dict(encoded)
        if return_attention_mask:
            empty["attention_mask"] = []
        return BatchEncoding(empty, tensor_type=return_tensors)
    if return_tensors is None:
        first = rows[0] if isinstance(rows, (list, tuple)) else rows
        return_tensors = "pt" if is_torch(first) else "np" if isinstance(first, np.ndarray) else None
    data: dict[str, Any] = {key: _lists(value) for key, value in encoded.items()}
    single = not isinstance(data[names[0]][0], (list, tuple))
    if single:
        data = {key: [value] for key, value in data.items()}
    count = len(data[names[0]])
    for key, value in data.items():
        if isinstance(value, list) and len(value) != count:
            raise ValueError(
                f"Some items in the output dictionary have a different batch size than others: "
                f"{key} has {len(value)}, {names[0]} {count}"
            )
    lengths = [len(row) for row in data[names[0]]]
    target = max(lengths) if how == "longest" else width
    if target is not None and multiple and target % multiple:
        target += multiple - target % multiple
    if return_attention_mask is None:
        return_attention_mask = "attention_mask" in names or "attention_mask" in data
    if return_attention_mask and "attention_mask" not in data:
        data["attention_mask"] = [[1] * length for length in lengths]
    if how != "do_not_pad" and target is not None:
        fills = {names[0]: pad_id, "token_type_ids": 0, "attention_mask": 0, "special_tokens_mask": 1}
        for key, fill in fills.items():
            if key not in data:
                continue
            data[key] = [
                [fill] * (target - len(row)) + list(row) if left else list(row) + [fill] * (target - len(row))
                for row in data[key]
            ]
    if single:
        data = {key: value[0] for key, value in data.items()}
    return BatchEncoding(data, tensor_type=return_tensors)


def _lists(value: Any) -> Any:
    if is_torch(value) or isinstance(value, np.ndarray):
        return to_numpy(value).tolist()
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value
