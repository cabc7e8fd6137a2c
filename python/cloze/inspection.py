"""Looking into a model: attention, attributions and predictions, as arrays and as a page."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._locate import Name
from ._precision import precision_of
from ._pretrained import PreTrainedModel
from ._progress import Bar

__all__ = ["Inspection", "inspect"]

Array = np.ndarray[Any, Any]

_NOTEBOOK_BYTES = 1_500_000


class Inspection:
    """What `inspect` found: arrays, and in a notebook the page that shows them."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self.tokens: list[str] = list(native.tokens)
        self._arrays: dict[str, Array] = dict(native.arrays)
        self.answer: Optional[Mapping[str, Any]] = native.explanation
        self.word_attributions: list[tuple[str, float]] = list(native.word_attributions)
        self.notes: Mapping[str, str] = native.notes
        self.pseudo_perplexity: Optional[float] = native.pseudo_perplexity
        self.vocabulary: Mapping[int, str] = native.vocabulary

    @property
    def model(self) -> str:
        """The name of the model's directory."""
        return str(self._native.model)

    @property
    def arrays(self) -> dict[str, Array]:
        """Everything, by the names that a `.safetensors` file gets."""
        return dict(self._arrays)

    @property
    def attentions(self) -> list[Array]:
        """Of each layer [heads, tokens, tokens] (query, key); empty if it was not asked for."""
        names = [name for name in self._arrays if name.startswith("attentions.")]
        return [self._arrays[name] for name in sorted(names, key=lambda name: int(name.split(".")[1]))]

    @property
    def integrated_gradients(self) -> Optional[Array]:
        """[tokens]: what each token added to the score of the answer."""
        return self._arrays.get("integrated_gradients")

    @property
    def gradient_x_input(self) -> Optional[Array]:
        """[tokens]: the cheaper attribution."""
        return self._arrays.get("gradient_x_input")

    @property
    def layers(self) -> Optional[dict[str, Array]]:
        """What the masked-LM head predicts at each layer: ids and probabilities [states, tokens, top]."""
        return self._part("layers.")

    @property
    def masks(self) -> Optional[dict[str, Array]]:
        """What it predicts under masks: positions, surprise, ids, probabilities."""
        return self._part("masks.")

    def _part(self, prefix: str) -> Optional[dict[str, Array]]:
        found = {name[len(prefix) :]: array for name, array in self._arrays.items() if name.startswith(prefix)}
        return found or None

    def to_html(self, most_bytes: int = 2_900_000) -> str:
        """The page: one HTML file that needs nothing but a browser."""
        return str(self._native.page(most_bytes))

    def save(self, path: Name) -> None:
        """Writes `.html`, `.json` or `.safetensors`, by the ending of `path`."""
        self._native.save(os.fspath(path))

    def _repr_html_(self) -> str:
        page = html.escape(self.to_html(_NOTEBOOK_BYTES), quote=True)
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{page}" width="100%" height="700" '
            'style="border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Inspection({self.model}: {len(self.tokens)} tokens, {', '.join(sorted(self._arrays))})"


def inspect(
    model: Any,
    text: str,
    pair: Optional[str] = None,
    *,
    attention: Optional[bool] = None,
    attribution: Optional[bool] = None,
    layers: Optional[bool] = None,
    masks: Optional[bool] = None,
    target: Optional[str] = None,
    explain: Optional[str] = None,
    at: Optional[int] = None,
    baseline: Optional[str] = None,
    steps: Optional[int] = None,
    top: int = 5,
    max_length: Optional[int] = None,
    truncate: bool = False,
    dtype: Any = None,
    show_progress_bar: Optional[bool] = None,
) -> Inspection:
    """Looks into `text` (or a pair) with a model: a directory, a name, or a model loaded from one.

    A part that is None is there if model and text have it; True raises ValueError where they have
    not, False leaves it out.
    """
    if isinstance(model, PreTrainedModel):
        if model._source is None:
            raise ValueError("inspect needs a model that was loaded from files")
        model = model._source[1]
    keywords: dict[str, Any] = {
        "attention": attention,
        "attribution": attribution,
        "layers": layers,
        "masks": masks,
        "target": target,
        "explain": explain,
        "at": at,
        "baseline": baseline,
        "steps": steps,
        "top": top,
        "max_length": max_length,
        "truncate": truncate,
        "dtype": None if dtype is None else precision_of(dtype),
    }
    with Bar(show_progress_bar, "Inspecting") as bar:
        found = _cloze.inspect(os.fspath(model), text, keywords, pair, bar.report)
    return Inspection(found)
