"""`pipeline(task, model)`: answers to texts, in the shapes that transformers' pipelines have. Every
score is a float and every place an int, so that all results go through json.dumps.
"""

from __future__ import annotations

import os
from typing import Any, Optional

from . import _cloze
from ._locate import locate, take_locate
from ._pair_pipelines import (
    MultipleChoicePipeline,
    NextSentencePredictionPipeline,
    QuestionAnsweringPipeline,
    TextRankingPipeline,
)
from ._pipeline import Pipeline
from ._precision import precision_of
from ._pretrained import PreTrainedModel
from ._text_pipelines import (
    FeatureExtractionPipeline,
    FillMaskPipeline,
    TextClassificationPipeline,
    TokenClassificationPipeline,
    ZeroShotClassificationPipeline,
)
from ._texts import kind
from .config import BertConfig
from .tokenizer import BertTokenizer

__all__ = ["Pipeline", "pipeline"]

_TASKS: dict[str, type[Pipeline]] = {
    made.task: made
    for made in (
        TextClassificationPipeline,
        TokenClassificationPipeline,
        QuestionAnsweringPipeline,
        FillMaskPipeline,
        FeatureExtractionPipeline,
        ZeroShotClassificationPipeline,
        NextSentencePredictionPipeline,
        MultipleChoicePipeline,
        TextRankingPipeline,
    )
}
_ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}


def pipeline(
    task: Optional[str] = None,
    model: Any = None,
    tokenizer: Any = None,
    *,
    config: Any = None,
    dtype: Any = None,
    torch_dtype: Any = None,
    device: Any = None,
    batch_tokens: int = 8192,
    **options: Any,
) -> Any:
    """A pipeline for a task and a model: a directory, a name on the Hub, or a model of this package
    with its tokenizer. Without a task it is what the model was made for.

    >>> from cloze import pipeline
    >>> classify = pipeline("text-classification", "./sentiment")  # doctest: +SKIP
    >>> classify("What a film!")  # doctest: +SKIP
    [{'label': 'POSITIVE', 'score': 0.9998}]
    """
    del config  # the model's own
    if device is not None and device != -1 and str(device) not in ("cpu", "cpu:0"):
        raise ValueError(f"device is {device!r}: Cloze computes on the CPU alone")
    for name in ("framework", "use_fast"):
        options.pop(name, None)
    given = dict(options.pop("model_kwargs", None) or {})
    if model is None:
        raise ValueError("pipeline() needs a model: a directory or a name, for Cloze has no default models")
    place = take_locate(options)
    directory = "" if isinstance(model, PreTrainedModel) else locate(model, **place)
    task = _task_of(model, directory) if task is None else _ALIASES.get(task, task)
    if task not in _TASKS:
        raise KeyError(f"Unknown task {task}, available tasks are {sorted([*_TASKS, *_ALIASES])}")
    made = _TASKS[task]
    given_dtype = next((d for d in (dtype, torch_dtype, given.get("dtype"), given.get("torch_dtype")) if d is not None), None)
    if isinstance(model, PreTrainedModel):
        if tokenizer is None:
            if not model.name_or_path:
                raise ValueError("pipeline() needs the tokenizer of a model that was not loaded from files")
            tokenizer = BertTokenizer.from_pretrained(model.name_or_path)
        if task == "text-ranking":
            if model._source is None:
                raise ValueError("text-ranking needs the directory of its model")
            directory = model._source[1]
            given_dtype = model.dtype
        tokenizer = _tokenizer(tokenizer)
        native = getattr(_cloze, made._native_class).of(model._native, tokenizer._native, batch_tokens)
        result = made(native, model.name_or_path, options, tokenizer)
    else:
        inner = directory if task == "text-ranking" else str(_cloze.transformer_directory(directory))
        stated = BertConfig.from_pretrained(str(_cloze.transformer_directory(directory))).to_dict()
        given_dtype = precision_of(given_dtype, stated)
        native = getattr(_cloze, made._native_class).from_pretrained(inner, given_dtype, [], batch_tokens)
        if tokenizer is not None:
            tokenizer = _tokenizer(tokenizer)
            native = getattr(_cloze, made._native_class).of(native.model, tokenizer._native, batch_tokens)
        result = made(native, os.fspath(model), options, tokenizer)
    if isinstance(result, TextRankingPipeline):
        result._name = directory
        result._dtype = given_dtype or "float32"
    return result


def _tokenizer(tokenizer: Any) -> BertTokenizer:
    if isinstance(tokenizer, (str, os.PathLike)):
        return BertTokenizer.from_pretrained(tokenizer)
    if not isinstance(tokenizer, BertTokenizer):
        raise TypeError(f"tokenizer is {kind(tokenizer)}, not a BertTokenizer of cloze")
    return tokenizer


def _task_of(model: Any, directory: str) -> str:
    if isinstance(model, PreTrainedModel):
        found = next((name for name, made in _TASKS.items() if _class_of(made) == model._class), None)
    else:
        heads = _cloze.model_info(directory)["heads"]
        found = heads[0]["pipeline"] if heads else "feature-extraction"
    if found not in _TASKS:
        raise ValueError("the model does not say which task it is for: name one")
    return found


def _class_of(made: type[Pipeline]) -> str:
    return {
        "TextClassification": "BertForSequenceClassification",
        "TokenClassification": "BertForTokenClassification",
        "QuestionAnswering": "BertForQuestionAnswering",
        "FillMask": "BertForMaskedLM",
        "FeatureExtraction": "BertModel",
        "NextSentence": "BertForNextSentencePrediction",
        "MultipleChoice": "BertForMultipleChoice",
    }.get(made._native_class, "")
