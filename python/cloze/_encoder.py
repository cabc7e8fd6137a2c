"""What the encoders of sentence-transformers' kinds share: how they are found and loaded, their prompts, and what
programs ask them for."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Optional, TypeVar

import numpy as np

from . import _cloze
from ._arrays import torch_if_loaded
from ._locate import Name, locate, refuse
from ._log import logger
from ._precision import Device, precision_of
from ._texts import as_list, is_text, kind, split_pairs
from .config import BertConfig
from .tokenizer import BertTokenizer

# Of save_pretrained, without effect here.
SAVE_OPTIONS = ("safe_serialization", "create_model_card", "model_name")
_Self = TypeVar("_Self", bound="Encoder")


def require_cpu(device: Any) -> None:
    """Raises ValueError for another device than the CPU."""
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise ValueError(f"device is {device!r}: Cloze computes on the CPU alone")


def dtype_of(dtype: Any, model_kwargs: Optional[dict[str, Any]]) -> Any:
    """The dtype of the arguments, which model_kwargs may name as well."""
    given = dict(model_kwargs or {})
    for name in ("dtype", "torch_dtype"):
        if name in given:
            dtype = given.pop(name)
    for name in ("attn_implementation", "device_map", "low_cpu_mem_usage", "use_safetensors"):
        given.pop(name, None)
    refuse(given, "model_kwargs")
    return dtype


def find_named(name: Name, **place: Any) -> str:
    """The model's directory; names without an owner are sentence-transformers' own."""
    text = os.fspath(name)
    if not os.path.isdir(text) and "/" not in text and not text.startswith(("bert-", "distilbert-")):
        text = f"sentence-transformers/{text}"
    return locate(text, **place)


class Prompted:
    """The prompts of a model."""

    # Prompts that are there in any case, as in sentence-transformers: empty where nothing states them, so that
    # neither another name nor the default prompt stands in for them.
    _role_prompts: tuple[str, ...] = ()
    prompts: dict[str, str]
    default_prompt_name: Optional[str]

    def _set_prompts(self, native: Any, prompts: Optional[Mapping[str, str]], default: Optional[str]) -> None:
        self.prompts = {**dict.fromkeys(self._role_prompts, ""), **native.prompts, **(prompts or {})}
        self.default_prompt_name = default if default is not None else native.default_prompt_name
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"Default prompt name '{self.default_prompt_name}' not found in the configured prompts "
                f"dictionary with keys {list(self.prompts.keys())!r}."
            )

    def _prompt(self, prompt: Optional[str], prompt_name: Optional[str]) -> str:
        if prompt is not None:
            if prompt_name is not None:
                logger.warning(
                    "Encode with either a `prompt`, a `prompt_name`, or neither, but not both. "
                    "Ignoring the `prompt_name` in favor of `prompt`."
                )
            return prompt
        name = self.default_prompt_name if prompt_name is None else prompt_name
        if name is None:
            return ""
        if name not in self.prompts:
            raise ValueError(
                f"Prompt name '{name}' not found in the configured prompts dictionary with keys "
                f"{list(self.prompts.keys())!r}."
            )
        return self.prompts[name]


class Encoder(Prompted):
    """A model that makes vectors of texts."""

    _directory: str
    _inner: str
    _precision: str
    _batch_tokens: int
    _name: str
    _max_seq_length: int
    _tokenizer: Optional[BertTokenizer] = None
    _told_of_cuts = False

    def _open(
        self,
        name: Name,
        find: Callable[..., str],
        place: dict[str, Any],
        *,
        dtype: Any,
        model_kwargs: Optional[dict[str, Any]],
        batch_tokens: int,
    ) -> None:
        """Finds the model's directory with `find(name, **place)`, and settles what is computed in."""
        self._directory = find(name, **place)
        self._inner = str(_cloze.transformer_directory(self._directory))
        config = BertConfig.from_pretrained(self._inner)
        self._precision = precision_of(dtype_of(dtype, model_kwargs), config.to_dict())
        self._batch_tokens = batch_tokens
        self._name = os.fspath(name)

    def _adopt(self, native: Any, prompts: Optional[Mapping[str, str]], default_prompt_name: Optional[str]) -> None:
        """Tells what a loaded model warns of, and takes its prompts."""
        for warning in native.warnings:
            logger.warning("%s", warning)
        self._set_prompts(native, prompts, default_prompt_name)

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text at most: longer ones are cut."""
        return self._max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        reads = BertConfig.from_pretrained(self._inner).max_position_embeddings
        if not 1 <= value <= reads:
            raise ValueError(f"max_seq_length is {value}, and this model reads 1 to {reads} tokens")
        self._max_seq_length = int(value)

    def get_max_seq_length(self) -> int:
        """`max_seq_length`."""
        return self._max_seq_length

    def _tell_cut(self, cut: int, texts: int, limit: int) -> None:
        """Logs how many texts of a call were cut: a warning the first time, for one may not know."""
        if cut:
            logger.log(
                logging.INFO if self._told_of_cuts else logging.WARNING,
                "%d of %d texts %s longer than %d tokens and cut there: what comes after is in no vector",
                cut,
                texts,
                "was" if cut == 1 else "were",
                limit,
            )
            self._told_of_cuts = True

    @property
    def tokenizer(self) -> BertTokenizer:
        """The model's tokenizer."""
        if self._tokenizer is None:
            self._tokenizer = BertTokenizer.from_pretrained(self._inner)
        return self._tokenizer

    @property
    def device(self) -> Any:
        """The CPU."""
        torch = torch_if_loaded()
        return Device("cpu") if torch is None else torch.device("cpu")

    @property
    def dtype(self) -> str:
        """What is computed in."""
        return self._precision

    def to(self: _Self, device: Any) -> _Self:
        """The model, for the CPU."""
        require_cpu(device)
        return self

    def eval(self: _Self) -> _Self:
        """The model: it is always ready."""
        return self


