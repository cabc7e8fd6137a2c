"""What all pipelines have: the kinds of input, and what of each comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Optional

import numpy as np

from ._locate import refuse
from ._log import logger
from ._texts import as_list, columns_of, is_text, kind
from .models import wrapped
from .tokenizer import BertTokenizer

# A generator's texts are answered so many at a time.
_CHUNK = 512


class Pipeline:
    """What `pipeline` returns: call it with a text or a list of them."""

    task: ClassVar[str]
    _native_class: ClassVar[str]
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, native: Any, name: str, options: dict[str, Any], tokenizer: Optional[BertTokenizer]) -> None:
        self._native = native
        self._name = name
        self._options = {**self._defaults, **self._known(options)}
        self.tokenizer = tokenizer if tokenizer is not None else self._made_tokenizer()
        self.model = wrapped(native.model, name)
        for warning in native.warnings:
            logger.warning("%s", warning)

    def _made_tokenizer(self) -> BertTokenizer:
        native = self._native.tokenizer
        return BertTokenizer.from_tokenizer_json(native.to_json(), native.config_to_json())

    def _known(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of the task; batch_size means nothing to Cloze, which counts tokens."""
        options = dict(options)
        options.pop("batch_size", None)
        options.pop("num_workers", None)
        refuse({k: v for k, v in options.items() if k not in self._defaults}, f"pipeline({self.task!r})")
        return options

    @property
    def device(self) -> Any:
        """The CPU."""
        return self.model.device

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """The answers: for a list a list, for a generator or a data set a generator."""
        options = {**self._options, **self._known(options)}
        if self._is_single(inputs):
            return self._one(self._answers([inputs], options)[0], options)
        if columns_of(inputs) is not None and not hasattr(inputs, "features"):  # a data frame, not a data set
            inputs = as_list(inputs, "inputs")
        if isinstance(inputs, (list, tuple, np.ndarray)):
            return self._many(self._answers(list(inputs), options), options)
        if hasattr(inputs, "__iter__") or hasattr(inputs, "__getitem__"):
            return self._stream(inputs, options)
        raise TypeError(f"inputs is {kind(inputs)}, not a str or a list of str")

    def _stream(self, inputs: Any, options: dict[str, Any]) -> Iterator[Any]:
        chunk = []
        for item in inputs:
            chunk.append(item)
            if len(chunk) == _CHUNK:
                yield from (self._one(answer, options) for answer in self._answers(chunk, options))
                chunk = []
        yield from (self._one(answer, options) for answer in self._answers(chunk, options))

    def _is_single(self, inputs: Any) -> bool:
        return is_text(inputs)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        raise NotImplementedError

    def _one(self, answer: Any, options: dict[str, Any]) -> Any:
        """The answer to a single input, in its shape."""
        return answer

    def _many(self, answers: list[Any], options: dict[str, Any]) -> Any:
        """The answers to a list."""
        return [self._one(answer, options) for answer in answers]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"


def pairs_of(inputs: list[Any]) -> tuple[list[Any], Optional[list[Any]]]:
    """Texts, and pairs of {"text", "text_pair"} or (text, pair): all of them or none."""
    firsts, seconds = [], []
    for i, item in enumerate(inputs):
        pair = None
        if isinstance(item, Mapping):
            refuse({k: v for k, v in item.items() if k not in ("text", "text_pair")}, f"inputs[{i}]")
            pair = item.get("text_pair")
            item = item.get("text")
        elif isinstance(item, (list, tuple)) and len(item) == 2 and all(map(is_text, item)):
            item, pair = item
        firsts.append(item)
        seconds.append(pair)
    if all(pair is None for pair in seconds):
        return firsts, None
    if any(pair is None for pair in seconds):
        at = next(i for i, pair in enumerate(seconds) if pair is None)
        raise ValueError(f"inputs[{at}] is a single text, and others are pairs: give them in calls of their own")
    return firsts, seconds


def positive(value: Any, name: str) -> int:
    """An int of 1 or more. Raises TypeError and ValueError under the name of it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {kind(value)}, not int")
    if value < 1:
        raise ValueError(f"{name} is {value}, and must be 1 or more")
    return int(value)
