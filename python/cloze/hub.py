"""Models of the Hugging Face Hub, in the cache that huggingface_hub keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, Optional

from . import _cloze
from ._locate import Name
from ._progress import Bar

__all__ = ["HubModel", "pull"]


class HubModel(NamedTuple):
    """A model in the cache."""

    name: str
    revision: str
    commit: str
    directory: Path
    files: tuple[str, ...]


def pull(
    name: str,
    revision: Optional[str] = None,
    *,
    cache_dir: Optional[Name] = None,
    token: Optional[str] = None,
    show_progress_bar: Optional[bool] = None,
) -> HubModel:
    """Brings the cache up to date with a model, and says where it is. Every file is verified by its
    checksum; an interrupted download goes on where it stopped. Raises OSError for a name that the
    Hub does not have, or without a network."""
    with Bar(show_progress_bar, "Fetching") as bar:
        found: dict[str, Any] = _cloze.pull(
            name if revision is None else f"{name}@{revision}",
            cache=None if cache_dir is None else os.fspath(cache_dir),
            token=token,
            progress=bar.report,
        )
    return HubModel(
        found["name"], found["revision"], found["commit"], Path(found["directory"]), tuple(found["files"])
    )
