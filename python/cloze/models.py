"""`BertModel` and its heads, with the calls and the results of transformers' classes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import _loss
from ._arrays import integers
from ._grid import Grid
from ._pretrained import PreTrainedModel
from .config import BertConfig
from .outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    BertForPreTrainingOutput,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    NextSentencePredictorOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)

Array = np.ndarray[Any, Any]


class BertModel(PreTrainedModel):
    """The bare encoder.

    >>> from cloze import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=100, hidden_size=32, num_hidden_layers=2,
    ...                              num_attention_heads=2, intermediate_size=64))
    >>> output = model([[1, 2, 3], [4, 5, 6]])
    >>> output.last_hidden_state.shape, output.pooler_output.shape
    ((2, 3, 32), (2, 32))
    """

    _class = "BertModel"
    _output = BaseModelOutputWithPoolingAndCrossAttentions
    _per_token = ("last_hidden_state",)
    _labels = ()


class BertForMaskedLM(PreTrainedModel):
    """Token prediction. `positions` are flat places b·L + l: logits [n, V] of those alone."""

    _class = "BertForMaskedLM"
    _output = MaskedLMOutput
    _per_token = ("logits",)

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        return _loss.cross_entropy(values["logits"], labels["labels"])


class BertForNextSentencePrediction(PreTrainedModel):
    """Whether the second segment follows the first: logits [B, 2]."""

    _class = "BertForNextSentencePrediction"
    _output = NextSentencePredictorOutput

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        return _loss.cross_entropy(values["logits"], labels["labels"])


class BertForPreTraining(PreTrainedModel):
    """Both heads of pre-training over one pass of the encoder."""

    _class = "BertForPreTraining"
    _output = BertForPreTrainingOutput
    _per_token = ("prediction_logits",)
    _labels = ("labels", "next_sentence_label")

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        if len(labels) < 2:
            return None  # as transformers
        words = _loss.cross_entropy(values["prediction_logits"], labels["labels"])
        return np.float32(words + _loss.cross_entropy(values["seq_relationship_logits"], labels["next_sentence_label"]))


class BertForSequenceClassification(PreTrainedModel):
    """One label, several, or a value for a sequence: logits [B, labels]."""

    _class = "BertForSequenceClassification"
    _output = SequenceClassifierOutput

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        return _loss.sequence_loss(values["logits"], labels["labels"], self.config.problem_type)


class BertForTokenClassification(PreTrainedModel):
    """A label for every token: logits [B, L, labels]."""

    _class = "BertForTokenClassification"
    _output = TokenClassifierOutput
    _per_token = ("logits",)

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        return _loss.cross_entropy(values["logits"], labels["labels"])


class BertForQuestionAnswering(PreTrainedModel):
    """Begin and end of an answer: start_logits and end_logits [B, L]."""

    _class = "BertForQuestionAnswering"
    _output = QuestionAnsweringModelOutput
    _per_token = ("start_logits", "end_logits")
    _labels = ("start_positions", "end_positions")

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        if len(labels) < 2:
            return None  # as transformers
        return _loss.span_loss(
            values["start_logits"], values["end_logits"], labels["start_positions"], labels["end_positions"], mask
        )


class BertForMultipleChoice(PreTrainedModel):
    """A score for each choice: ids [B, choices, L], logits [B, choices]."""

    _class = "BertForMultipleChoice"
    _output = MultipleChoiceModelOutput

    def _forward(self, arrays: tuple[Any, ...], hidden: bool, attentions: bool, positions: Any) -> tuple[dict[str, Any], Array]:
        names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
        ids = integers(arrays[0], "input_ids")
        if ids.ndim != 3:
            raise ValueError(f"input_ids is {list(ids.shape)}, and must be [batch, choices, length]")
        flat = [
            None if value is None else integers(value, name).reshape(-1, integers(value, name).shape[-1])
            for name, value in zip(names, arrays)
        ]
        grid = Grid(flat[0], flat[1], flat[2], flat[3], self.config)
        return self._compute(grid, hidden, attentions, positions, ids.shape[1]), grid.mask

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        return _loss.cross_entropy(values["logits"], labels["labels"])


DistilBertModel = BertModel
DistilBertForMaskedLM = BertForMaskedLM
DistilBertForSequenceClassification = BertForSequenceClassification
DistilBertForTokenClassification = BertForTokenClassification
DistilBertForQuestionAnswering = BertForQuestionAnswering
DistilBertForMultipleChoice = BertForMultipleChoice

CLASSES: dict[str, type[PreTrainedModel]] = {
    made.__name__: made
    for made in (
        BertModel,
        BertForMaskedLM,
        BertForNextSentencePrediction,
        BertForPreTraining,
        BertForSequenceClassification,
        BertForTokenClassification,
        BertForQuestionAnswering,
        BertForMultipleChoice,
    )
}


def wrapped(native: Any, name: str = "") -> Any:
    """The class of a native model around it."""
    return CLASSES[native.name]._of(native, BertConfig.from_dict(json.loads(native.config_json)), name)
