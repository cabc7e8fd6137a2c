"""`BertTokenizer`, with the call, the members and the results of transformers' tokenizer."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Optional, Union

import numpy as np

from . import _cloze
from ._arrays import is_torch, tensor_kind, to_numpy, to_torch
from ._locate import Name, locate, refuse, take_locate
from ._log import logger, warn_once
from ._pad import pad_batch
from ._special_tokens import SpecialTokens
from ._texts import is_text, kind, split_pairs
from ._tokenizer_files import added_tokens, changed, made_of_vocabulary
from .batch_encoding import BatchEncoding, LazyEncodings
from .encoding import Encoding

__all__ = ["AutoTokenizer", "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"]

VERY_LARGE_INTEGER = int(1e30)
_LARGE_INTEGER = int(1e20)
_TOO_LONG = "sequence-length-is-longer-than-the-specified-maximum"
_TRUNCATIONS = ("longest_first", "only_first", "only_second", "do_not_truncate")


class BertTokenizer(SpecialTokens):
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
        if truncation_side != "right":
            raise ValueError(
                f"truncation_side is {truncation_side!r}: Cloze cuts texts at their end, 'right', alone"
            )
        self.truncation_side = truncation_side
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
        native = _cloze.Tokenizer.from_pretrained(directory, mode)
        if any(value is not None for value in switches.values()):
            native = changed(native, mode, config={k: v for k, v in switches.items() if v is not None})
        stated = _json(os.path.join(directory, "tokenizer_config.json"))
        tokenizer = cls.__new__(cls)
        tokenizer._set_up(
            native,
            model_max_length=model_max_length,
            padding_side=padding_side or stated.get("padding_side", "right"),
            truncation_side=truncation_side or stated.get("truncation_side", "right"),
            mode=mode,
            name_or_path=name,
            model_input_names=_input_names(directory, stated),
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
        batched, texts, pairs = self._inputs(text, text_pair, is_split_into_words)
        how, width, cut, limit = self._strategies(padding, truncation, max_length, pad_to_multiple_of, verbose)
        if stride and cut == "do_not_truncate":
            stride = 0
        kind_of_tensor = tensor_kind(return_tensors)
        side = _side(padding_side or self.padding_side, "padding_side")
        windows = _Windows(self, texts, pairs, is_split_into_words, add_special_tokens, cut, limit, stride)
        rows: Union[_FullRows, _PackedRows]
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
            target = width or 0
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

    def _inputs(self, text: Any, pair: Any, words: bool) -> tuple[bool, list[Any], Optional[list[Any]]]:
        """Whether the call has many texts; the texts and their pairs as lists."""
        text, pair = _plain(text, "texts"), _plain(pair, "pairs")
        if words:
            if not isinstance(text, (list, tuple)):
                raise ValueError(f"is_split_into_words wants a list of words, and text is {kind(text)}")
            batched = bool(text) and isinstance(text[0], (list, tuple))
        else:
            batched = isinstance(text, (list, tuple))
        if not batched:
            if pair is not None and not words and not is_text(pair):
                raise TypeError(
                    "when tokenizing a single text, `text_pair` must be one text, and it is " + kind(pair)
                )
            return False, [text], None if pair is None else [pair]
        texts = list(text)
        if pair is not None:
            if is_text(pair) or not isinstance(pair, (list, tuple)):
                raise TypeError(
                    "when tokenizing batches of text, `text_pair` must be a list or tuple with the same length as `text`."
                )
            if len(pair) != len(texts):
                raise ValueError(
                    f"batch length of `text`: {len(texts)} does not match batch length of `text_pair`: {len(pair)}."
                )
            return True, texts, list(pair)
        if words:
            first = texts[0][0] if texts and texts[0] else None
            if texts and len(texts[0]) == 2 and isinstance(first, (list, tuple)):  # pairs of lists of words
                return True, [item[0] for item in texts], [item[1] for item in texts]
            return True, texts, None
        firsts, seconds = split_pairs(texts, "texts")
        return True, firsts, seconds

    def _strategies(
        self,
        padding: Union[bool, str],
        truncation: Union[None, bool, str],
        max_length: Optional[int],
        multiple: Optional[int],
        verbose: bool,
    ) -> tuple[str, Optional[int], str, int]:
        """How to pad and to what width; how to cut and to what length: transformers' rules."""
        if max_length is not None and padding is False and truncation is None:
            if verbose:
                warn_once(
                    "Truncation was not explicitly activated but `max_length` is provided a specific value, please "
                    "use `truncation=True` to explicitly truncate examples to max length. Defaulting to "
                    "'longest_first' truncation strategy."
                )
            truncation = "longest_first"
        how: Any = getattr(padding, "value", padding)
        how = {True: "longest", False: "do_not_pad", None: "do_not_pad"}.get(how, how)
        if how not in ("longest", "max_length", "do_not_pad"):
            raise ValueError(f"padding is {padding!r}: there are True, False, 'longest', 'max_length' and 'do_not_pad'")
        cut: Any = getattr(truncation, "value", truncation)
        cut = {True: "longest_first", False: "do_not_truncate", None: "do_not_truncate"}.get(cut, cut)
        if cut not in _TRUNCATIONS:
            raise ValueError(f"truncation is {truncation!r}: there are True, False, {', '.join(map(repr, _TRUNCATIONS))}")
        if max_length is None:
            if how == "max_length":
                if self.model_max_length > _LARGE_INTEGER:
                    if verbose:
                        warn_once(
                            "Asking to pad to max_length but no maximum length is provided and the model has no "
                            "predefined maximum length. Default to no padding."
                        )
                    how = "do_not_pad"
                else:
                    max_length = self.model_max_length
            if cut != "do_not_truncate":
                if self.model_max_length > _LARGE_INTEGER:
                    if verbose:
                        warn_once(
                            "Asking to truncate to max_length but no maximum length is provided and the model has no "
                            "predefined maximum length. Default to no truncation."
                        )
                    cut = "do_not_truncate"
                else:
                    max_length = self.model_max_length
        if how != "do_not_pad" and self.pad_token is None:
            raise ValueError(
                "Asking to pad but the tokenizer does not have a padding token: its vocabulary has none."
            )
        if cut != "do_not_truncate" and how != "do_not_pad" and multiple and max_length is not None and max_length % multiple:
            raise ValueError(
                "Truncation and padding are both activated but "
                f"truncation length ({max_length}) is not a multiple of pad_to_multiple_of ({multiple})."
            )
        if max_length is not None and (isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer))):
            raise TypeError(f"max_length is {kind(max_length)}, not int")
        return str(how), max_length, str(cut), 0 if max_length is None else int(max_length)

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
        how, width, _, _ = self._strategies(padding, False, max_length, None, False)
        return pad_batch(
            encoded_inputs,
            how=how,
            width=width,
            multiple=pad_to_multiple_of,
            left=_side(padding_side or self.padding_side, "padding_side") == "left",
            pad_id=self.pad_token_id,
            names=self.model_input_names,
            return_attention_mask=return_attention_mask,
            return_tensors=return_tensors,
        )

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
        return len(self("", "" if pair else None, verbose=False)["input_ids"])

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

    # Files.

    def save_pretrained(self, save_directory: Name, **unused: Any) -> tuple[str, ...]:
        """Writes the tokenizer's files as transformers reads them; returns their names."""
        refuse({key: value for key, value in unused.items() if key not in ("legacy_format", "push_to_hub")}, "save_pretrained")
        if unused.get("push_to_hub"):
            raise ValueError("push_to_hub is not in Cloze: save, and upload with huggingface_hub")
        directory = os.fspath(save_directory)
        self._native.save_pretrained(directory)
        path = os.path.join(directory, "tokenizer_config.json")
        config = _json(path)
        if self.model_max_length < _LARGE_INTEGER:
            config["model_max_length"] = self.model_max_length
        config["padding_side"] = self.padding_side
        if self.model_input_names != ["input_ids", "token_type_ids", "attention_mask"]:
            config["model_input_names"] = self.model_input_names
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2, ensure_ascii=False, sort_keys=True)
            file.write("\n")
        return tuple(
            os.path.join(directory, name)
            for name in ("tokenizer_config.json", "vocab.txt", "tokenizer.json")
            if os.path.exists(os.path.join(directory, name))
        )

    def save_vocabulary(self, save_directory: Name, filename_prefix: Optional[str] = None) -> tuple[str]:
        """Writes `vocab.txt` alone; returns its name."""
        os.makedirs(save_directory, exist_ok=True)
        name = (f"{filename_prefix}-" if filename_prefix else "") + "vocab.txt"
        path = os.path.join(os.fspath(save_directory), name)
        with tempfile.TemporaryDirectory() as scratch:
            self._native.save_pretrained(scratch)
            source = os.path.join(scratch, "vocab.txt")
            if not os.path.exists(source):
                raise ValueError("this tokenizer's vocabulary has no vocab.txt: use save_pretrained")
            with open(source, "rb") as read, open(path, "wb") as write:
                write.write(read.read())
        return (path,)

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
            mode=self._mode,
        )

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

    @property
    def backend_tokenizer(self) -> Any:
        """The same with the names of the package tokenizers: a `cloze.Tokenizer`."""
        from .low_level import Tokenizer

        return Tokenizer(self._native)

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key in _KEPT}
        state["files"] = (self._native.to_json(), self._native.config_to_json())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        text, config = state.pop("files")
        self.__dict__.update(state)
        self._native = _cloze.Tokenizer.from_json(text, config, self._mode)

    def __repr__(self) -> str:
        length = self.model_max_length if self.model_max_length < _LARGE_INTEGER else "none"
        return (
            f"{type(self).__name__}(name_or_path='{self.name_or_path}', vocab_size={self.vocab_size}, "
            f"model_max_length={length}, padding_side='{self.padding_side}', special_tokens={self.special_tokens_map})"
        )


