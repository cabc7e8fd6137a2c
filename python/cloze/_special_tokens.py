"""The special tokens of a tokenizer, by the attributes that transformers gives them."""

from __future__ import annotations

from typing import Any, Optional

_NAMES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class SpecialTokens:
    """`cls_token`, `cls_token_id`, `special_tokens_map`, ... of what holds a native tokenizer."""

    _native: Any

    @property
    def _added(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _id(self, name: str) -> Optional[int]:
        try:
            found = getattr(self._native, f"{name}_id")
        except ValueError:  # a vocabulary without padding
            return None
        return None if found is None else int(found)

    def _token(self, name: str) -> Optional[str]:
        found = self._id(name)
        return None if found is None else str(self._native.id_to_token(found))

    @property
    def unk_token(self) -> Optional[str]:
        return self._token("unk_token")

    @property
    def sep_token(self) -> Optional[str]:
        return self._token("sep_token")

    @property
    def pad_token(self) -> Optional[str]:
        return self._token("pad_token")

    @property
    def cls_token(self) -> Optional[str]:
        return self._token("cls_token")

    @property
    def mask_token(self) -> Optional[str]:
        return self._token("mask_token")

    @property
    def bos_token(self) -> Optional[str]:
        """None: a BERT has no token for the begin of a text."""
        return None

    @property
    def eos_token(self) -> Optional[str]:
        """None: a BERT has no token for the end of a text."""
        return None

    @property
    def unk_token_id(self) -> Optional[int]:
        return self._id("unk_token")

    @property
    def sep_token_id(self) -> Optional[int]:
        return self._id("sep_token")

    @property
    def pad_token_id(self) -> Optional[int]:
        return self._id("pad_token")

    @property
    def cls_token_id(self) -> Optional[int]:
        return self._id("cls_token")

    @property
    def mask_token_id(self) -> Optional[int]:
        return self._id("mask_token")

    @property
    def bos_token_id(self) -> Optional[int]:
        """None, as `bos_token`."""
        return None

    @property
    def eos_token_id(self) -> Optional[int]:
        """None, as `eos_token`."""
        return None

    @property
    def pad_token_type_id(self) -> int:
        """The segment of padding."""
        return 0

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The names of special tokens with the tokens."""
        found = {name: self._token(name) for name in _NAMES}
        return {name: token for name, token in found.items() if token is not None}

    @property
    def additional_special_tokens(self) -> list[str]:
        """Special tokens beyond those of every BERT."""
        known = set(self.special_tokens_map.values())
        return [entry["content"] for entry in self._added if entry["special"] and entry["content"] not in known]

    @property
    def extra_special_tokens(self) -> list[str]:
        """`additional_special_tokens` by the name that it has in transformers 5."""
        return self.additional_special_tokens

    @property
    def extra_special_tokens_ids(self) -> list[int]:
        """The ids of `extra_special_tokens`."""
        return [self._native.token_to_id(token) for token in self.additional_special_tokens]

    @property
    def all_special_tokens(self) -> list[str]:
        """All special tokens, once each."""
        return list(dict.fromkeys([*self.special_tokens_map.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return [self._native.token_to_id(token) for token in self.all_special_tokens]

    @property
    def added_tokens_decoder(self) -> dict[int, dict[str, Any]]:
        """The added tokens by their ids, each a dict of its content and switches."""
        return {
            entry["id"]: {key: value for key, value in entry.items() if key != "id"} for entry in self._added
        }

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """The ids of added tokens."""
        return {entry["content"]: entry["id"] for entry in self._added}
