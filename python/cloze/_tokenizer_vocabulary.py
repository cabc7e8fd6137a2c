"""Ids and tokens: a tokenizer's vocabulary, the special tokens of its template, and ids back to text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Optional

import numpy as np

from ._arrays import is_torch, to_numpy
from ._locate import refuse
from ._special_tokens import SpecialTokens
from ._texts import kind
from ._tokenizer_files import added_tokens, changed


class Vocabulary(SpecialTokens):
    """What a tokenizer knows of tokens: the part of `BertTokenizer` that reads no text."""

    model_max_length: int
    _mode: str
    _clean_up: Optional[bool]

    # Ids to text.

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: Optional[bool] = None,
        **unused: Any,
    ) -> Any:
        """The text of ids; a list of texts for a list of lists."""
        refuse({key: value for key, value in unused.items() if key != "use_source_tokenizer"}, "decode")
        clean_up = self._clean_up if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        if isinstance(token_ids, Mapping):
            token_ids = token_ids["input_ids"]
        if is_torch(token_ids) or isinstance(token_ids, np.ndarray):
            token_ids = to_numpy(token_ids).tolist()
        if isinstance(token_ids, (int, np.integer)):
            token_ids = [int(token_ids)]
        token_ids = list(token_ids)
        if token_ids and not isinstance(token_ids[0], (int, np.integer)):
            return [self.decode(ids, skip_special_tokens, clean_up) for ids in token_ids]
        return self._native.decode(_ids(token_ids), skip_special_tokens, clean_up)

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: Optional[bool] = None,
        **unused: Any,
    ) -> list[str]:
        """The text of each row of ids."""
        if is_torch(sequences) or isinstance(sequences, np.ndarray):
            sequences = to_numpy(sequences).tolist()
        return [self.decode(ids, skip_special_tokens, clean_up_tokenization_spaces, **unused) for ids in sequences]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a token, or of each of a list; that of [UNK] for what is none."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            found = self._native.token_to_id(tokens)
            return self.unk_token_id if found is None else found
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The token of an id, or of each of a list."""
        if isinstance(ids, (int, np.integer)):
            return self._native.id_to_token(int(ids))
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._native.id_to_token(int(i)) for i in _ids(ids) if i not in special]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text that tokens make."""
        return str(self._native.tokens_to_text(list(tokens)))

    # The vocabulary.

    def get_vocab(self) -> dict[str, int]:
        """Every token with its id, added ones included."""
        return dict(self._vocabulary)

    @property
    def vocab(self) -> dict[str, int]:
        """`get_vocab()`."""
        return self.get_vocab()

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return dict(self._native.vocab())

    @cached_property
    def _tokenizer_json(self) -> dict[str, Any]:
        return json.loads(self._native.to_json())  # type: ignore[no-any-return]

    @cached_property
    def vocab_size(self) -> int:
        """Tokens of the vocabulary, without those that were added to it."""
        return len(self._tokenizer_json["model"]["vocab"])

    def __len__(self) -> int:
        return len(self._vocabulary)

    def get_added_vocab(self) -> dict[str, int]:
        """The added tokens with their ids."""
        return {entry["content"]: entry["id"] for entry in self._tokenizer_json.get("added_tokens", [])}

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Adds tokens that are not there yet, and returns how many. The tokenizer becomes a new
        one: others that share it keep theirs."""
        if isinstance(new_tokens, str) or not isinstance(new_tokens, (list, tuple)):
            new_tokens = [new_tokens]
        wanted = [(str(token), special_tokens or bool(getattr(token, "special", False))) for token in new_tokens]
        missing = [(token, special) for token, special in wanted if token and token not in self._vocabulary]
        if missing:
            self._replace(changed(self._native, self._mode, tokens=missing, first_id=len(self._vocabulary)))
        return len(missing)

    def add_special_tokens(self, special_tokens_dict: Mapping[str, Any], replace_extra_special_tokens: bool = True) -> int:
        """Makes tokens special, such as {"pad_token": "<pad>", "extra_special_tokens": ["<brand>"]},
        and adds those that are not there; returns how many were added."""
        del replace_extra_special_tokens  # a token that is special once stays so
        roles = {}
        tokens: list[Any] = []
        for name, value in special_tokens_dict.items():
            if name in ("extra_special_tokens", "additional_special_tokens"):
                tokens.extend(value)
            elif name in ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token"):
                tokens.append(value)
                roles[name] = str(value)
            else:
                raise ValueError(f"{name} is no special token of a BERT")
        added = self.add_tokens(tokens, special_tokens=True)
        if any(roles[name] != self._token(name) for name in roles):
            self._replace(changed(self._native, self._mode, config=roles))
        return added

    @property
    def init_inputs(self) -> tuple[Any, ...]:
        """None: a tokenizer is made of its files."""
        return ()

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """What its tokenizer_config.json says."""
        return dict(json.loads(self._native.config_to_json()))

    @property
    def backend(self) -> str:
        """ "tokenizers": words, offsets and alignments are there, as with the fast tokenizers."""
        return "tokenizers"

    def _replace(self, native: Any) -> None:
        self._native = native
        for name in ("_vocabulary", "_tokenizer_json", "vocab_size"):
            self.__dict__.pop(name, None)

    @property
    def _added(self) -> list[dict[str, Any]]:
        return added_tokens(self._tokenizer_json)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """2 for a text, 3 for a pair (of a BERT)."""
        return len(self._native.encode_batch([""], [""] if pair else None)[0])

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of a text that fit, without the special ones."""
        return int(self.model_max_length - self.num_special_tokens_to_add(pair=False))

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of a pair that fit, without the special ones."""
        return int(self.model_max_length - self.num_special_tokens_to_add(pair=True))

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: Optional[list[int]] = None) -> list[int]:
        """[CLS] A [SEP], or [CLS] A [SEP] B [SEP]."""
        cls, sep = int(self._native.cls_token_id), int(self._native.sep_token_id)
        ids = [cls, *token_ids_0, sep]
        return ids if token_ids_1 is None else [*ids, *token_ids_1, sep]

    def create_token_type_ids_from_sequences(self, token_ids_0: list[int], token_ids_1: Optional[list[int]] = None) -> list[int]:
        """0 for the first text and its special tokens, 1 for the second."""
        types = [0] * (len(token_ids_0) + 2)
        return types if token_ids_1 is None else types + [1] * (len(token_ids_1) + 1)

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: Optional[list[int]] = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 for special tokens, 0 for others."""
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise ValueError("ids that have their special tokens already come without token_ids_1")
            special = set(self.all_special_ids)
            return [int(i in special) for i in token_ids_0]
        mask = [1, *[0] * len(token_ids_0), 1]
        return mask if token_ids_1 is None else [*mask, *[0] * len(token_ids_1), 1]

    @property
    def do_lower_case(self) -> bool:
        """Whether texts lose their case."""
        return bool(self._native.do_lower_case)

    @property
    def clean_up_tokenization_spaces(self) -> bool:
        """Whether `decode` removes spaces before punctuation unless it is told."""
        if self._clean_up is not None:
            return self._clean_up
        return bool(json.loads(self._native.config_to_json()).get("clean_up_tokenization_spaces", False))


def _ids(ids: Any) -> list[int]:
    values = to_numpy(ids).tolist() if is_torch(ids) or isinstance(ids, np.ndarray) else list(ids)
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"ids[{i}] is {kind(value)}, not int")
        if not 0 <= value < 2**31:
            raise ValueError(f"ids[{i}] is {value}, which is no id")
    return [int(value) for value in values]