_KEPT = (
    "_mode",
    "_clean_up",
    "deprecation_warnings",
    "name_or_path",
    "padding_side",
    "truncation_side",
    "model_max_length",
    "model_input_names",
)


class _Windows:
    """The texts of a call, and how they become rows of ids."""

    def __init__(
        self,
        tokenizer: BertTokenizer,
        texts: list[Any],
        pairs: Optional[list[Any]],
        words: bool,
        add_special_tokens: bool,
        truncation: str,
        max_length: int,
        stride: int,
    ) -> None:
        self._native = tokenizer._native
        self._texts = texts
        self._pairs = pairs
        self._words = words
        self._options: dict[str, Any] = {
            "add_special_tokens": add_special_tokens,
            "truncation": truncation,
            "max_length": max_length,
        }
        self._stride = stride

    def packed(self, alignment: bool) -> _PackedRows:
        """A row a text, without more than ids (and where they came from)."""
        packed = self._native.pack(self._texts, self._pairs, alignment=alignment, **self._options)
        return _PackedRows(packed, self._encode)

    def full(self, overflowing: bool) -> _FullRows:
        """All there is to know, a row a window."""
        if self._words:
            natives = [
                self._native.encode_words(
                    _words(words, i),
                    None if self._pairs is None else _words(self._pairs[i], i),
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
        return _FullRows(rows, samples)

    def _encode(self, index: int) -> Encoding:
        """The text again, with all there is to know of it."""
        pairs = None if self._pairs is None else [self._pairs[index]]
        return Encoding._of(self._native.encode_batch([self._texts[index]], pairs, **self._options)[0])


class _PackedRows:
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
            values, fill = list(map(tuple, self._packed.offsets.tolist())), (0, 0)
        starts = self._starts.tolist()
        rows = [values[begin:end] for begin, end in zip(starts, starts[1:])]
        return [_filled(row, width, left, fill) for row in rows] if width else rows


class _FullRows:
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


def _words(words: Any, index: int) -> list[Any]:
    if not isinstance(words, (list, tuple)):
        raise TypeError(f"texts[{index}] is {kind(words)}, not a list of words")
    return list(words)


def _plain(texts: Any, name: str) -> Any:
    """Arrays and columns as lists; str, lists and tuples as they are."""
    if texts is None or is_text(texts) or isinstance(texts, (list, tuple)):
        return texts
    tolist = getattr(texts, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"{name} is {kind(texts)}, not a str or a list of str")


def _wanted(asked: Optional[bool], default: bool) -> bool:
    return default if asked is None else asked


def _side(side: str, name: str) -> str:
    if side not in ("left", "right"):
        raise ValueError(f"{name} is {side!r}: there are 'left' and 'right'")
    return side


def _ids(ids: Any) -> list[int]:
    values = to_numpy(ids).tolist() if is_torch(ids) or isinstance(ids, np.ndarray) else list(ids)
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"ids[{i}] is {kind(value)}, not int")
        if not 0 <= value < 2**31:
            raise ValueError(f"ids[{i}] is {value}, which is no id")
    return [int(value) for value in values]


def _str(text: Union[str, bytes]) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else text


def _json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _input_names(directory: str, stated: dict[str, Any]) -> list[str]:
    names = stated.get("model_input_names")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return list(names)
    without_types = ("DistilBert", "XLMRoberta")
    if str(stated.get("tokenizer_class", "")).startswith(without_types) or (
        _json(os.path.join(directory, "config.json")).get("model_type") == "distilbert"
    ):
        return ["input_ids", "attention_mask"]
    return ["input_ids", "token_type_ids", "attention_mask"]


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


