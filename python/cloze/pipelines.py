"""`pipeline(task, model)`: answers to texts, in the shapes that transformers' pipelines have. Every
score is a float and every place an int, so that all results go through json.dumps.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Optional

import numpy as np

from . import _cloze
from ._locate import Name, locate, refuse, take_locate
from ._log import logger, warn_once
from ._texts import is_text, kind
from .config import BertConfig
from .errors import PipelineException
from .models import PreTrainedModel, precision_of, wrapped
from .tokenizer import BertTokenizer

__all__ = ["Pipeline", "pipeline"]

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


def _pairs(inputs: list[Any]) -> tuple[list[Any], Optional[list[Any]]]:
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


class TextClassificationPipeline(Pipeline):
    """Labels of texts and pairs: [{"label", "score"}]."""

    task = "text-classification"
    _native_class = "TextClassification"
    _defaults = {
        "top_k": "",
        "function_to_apply": None,
        "return_all_scores": None,
        "truncation": False,
        "padding": False,
        "max_length": 0,
    }

    def _is_single(self, inputs: Any) -> bool:
        return is_text(inputs) or isinstance(inputs, Mapping)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        merged = {**self._options, **self._known(options)}
        legacy = merged["top_k"] == "" and merged["return_all_scores"] is None
        result = super().__call__(inputs, **options)
        # As transformers: a lone text without top_k gives a list of its one best label.
        return [result] if is_text(inputs) and legacy else result

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        texts, pairs = _pairs(inputs)
        top_k = 1 if options["top_k"] == "" else options["top_k"]
        if options["return_all_scores"] is not None:
            top_k = None if options["return_all_scores"] else 1
        function = options["function_to_apply"] or "default"
        return list(
            self._native(
                texts,
                pairs,
                0 if top_k is None else _positive(top_k, "top_k"),
                str(getattr(function, "value", function)).lower(),
                options["max_length"],
                bool(options["truncation"]),
            )
        )

    def _one(self, answer: Any, options: dict[str, Any]) -> Any:
        everything = options["top_k"] != "" or options["return_all_scores"]
        return answer if everything else answer[0]


class TokenClassificationPipeline(Pipeline):
    """Entities of texts: [{"entity_group", "score", "word", "start", "end"}], or with
    aggregation_strategy="none" [{"entity", "score", "index", "word", "start", "end"}]."""

    task = "token-classification"
    _native_class = "TokenClassification"
    _defaults = {
        "aggregation_strategy": "none",
        "ignore_labels": ("O",),
        "stride": None,
        "grouped_entities": None,
        "is_split_into_words": False,
        "delimiter": " ",
    }

    def __call__(self, inputs: Any, **options: Any) -> Any:
        merged = {**self._options, **self._known(options)}
        if merged["is_split_into_words"] and inputs and all(map(is_text, inputs)) and not is_text(inputs):
            return self._answers([inputs], merged)[0]
        return super().__call__(inputs, **options)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        strategy = options["aggregation_strategy"]
        if options["grouped_entities"] is not None:
            strategy = "simple" if options["grouped_entities"] else "none"
        strategy = str(getattr(strategy, "value", strategy)).lower()
        if options["is_split_into_words"]:
            for i, words in enumerate(inputs):
                if is_text(words) or not isinstance(words, (list, tuple)):
                    raise ValueError(f"is_split_into_words wants lists of words, and inputs[{i}] is {kind(words)}")
            inputs = [options["delimiter"].join(words) for words in inputs]
        stride = options["stride"]
        if stride is not None and strategy == "none":
            raise ValueError(
                "`stride` was provided to process all the text but `aggregation_strategy='none'`, please select another one instead."
            )
        return list(
            self._native(inputs, strategy, list(options["ignore_labels"]), 128 if stride is None else stride)
        )


class QuestionAnsweringPipeline(Pipeline):
    """Answers in contexts: {"score", "start", "end", "answer"}, in the shapes of transformers 4."""

    task = "question-answering"
    _native_class = "QuestionAnswering"
    _defaults = {
        "top_k": 1,
        "topk": None,
        "doc_stride": 128,
        "max_answer_len": 15,
        "max_seq_len": 384,
        "max_question_len": 64,
        "handle_impossible_answer": False,
        "align_to_words": True,
        "padding": "longest",
    }

    def __call__(self, inputs: Any = None, context: Any = None, *, question: Any = None, **options: Any) -> Any:
        """`pipe(question=..., context=...)`, with lists of either; or dicts with both."""
        merged = {**self._options, **self._known(options)}
        if merged["topk"] is not None:
            merged["top_k"] = merged["topk"]
        if isinstance(inputs, str):
            question, inputs = inputs, None
        if inputs is None:
            if question is None or context is None:
                raise ValueError("question answering needs question= and context=")
            questions = [question] if is_text(question) else list(question)
            contexts = [context] * len(questions) if is_text(context) else list(context)
            if len(questions) != len(contexts):
                raise ValueError("Questions and contexts don't have the same lengths")
            single = is_text(question) and is_text(context)
        else:
            single = isinstance(inputs, Mapping)
            items = [inputs] if single else list(inputs)
            for i, item in enumerate(items):
                if not isinstance(item, Mapping) or "question" not in item or "context" not in item:
                    raise ValueError(f"inputs[{i}] is no dict with question and context")
            questions = [item["question"] for item in items]
            contexts = [item["context"] for item in items]
        for i, (asked, read) in enumerate(zip(questions, contexts)):
            if asked == "" or read == "":
                raise ValueError(f"`{'question' if asked == '' else 'context'}` {i} is empty")
        longest = min(merged["max_seq_len"], int(self._native.max_length))
        answers = self._native(
            questions,
            contexts,
            _positive(merged["top_k"], "top_k"),
            _positive(merged["max_answer_len"], "max_answer_len"),
            merged["handle_impossible_answer"],
            merged["align_to_words"],
            longest,
            min(merged["doc_stride"], longest // 2),
            merged["max_question_len"],
        )
        shaped = [found[0] if len(found) == 1 else found for found in answers]
        return shaped[0] if single or len(shaped) == 1 else shaped


class FillMaskPipeline(Pipeline):
    """Tokens for [MASK]: [{"score", "token", "token_str", "sequence"}]; a list of such for a text
    with several masks."""

    task = "fill-mask"
    _native_class = "FillMask"
    _defaults = {"top_k": 5, "targets": None, "tokenizer_kwargs": None}

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        targets = options["targets"]
        targets = [] if targets is None else [targets] if is_text(targets) else list(targets)
        if options["targets"] is not None and not targets:
            raise ValueError("At least one target must be provided when passed.")
        for target, token, _, known in self._native.resolve(targets):
            if not known:
                warn_once(
                    f"The specified target token `{target}` does not exist in the model vocabulary. Replacing with `{token}`."
                )
        truncate = bool((options["tokenizer_kwargs"] or {}).get("truncation"))
        answers = self._native(inputs, _positive(options["top_k"], "top_k"), targets, truncate)
        for i, masks in enumerate(answers):
            if not masks:
                raise PipelineException(
                    f"No mask_token ({self.tokenizer.mask_token}) found on the input: inputs[{i}] has none"
                )
        return [masks[0] if len(masks) == 1 else masks for masks in answers]

    def _many(self, answers: list[Any], options: dict[str, Any]) -> Any:
        return answers[0] if len(answers) == 1 else answers


class FeatureExtractionPipeline(Pipeline):
    """Vectors of tokens: [1][tokens][columns] as lists; arrays with return_tensors=True."""

    task = "feature-extraction"
    _native_class = "FeatureExtraction"
    _defaults = {"return_tensors": False, "truncation": False, "tokenize_kwargs": None}

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        truncate = bool(options["truncation"] or (options["tokenize_kwargs"] or {}).get("truncation"))
        arrays = [vectors[None] for _, vectors in self._native(inputs, None, 0, truncate)]
        return arrays if options["return_tensors"] else [array.tolist() for array in arrays]


class ZeroShotClassificationPipeline(Pipeline):
    """Labels that the model was not trained on: {"sequence", "labels", "scores"}, best first."""

    task = "zero-shot-classification"
    _native_class = "ZeroShotClassification"
    _defaults = {
        "candidate_labels": None,
        "hypothesis_template": "This example is {}.",
        "multi_label": False,
    }

    def __call__(  # type: ignore[override]  # transformers' names
        self, sequences: Any = None, candidate_labels: Any = None, **options: Any
    ) -> Any:
        """`pipe(text, ["sport", "politics"])`; labels may be one str with commas."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(sequences, **options)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        labels = options["candidate_labels"]
        if isinstance(labels, str):
            labels = [label.strip() for label in labels.split(",") if label.strip()]
        if not labels or not inputs:
            raise ValueError("You must include at least one label and at least one sequence.")
        template = options["hypothesis_template"]
        if template.format(labels[0]) == template:
            raise ValueError(
                f'The provided hypothesis_template "{template}" was not able to be formatted with the target labels. '
                "Make sure the passed template includes formatting syntax such as {} where the label should go."
            )
        answers = self._native(inputs, list(labels), template, bool(options["multi_label"]))
        return [
            {
                "sequence": text,
                "labels": [label["label"] for label in found],
                "scores": [label["score"] for label in found],
            }
            for text, found in zip(inputs, answers)
        ]


