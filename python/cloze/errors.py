"""The exceptions of Cloze. Each is also the exception of Python that it is a case of.

>>> import cloze
>>> issubclass(cloze.IoError, OSError), issubclass(cloze.ModelError, ValueError)
(True, True)
"""

from __future__ import annotations

from ._cloze import (
    ArgumentError,
    Cancelled,
    Error,
    FormatError,
    IoError,
    ModelError,
    TextTooLong,
    WrongPipeline,
)

__all__ = [
    "ArgumentError",
    "Cancelled",
    "Error",
    "FormatError",
    "IoError",
    "ModelError",
    "PipelineException",
    "TextTooLong",
    "WrongPipeline",
]


class PipelineException(ValueError):
    """A text that a pipeline cannot answer, such as one without a mask for fill-mask."""
