"""The logger of the package, and sentences that are said once."""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger("cloze")
logger.addHandler(logging.NullHandler())

_said: set[str] = set()
_lock = threading.Lock()


def warn_once(sentence: str) -> None:
    """Logs a warning, the first time that it is to be said."""
    _say_once(logging.WARNING, sentence)


def note_once(sentence: str) -> None:
    """Logs at INFO, the first time that it is to be said."""
    _say_once(logging.INFO, sentence)


def _say_once(level: int, sentence: str) -> None:
    with _lock:
        if sentence in _said:
            return
        _said.add(sentence)
    logger.log(level, "%s", sentence)
