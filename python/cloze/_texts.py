"""Texts as callers give them: lists, tuples, arrays, columns of strings, and tables with such a column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def kind(value: Any) -> str:
    """What a value is, for messages: "list", "float (nan)"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{name} (nan)" if isinstance(value, float) and value != value else name


def is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes))


# What a column of texts is called, the likelier first.
TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question", "query", "anchor", "sentence_A", "sentence_a")


def columns_of(value: Any) -> list[str] | None:
    """The names of the columns of a table (a data frame, a `datasets.Dataset`, a table of Arrow); None for others."""
    names = getattr(value, "column_names", None)
    if names is None:
        names = getattr(value, "columns", None)
    if names is None or callable(names) or is_text(names) or not hasattr(value, "__getitem__"):
        return None
    return [str(column) for column in names]


def as_list(value: Any, name: str) -> list[Any]:
    """A list of any column of values: a list, a tuple, an array, a Series, a generator; of a table, its column of
    texts. Raises TypeError for a string, for what cannot be gone through, and for a table or dict that does not say
    which column is meant."""
    if isinstance(value, list):
        return value
    if is_text(value):
        raise TypeError(f"{name} is one {kind(value)}, not a list of them: write [{name}]")
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        raise TypeError(f"{name} is {kind(value)}, not a list of str: give one of its columns")
    columns = columns_of(value)
    if columns is not None:
        known = columns if len(columns) == 1 else [column for column in TEXT_COLUMNS if column in columns]
        if not known:
            raise TypeError(f"{name} is {kind(value)} with the columns {', '.join(columns)}: give the one that has texts")
        value = value[known[0]]
    for method in ("tolist", "to_list", "to_pylist"):  # NumPy and pandas, polars, Arrow
        if callable(getattr(value, method, None)):
            listed = getattr(value, method)()
            if isinstance(listed, list):
                return listed
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{name} is {kind(value)}, not a list of str") from None


def split_pairs(texts: list[Any], name: str) -> tuple[list[Any], list[Any] | None]:
    """Texts, and their pairs where they are (text, pair): all of them or none."""
    if not texts or is_text(texts[0]) or not isinstance(texts[0], (list, tuple)):
        return texts, None
    firsts, seconds = [], []
    for i, item in enumerate(texts):
        if not isinstance(item, (list, tuple)) or len(item) != 2:
            raise TypeError(
                f"{name}[{i}] is {kind(item)}, not a pair of two texts as {name}[0] is"
            )
        firsts.append(item[0])
        seconds.append(item[1])
    return firsts, seconds
