"""What the models of every head have: loading, the call, and what programs ask models for."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Optional

import numpy as np

from . import _cloze
from ._arrays import is_torch, like, to_numpy, torch_if_loaded
from ._grid import Grid
from ._locate import Name, locate, refuse, take_locate
from ._precision import Device, precision_of
from .config import BertConfig
from .outputs import ModelOutput

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
