"""What models return: `ModelOutput` and its kinds, with the names and the fields of transformers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

from ._arrays import is_torch

__all__ = [
    "BaseModelOutputWithPoolingAndCrossAttentions",
    "BertForPreTrainingOutput",
    "MaskedLMOutput",
    "ModelOutput",
    "MultipleChoiceModelOutput",
    "NextSentencePredictorOutput",
    "QuestionAnsweringModelOutput",
    "SequenceClassifierOutput",
    "TokenClassifierOutput",
]


class ModelOutput(OrderedDict):  # type: ignore[type-arg]
    """A result that is an object, a dict and a tuple. What was not computed is None as an attribute,
    and is no key.

    >>> from cloze.outputs import SequenceClassifierOutput
    >>> output = SequenceClassifierOutput(logits=[1.0, 2.0])
    >>> output.logits, output["logits"], output[0], output.to_tuple(), output.loss
    ([1.0, 2.0], [1.0, 2.0], [1.0, 2.0], ([1.0, 2.0],), None)
    """

    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__()
        if len(values) > len(self.fields):
            raise TypeError(f"{type(self).__name__} has {len(self.fields)} fields, not {len(values)}")
        given = {**dict(zip(self.fields, values)), **named}
        for name in given:
            if name not in self.fields:
                raise TypeError(f"{type(self).__name__} has no field {name!r}: it has {', '.join(self.fields)}")
        for name in self.fields:
            object.__setattr__(self, name, None)
        for name in self.fields:
            if given.get(name) is not None:
                self[name] = given[name]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return dict(self.items())[key]
        return self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        object.__setattr__(self, key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.keys() and value is not None:
            super().__setitem__(name, value)
        object.__setattr__(self, name, value)

    def __delitem__(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``__delitem__`` on a {type(self).__name__} instance.")

    def setdefault(self, *args: Any, **kwargs: Any) -> Any:
        raise Exception(f"You cannot use ``setdefault`` on a {type(self).__name__} instance.")

    def pop(self, *args: Any, **kwargs: Any) -> Any:
        raise Exception(f"You cannot use ``pop`` on a {type(self).__name__} instance.")

    def update(self, *args: Any, **kwargs: Any) -> None:
        raise Exception(f"You cannot use ``update`` on a {type(self).__name__} instance.")

    def to_tuple(self) -> tuple[Any, ...]:
        """The values that there are."""
        return tuple(self[key] for key in self.keys())

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in self.fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={_shape(v)}' for k, v in self.items())})"


def _shape(value: Any) -> str:
    if isinstance(value, (tuple, list)) and value and hasattr(value[0], "shape"):
        return f"({len(value)} of {_shape(value[0])})"
    if is_torch(value) or hasattr(value, "shape"):
        kind = "tensor" if is_torch(value) else "array"
        dtype = str(value.dtype).replace("torch.", "")
        return f"{kind}{list(value.shape)} {dtype}"
    return repr(value)


class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """Of `BertModel`: last_hidden_state [B, L, H], pooler_output [B, H]."""

    fields = (
        "last_hidden_state",
        "pooler_output",
        "hidden_states",
        "past_key_values",
        "attentions",
        "cross_attentions",
    )
    last_hidden_state: Any
    pooler_output: Any
    hidden_states: Any
    past_key_values: Any
    attentions: Any
    cross_attentions: Any


class MaskedLMOutput(ModelOutput):
    """Of `BertForMaskedLM`: logits [B, L, V]."""

    fields = ("loss", "logits", "hidden_states", "attentions")
    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any


class NextSentencePredictorOutput(ModelOutput):
    """Of `BertForNextSentencePrediction`: logits [B, 2]."""

    fields = ("loss", "logits", "hidden_states", "attentions")
    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any


class BertForPreTrainingOutput(ModelOutput):
    """Of `BertForPreTraining`: prediction_logits [B, L, V], seq_relationship_logits [B, 2]."""

    fields = ("loss", "prediction_logits", "seq_relationship_logits", "hidden_states", "attentions")
    loss: Any
    prediction_logits: Any
    seq_relationship_logits: Any
    hidden_states: Any
    attentions: Any


class SequenceClassifierOutput(ModelOutput):
    """Of `BertForSequenceClassification`: logits [B, labels]."""

    fields = ("loss", "logits", "hidden_states", "attentions")
    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any


class TokenClassifierOutput(ModelOutput):
    """Of `BertForTokenClassification`: logits [B, L, labels]."""

    fields = ("loss", "logits", "hidden_states", "attentions")
    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any


class QuestionAnsweringModelOutput(ModelOutput):
    """Of `BertForQuestionAnswering`: start_logits and end_logits [B, L]."""

    fields = ("loss", "start_logits", "end_logits", "hidden_states", "attentions")
    loss: Any
    start_logits: Any
    end_logits: Any
    hidden_states: Any
    attentions: Any


class MultipleChoiceModelOutput(ModelOutput):
    """Of `BertForMultipleChoice`: logits [B, choices]."""

    fields = ("loss", "logits", "hidden_states", "attentions")
    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any
