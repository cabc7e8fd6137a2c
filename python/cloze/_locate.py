"""Where a model is: a directory, a name in Cloze's cache, or a name on the Hugging Face Hub."""

from __future__ import annotations

import os
from typing import Any, Optional, Union

from . import _cloze
from ._progress import Bar
from .errors import IoError

Name = Union[str, "os.PathLike[str]"]


def locate(
    name: Name,
    *,
    revision: Optional[str] = None,
    cache_dir: Optional[Name] = None,
    local_files_only: bool = False,
    token: Union[None, bool, str] = None,
    subfolder: str = "",
    trust_remote_code: bool = False,
) -> str:
    """The directory of a model, fetched from the Hub where it must be."""
    if trust_remote_code:
        raise ValueError(
            "trust_remote_code=True runs a checkpoint's own Python, which Cloze never does: "
            "leave it out"
        )
    if not isinstance(name, (str, os.PathLike)):
        raise TypeError(f"the model is {type(name).__name__}, not a name or a path")
    text = os.fspath(name)
    if not os.path.isdir(text):
        if revision is not None:
            text = f"{text}@{revision}"
        with Bar(None, "Fetching") as bar:
            text = str(
                _cloze.find_model(
                    text,
                    cache=None if cache_dir is None else os.fspath(cache_dir),
                    token=token if isinstance(token, str) else ("" if token is False else None),
                    offline=bool(local_files_only),
                    progress=bar.report,
                )
            )
    if subfolder:
        text = os.path.join(text, subfolder)
        if not os.path.isdir(text):
            raise IoError(f"{text} is no directory: check subfolder")
    return text


def take_locate(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the keyword arguments that `locate` knows, taken out of `options`."""
    names = ("revision", "cache_dir", "local_files_only", "token", "subfolder", "trust_remote_code")
    taken = {name: options.pop(name) for name in names if name in options}
    for name in ("revision", "subfolder", "cache_dir", "token"):
        if taken.get(name, "") is None:
            del taken[name]
    if "use_auth_token" in options:
        taken.setdefault("token", options.pop("use_auth_token"))
    return taken


def refuse(options: dict[str, Any], function: str) -> None:
    """Raises TypeError for keyword arguments that nobody took."""
    if options:
        raise TypeError(f"{function}() got an unexpected keyword argument '{next(iter(options))}'")
