"""The texts of a tokenizer's call as rows of ids: packed where ids are enough, whole Encodings where windows or
words are asked for."""

from __future__ import annotations

from typing import Any, Optional, Union

import numpy as np

from ._texts import kind
from ._tokenizer_limits import Limits
from .encoding import Encoding


class Windows:
    """The texts of a call, and how they become rows of ids."""

    def __init__(
        self,
        native: Any,
        texts: list[Any],
        pairs: Optional[list[Any]],
        words: bool,
        add_special_tokens: bool,
        limits: Limits,
        stride: int,
        side: str,
    ) -> None:
        self._native = native
        self._texts = texts
        self._pairs = pairs
        self._words = words
        self._options: dict[str, Any] = {
            "add_special_tokens": add_special_tokens,
            "truncation": limits.truncation,
            "max_length": limits.length,
            "truncation_side": side,
        }
        self._stride = 0 if limits.truncation == "do_not_truncate" else stride

    def packed(self, alignment: bool) -> PackedRows:
        """A row a text, without more than ids (and where they came from)."""
        packed = self._native.pack(self._texts, self._pairs, alignment=alignment, **self._options)
        return PackedRows(packed, self._encode)

    def full(self, overflowing: bool) -> FullRows:
        """All there is to know, a row a window."""
        if self._words:
            natives = [
                self._native.encode_words(
                    words_of(words, i),
                    None if self._pairs is None else words_of(self._pairs[i], i),
                    stride=self._stride,
                    overflowing=overflowing,
                    **self._options,
                )
                for i, words in enumerate(self._texts)
            ]
        else:
            natives = self._native.encode_batch(
                self._texts, self._pairs, stride=self._stride, overflowing=overflowing, **self._options
            )
        rows, samples = [], []
        for i, native in enumerate(natives):
            encoding = Encoding._of(native)
            parts = [encoding, *encoding.overflowing] if overflowing else [encoding]
            rows.extend(parts)
            samples.extend([i] * len(parts))
        return FullRows(rows, samples)

    def _encode(self, index: int) -> Encoding:
        """The text again, with all there is to know of it."""
        pairs = None if self._pairs is None else [self._pairs[index]]
        return Encoding._of(self._native.encode_batch([self._texts[index]], pairs, **self._options)[0])


class PackedRows:
    """Rows of ids one after another, in arrays."""

    def __init__(self, packed: Any, encode: Any) -> None:
        self._packed = packed
        self._starts = packed.cu_seqlens
        self.lengths = np.diff(self._starts)
        self.samples = range(len(self.lengths))
        self.encoding = encode

    def columns(self, names: list[str], width: int, left: bool, pad_id: int, arrays: bool) -> dict[str, Any]:
        longest = int(self.lengths.max(initial=0))
        equal = len(self.lengths) == 0 or int(self.lengths.min()) == longest or width >= longest
        if arrays and equal:
            ids, types, mask = self._packed.padded(width, left, pad_id, 0)
            data: dict[str, Any] = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
            if "special_tokens_mask" in names:
                data["special_tokens_mask"] = self._scatter((self._packed.word_ids < 0).astype(np.int64), mask, 1)
            if "offset_mapping" in names:
                data["offset_mapping"] = self._scatter(self._packed.offsets.astype(np.int64), mask, 0)
            return {name: data[name] for name in names}
        return {name: self._lists(name, width, left, pad_id) for name in names}

    def _scatter(self, values: Any, mask: Any, fill: int) -> Any:
        result = np.full(mask.shape + values.shape[1:], fill, dtype=np.int64)
        result[mask.astype(bool)] = values
        return result

    def _lists(self, name: str, width: int, left: bool, pad_id: int) -> list[list[Any]]:
        fill: Any = 0
        if name == "input_ids":
            values, fill = self._packed.input_ids.tolist(), pad_id
        elif name == "token_type_ids":
            values = self._packed.token_type_ids.tolist()
        elif name == "attention_mask":
            values = [1] * int(self._starts[-1])
        elif name == "special_tokens_mask":
            values, fill = (self._packed.word_ids < 0).astype(int).tolist(), 1
        else:
            offsets = self._packed.offsets
            # Not by way of lists: half as many objects, and half as much for the garbage collector to look at.
            values, fill = list(zip(offsets[:, 0].tolist(), offsets[:, 1].tolist())), (0, 0)
        starts = self._starts.tolist()
        rows = [values[begin:end] for begin, end in zip(starts, starts[1:])]
        return [_filled(row, width, left, fill) for row in rows] if width else rows


class FullRows:
    """Rows as Encodings."""

    def __init__(self, encodings: list[Encoding], samples: list[int]) -> None:
        self._encodings = encodings
        self.samples = samples
        self.lengths = [len(encoding) for encoding in encodings]

    def encoding(self, index: int) -> Encoding:
        made = Encoding.merge([self._encodings[index]])
        made.overflowing = self._encodings[index].overflowing
        return made

    def columns(self, names: list[str], width: int, left: bool, pad_id: int, arrays: bool) -> dict[str, Any]:
        del arrays  # BatchEncoding makes them
        members = {
            "input_ids": ("ids", pad_id),
            "token_type_ids": ("type_ids", 0),
            "attention_mask": ("attention_mask", 0),
            "special_tokens_mask": ("special_tokens_mask", 1),
            "offset_mapping": ("offsets", (0, 0)),
        }
        data = {}
        for name in names:
            member, fill = members[name]
            data[name] = [_filled(list(getattr(row, member)), width, left, fill) for row in self._encodings]
        return data


def _filled(row: list[Any], width: int, left: bool, fill: Any) -> list[Any]:
    padding = [fill] * max(0, width - len(row))
    return padding + row if left else row + padding


def words_of(words: Any, index: int) -> list[Any]:
    if not isinstance(words, (list, tuple)):
        raise TypeError(f"texts[{index}] is {kind(words)}, not a list of words")
    return list(words)


Rows = Union[PackedRows, FullRows]