def given_texts(
    inputs: Any, sentences: Any, batch_size: Any, unknown: Mapping[str, Any], call: str
) -> tuple[bool, list[Any], Optional[list[Any]]]:
    """Whether `encode` was given one text; its texts, and their pairs. Raises TypeError and ValueError for what is no
    text, for a batch size that makes no sense, and for unknown keyword arguments."""
    if unknown:
        raise ValueError(f"{call} got unknown keyword arguments: {sorted(unknown)}")
    inputs = sentences if inputs is None else inputs
    if inputs is None:
        raise TypeError("texts is None, not a str or a list of str")
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}, and must be 1 or more")
    single = is_text(inputs) or (isinstance(inputs, np.ndarray) and inputs.ndim == 0)
    if single:
        return True, [inputs.item() if isinstance(inputs, np.ndarray) else inputs], None
    return False, *split_pairs(as_list(inputs, "texts"), "texts")


def reloaded(cls: Any, directory: str, options: dict[str, Any], state: dict[str, Any]) -> Any:
    """What a pickle of an encoder becomes: the model loaded again, with what was set on it."""
    made = cls(directory, **options)
    made.__dict__.update(state)
    return made


def save_encoder(model: Any, path: Name, unused: Mapping[str, Any], **stated: Any) -> None:
    """Writes an encoder's files as they are read, and what was set on it where they state such: its prompts, and
    `stated`."""
    refuse({k: v for k, v in unused.items() if k not in SAVE_OPTIONS}, "save_pretrained")
    directory = os.fspath(path)
    _cloze.convert(model._directory, directory, overwrite=os.path.isdir(directory) and bool(os.listdir(directory)))
    name = os.path.join(directory, "config_sentence_transformers.json")
    if not os.path.exists(name):
        return
    with open(name, encoding="utf-8") as file:
        config = json.load(file)
    config.update(stated, prompts=model.prompts, default_prompt_name=model.default_prompt_name)
    write_json(name, config)


def write_json(path: str, value: Any) -> None:
    """Writes a value as a JSON file."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def write_modules(directory: str, columns: int, max_seq_length: int) -> None:
    """Writes what makes a sentence-transformers directory of a BERT's: mean pooling."""
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{name}"}
        for i, (place, name) in enumerate(kinds)
    ]
    write_json(os.path.join(directory, "modules.json"), modules)
    os.makedirs(os.path.join(directory, "1_Pooling"), exist_ok=True)
    pooling = {
        "word_embedding_dimension": columns,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    write_json(os.path.join(directory, "1_Pooling", "config.json"), pooling)
    write_json(
        os.path.join(directory, "sentence_bert_config.json"), {"max_seq_length": max_seq_length, "do_lower_case": False}
    )


def as_str(text: Any, name: str) -> str:
    """A text as str. Raises TypeError for what is none, under the name of it."""
    if isinstance(text, bytes):
        return text.decode("utf-8")
    if not isinstance(text, str):
        raise TypeError(f"{name} is {kind(text)}, not str")
    return text
