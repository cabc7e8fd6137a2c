"""`BertTokenizer`, with the call, the members and the results of transformers' tokenizer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Optional, Union

import numpy as np

from . import _cloze
from ._arrays import tensor_kind, to_torch
from ._locate import Name, locate, refuse, take_locate
from ._log import logger
from ._pad import pad_batch
from ._texts import is_text
from ._tokenizer_files import changed, input_names, json_of, load_native, made_of_vocabulary
from ._tokenizer_inputs import inputs_of
from ._tokenizer_limits import LARGE_INTEGER, VERY_LARGE_INTEGER, Limits, limits_of
from ._tokenizer_rows import Rows, Windows
from ._tokenizer_saving import SavedTokenizer
from .batch_encoding import BatchEncoding, LazyEncodings
from .encoding import Encoding

__all__ = ["AutoTokenizer", "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"]

_TOO_LONG = "sequence-length-is-longer-than-the-specified-maximum"


class BertTokenizer(SavedTokenizer):
    """Text to ids and back, as transformers' `BertTokenizer` (fast or not: there is one kind here).

    `BertTokenizer(vocabulary)` is that of a list of tokens, a dict of their ids or a `vocab.txt`;
    most programs call `from_pretrained`. Immutable but for `model_max_length`, `padding_side` and
    `truncation_side`; safe to share between threads.

    >>> from cloze import BertTokenizer
    >>> tokenizer = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s"])
    >>> tokenizer("Hello hellos!")
    {'input_ids': [2, 5, 5, 6, 1, 3], 'token_type_ids': [0, 0, 0, 0, 0, 0], 'attention_mask': [1, 1, 1, 1, 1, 1]}
    >>> tokenizer.decode([2, 5, 5, 6, 3], skip_special_tokens=True)
    'hello hellos'
    """

    vocab_files_names = {"vocab_file": "vocab.txt", "tokenizer_file": "tokenizer.json"}
    padding_side: str
    truncation_side: str
    is_fast = True

    def __init__(
        self,
        vocab: Any = None,
        do_lower_case: bool = True,
        *,
        vocab_file: Optional[Name] = None,
        strip_accents: Optional[bool] = None,
        tokenize_chinese_chars: bool = True,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        model_max_length: Optional[int] = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        mode: str = "hf",
        clean_up_tokenization_spaces: Optional[bool] = None,
    ) -> None:
        if vocab is None:
            vocab = vocab_file
        if vocab is None:
            raise TypeError(
                "BertTokenizer() needs a vocabulary: a list of tokens, a dict of their ids, or the "
                "path of a vocab.txt; BertTokenizer.from_pretrained takes a directory or a name"
            )
        native = made_of_vocabulary(
            vocab,
            lowercase=do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
            unk=unk_token,
            sep=sep_token,
            pad=pad_token,
            cls=cls_token,
            mask=mask_token,
            mode=mode,
        )
        self._set_up(
            native,
            model_max_length=model_max_length,
            padding_side=padding_side,
            truncation_side=truncation_side,
            mode=mode,
            clean_up=clean_up_tokenization_spaces,
        )

    def _set_up(
        self,
        native: Any,
        *,
        model_max_length: Optional[int] = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        mode: str = "hf",
        name_or_path: str = "",
        model_input_names: Optional[list[str]] = None,
        clean_up: Optional[bool] = None,
    ) -> None:
        self._native = native
        self._mode = mode
        self._clean_up = clean_up
        self.deprecation_warnings: dict[str, bool] = {}  # what was said already, as in transformers
        self.name_or_path = name_or_path
        self.padding_side = _side(padding_side, "padding_side")
        self.truncation_side = _side(truncation_side, "truncation_side")
        stated = native.model_max_length
        self.model_max_length = (
            model_max_length if model_max_length is not None else VERY_LARGE_INTEGER if stated is None else stated
        )
        self.model_input_names = model_input_names or ["input_ids", "token_type_ids", "attention_mask"]

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Name,
        *,
        mode: str = "hf",
        do_lower_case: Optional[bool] = None,
        strip_accents: Optional[bool] = None,
        tokenize_chinese_chars: Optional[bool] = None,
        model_max_length: Optional[int] = None,
        padding_side: Optional[str] = None,
        truncation_side: Optional[str] = None,
        use_fast: bool = True,
        **options: Any,
    ) -> BertTokenizer:
        """The tokenizer of a directory, of a name on the Hugging Face Hub, or of a `vocab.txt`.

        `mode="google"` cuts words as google-research/bert does. `do_lower_case`, `strip_accents` and
        `tokenize_chinese_chars` stand above the files. Raises OSError for a name that is nowhere,
        and ValueError for files that hold no tokenizer that Cloze has.
        """
        del use_fast  # there is one kind
        place = take_locate(options)
        clean_up = options.pop("clean_up_tokenization_spaces", None)
        refuse(options, "from_pretrained")
        name = os.fspath(pretrained_model_name_or_path)
        switches = {
            "do_lower_case": do_lower_case,
            "strip_accents": strip_accents,
            "tokenize_chinese_chars": tokenize_chinese_chars,
        }
        if os.path.isfile(name):
            return cls(
                name,
                do_lower_case=do_lower_case is not False,
                strip_accents=strip_accents,
                tokenize_chinese_chars=tokenize_chinese_chars is not False,
                model_max_length=model_max_length,
                padding_side=padding_side or "right",
                truncation_side=truncation_side or "right",
                mode=mode,
            )
        directory = str(_cloze.transformer_directory(locate(name, **place)))
        stated = json_of(os.path.join(directory, "tokenizer_config.json"))
        native = load_native(directory, stated, mode)
        if any(value is not None for value in switches.values()):
            native = changed(native, mode, config={k: v for k, v in switches.items() if v is not None})
        tokenizer = cls.__new__(cls)
        tokenizer._set_up(
            native,
            model_max_length=model_max_length,
            padding_side=padding_side or stated.get("padding_side", "right"),
            truncation_side=truncation_side or stated.get("truncation_side", "right"),
            mode=mode,
            name_or_path=name,
            model_input_names=input_names(directory, stated),
            clean_up=clean_up,
        )
        return tokenizer

    @classmethod
    def from_tokenizer_json(cls, text: Union[str, bytes], config: Union[str, bytes] = "") -> BertTokenizer:
        """The tokenizer that the text of a `tokenizer.json` describes."""
        tokenizer = cls.__new__(cls)
        tokenizer._set_up(_cloze.Tokenizer.from_json(_str(text), _str(config)))
        return tokenizer

    # Text to ids.

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: Union[bool, str] = False,
        truncation: Union[None, bool, str] = None,
        max_length: Optional[int] = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: Optional[int] = None,
        padding_side: Optional[str] = None,
        return_tensors: Any = None,
        return_token_type_ids: Optional[bool] = None,
        return_attention_mask: Optional[bool] = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
    ) -> BatchEncoding:
        """The ids of a text, a list of texts, a pair or lists of them: transformers' `__call__`.

        Texts are str, or bytes that are UTF-8. Raises TypeError that names what is neither, such as
        `texts[17] is float (nan), not str`.
        """
        if text is None and text_target is None:
            raise ValueError("You need to specify either `text` or `text_target`.")
        if text_target is not None:
            raise ValueError("text_target is for models that write text, which a BERT is not")
        del text_pair_target
        batched, texts, pairs = inputs_of(text, text_pair, is_split_into_words)
        limits = self._limits(padding, truncation, max_length, pad_to_multiple_of, verbose)
        how = limits.padding
        kind_of_tensor = tensor_kind(return_tensors)
        side = _side(padding_side or self.padding_side, "padding_side")
        windows = Windows(self._native, texts, pairs, is_split_into_words, add_special_tokens, limits, stride, self.truncation_side)
        rows: Rows
        if return_overflowing_tokens or is_split_into_words:
            rows = windows.full(return_overflowing_tokens)
        else:
            rows = windows.packed(return_offsets_mapping or return_special_tokens_mask)
        lengths = rows.lengths
        longest = int(max(lengths, default=0))
        if max_length is None and verbose and longest > self.model_max_length and not self.deprecation_warnings.get(_TOO_LONG):
            self.deprecation_warnings[_TOO_LONG] = True
            logger.warning(
                f"Token indices sequence length is longer than the specified maximum sequence length for this "
                f"model ({longest} > {self.model_max_length}). Running this sequence through the model will "
                "result in indexing errors"
            )
        target = 0
        if how == "longest":
            target = longest
        elif how == "max_length":
            target = limits.length
        if how != "do_not_pad" and pad_to_multiple_of and target % pad_to_multiple_of:
            target += pad_to_multiple_of - target % pad_to_multiple_of
        pad_id = self.pad_token_id if how != "do_not_pad" else 0
        names = ["input_ids"]
        if _wanted(return_token_type_ids, "token_type_ids" in self.model_input_names):
            names.append("token_type_ids")
        if _wanted(return_attention_mask, "attention_mask" in self.model_input_names):
            names.append("attention_mask")
        if return_special_tokens_mask:
            names.append("special_tokens_mask")
        if return_offsets_mapping:
            names.append("offset_mapping")
        unbatch = not batched and kind_of_tensor is None and not return_overflowing_tokens
        data = rows.columns(names, target, side == "left", pad_id or 0, kind_of_tensor is not None)
        if return_length:
            data["length"] = [max(int(length), target) for length in lengths]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = list(rows.samples)
        if unbatch:
            data = {
                key: value[0] if len(value) and isinstance(value[0], list) else value
                for key, value in data.items()
            }
            if return_length:
                data["length"] = data["length"][0] if isinstance(data["length"], list) else data["length"]
        if kind_of_tensor == "pt":
            data = {k: to_torch(v) if isinstance(v, np.ndarray) else v for k, v in data.items()}
        pad_token = self.pad_token or ""
        left = "left" if side == "left" else "right"

        def make(index: int) -> Encoding:
            encoding = rows.encoding(index)
            if target > len(encoding):
                encoding.pad(target, left, pad_id or 0, 0, pad_token)
            return encoding

        return BatchEncoding(
            data,
            LazyEncodings(len(lengths), make),
            tensor_type=return_tensors,
            n_sequences=1 if pairs is None else 2,
        )

    def _limits(
        self,
        padding: Union[None, bool, str],
        truncation: Union[None, bool, str],
        max_length: Optional[int],
        multiple: Optional[int],
        verbose: bool,
    ) -> Limits:
        return limits_of(
            padding,
            truncation,
            max_length,
            multiple,
            model_max_length=self.model_max_length,
            can_pad=self.pad_token is not None,
            verbose=verbose,
        )

    def encode(self, text: Any, text_pair: Any = None, add_special_tokens: bool = True, **options: Any) -> Any:
        """The ids of a text or pair; with `return_tensors`, an array [1, L]."""
        return self(text, text_pair, add_special_tokens=add_special_tokens, **options)["input_ids"]

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """`__call__` by its older name."""
        return self(text, text_pair, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Any, **options: Any) -> BatchEncoding:
        """`__call__` with a list by its older name."""
        return self(batch_text_or_text_pairs, **options)

    def tokenize(self, text: Any, pair: Any = None, add_special_tokens: bool = False, **options: Any) -> list[str]:
        """The tokens of a text."""
        options.pop("split_special_tokens", None)
        return self(text, pair, add_special_tokens=add_special_tokens, verbose=False, **options).tokens()

    def pad(
        self,
        encoded_inputs: Any,
        padding: Union[bool, str] = True,
        max_length: Optional[int] = None,
        pad_to_multiple_of: Optional[int] = None,
        padding_side: Optional[str] = None,
        return_attention_mask: Optional[bool] = None,
        return_tensors: Any = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Makes tokenized texts equally long: what collators of batches call. Takes a dict of lists
        or a list of dicts."""
        del verbose
        limits = self._limits(padding, False, max_length, None, False)
        return pad_batch(
            encoded_inputs,
            how=limits.padding,
            width=limits.length if limits.padding == "max_length" else None,
            multiple=pad_to_multiple_of,
            left=_side(padding_side or self.padding_side, "padding_side") == "left",
            pad_id=self.pad_token_id,
            names=self.model_input_names,
            return_attention_mask=return_attention_mask,
            return_tensors=return_tensors,
        )

    def train_new_from_iterator(
        self, text_iterator: Iterable[Any], vocab_size: int, **options: Any
    ) -> BertTokenizer:
        """A tokenizer with this one's switches and a vocabulary learnt from texts."""
        from .training import train_vocabulary

        texts: list[str] = []
        for item in text_iterator:
            texts.extend([item] if is_text(item) else item)
        config = json.loads(self._native.config_to_json())
        tokens = train_vocabulary(
            texts,
            vocab_size,
            lowercase=self.do_lower_case,
            strip_accents=config.get("strip_accents"),
            special_tokens=[t for t in (self.pad_token, self.unk_token, self.cls_token, self.sep_token, self.mask_token) if t],
            **options,
        )
        return type(self)(
            tokens,
            do_lower_case=self.do_lower_case,
            strip_accents=config.get("strip_accents"),
            tokenize_chinese_chars=config.get("tokenize_chinese_chars", True),
            model_max_length=self.model_max_length,
            padding_side=self.padding_side,
            truncation_side=self.truncation_side,
            mode=self._mode,
        )

    @property
    def backend_tokenizer(self) -> Any:
        """The same with the names of the package tokenizers: a `cloze.Tokenizer`."""
        from .low_level import Tokenizer

        return Tokenizer(self._native)

    def __repr__(self) -> str:
        length = self.model_max_length if self.model_max_length < LARGE_INTEGER else "none"
        return (
            f"{type(self).__name__}(name_or_path='{self.name_or_path}', vocab_size={self.vocab_size}, "
            f"model_max_length={length}, padding_side='{self.padding_side}', special_tokens={self.special_tokens_map})"
        )


def _wanted(asked: Optional[bool], default: bool) -> bool:
    return default if asked is None else asked


def _side(side: str, name: str) -> str:
    if side not in ("left", "right"):
        raise ValueError(f"{name} is {side!r}: there are 'left' and 'right'")
    return side


def _str(text: Union[str, bytes]) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else text


BertTokenizerFast = BertTokenizer
DistilBertTokenizer = BertTokenizer
DistilBertTokenizerFast = BertTokenizer


class AutoTokenizer:
    """The tokenizer of a model: `AutoTokenizer.from_pretrained(name)` is `BertTokenizer`'s."""

    def __init__(self) -> None:
        raise OSError(
            "AutoTokenizer is designed to be instantiated using the "
            "`AutoTokenizer.from_pretrained(pretrained_model_name_or_path)` method."
        )

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Name, **options: Any) -> BertTokenizer:
        """As `BertTokenizer.from_pretrained`."""
        return BertTokenizer.from_pretrained(pretrained_model_name_or_path, **options)


