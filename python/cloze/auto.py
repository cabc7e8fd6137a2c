"""`AutoModel` and its kin: factories, by the names that transformers gives them."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from ._locate import Name
from ._pretrained import PreTrainedModel
from .config import BertConfig
from .models import (
    BertForMaskedLM,
    BertForMultipleChoice,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)


class _Auto:
    """A factory: `from_pretrained` gives the class that stands behind it."""

    _model: ClassVar[type[PreTrainedModel]]

    def __init__(self) -> None:
        name = type(self).__name__
        raise OSError(
            f"{name} is designed to be instantiated using the "
            f"`{name}.from_pretrained(pretrained_model_name_or_path)` or `{name}.from_config(config)` methods."
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Name, **options: Any) -> Any:
        """As the `from_pretrained` of the class."""
        return cls._model.from_pretrained(pretrained_model_name_or_path, **options)

    @classmethod
    def from_config(cls, config: BertConfig, **options: Any) -> Any:
        """A model of random weights."""
        return cls._model(copy.copy(config), **options)


class AutoModel(_Auto):
    """`BertModel`."""

    _model = BertModel


class AutoModelForMaskedLM(_Auto):
    """`BertForMaskedLM`."""

    _model = BertForMaskedLM


class AutoModelForNextSentencePrediction(_Auto):
    """`BertForNextSentencePrediction`."""

    _model = BertForNextSentencePrediction


class AutoModelForPreTraining(_Auto):
    """`BertForPreTraining`."""

    _model = BertForPreTraining


class AutoModelForSequenceClassification(_Auto):
    """`BertForSequenceClassification`."""

    _model = BertForSequenceClassification


class AutoModelForTokenClassification(_Auto):
    """`BertForTokenClassification`."""

    _model = BertForTokenClassification


class AutoModelForQuestionAnswering(_Auto):
    """`BertForQuestionAnswering`."""

    _model = BertForQuestionAnswering


class AutoModelForMultipleChoice(_Auto):
    """`BertForMultipleChoice`."""

    _model = BertForMultipleChoice
