"""`BertModel` and its heads, with the calls and the results of transformers' classes."""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional

import numpy as np

from . import _cloze, _loss
from ._arrays import integers, is_torch, like, to_numpy
from ._grid import Grid
from ._locate import Name, locate, refuse, take_locate
from .config import BertConfig
from .outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    BertForPreTrainingOutput,
    MaskedLMOutput,
    ModelOutput,
    MultipleChoiceModelOutput,
    NextSentencePredictorOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)

Array = np.ndarray[Any, Any]

_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "device_map": (None, "cpu", "auto"),
    "attn_implementation": (None, "eager", "sdpa"),
    "use_safetensors": (None, True, False),
    "low_cpu_mem_usage": (None, True, False),
}
_NOT_IN_CLOZE = (
    "inputs_embeds",
    "encoder_hidden_states",
    "encoder_attention_mask",
    "past_key_values",
    "head_mask",
)


class Device(str):
    """Where a model computes: "cpu", with the attributes that programs ask a torch.device for."""

    type = "cpu"


def precision_of(dtype: Any, config: Optional[Mapping[str, Any]] = None) -> str:
    """The name of what the library computes in: of a name, or a dtype of torch or NumPy. "auto" is
    what the checkpoint's config says. Raises ValueError for others."""
    if dtype is None:
        return "float32"
    name = dtype if isinstance(dtype, str) else str(dtype).replace("torch.", "")
    if not isinstance(dtype, str) and name.startswith("<class"):
        name = np.dtype(dtype).name
    if name == "auto":
        stated = config or {}
        name = str(stated.get("dtype") or stated.get("torch_dtype") or "float32")
        return "bfloat16" if name == "bfloat16" else "float32"
    names = {"f32": "float32", "bf16": "bfloat16", "float": "float32"}
    name = names.get(name, name)
    if name not in ("float32", "bfloat16", "int8", "best"):
        raise ValueError(
            f"dtype is {dtype!r}: Cloze computes in 'float32', 'bfloat16' and 'int8'; 'best' is what "
            "is fastest here without 8 bits, 'auto' what the checkpoint says"
        )
    return name


