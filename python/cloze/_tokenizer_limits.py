"""How a call of a tokenizer pads and cuts: the rules that transformers has for the arguments `padding`, `truncation`
and `max_length`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from ._log import warn_once
from ._texts import kind

# A model without a maximal length has the first of these; above the second, none is meant.
VERY_LARGE_INTEGER = int(1e30)
LARGE_INTEGER = int(1e20)
_TRUNCATIONS = ("longest_first", "only_first", "only_second", "do_not_truncate")


@dataclass(frozen=True)
class Limits:
    """How a call pads and cuts."""

    padding: str  # "longest", "max_length" or "do_not_pad"
    length: int  # tokens, of "max_length" and of a truncation
    truncation: str  # one of those that the library has


def limits_of(
    padding: Union[None, bool, str],
    truncation: Union[None, bool, str],
    max_length: Optional[int],
    multiple: Optional[int],
    *,
    model_max_length: int,
    can_pad: bool,
    verbose: bool,
) -> Limits:
    """The limits of a call, by transformers' rules. Raises ValueError and TypeError for what makes no sense."""
    if max_length is not None and padding is False and truncation is None:
        if verbose:
            warn_once(
                "Truncation was not explicitly activated but `max_length` is provided a specific value, please "
                "use `truncation=True` to explicitly truncate examples to max length. Defaulting to "
                "'longest_first' truncation strategy."
            )
        truncation = "longest_first"
    how: Any = getattr(padding, "value", padding)
    how = {True: "longest", False: "do_not_pad", None: "do_not_pad"}.get(how, how)
    if how not in ("longest", "max_length", "do_not_pad"):
        raise ValueError(f"padding is {padding!r}: there are True, False, 'longest', 'max_length' and 'do_not_pad'")
    cut: Any = getattr(truncation, "value", truncation)
    cut = {True: "longest_first", False: "do_not_truncate", None: "do_not_truncate"}.get(cut, cut)
    if cut not in _TRUNCATIONS:
        raise ValueError(f"truncation is {truncation!r}: there are True, False, {', '.join(map(repr, _TRUNCATIONS))}")
    if max_length is None:
        if how == "max_length":
            if model_max_length > LARGE_INTEGER:
                if verbose:
                    warn_once(
                        "Asking to pad to max_length but no maximum length is provided and the model has no "
                        "predefined maximum length. Default to no padding."
                    )
                how = "do_not_pad"
            else:
                max_length = model_max_length
        if cut != "do_not_truncate":
            if model_max_length > LARGE_INTEGER:
                if verbose:
                    warn_once(
                        "Asking to truncate to max_length but no maximum length is provided and the model has no "
                        "predefined maximum length. Default to no truncation."
                    )
                cut = "do_not_truncate"
            else:
                max_length = model_max_length
    if how != "do_not_pad" and not can_pad:
        raise ValueError(
            "Asking to pad but the tokenizer does not have a padding token: its vocabulary has none."
        )
    if cut != "do_not_truncate" and how != "do_not_pad" and multiple and max_length is not None and max_length % multiple:
        raise ValueError(
            "Truncation and padding are both activated but "
            f"truncation length ({max_length}) is not a multiple of pad_to_multiple_of ({multiple})."
        )
    if max_length is not None and (isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer))):
        raise TypeError(f"max_length is {kind(max_length)}, not int")
    return Limits(str(how), 0 if max_length is None else int(max_length), str(cut))
