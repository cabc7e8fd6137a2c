"""`Encoding`: one tokenized text or pair, with the members of the package tokenizers."""

from __future__ import annotations

from typing import Any, Optional, Sequence

Offsets = tuple[int, int]


class Encoding:
    """The tokens of a text or pair, and where each came from.

    >>> from cloze import Tokenizer
    >>> tokenizer = Tokenizer.from_vocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello"])
    >>> encoding = tokenizer.encode("Hello hello")
    >>> encoding.tokens
    ['[CLS]', 'hello', 'hello', '[SEP]']
    >>> encoding.char_to_token(6), encoding.token_to_chars(2), encoding.word_ids
    (2, (6, 11), [None, 0, 1, None])
    """

    __slots__ = (
        "ids",
        "type_ids",
        "tokens",
        "offsets",
        "attention_mask",
        "special_tokens_mask",
        "word_ids",
        "sequence_ids",
        "overflowing",
    )

    ids: list[int]
    type_ids: list[int]
    tokens: list[str]
    offsets: list[Offsets]
    attention_mask: list[int]
    special_tokens_mask: list[int]
    word_ids: list[Optional[int]]
    sequence_ids: list[Optional[int]]
    overflowing: list[Encoding]

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, [])

    @classmethod
    def _of(cls, native: Any) -> Encoding:
        made = cls()
        for name in cls.__slots__[:-1]:
            setattr(made, name, getattr(native, name))
        made.overflowing = [cls._of(part) for part in native.overflowing]
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Encoding):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Encoding(num_tokens={len(self)}, attributes=[ids, type_ids, tokens, offsets, "
            "attention_mask, special_tokens_mask, overflowing])"
        )

    @property
    def words(self) -> list[Optional[int]]:
        """`word_ids` by its older name."""
        return self.word_ids

    @property
    def n_sequences(self) -> int:
        """2 for a pair, else 1."""
        return 2 if 1 in self.sequence_ids else 1

    def token_to_sequence(self, token_index: int) -> Optional[int]:
        """0 or 1: which text the token came from; None for a special token."""
        self._require(token_index)
        return self.sequence_ids[token_index]

    def token_to_chars(self, token_index: int) -> Optional[Offsets]:
        """The code points [begin, end) of the token in its text; None for a special token."""
        self._require(token_index)
        if self.sequence_ids[token_index] is None:
            return None
        return self.offsets[token_index]

    def token_to_word(self, token_index: int) -> Optional[int]:
        """The word that the token is a part of; None for a special token."""
        self._require(token_index)
        return self.word_ids[token_index]

    def char_to_token(self, char_pos: int, sequence_index: int = 0) -> Optional[int]:
        """The token that holds a code point of the text; None between tokens."""
        for index, (begin, end) in enumerate(self.offsets):
            if self.sequence_ids[index] == sequence_index and begin <= char_pos < end:
                return index
        return None

    def char_to_word(self, char_pos: int, sequence_index: int = 0) -> Optional[int]:
        """The word that holds a code point of the text."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.word_ids[token]

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> Optional[Offsets]:
        """The tokens [first, last + 1) of a word."""
        found = [
            index
            for index, word in enumerate(self.word_ids)
            if word == word_index and self.sequence_ids[index] == sequence_index
        ]
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> Optional[Offsets]:
        """The code points [begin, end) of a word."""
        tokens = self.word_to_tokens(word_index, sequence_index)
        if tokens is None:
            return None
        return (self.offsets[tokens[0]][0], self.offsets[tokens[1] - 1][1])

    def pad(
        self,
        length: int,
        direction: str = "right",
        pad_id: int = 0,
        pad_type_id: int = 0,
        pad_token: str = "[PAD]",
    ) -> None:
        """Fills up to `length` tokens, in the overflowing parts, too."""
        if direction not in ("left", "right"):
            raise ValueError(f"direction is {direction!r}: there are left and right")
        for part in self.overflowing:
            part.pad(length, direction, pad_id, pad_type_id, pad_token)
        missing = length - len(self)
        if missing <= 0:
            return
        fill: dict[str, Any] = {
            "ids": pad_id,
            "type_ids": pad_type_id,
            "tokens": pad_token,
            "offsets": (0, 0),
            "attention_mask": 0,
            "special_tokens_mask": 1,
            "word_ids": None,
            "sequence_ids": None,
        }
        for name, value in fill.items():
            padding = [value] * missing
            values = getattr(self, name)
            setattr(self, name, values + padding if direction == "right" else padding + values)

    def truncate(self, max_length: int, stride: int = 0, direction: str = "right") -> None:
        """Keeps `max_length` tokens, and puts the others into `overflowing`, in windows that share
        `stride` tokens."""
        if direction not in ("left", "right"):
            raise ValueError(f"direction is {direction!r}: there are left and right")
        if len(self) <= max_length:
            return
        if max_length == 0:
            whole = self._slice(0, len(self))
            self._become(self._slice(0, 0))
            self.overflowing = [whole]
            return
        if stride >= max_length:
            raise ValueError(f"stride is {stride}, and must be less than max_length ({max_length})")
        step = max_length - stride
        windows = []
        if direction == "right":
            for begin in range(0, len(self), step):
                end = min(begin + max_length, len(self))
                windows.append((begin, end))
                if end == len(self):
                    break
        else:
            for stop in range(len(self), 0, -step):
                begin = max(stop - max_length, 0)
                windows.append((begin, stop))
                if begin == 0:
                    break
        parts = [self._slice(begin, end) for begin, end in windows]
        self._become(parts[0])
        self.overflowing = parts[1:]

    @staticmethod
    def merge(encodings: Sequence[Encoding], growing_offsets: bool = True) -> Encoding:
        """One encoding of several; offsets go on where those before ended if they grow."""
        result = Encoding()
        shift = 0
        for encoding in encodings:
            for name in Encoding.__slots__:
                if name not in ("offsets", "overflowing"):
                    getattr(result, name).extend(getattr(encoding, name))
            offsets = [(begin + shift, end + shift) for begin, end in encoding.offsets]
            result.offsets.extend(offsets)
            if growing_offsets and offsets:
                shift = offsets[-1][1]
        return result

    def set_sequence_id(self, sequence_id: int) -> None:
        """Makes all tokens come from this text."""
        self.sequence_ids = [sequence_id] * len(self)

    def _slice(self, begin: int, end: int) -> Encoding:
        part = Encoding()
        for name in self.__slots__[:-1]:
            setattr(part, name, getattr(self, name)[begin:end])
        return part

    def _become(self, other: Encoding) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def _require(self, token_index: int) -> None:
        if not -len(self) <= token_index < len(self):
            raise IndexError(f"there is no token {token_index}: there are {len(self)}")
