"""Fine-tuning, evaluation, pre-training and vocabularies."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from . import _cloze
from ._examples import examples_of, is_path
from ._locate import Name
from ._log import logger
from ._memory_texts import Document, documents_in_memory, is_in_memory, lines_in_memory
from ._precision import precision_of
from ._pretrained import PreTrainedModel
from ._progress import Bar
from ._texts import kind

__all__ = [
    "EvaluationResult",
    "FineTuneResult",
    "PretrainResult",
    "evaluate",
    "finetune",
    "pretrain",
    "train_vocabulary",
]

Callback = Callable[[dict[str, Any]], Any]
_LEVELS = {"info": logging.INFO, "note": logging.INFO, "warning": logging.WARNING}
_COLUMNS = ("text_column", "pair_column", "label_column")


@dataclass(frozen=True)
class FineTuneResult:
    """What a run of fine-tuning came to. `model_path` is a model directory, the best of the run."""

    model_path: Path
    finished: bool
    stopped_early: bool
    epochs: float
    steps: int
    tokens: int
    seconds: float
    metrics: Mapping[str, float]
    evaluations: tuple[Mapping[str, Any], ...]
    history: tuple[Mapping[str, Any], ...] = field(repr=False)
    details: str = field(repr=False, default="")
    details_json: Any = field(repr=False, default=None)


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found."""

    task: str
    examples: int
    metrics: Mapping[str, float]
    details: str = field(repr=False)
    details_json: Any = field(repr=False)
    notes: tuple[str, ...] = ()
    predictions: tuple[Any, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class PretrainResult:
    """What a run of pre-training came to. `model_path` is a model directory, the best of the run."""

    model_path: Path
    finished: bool
    steps: int
    tokens: int
    seconds: float
    best_step: int
    metrics: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = field(repr=False)


class _Events:
    """What a run tells: to callbacks, to the log and to a progress bar."""

    def __init__(self, callbacks: Any, bar: Bar) -> None:
        if callable(callbacks):
            callbacks = (callbacks,)
        self._callbacks: tuple[Callback, ...] = tuple(callbacks)
        for i, callback in enumerate(self._callbacks):
            if not callable(callback):
                raise TypeError(f"callbacks[{i}] is {kind(callback)}, not a function of an event")
        self._bar = bar
        self.history: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> bool:
        name = event["kind"]
        if name in _LEVELS:
            logger.log(_LEVELS[name], "%s", event["text"])
        if name in ("step", "evaluation"):
            self.history.append(event)
        if name == "step" and self._bar.report is not None:
            self._bar.report("training", round(100 * event["progress"]), 100, "%")
        answers = [callback(dict(event)) for callback in self._callbacks]
        return not any(answer is False for answer in answers)


def _directory(model: Any) -> Any:
    """The directory or name of a model, which may be loaded already."""
    if isinstance(model, PreTrainedModel):
        if model._source is None:
            raise ValueError("the model was not loaded from files: save_pretrained, and name the directory")
        return model._source[1]
    return None if model is None else os.fspath(model)


def _interrupted(output: Any, function: str) -> KeyboardInterrupt:
    return KeyboardInterrupt(
        f"the run in {os.fspath(output)} is saved up to its last step: "
        f"cloze.{function}(output={os.fspath(output)!r}, resume=True) goes on"
    )


def finetune(
    model: Any = None,
    task: Optional[str] = None,
    train: Any = None,
    dev: Any = None,
    output: Optional[Name] = None,
    *,
    dtype: Any = "best",
    callbacks: Any = (),
    show_progress_bar: Optional[bool] = None,
    **settings: Any,
) -> FineTuneResult:
    """Fine-tunes a BERT for a task.

    `train` and `dev` are files, or data in memory: a list of dicts, a dict of columns, a data frame,
    a `datasets.Dataset`. `settings` are those of `cloze finetune`: epochs=3, steps, batch_size=32,
    accumulation=1, learning_rate=5e-5, schedule="linear", warmup=0.1, weight_decay=0.01,
    layer_decay=1, seed=0, dropout, max_length, evaluate_every, save_every, keep=1, patience,
    best_metric, resume, overwrite, ... (docs/python.md has all).

    `callbacks` are called with events, dicts whose "kind" is "start", "step", "evaluation",
    "progress", "info", "note" or "warning"; one that returns False ends the run in order. Ctrl-C
    ends it after the step that is under way, saves, and raises KeyboardInterrupt.
    """
    if output is None:
        raise TypeError("finetune() needs output: the directory of the run")
    keywords = {key: value for key, value in settings.items() if value is not None}
    keywords.update(output=os.fspath(output), model=_directory(model), task=task)
    if not (settings.get("resume") and dtype == "best"):  # a resumed run keeps what it began with
        keywords["dtype"] = precision_of(dtype)
    in_memory: list[Any] = [None, None]
    if not is_path(train) and train is not None:
        resumed = keywords["task"] or (_task_of_run(output) if settings.get("resume") else None)
        if resumed is None:
            raise TypeError("finetune() needs task, to read data in memory")
        columns = {name.split("_")[0]: keywords.pop(name, None) for name in _COLUMNS}
        in_memory[0] = examples_of(train, resumed, columns, "train")
        if dev is not None:
            if is_path(dev):
                raise TypeError("train is data in memory, and dev a file: both are one or the other")
            in_memory[1] = examples_of(dev, resumed, columns, "dev")
    else:
        keywords.update(train=train, dev=dev)
        if dev is not None and not is_path(dev):
            raise TypeError("train is a file, and dev data in memory: both are one or the other")
    keywords = {key: value for key, value in keywords.items() if value is not None}
    with Bar(show_progress_bar, "Training") as bar:
        events = _Events(callbacks, bar)
        try:
            found = _cloze.finetune(keywords, in_memory[0], in_memory[1], events)
        except KeyboardInterrupt:
            raise _interrupted(output, "finetune") from None
    return FineTuneResult(
        model_path=Path(found["output"]),
        finished=found["finished"],
        stopped_early=found["stopped_early"],
        epochs=found["epochs"],
        steps=found["steps"],
        tokens=found["tokens"],
        seconds=found["seconds"],
        metrics=found["metrics"],
        evaluations=tuple(found["evaluations"]),
        history=tuple(events.history),
        details=found["details"],
        details_json=json.loads(found["details_json"]) if found["details_json"] else None,
    )


def _task_of_run(output: Name) -> Optional[str]:
    """The task that a run's directory remembers."""
    found = _run_of(output).get("task")
    return found if isinstance(found, str) else None


def _run_of(output: Name) -> dict[str, Any]:
    """What a run's directory remembers of its settings."""
    try:
        with open(os.path.join(output, "run.json"), encoding="utf-8") as file:
            run = json.load(file)
    except (OSError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def evaluate(
    model: Any,
    task: Optional[str] = None,
    data: Any = None,
    *,
    dtype: Any = "float32",
    predictions: bool = False,
    show_progress_bar: Optional[bool] = None,
    **settings: Any,
) -> EvaluationResult:
    """The metrics of a fine-tuned model on a file, or on data in memory: see `finetune`. Without a
    task it is what the model was made for."""
    if data is None:
        raise TypeError("evaluate() needs data: a file, or examples in memory")
    keywords = {key: value for key, value in settings.items() if value is not None}
    keywords.update(model=_directory(model), dtype=precision_of(dtype), predictions=predictions)
    examples = None
    if is_path(data):
        keywords["data"] = os.fspath(data)
    else:
        known = task or _task_of_model(keywords["model"])
        columns = {name.split("_")[0]: keywords.pop(name, None) for name in _COLUMNS}
        examples = examples_of(data, known, columns, "data")
    if task is not None:
        keywords["task"] = task
    with Bar(show_progress_bar, "Evaluating") as bar:
        found = _cloze.evaluate(keywords, examples, bar.report)
    return EvaluationResult(
        task=found["task"],
        examples=found["examples"],
        metrics=found["metrics"],
        details=found["details"],
        details_json=json.loads(found["details_json"]) if found["details_json"] else None,
        notes=tuple(found["notes"]),
        predictions=tuple(json.loads(line) for line in found["predictions"]),
    )


def _task_of_model(model: str) -> str:
    """The task that a fine-tuned model's head is for."""
    pipelines = [head["pipeline"] for head in _cloze.model_info(model)["heads"]]
    for name, pipeline in _cloze.tasks():
        if pipeline in pipelines:
            return str(name)
    raise ValueError("the model does not say which task it is for: name one with task=")


def pretrain(
    text: Any = None,
    output: Optional[Name] = None,
    *,
    texts: Optional[Iterable[Document]] = None,
    dev_texts: Optional[Iterable[Document]] = None,
    dtype: Any = "best",
    callbacks: Any = (),
    show_progress_bar: Optional[bool] = None,
    **settings: Any,
) -> PretrainResult:
    """Trains a BERT from plain text: a file, a directory, or a list of them; or `texts`, documents in
    memory, each a str or a list of sentences (and `dev_texts`, those to evaluate on). `settings` are
    those of `cloze pretrain`: size="small", vocab, vocab_size, steps, max_seconds, max_length=128,
    learning_rate=1e-4, ... Events and Ctrl-C are as with `finetune`; to resume a run that had its
    texts in memory takes the same texts.
    """
    if output is None:
        raise TypeError("pretrain() needs output: the directory of the run")
    if text is not None and texts is not None:
        raise TypeError("pretrain() takes text, which are files, or texts, which are in memory")
    keywords = {key: value for key, value in settings.items() if value is not None}
    keywords["output"] = os.fspath(output)
    if settings.get("resume"):
        _require_texts_again(output, text=text or texts, dev=keywords.get("dev") or dev_texts)
    if not (settings.get("resume") and dtype == "best"):
        keywords["dtype"] = precision_of(dtype)
    with ExitStack() as kept, Bar(show_progress_bar, "Training") as bar:
        for name, value in (("text", text), ("dev", keywords.pop("dev", None))):
            if value is not None:
                keywords[name] = [os.fspath(part) for part in ([value] if is_path(value) else value)]
        for name, word, documents in (("text", "texts", texts), ("dev", "dev_texts", dev_texts)):
            if documents is not None:
                keywords[name] = [kept.enter_context(documents_in_memory(documents, word, keywords))]
        events = _Events(callbacks, bar)
        try:
            found = _cloze.pretrain(keywords, events)
        except KeyboardInterrupt:
            raise _interrupted(output, "pretrain") from None
    return PretrainResult(
        model_path=Path(found["output"]),
        finished=found["finished"],
        steps=found["steps"],
        tokens=found["tokens"],
        seconds=found["seconds"],
        best_step=found["best_step"],
        metrics=found["metrics"],
        history=tuple(events.history),
    )


def _require_texts_again(output: Name, **given: Any) -> None:
    """Raises TypeError where a run had texts in memory that are not given to resume it."""
    for name, now in given.items():
        if now is None and any(map(is_in_memory, _run_of(output).get(name) or ())):
            word = "texts" if name == "text" else f"{name}_texts"
            raise TypeError(f"{word} of the run in {os.fspath(output)} were in memory: give them again, with {word}=")


def train_vocabulary(
    texts: Optional[Iterable[str]] = None,
    size: int = 30000,
    *,
    files: Sequence[Name] = (),
    min_frequency: int = 2,
    limit_alphabet: int = 1000,
    initial_alphabet: str = "",
    special_tokens: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    lowercase: bool = True,
    strip_accents: Optional[bool] = None,
    handle_chinese_chars: bool = True,
    show_progress_bar: Optional[bool] = None,
) -> list[str]:
    """The tokens of a WordPiece vocabulary for texts, or for files of text, in the order of their
    ids: `BertTokenizer(tokens)` reads with them.

    >>> from cloze import train_vocabulary
    >>> tokens = train_vocabulary(["low lower lowest"] * 10, 20)
    >>> tokens[:5], "low" in tokens
    (['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], True)
    """
    if (texts is None) == (not files):
        raise TypeError("train_vocabulary() takes texts, or files=[...]")
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts is one str, not a list of them: a file is files=[path]")
    with ExitStack() as kept, Bar(show_progress_bar, "Counting") as bar:
        paths = [os.fspath(path) for path in files]
        if texts is not None:
            paths = [kept.enter_context(lines_in_memory(texts, "texts"))]
        return list(
            _cloze.train_vocabulary(
                paths,
                size,
                min_frequency,
                limit_alphabet,
                initial_alphabet,
                list(special_tokens),
                lowercase,
                strip_accents,
                handle_chinese_chars,
                bar.report,
            )
        )
