"""Between rectangles [B, L] with a mask, which callers have, and packed tokens, which Cloze computes
with. Padding is not computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import numpy as np

from ._arrays import int32, integers
from ._log import warn_once

Array = np.ndarray[Any, Any]

# So many tokens are computed at once; between two parts there is a look at signals.
PART_TOKENS = 8192


class Part:
    """Sequences [begin, end) of a grid, packed."""

    def __init__(self, begin: int, end: int, tokens: slice, arrays: dict[str, Array]) -> None:
        self.begin = begin
        self.end = end
        self.tokens = tokens
        self.arrays = arrays


class Grid:
    """What a model reads, checked: int64 [B, L] each, and which of it are tokens."""

    def __init__(
        self,
        input_ids: Any,
        attention_mask: Any,
        token_type_ids: Any,
        position_ids: Any,
        config: Any,
    ) -> None:
        ids = integers(input_ids, "input_ids")
        if ids.ndim != 2:
            raise ValueError(
                f"input_ids is {_shape(ids)}, and must be [batch, length]: one sequence is input_ids[None]"
            )
        self.shape = ids.shape
        if attention_mask is None:
            self.mask = np.ones(ids.shape, dtype=bool)
            pad = getattr(config, "pad_token_id", None)
            if pad is not None and ids.size and (ids == pad).any():
                warn_once(
                    "We strongly recommend passing in an `attention_mask` since your input_ids may be padded: "
                    "without it, padding is read as text."
                )
        else:
            mask = self._like_ids(attention_mask, "attention_mask")
            self.mask = mask.astype(bool)
        self.lengths = self.mask.sum(axis=1)
        if ids.size and (self.lengths == 0).any():
            at = int(np.flatnonzero(self.lengths == 0)[0])
            raise ValueError(f"attention_mask[{at}] leaves no token of the sequence")
        self._require(ids, "input_ids", config.vocab_size, "the vocabulary has {} tokens")
        types = np.zeros_like(ids) if token_type_ids is None else self._like_ids(token_type_ids, "token_type_ids")
        self._require(types, "token_type_ids", config.type_vocab_size, "the model has {} segments")
        # Positions are columns, as in transformers, under left padding and holes of the mask, too.
        positions = (
            np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
            if position_ids is None
            else self._like_ids(position_ids, "position_ids")
        )
        self._require(positions, "position_ids", config.max_position_embeddings, "the model has {} positions")
        self.full = bool(self.mask.all())
        self._packed = {
            "input_ids": int32(ids[self.mask], "input_ids"),
            "token_type_ids": int32(types[self.mask], "token_type_ids"),
            "position_ids": int32(positions[self.mask], "position_ids"),
        }
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int32)

    def _like_ids(self, value: Any, name: str) -> Array:
        array = self._integers_of_floats(value, name)
        if array.ndim > 2:
            raise ValueError(f"{name} is {_shape(array)}: masks of each pair of tokens are not in Cloze, [batch, length] is")
        try:
            return np.broadcast_to(array, self.shape)
        except ValueError:
            raise ValueError(f"{name} is {_shape(array)}, and input_ids is {list(self.shape)}") from None

    @staticmethod
    def _integers_of_floats(value: Any, name: str) -> Array:
        """Masks may come as floats of 0 and 1."""
        from ._arrays import to_numpy

        if name == "attention_mask":
            array = to_numpy(value)
            if array.dtype.kind == "f" and np.isin(array, (0.0, 1.0)).all():
                floats: Array = array.astype(np.int64)
                return floats
        return integers(value, name)

    def _require(self, values: Array, name: str, limit: int, why: str) -> None:
        wrong = self.mask & ((values < 0) | (values >= limit))
        if wrong.any():
            row, column = map(int, np.argwhere(wrong)[0])
            raise ValueError(
                f"{name}[{row}][{column}] is {values[row, column]}, and {why.format(limit)}: 0 to {limit - 1}"
            )

    def parts(self, group: int = 1) -> Iterator[Part]:
        """All sequences, a part after another; `group` neighbours stay together."""
        begin = 0
        while begin < len(self.lengths):
            end = begin + group
            while end < len(self.lengths) and self.starts[end + group] - self.starts[begin] <= PART_TOKENS:
                end += group
            tokens = slice(int(self.starts[begin]), int(self.starts[end]))
            arrays = {name: values[tokens] for name, values in self._packed.items()}
            arrays["cu_seqlens"] = self.starts[begin : end + 1] - self.starts[begin]
            yield Part(begin, end, tokens, arrays)
            begin = end

    def tokens(self, parts: list[Array]) -> Array:
        """Packed rows [tokens, ...] of all parts as [B, L, ...], zero where there is no token."""
        tail = parts[0].shape[1:]
        if self.full:
            whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
            full: Array = whole.reshape(*self.shape, *tail)
            return full
        result = np.zeros((self.shape[0] * self.shape[1], *tail), dtype=parts[0].dtype)
        places = np.flatnonzero(self.mask)
        begin = 0
        for part in parts:
            result[places[begin : begin + len(part)]] = part
            begin += len(part)
        shaped: Array = result.reshape(*self.shape, *tail)
        return shaped

    def attention(self, part: Part, flat: Array, result: Array) -> None:
        """Probabilities of a part, one sequence after another, into [B, heads, L, L]."""
        heads, begin = result.shape[1], 0
        for row in range(part.begin, part.end):
            columns = np.flatnonzero(self.mask[row])
            length = len(columns)
            block = flat[begin : begin + heads * length * length].reshape(heads, length, length)
            begin += heads * length * length
            result[row][np.ix_(np.arange(heads), columns, columns)] = block

    def packed_positions(self, positions: Any) -> Array:
        """Flat places b·L + l as places among the packed tokens."""
        flat = integers(positions, "positions").reshape(-1)
        mask = self.mask.reshape(-1)
        wrong = (flat < 0) | (flat >= mask.size)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"positions[{at}] is {flat[at]}, and there are {mask.size} places")
        if not mask[flat].all():
            at = int(np.flatnonzero(~mask[flat])[0])
            raise ValueError(f"positions[{at}] is {flat[at]}, which is padding")
        places: Array = (np.cumsum(mask) - 1)[flat]
        return places


def _shape(array: Optional[Array]) -> str:
    return "None" if array is None else str(list(array.shape))
