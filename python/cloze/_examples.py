"""Labelled data in memory (lists of dicts, dicts of columns, data sets, data frames) as the library's
examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._texts import TEXT_COLUMNS, kind

_PAIRS = (
    "pair",
    "text_pair",
    "text2",
    "sentence2",
    "hypothesis",
    "candidate",
    "document",
    "passage",
    "positive",
    "response",
    "sentence_B",
    "sentence_b",
    "sentence",
)
_LABELS = ("label", "labels", "score", "scores", "relevance", "similarity")
_TAGS = ("tags", "ner_tags", "labels", "pos_tags")

_FORMS = {
    "text-classification": "text",
    "regression": "text",
    "ranking": "text",
    "sentence-embedding": "text",
    "token-classification": "tagged",
    "question-answering": "question",
    "multiple-choice": "choice",
}


def is_path(data: Any) -> bool:
    """Whether data names a file."""
    return isinstance(data, (str, bytes)) or hasattr(data, "__fspath__")


def examples_of(data: Any, task: str, columns: Mapping[str, Optional[str]], name: str) -> Any:
    """The library's examples. `columns` says which are text, pair and label, where it is not to be
    found out. Raises TypeError and ValueError that name the row."""
    if task not in _FORMS:
        raise ValueError(f"there is no task {task!r}: there are {', '.join(_FORMS)}")
    rows, classes = _rows(data, name)
    if not rows:
        raise ValueError(f"{name} has no rows")
    form = _FORMS[task]
    if form == "text":
        made = _text_rows(rows, classes, columns, name)
    elif form == "tagged":
        made = _tagged_rows(rows, classes, columns, name)
    elif form == "question":
        made = [_question(row, i, name) for i, row in enumerate(rows)]
    else:
        made = [_choice(row, i, name) for i, row in enumerate(rows)]
    return _cloze.examples(form, made)


def _rows(data: Any, name: str) -> tuple[list[Mapping[str, Any]], Mapping[str, Sequence[str]]]:
    """Rows as dicts, and the names of classes that a data set of `datasets` states."""
    classes: dict[str, Sequence[str]] = {}
    for column, feature in dict(getattr(data, "features", None) or {}).items():
        inner = getattr(feature, "feature", feature)
        names = getattr(inner, "names", None)
        if names:
            classes[column] = list(names)
    if hasattr(data, "to_dicts"):  # polars
        data = data.to_dicts()
    elif hasattr(data, "to_pylist"):  # Arrow
        data = data.to_pylist()
    elif hasattr(data, "to_dict") and hasattr(data, "columns"):  # pandas
        data = data.to_dict("records")
    elif isinstance(data, Mapping):
        lengths = {column: len(values) for column, values in data.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of {name} have different lengths: {lengths}")
        data = [dict(zip(data, values)) for values in zip(*data.values())]
    rows = list(data)
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"{name}[{i}] is {kind(row)}, not a dict")
    return rows, classes


def _column(rows: Sequence[Mapping[str, Any]], wanted: Optional[str], known: Sequence[str], what: str, name: str) -> Optional[str]:
    if wanted:
        if wanted not in rows[0]:
            raise ValueError(f"{name} has no column {wanted!r}: it has {', '.join(rows[0])}")
        return wanted
    return next((column for column in known if column in rows[0]), None)


def _text(row: Mapping[str, Any], column: str, i: int, name: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        raise TypeError(f"{name}[{i}][{column!r}] is {kind(value)}, not str")
    return value


def _label(value: Any, names: Optional[Sequence[str]], place: str) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        if names is not None and 0 <= value < len(names):
            return names[int(value)]
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        if value != value:
            raise ValueError(f"{place} is nan, which is no label")
        return repr(float(value))
    if not isinstance(value, str):
        raise TypeError(f"{place} is {kind(value)}, not a label")
    return value


def _text_rows(
    rows: Sequence[Mapping[str, Any]], classes: Mapping[str, Sequence[str]], columns: Mapping[str, Optional[str]], name: str
) -> list[tuple[Any, ...]]:
    text = _column(rows, columns.get("text"), TEXT_COLUMNS, "text", name)
    if text is None:
        raise ValueError(f"{name} has no column of texts that Cloze knows ({', '.join(rows[0])}): say which with text_column")
    others = [column for column in _PAIRS if column != text]
    pair = _column(rows, columns.get("pair"), others, "pair", name)
    label = _column(rows, columns.get("label"), [column for column in _LABELS if column not in (text, pair)], "label", name)
    made = []
    for i, row in enumerate(rows):
        labels = []
        if label is not None:
            value = row.get(label)
            many = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
            labels = [_label(one, classes.get(label), f"{name}[{i}][{label!r}]") for one in many]
        made.append((_text(row, text, i, name), _text(row, pair, i, name) if pair else "", labels))
    return made


def _tagged_rows(
    rows: Sequence[Mapping[str, Any]], classes: Mapping[str, Sequence[str]], columns: Mapping[str, Optional[str]], name: str
) -> list[tuple[Any, ...]]:
    tokens = _column(rows, columns.get("text"), ("tokens", "words"), "tokens", name)
    tags = _column(rows, columns.get("label"), _TAGS, "tags", name)
    if tokens is None or tags is None:
        raise ValueError(f"{name} must have the columns tokens and tags, and has {', '.join(rows[0])}")
    made = []
    for i, row in enumerate(rows):
        words, labels = list(row[tokens]), list(row[tags])
        if len(words) != len(labels):
            raise ValueError(f"{name}[{i}] has {len(words)} tokens and {len(labels)} tags")
        names = [_label(tag, classes.get(tags), f"{name}[{i}][{tags!r}]") for tag in labels]
        made.append((words, names, int(row.get("document", 0))))
    return made


def _question(row: Mapping[str, Any], i: int, name: str) -> tuple[Any, ...]:
    answers = row.get("answers", [])
    if isinstance(answers, Mapping):
        texts, starts = list(answers.get("text", [])), list(answers.get("answer_start", []))
    else:
        texts = [answer["text"] for answer in answers]
        starts = [answer.get("answer_start", answer.get("start")) for answer in answers]
    if len(texts) != len(starts):
        raise ValueError(f"{name}[{i}] has {len(texts)} answers and {len(starts)} places of them")
    pairs = [(text, int(start)) for text, start in zip(texts, starts)]
    identity = row.get("id", "")
    return (str(identity), _text(row, "question", i, name), _text(row, "context", i, name), pairs)


def _choice(row: Mapping[str, Any], i: int, name: str) -> tuple[Any, ...]:
    context = next((column for column in ("context", "prompt", "sent1", "text") if column in row), None)
    if context is None:
        raise ValueError(f"{name}[{i}] has no column context, prompt or sent1")
    if "choices" in row:
        choices = list(row["choices"])
    else:
        endings = sorted((column for column in row if column.startswith("ending")), key=lambda c: int(c[6:] or 0))
        choices = [_text(row, column, i, name) for column in endings]
    question = row.get("question", row.get("sent2", ""))
    label = row.get("label")
    if isinstance(label, bool) or not isinstance(label, (int, np.integer, str)):
        raise TypeError(f"{name}[{i}]['label'] is {kind(label)}, not the number of the right choice")
    return (_text(row, context, i, name), question, choices, int(label))
