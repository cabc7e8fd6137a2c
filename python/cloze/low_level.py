"""`Tokenizer`: the same tokenizer with the names of the package tokenizers."""

from __future__ import annotations

import json
from typing import Any, Optional, Union

import numpy as np

from . import _cloze
from ._locate import Name, locate
from ._texts import as_list, is_text, kind, split_pairs
from ._tokenizer_files import made_of_vocabulary
from .encoding import Encoding

__all__ = ["Tokenizer"]


class Tokenizer:
    """A tokenizer for those who come from the package tokenizers. `encode_batch` works on all cores.

    Truncation and padding that are enabled belong to this object alone: the tables below it are
    immutable, and any number of objects and threads share them.

    >>> from cloze import Tokenizer
    >>> tokenizer = Tokenizer.from_vocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s"])
    >>> tokenizer.enable_padding()
    >>> [encoding.ids for encoding in tokenizer.encode_batch(["hellos hello", "hello"])]
    [[2, 5, 6, 5, 3], [2, 5, 3, 0, 0]]
    """

    def __init__(self, native: Any) -> None:
        self._native = native
        self._truncation: Optional[dict[str, Any]] = None
        self._padding: Optional[dict[str, Any]] = None

    # Where it comes from, where it goes.

    @classmethod
    def from_pretrained(
        cls, identifier: Name, revision: Optional[str] = None, token: Optional[str] = None
    ) -> Tokenizer:
        """The tokenizer of a directory or of a name on the Hugging Face Hub."""
        directory = locate(identifier, revision=revision, token=token)
        return cls(_cloze.Tokenizer.from_pretrained(str(_cloze.transformer_directory(directory))))

    @classmethod
    def from_file(cls, path: Name) -> Tokenizer:
        """That of a `tokenizer.json`."""
        with open(path, encoding="utf-8") as file:
            return cls.from_str(file.read())

    @classmethod
    def from_str(cls, text: str) -> Tokenizer:
        """That of the text of a `tokenizer.json`."""
        return cls(_cloze.Tokenizer.from_json(text))

    @classmethod
    def from_buffer(cls, buffer: bytes) -> Tokenizer:
        """That of the bytes of a `tokenizer.json`."""
        return cls.from_str(bytes(buffer).decode("utf-8"))

    @classmethod
    def from_vocab(cls, vocab: Any, lowercase: bool = True, **options: Any) -> Tokenizer:
        """That of a list of tokens, a dict of their ids, or a `vocab.txt`."""
        return cls(made_of_vocabulary(vocab, lowercase=lowercase, **options))

    def to_str(self, pretty: bool = False) -> str:
        """The text of its `tokenizer.json`."""
        text = str(self._native.to_json())
        return json.dumps(json.loads(text), indent=2 if pretty else None, ensure_ascii=False)

    def save(self, path: Name, pretty: bool = True) -> None:
        """Writes its `tokenizer.json`."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.to_str(pretty))

    def __getstate__(self) -> dict[str, Any]:
        return {
            "files": (self._native.to_json(), self._native.config_to_json()),
            "truncation": self._truncation,
            "padding": self._padding,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._native = _cloze.Tokenizer.from_json(*state["files"])
        self._truncation = state["truncation"]
        self._padding = state["padding"]

    # Text to ids.

    def encode(
        self, sequence: Any, pair: Any = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> Encoding:
        """A text, or pair, or with `is_pretokenized` a list of words (or two)."""
        if is_pretokenized:
            if is_text(sequence) or not isinstance(sequence, (list, tuple)):
                raise TypeError(f"is_pretokenized wants a list of words, not {kind(sequence)}")
            return self._padded([self._words(sequence, pair, add_special_tokens)])[0]
        if not is_text(sequence):
            raise TypeError(f"sequence is {kind(sequence)}, not str")
        return self._encode_all([sequence], None if pair is None else [pair], add_special_tokens)[0]

    def encode_batch(self, input: Any, is_pretokenized: bool = False, add_special_tokens: bool = True) -> list[Encoding]:
        """Texts, or pairs (a, b), or lists of words."""
        items = as_list(input, "input")
        if not is_pretokenized:
            texts, pairs = split_pairs(items, "input")
            return self._encode_all(texts, pairs, add_special_tokens)
        made = []
        for i, item in enumerate(items):
            if not isinstance(item, (list, tuple)):
                raise TypeError(f"input[{i}] is {kind(item)}, not a list of words")
            two = isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], (list, tuple))
            made.append(self._words(item[0] if two else item, item[1] if two else None, add_special_tokens))
        return self._padded(made)

    encode_batch_fast = encode_batch

    def _options(self, add_special_tokens: bool) -> dict[str, Any]:
        cut = self._truncation
        if cut is None:
            return {"add_special_tokens": add_special_tokens}
        return {
            "add_special_tokens": add_special_tokens,
            "truncation": cut["strategy"],
            "max_length": cut["max_length"],
            "stride": cut["stride"],
            "truncation_side": cut["direction"],
            "overflowing": True,
        }

    def _encode_all(self, texts: list[Any], pairs: Optional[list[Any]], special: bool) -> list[Encoding]:
        natives = self._native.encode_batch(texts, pairs, **self._options(special))
        return self._padded([Encoding._of(native) for native in natives])

    def _words(self, words: Any, pair: Any, special: bool) -> Encoding:
        return Encoding._of(
            self._native.encode_words(
                list(words), None if pair is None else list(pair), **self._options(special)
            )
        )

    def _padded(self, encodings: list[Encoding]) -> list[Encoding]:
        how = self._padding
        if how is None or not encodings:
            return encodings
        length = how["length"]
        if length is None:
            length = max(len(encoding) for encoding in encodings)
        multiple = how["pad_to_multiple_of"]
        if multiple and length % multiple:
            length += multiple - length % multiple
        for encoding in encodings:
            encoding.pad(length, how["direction"], how["pad_id"], how["pad_type_id"], how["pad_token"])
        return encodings

    # Ids to text.

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        """The text of ids."""
        return str(self._native.decode([int(i) for i in ids], skip_special_tokens))

    def decode_batch(self, sequences: Any, skip_special_tokens: bool = True) -> list[str]:
        """The text of each list of ids."""
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    # The vocabulary.

    def token_to_id(self, token: str) -> Optional[int]:
        """The id of a token; None for what is none."""
        found = self._native.token_to_id(token)
        return None if found is None else int(found)

    def id_to_token(self, id: Union[int, "np.integer[Any]"]) -> Optional[str]:
        """The token of an id; None for what is none."""
        return str(self._native.id_to_token(int(id))) if 0 <= id < self._native.vocab_size else None

    def get_vocab(self, with_added_tokens: bool = True) -> dict[str, int]:
        """Every token with its id."""
        vocab = dict(self._native.vocab())
        if with_added_tokens:
            return vocab
        base = json.loads(self._native.to_json())["model"]["vocab"]
        names = base if isinstance(base, dict) else [entry[0] for entry in base]
        return {token: vocab[token] for token in names if token in vocab}

    def get_vocab_size(self, with_added_tokens: bool = True) -> int:
        """How many tokens there are."""
        return len(self.get_vocab(with_added_tokens))

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """2 for a text, 3 for a pair (of a BERT)."""
        pairs = [""] if is_pair else None
        return len(self._native.encode_batch([""], pairs)[0])

    # Truncation and padding.

    def enable_truncation(
        self, max_length: int, stride: int = 0, strategy: str = "longest_first", direction: str = "right"
    ) -> None:
        """From now on, texts are cut to `max_length` tokens, at the end or (direction="left") at the begin."""
        if direction not in ("left", "right"):
            raise ValueError(f"direction is {direction!r}: there are left and right")
        if strategy not in ("longest_first", "only_first", "only_second"):
            raise ValueError(f"strategy is {strategy!r}: there are longest_first, only_first and only_second")
        self._truncation = {
            "max_length": max_length,
            "stride": stride,
            "strategy": strategy,
            "direction": direction,
        }

    def no_truncation(self) -> None:
        """Texts are no longer cut."""
        self._truncation = None

    def enable_padding(
        self,
        direction: str = "right",
        pad_id: int = 0,
        pad_type_id: int = 0,
        pad_token: str = "[PAD]",
        length: Optional[int] = None,
        pad_to_multiple_of: Optional[int] = None,
    ) -> None:
        """From now on, texts of a call are made equally long."""
        if direction not in ("left", "right"):
            raise ValueError(f"direction is {direction!r}: there are left and right")
        self._padding = {
            "length": length,
            "pad_to_multiple_of": pad_to_multiple_of,
            "pad_id": pad_id,
            "pad_token": pad_token,
            "pad_type_id": pad_type_id,
            "direction": direction,
        }

    def no_padding(self) -> None:
        """Texts keep their lengths."""
        self._padding = None

    @property
    def truncation(self) -> Optional[dict[str, Any]]:
        """What `enable_truncation` said; None without."""
        return None if self._truncation is None else dict(self._truncation)

    @property
    def padding(self) -> Optional[dict[str, Any]]:
        """What `enable_padding` said; None without."""
        return None if self._padding is None else dict(self._padding)

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self._native.vocab_size}, lowercase={self._native.do_lower_case})"
