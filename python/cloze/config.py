"""`BertConfig`: config.json, with the names and defaults of transformers."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from . import _cloze
from ._locate import Name, locate, take_locate
from .errors import IoError

__all__ = ["AutoConfig", "BertConfig"]

_DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "use_cache": True,
    "classifier_dropout": None,
    "problem_type": None,
}


class BertConfig:
    """The description of a BERT. Fields that Cloze does not know are kept, and can be read.

    >>> from cloze import BertConfig
    >>> config = BertConfig(hidden_size=128, num_labels=3)
    >>> config.hidden_size, config.num_attention_heads, config.id2label
    (128, 12, {0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2'})
    """

    model_type = "bert"

    def __init__(self, num_labels: Optional[int] = None, **fields: Any) -> None:
        labels = fields.pop("id2label", None)
        inverse = fields.pop("label2id", None)
        fields.pop("model_type", None)
        self.__dict__.update({**_DEFAULTS, **fields})
        self.architectures: Optional[list[str]] = fields.get("architectures")
        if labels is None and inverse:
            labels = {index: label for label, index in inverse.items()}
        if labels is None or (num_labels is not None and num_labels != len(labels)):
            labels = {index: f"LABEL_{index}" for index in range(2 if num_labels is None else num_labels)}
        self.id2label: dict[int, str] = {int(index): str(label) for index, label in labels.items()}
        self.label2id: dict[str, int] = {label: index for index, label in self.id2label.items()}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this configuration says nothing of {name!r}")

    @property
    def num_labels(self) -> int:
        """Outputs of a task's head."""
        return len(self.id2label)

    @classmethod
    def from_dict(cls, fields: dict[str, Any], **changes: Any) -> BertConfig:
        """A configuration of the fields of config.json; DistilBERT's names are read, too."""
        distil = {
            "dim": "hidden_size",
            "n_layers": "num_hidden_layers",
            "n_heads": "num_attention_heads",
            "hidden_dim": "intermediate_size",
            "activation": "hidden_act",
            "dropout": "hidden_dropout_prob",
            "attention_dropout": "attention_probs_dropout_prob",
        }
        named = dict(fields)
        if named.get("model_type") == "distilbert":
            for theirs, ours in distil.items():
                if theirs in named:
                    named.setdefault(ours, named[theirs])
        made = cls(**{**named, **changes})
        if "model_type" in fields:
            made.__dict__["model_type"] = fields["model_type"]
        return made

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Name, **options: Any) -> BertConfig:
        """The configuration of a directory, a name on the Hub, or a config.json; further keyword
        arguments stand above what it says."""
        place = take_locate(options)
        path = os.fspath(pretrained_model_name_or_path)
        if not os.path.isfile(path):
            directory = str(_cloze.transformer_directory(locate(path, **place)))
            path = os.path.join(directory, "config.json")
            if not os.path.exists(path):
                path = os.path.join(directory, "bert_config.json")
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise IoError(f"{path} cannot be read: {error.strerror}") from error
        _cloze.config_from_json(text, path)  # says what is wrong with it
        made = cls.from_dict(json.loads(text), **options)
        made.__dict__["_name_or_path"] = os.fspath(pretrained_model_name_or_path)
        return made

    def to_dict(self) -> dict[str, Any]:
        """The fields, as config.json has them."""
        fields = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        fields["id2label"] = {int(k): v for k, v in self.id2label.items()}
        fields["model_type"] = self.model_type
        return fields

    def to_json_string(self, use_diff: bool = True) -> str:
        """The text of config.json."""
        del use_diff  # all fields are written
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: Name) -> None:
        """Writes config.json into a directory, which is made if it is not there."""
        os.makedirs(save_directory, exist_ok=True)
        with open(os.path.join(save_directory, "config.json"), "w", encoding="utf-8") as file:
            file.write(self.to_json_string())

    def update(self, fields: dict[str, Any]) -> None:
        """Sets several fields."""
        self.__dict__.update(fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BertConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"BertConfig {self.to_json_string()}"


class AutoConfig:
    """`AutoConfig.from_pretrained(name)`: as `BertConfig.from_pretrained`."""

    @staticmethod
    def from_pretrained(pretrained_model_name_or_path: Name, **options: Any) -> BertConfig:
        """The configuration of a model."""
        return BertConfig.from_pretrained(pretrained_model_name_or_path, **options)
