"""Texts as callers give them: lists, tuples, arrays and columns of strings."""

from __future__ import annotations

from typing import Any


def kind(value: Any) -> str:
    """What a value is, for messages: "list", "float (nan)"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{name} (nan)" if isinstance(value, float) and value != value else name


def is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def as_list(value: Any, name: str) -> list[Any]:
    """A list of any column of values: a list, a tuple, an array, a Series, a generator. Raises
    TypeError for a string, and for what cannot be gone through."""
    if isinstance(value, list):
        return value
    if is_text(value):
        raise TypeError(f"{name} is one {kind(value)}, not a list of them: write [{name}]")
    if isinstance(value, tuple):
        return list(value)
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        listed = tolist()
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