class NextSentencePredictionPipeline(Pipeline):
    """Whether a text follows another: {"is_next": probability} of a pair."""

    task = "next-sentence-prediction"
    _native_class = "NextSentence"
    _defaults = {"truncation": False}

    def _is_single(self, inputs: Any) -> bool:
        if isinstance(inputs, Mapping):
            return True
        return isinstance(inputs, tuple) and len(inputs) == 2 and all(map(is_text, inputs))

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        texts, pairs = _pairs(inputs)
        if pairs is None and texts:
            raise ValueError(f"inputs[0] is {kind(inputs[0])}, not a pair of two texts")
        return list(self._native(texts, pairs or [], bool(options["truncation"])))


class MultipleChoicePipeline(Pipeline):
    """Which of several continuations is right: {"choice": index, "scores": [...]}."""

    task = "multiple-choice"
    _native_class = "MultipleChoice"
    _defaults = {"truncation": False}

    def __call__(self, inputs: Any, choices: Any = None, **options: Any) -> Any:
        """`pipe(prompt, choices)`, or with lists of both."""
        if choices is None:
            raise ValueError("multiple choice needs a prompt and its choices")
        options = {**self._options, **self._known(options)}
        single = is_text(inputs)
        prompts, lists = ([inputs], [choices]) if single else (list(inputs), list(choices))
        if len(prompts) != len(lists):
            raise ValueError(f"there are {len(prompts)} prompts and {len(lists)} lists of choices")
        answers = list(self._native(prompts, [list(one) for one in lists], bool(options["truncation"])))
        return answers[0] if single else answers


class TextRankingPipeline(Pipeline):
    """Documents for a query: [{"corpus_id", "score"}], best first."""

    task = "text-ranking"
    _native_class = "CrossEncoder"
    _defaults = {"top_k": None, "return_documents": False}

    def __call__(self, query: Any, documents: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """`pipe(query, documents)`."""
        if documents is None:
            raise ValueError("text ranking needs a query and its documents")
        options = {**self._options, **self._known(options)}
        if self._encoder is None:
            from .sentence import CrossEncoder

            self._encoder = CrossEncoder(self._name, dtype=self._dtype)
        return self._encoder.rank(query, documents, options["top_k"], options["return_documents"])

    _encoder: Any = None
    _dtype: Any = "float32"


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


def _positive(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {kind(value)}, not int")
    if value < 1:
        raise ValueError(f"{name} is {value}, and must be 1 or more")
    return int(value)

