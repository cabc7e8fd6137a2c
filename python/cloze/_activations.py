"""Functions on the logits of a CrossEncoder, by the names that files and callers give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np

from ._arrays import to_numpy, to_torch, torch_if_loaded
from ._texts import kind
from .config import BertConfig

Array = np.ndarray[Any, Any]


def softmax(x: Array) -> Array:
    """Shares of the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Identity": lambda x: x,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Softmax": softmax,
    "ReLU": lambda x: np.maximum(x, 0),
}


def activation_of(given: Any) -> Callable[[Array], Array]:
    """A function on logits: of a name, a module of torch, or a function."""
    if isinstance(given, str):
        name = given.rsplit(".", 1)[-1]
        if name not in _ACTIVATIONS:
            raise ValueError(f"there is no activation {given!r}: there are {', '.join(_ACTIVATIONS)}")
        return _ACTIVATIONS[name]
    name = type(given).__name__
    if type(given).__module__.startswith("torch.nn") and name in _ACTIVATIONS:
        return _ACTIVATIONS[name]
    torch = torch_if_loaded()
    if torch is not None and isinstance(given, torch.nn.Module):
        return lambda x: to_numpy(given(to_torch(x)))
    if callable(given):
        return lambda x: to_numpy(given(x))
    raise TypeError(f"activation_fn is {kind(given)}, not a name or a function")


def stated_activation(config: BertConfig) -> Optional[str]:
    """What config.json says of the activation of a model with several labels."""
    section = config.__dict__.get("sentence_transformers")
    if isinstance(section, dict) and isinstance(section.get("activation_fn"), str):
        return str(section["activation_fn"])
    older = config.__dict__.get("sbert_ce_default_activation_function")
    return older if isinstance(older, str) else None
