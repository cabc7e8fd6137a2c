"""Progress bars: tqdm's, where it is installed and somebody wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Optional

from ._log import logger

Report = Callable[[str, int, int, str], None]


class Bar:
    """A bar for one call; `report` is what the library calls. Without tqdm, or where nobody wants a
    bar, `report` is None, and the library has nobody to call.

    `show=None` means sentence-transformers' rule: where the logger "cloze" is at INFO or below.
    """

    def __init__(self, show: Optional[bool], description: str) -> None:
        if show is None:
            show = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)
        self._description = description
        self._tqdm: Any = None
        self._bar: Any = None
        if show:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._tqdm = tqdm

    @property
    def report(self) -> Optional[Report]:
        return None if self._tqdm is None else self._report

    def _report(self, stage: str, done: int, total: int, unit: str) -> None:
        if self._bar is None:
            self._bar = self._tqdm(total=total or None, desc=self._description, unit=f" {unit}")
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._bar is not None:
            self._bar.close()
