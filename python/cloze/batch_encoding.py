"""`BatchEncoding`: what a tokenizer returns, with the members that transformers' has."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from ._arrays import is_torch, require_torch, tensor_kind, to_torch
from .encoding import Encoding

__all__ = ["BatchEncoding", "CharSpan", "TokenSpan"]


class CharSpan(NamedTuple):
    """Code points [start, end) of a text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens [start, end) of a sequence."""

    start: int
    end: int


class LazyEncodings:
    """Encodings that are made when somebody asks for them: most callers want ids alone."""

    def __init__(self, count: int, make: Callable[[int], Encoding]) -> None:
        self._made: list[Optional[Encoding]] = [None] * count
        self._make = make

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> Encoding:
        made = self._made[index]
        if made is None:
            made = self._make(index if index >= 0 else index + len(self._made))
            self._made[index] = made
        return made

    def all(self) -> list[Encoding]:
        return [self[index] for index in range(len(self))]


class BatchEncoding(UserDict):  # type: ignore[type-arg]
    """A dict of what the model reads, with where each token came from.

    >>> from cloze import BertTokenizer
    >>> tokenizer = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s"])
    >>> batch = tokenizer(["hello hellos", "hello"], padding=True, return_tensors="np")
    >>> batch["input_ids"].shape, batch.tokens(0)
    ((2, 5), ['[CLS]', 'hello', 'hello', '##s', '[SEP]'])
    >>> batch.word_to_tokens(0, 1), batch.char_to_token(0, 11)
    (TokenSpan(start=2, end=4), 3)
    """

    def __init__(
        self,
        data: Optional[dict[str, Any]] = None,
        encoding: Union[None, Encoding, list[Encoding], LazyEncodings] = None,
        tensor_type: Any = None,
        prepend_batch_axis: bool = False,
        n_sequences: Optional[int] = None,
    ) -> None:
        super().__init__(data)
        if isinstance(encoding, Encoding):
            encoding = [encoding]
        self._encodings = encoding
        self._n_sequences = n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    # The dict.

    def __getitem__(self, item: Union[int, str, slice]) -> Any:
        if isinstance(item, str):
            return self.data[item]
        if isinstance(item, slice):
            return {key: self.data[key][item] for key in self.data}
        if self._encodings is not None:
            return self._encodings[item]
        raise KeyError(
            "Invalid key. Only three types of key are available: "
            "(1) string, (2) integers for backend Encoding, and (3) slices for data subsetting."
        )

    def __getattr__(self, item: str) -> Any:
        if item == "data" or item.startswith("__"):
            raise AttributeError(item)
        try:
            return self.data[item]
        except KeyError:
            raise AttributeError(
                f"there is no {item!r} in this BatchEncoding: it has {', '.join(self.data)}"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data, "encodings": self.encodings, "n_sequences": self._n_sequences}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.data = state["data"]
        self._encodings = state["encodings"]
        self._n_sequences = state["n_sequences"]

    # Where tokens came from.

    @property
    def encodings(self) -> Optional[list[Encoding]]:
        """An Encoding a sequence; None after `pad`, which knows ids alone."""
        if isinstance(self._encodings, LazyEncodings):
            self._encodings = self._encodings.all()
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Whether the methods below have answers."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> Optional[int]:
        """1 for texts, 2 for pairs."""
        if self._n_sequences is None and self._encodings is not None and len(self._encodings):
            self._n_sequences = self._encodings[0].n_sequences
        return self._n_sequences

    def _encoding(self, index: int, method: str) -> Encoding:
        if self._encodings is None:
            raise ValueError(
                f"{method} is not available when using non-fast tokenizers (e.g. instance of a "
                "`XxxTokenizerFast` class): this BatchEncoding was padded or made by itself."
            )
        return self._encodings[index]

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of a sequence."""
        return self._encoding(batch_index, "tokens()").tokens

    def sequence_ids(self, batch_index: int = 0) -> list[Optional[int]]:
        """0 or 1 for each token: which text it came from; None for special ones."""
        return self._encoding(batch_index, "sequence_ids()").sequence_ids

    def word_ids(self, batch_index: int = 0) -> list[Optional[int]]:
        """The word of each token; None for special ones."""
        return self._encoding(batch_index, "word_ids()").word_ids

    def words(self, batch_index: int = 0) -> list[Optional[int]]:
        """`word_ids` by its older name."""
        return self.word_ids(batch_index)

    def _place(self, first: int, second: Optional[int]) -> tuple[int, int]:
        """Index of the sequence and of what is asked for, which may be negative."""
        return (0, first) if second is None else (first, second)

    def _token_place(self, method: str, first: int, second: Optional[int]) -> tuple[Encoding, int]:
        batch, token = self._place(first, second)
        encoding = self._encoding(batch, method)
        return encoding, token if token >= 0 else token + len(encoding)

    def token_to_sequence(self, batch_or_token_index: int, token_index: Optional[int] = None) -> Optional[int]:
        """Which text a token came from."""
        encoding, token = self._token_place("token_to_sequence()", batch_or_token_index, token_index)
        return encoding.token_to_sequence(token)

    def token_to_word(self, batch_or_token_index: int, token_index: Optional[int] = None) -> Optional[int]:
        """The word that a token is a part of."""
        encoding, token = self._token_place("token_to_word()", batch_or_token_index, token_index)
        return encoding.token_to_word(token)

    def token_to_chars(
        self, batch_or_token_index: int, token_index: Optional[int] = None
    ) -> Optional[CharSpan]:
        """The code points of a token."""
        encoding, token = self._token_place("token_to_chars()", batch_or_token_index, token_index)
        span = encoding.token_to_chars(token)
        return None if span is None else CharSpan(*span)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: Optional[int] = None, sequence_index: int = 0
    ) -> Optional[TokenSpan]:
        """The tokens of a word."""
        batch, word = self._place(batch_or_word_index, word_index)
        span = self._encoding(batch, "word_to_tokens()").word_to_tokens(word, sequence_index)
        return None if span is None else TokenSpan(*span)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: Optional[int] = None, sequence_index: int = 0
    ) -> Optional[CharSpan]:
        """The code points of a word."""
        batch, word = self._place(batch_or_word_index, word_index)
        span = self._encoding(batch, "word_to_chars()").word_to_chars(word, sequence_index)
        return None if span is None else CharSpan(*span)

    def char_to_token(
        self, batch_or_char_index: int, char_index: Optional[int] = None, sequence_index: int = 0
    ) -> Optional[int]:
        """The token that holds a code point."""
        batch, char = self._place(batch_or_char_index, char_index)
        return self._encoding(batch, "char_to_token()").char_to_token(char, sequence_index)

    def char_to_word(
        self, batch_or_char_index: int, char_index: Optional[int] = None, sequence_index: int = 0
    ) -> Optional[int]:
        """The word that holds a code point."""
        batch, char = self._place(batch_or_char_index, char_index)
        return self._encoding(batch, "char_to_word()").char_to_word(char, sequence_index)

    # Tensors.

    def convert_to_tensors(self, tensor_type: Any = None, prepend_batch_axis: bool = False) -> BatchEncoding:
        """Makes arrays ("np") or tensors ("pt") of the lists; returns itself."""
        kind = tensor_kind(tensor_type)
        if kind is None:
            return self
        if kind == "pt":
            require_torch("return_tensors='pt'")
        for key, value in self.data.items():
            if value is None or is_torch(value) or (kind == "np" and isinstance(value, np.ndarray)):
                continue
            if prepend_batch_axis:
                value = [value]
            try:
                array = np.asarray(value)
            except ValueError:
                array = np.empty(0, dtype=object)
            if array.dtype == object or array.dtype.kind in "US":
                if key == "overflowing_tokens":
                    raise ValueError(
                        "Unable to create tensor returning overflowing tokens of different lengths. "
                        "Please see if a fast version of this tokenizer is available to have this feature available."
                    )
                raise ValueError(
                    "Unable to create tensor, you should probably activate truncation and/or padding with"
                    " 'padding=True' 'truncation=True' to have batched tensors with the same length. Perhaps your"
                    f" features (`{key}` in this case) have excessive nesting (inputs type `list` where type `int` is"
                    " expected)."
                )
            if array.dtype.kind in "iub" or array.size == 0:
                array = array.astype(np.int64)
            self.data[key] = to_torch(array) if kind == "pt" else array
        return self

    def to(self, device: Any, *, non_blocking: bool = False) -> BatchEncoding:
        """Itself, for "cpu": there is no other device."""
        if str(device) not in ("cpu", "cpu:0") and getattr(device, "type", None) != "cpu":
            raise ValueError(f"device is {device!r}: Cloze computes on the CPU alone")
        return self

    def __repr__(self) -> str:
        return str(self.data)

    def _repr_html_(self) -> str:
        import html  # here: only a notebook needs it

        if self._encodings is None:
            return f"<pre>{html.escape(repr(self))}</pre>"
        rows = []
        for index in range(min(len(self._encodings), 20)):
            cells = "".join(f"<td>{html.escape(token)}</td>" for token in self._encodings[index].tokens)
            rows.append(f"<tr><th>{index}</th>{cells}</tr>")
        return f"<table>{''.join(rows)}</table>"