class PreTrainedModel:
    """What all models have. Immutable, and safe to share between threads: a copy is the model."""

    base_model_prefix = "bert"
    _output: ClassVar[type[ModelOutput]]
    _per_token: ClassVar[tuple[str, ...]] = ()
    _class: ClassVar[str]
    _labels: ClassVar[tuple[str, ...]] = ("labels",)

    def __init__(self, config: BertConfig, *, seed: int = 0, dtype: Any = "float32", add_pooling_layer: bool = True) -> None:
        """A model of random weights: the same for the same seed."""
        if not isinstance(config, BertConfig):
            raise TypeError(
                f"{type(self).__name__}() makes random weights for a BertConfig: "
                f"{type(self).__name__}.from_pretrained loads a model"
            )
        native = _cloze.Model.random(json.dumps(config.to_dict()), self._class, seed, precision_of(dtype))
        self._set_up(native, config, "", None, {"output_attentions": False, "output_hidden_states": False})
        self._pooling = add_pooling_layer

    def _set_up(
        self,
        native: Any,
        config: BertConfig,
        name: str,
        source: Optional[tuple[Any, ...]],
        outputs: dict[str, bool],
    ) -> None:
        self._native = native
        self.config = config
        self.name_or_path = name
        self._source = source
        self._outputs = outputs
        self._pooling = True

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Name,
        *,
        dtype: Any = None,
        torch_dtype: Any = None,
        keep_float: Sequence[str] = (),
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        add_pooling_layer: bool = True,
        **options: Any,
    ) -> Any:
        """Loads a directory, or a model by its name on the Hugging Face Hub.

        `dtype`: "float32", "bfloat16", "int8", "best" or "auto" (the checkpoint's own); with int8,
        layers whose names contain one of `keep_float` stay as they are. Raises OSError for a model
        that is nowhere, ValueError (`cloze.ModelError`) for one without this class's head.
        """
        name = os.fspath(pretrained_model_name_or_path) if isinstance(pretrained_model_name_or_path, os.PathLike) else pretrained_model_name_or_path
        arguments = {
            "dtype": dtype if torch_dtype is None else torch_dtype,
            "keep_float": tuple(keep_float),
            "output_attentions": output_attentions,
            "output_hidden_states": output_hidden_states,
            "add_pooling_layer": add_pooling_layer,
            **options,
        }
        place = take_locate(options)
        for key, allowed in _WITHOUT_EFFECT.items():
            if key in options and options.pop(key) not in allowed:
                raise ValueError(f"{key} is {arguments[key]!r}: Cloze computes on the CPU, in its own way")
        refuse(options, "from_pretrained")
        directory = str(_cloze.transformer_directory(locate(name, **place)))
        config = BertConfig.from_pretrained(directory)
        precision = precision_of(arguments["dtype"], config.to_dict())
        native = _cloze.Model.from_pretrained(directory, cls._class, precision, list(keep_float))
        model = cls.__new__(cls)
        outputs = {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        model._set_up(native, config, str(name), (cls, directory, arguments), outputs)
        model._pooling = add_pooling_layer
        return model

    @classmethod
    def _of(cls, native: Any, config: BertConfig, name: str = "") -> Any:
        model = cls.__new__(cls)
        model._set_up(native, config, name, None, {"output_attentions": False, "output_hidden_states": False})
        return model

    # A call.

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        *,
        output_attentions: Optional[bool] = None,
        output_hidden_states: Optional[bool] = None,
        return_dict: Optional[bool] = None,
        positions: Any = None,
        **options: Any,
    ) -> Any:
        """The outputs for ids [B, L]; also called with a BatchEncoding. Tensors of torch give
        tensors of torch, all else arrays, f32. Rows of padding are zero."""
        if isinstance(input_ids, Mapping):
            given = {**input_ids, **options}
            return self(
                output_attentions=output_attentions,
                output_hidden_states=output_hidden_states,
                return_dict=return_dict,
                positions=positions,
                **given,
            )
        for name in _NOT_IN_CLOZE:
            if options.pop(name, None) is not None:
                raise ValueError(f"{name} is not in Cloze: a model reads input_ids")
        labels = {name: options.pop(name, None) for name in self._labels}
        options.pop("use_cache", None)
        refuse(options, type(self).__name__)
        if input_ids is None:
            raise ValueError("You have to specify input_ids")
        if positions is not None and self._class not in ("BertForMaskedLM", "BertForPreTraining"):
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument 'positions'")
        torch_in = is_torch(input_ids)
        hidden = self._outputs["output_hidden_states"] if output_hidden_states is None else output_hidden_states
        attentions = self._outputs["output_attentions"] if output_attentions is None else output_attentions
        values, mask = self._forward(
            (input_ids, attention_mask, token_type_ids, position_ids), hidden, attentions, positions
        )
        given_labels = {name: to_numpy(value) for name, value in labels.items() if value is not None}
        if given_labels:
            loss = self._loss(values, given_labels, mask)
            if loss is not None:
                values["loss"] = loss
        if torch_in:
            values = {name: _to_torch(value) for name, value in values.items()}
        output = self._output(**values)
        return output.to_tuple() if return_dict is False else output

    forward = __call__

    def _forward(self, arrays: tuple[Any, ...], hidden: bool, attentions: bool, positions: Any) -> tuple[dict[str, Any], Array]:
        ids, mask, types, places = arrays
        grid = Grid(ids, mask, types, places, self.config)
        return self._compute(grid, hidden, attentions, positions, 1), grid.mask

    def _compute(self, grid: Grid, hidden: bool, attentions: bool, positions: Any, choices: int) -> dict[str, Any]:
        """The outputs of a grid, part by part."""
        wanted = None if positions is None else grid.packed_positions(positions)
        collected: dict[str, list[Any]] = {}
        maps: list[Array] = []
        order: list[Array] = []
        for part in grid.parts(choices):
            at = None
            if wanted is not None:
                chosen = np.flatnonzero((wanted >= part.tokens.start) & (wanted < part.tokens.stop))
                order.append(chosen)
                at = (wanted[chosen] - part.tokens.start).astype(np.int32)
            result = self._native.forward(
                **part.arrays, positions=at, choices=choices, hidden_states=hidden, attentions=attentions
            )
            flat = result.pop("attentions", [])
            if flat and not maps:
                heads, length = self.config.num_attention_heads, grid.shape[1]
                maps = [np.zeros((grid.shape[0], heads, length, length), np.float32) for _ in flat]
            for layer, values in zip(maps, flat):
                grid.attention(part, values, layer)
            for name, value in result.items():
                collected.setdefault(name, []).append(value)
        return self._assembled(grid, collected, maps, order, wanted is not None)

    def _assembled(
        self, grid: Grid, collected: dict[str, list[Any]], maps: list[Array], order: list[Array], chosen: bool
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if not collected:
            return self._empty(grid)
        for name, parts in collected.items():
            if name == "hidden_states":
                values[name] = tuple(grid.tokens(list(layer)) for layer in zip(*parts))
            elif chosen and name in ("logits", "prediction_logits"):
                rows = np.concatenate(parts)
                values[name] = np.empty_like(rows)
                values[name][np.concatenate(order)] = rows
            elif name in self._per_token:
                values[name] = grid.tokens(parts)
            else:
                values[name] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if maps:
            values["attentions"] = tuple(maps)
        if not self._pooling:
            values.pop("pooler_output", None)
        return values

    def _empty(self, grid: Grid) -> dict[str, Any]:
        raise ValueError(f"input_ids is {list(grid.shape)}: there is no sequence in it")

    def _loss(self, values: dict[str, Any], labels: dict[str, Array], mask: Array) -> Any:
        raise NotImplementedError  # every class with labels has its own

    # What programs ask models for.

    @property
    def dtype(self) -> str:
        """What the encoder computes in: "float32", "bfloat16" or "int8"."""
        return str(self._native.precision)

    @property
    def device(self) -> Any:
        """The CPU: a torch.device where torch is loaded, else a str with `.type`."""
        from ._arrays import torch_if_loaded

        torch = torch_if_loaded()
        return Device("cpu") if torch is None else torch.device("cpu")

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Elements of all tensors."""
        del only_trainable
        if exclude_embeddings:
            return int(self._native.num_parameters - self.config.vocab_size * self.config.hidden_size)
        return int(self._native.num_parameters)

    def eval(self) -> Any:
        """The model: it is always ready to answer."""
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """The model, for False."""
        if requires_grad:
            raise ValueError("models have no gradients here: cloze.finetune trains")
        return self

    def train(self, mode: bool = True) -> Any:
        """The model, for False."""
        if mode:
            raise ValueError("models do not train themselves here: cloze.finetune trains")
        return self

    def cpu(self) -> Any:
        """The model: it is there."""
        return self

    def to(self, *places: Any, **options: Any) -> Any:
        """The model, for the CPU and its own dtype."""
        for place in (*places, *options.values()):
            name = str(place).replace("torch.", "")
            if name not in ("cpu", "cpu:0", self.dtype):
                raise ValueError(f"the model stays on the CPU, in {self.dtype}: load it with dtype={name!r} for another")
        return self

    def cuda(self, device: Any = None) -> Any:
        """Raises ValueError: Cloze computes on the CPU."""
        raise ValueError("Cloze computes on the CPU: leave .cuda() out")

    def half(self) -> Any:
        """Raises ValueError: dtype is a matter of loading."""
        raise ValueError("half precision is dtype='bfloat16' or 'int8' of from_pretrained")

    def state_dict(self) -> dict[str, Array]:
        """The tensors of the checkpoint by their names, read-only, from the mapped files."""
        if self._source is None:
            raise ValueError("a model that was not loaded from files has no state_dict: save_pretrained writes one")
        return dict(_cloze.load_tensors(self._source[1]))

    def save_pretrained(self, save_directory: Name, **unused: Any) -> None:
        """Writes config.json and the weights as transformers reads them."""
        refuse({k: v for k, v in unused.items() if k not in ("safe_serialization",)}, "save_pretrained")
        self._native.save_pretrained(os.fspath(save_directory))

    def __reduce__(self) -> Any:
        if self._source is None:
            raise pickle.PicklingError(
                "a model that was not loaded from files cannot be pickled: save_pretrained, and load that"
            )
        return _load, self._source

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __repr__(self) -> str:
        name = os.path.basename(self.name_or_path.rstrip("/")) or "random weights"
        return (
            f"{type(self).__name__}({name}: {self.config.num_hidden_layers} layers, hidden {self.config.hidden_size}, "
            f"{self.num_parameters() / 1e6:.1f} M parameters, {self.dtype})"
        )


def _load(cls: Any, directory: str, arguments: dict[str, Any]) -> Any:
    place = ("revision", "cache_dir", "local_files_only", "token", "subfolder")
    return cls.from_pretrained(directory, **{k: v for k, v in arguments.items() if k not in place})


def _to_torch(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(like(item, True) for item in value)
    return like(np.asarray(value), True)


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
