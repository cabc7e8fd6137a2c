"""Texts in memory for what reads files: an anonymous file, which is memory, has no name and never touches a disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Union

from ._texts import is_text, kind

Document = Union[str, list[str]]

_PLACE = "/proc/self/fd/"


def is_in_memory(path: str) -> bool:
    """Whether a path is that of an anonymous file, which is gone with its process."""
    return path.startswith(_PLACE)


@contextmanager
def lines_in_memory(texts: Iterable[str], name: str) -> Iterator[str]:
    """The path of a file with a text a line, while it lasts. Raises TypeError that names an element that is no str."""
    with _file(_line(text, f"{name}[{i}]").replace("\n", " ") for i, text in enumerate(_many(texts, name))) as path:
        yield path


@contextmanager
def documents_in_memory(documents: Iterable[Document], name: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """The path of a file with documents of several lines each, while it lasts; a document is a str or a list of
    sentences. Raises as `lines_in_memory`, and ValueError where the settings part documents otherwise."""
    if settings.get("documents", "blank-line") != "blank-line":
        raise ValueError(f"documents is {settings['documents']!r}, which is of files: {name} are documents as they are")
    with _file(_document(document, f"{name}[{i}]") for i, document in enumerate(_many(documents, name))) as path:
        yield path


def _many(texts: Any, name: str) -> Iterable[Any]:
    if is_text(texts) or isinstance(texts, Mapping):
        raise TypeError(f"{name} is one {kind(texts)}, not a list of them: write [{name}]; files are given as such")
    return texts  # type: ignore[no-any-return]


def _line(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{name} is {kind(text)}, not str")
    return text.replace("\r", " ")


def _document(document: Any, name: str) -> str:
    if isinstance(document, (list, tuple)):
        lines = [_line(sentence, f"{name}[{i}]").replace("\n", " ") for i, sentence in enumerate(document)]
    else:
        lines = _line(document, name).split("\n")
    return "".join(line + "\n" for line in lines if line.strip())  # a blank line would part it


@contextmanager
def _file(parts: Iterable[str]) -> Iterator[str]:
    descriptor = os.memfd_create("cloze-texts")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for i, part in enumerate(parts):
                try:
                    file.write(part.encode("utf-8") + b"\n")
                except UnicodeEncodeError:
                    raise ValueError(
                        f"text {i} holds a lone surrogate, which no text has: it was decoded wrongly"
                    ) from None
        yield f"{_PLACE}{descriptor}"
    finally:
        os.close(descriptor)
