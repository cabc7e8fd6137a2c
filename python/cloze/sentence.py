"""`SentenceTransformer` and `CrossEncoder`, with the calls and results of sentence-transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

import numpy as np

from . import _cloze, util
from ._arrays import is_torch, require_torch, to_numpy, to_torch, torch_if_loaded
from ._locate import Name, locate, refuse
from ._log import logger, note_once
from ._progress import Bar
from ._texts import as_list, is_text, kind, split_pairs
from .config import BertConfig
from .models import Device, precision_of
from .tokenizer import BertTokenizer

__all__ = ["CrossEncoder", "SentenceTransformer"]

Array = np.ndarray[Any, Any]

_SIMILARITIES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "cosine": (util.cos_sim, util.pairwise_cos_sim),
    "dot": (util.dot_score, util.pairwise_dot_score),
    "euclidean": (util.euclidean_sim, util.pairwise_euclidean_sim),
    "manhattan": (util.manhattan_sim, util.pairwise_manhattan_sim),
}
_PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


def _require_cpu(device: Any) -> None:
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise ValueError(f"device is {device!r}: Cloze computes on the CPU alone")


def _dtype(dtype: Any, model_kwargs: Optional[dict[str, Any]]) -> Any:
    """The dtype of the arguments, which model_kwargs may name as well."""
    given = dict(model_kwargs or {})
    for name in ("dtype", "torch_dtype"):
        if name in given:
            dtype = given.pop(name)
    for name in ("attn_implementation", "device_map", "low_cpu_mem_usage", "use_safetensors"):
        given.pop(name, None)
    refuse(given, "model_kwargs")
    return dtype


def _find(name: Name, **place: Any) -> str:
    """The model's directory; names without an owner are sentence-transformers' own."""
    text = os.fspath(name)
    if not os.path.isdir(text) and "/" not in text and not text.startswith(("bert-", "distilbert-")):
        text = f"sentence-transformers/{text}"
    return locate(text, **place)


class _Prompted:
    """The prompts of a model."""

    # Prompts that are there in any case, as in sentence-transformers: empty where nothing states them, so that
    # neither another name nor the default prompt stands in for them.
    _role_prompts: tuple[str, ...] = ()
    prompts: dict[str, str]
    default_prompt_name: Optional[str]

    def _set_prompts(self, native: Any, prompts: Optional[Mapping[str, str]], default: Optional[str]) -> None:
        self.prompts = {**dict.fromkeys(self._role_prompts, ""), **native.prompts, **(prompts or {})}
        self.default_prompt_name = default if default is not None else native.default_prompt_name
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"Default prompt name '{self.default_prompt_name}' not found in the configured prompts "
                f"dictionary with keys {list(self.prompts.keys())!r}."
            )

    def _prompt(self, prompt: Optional[str], prompt_name: Optional[str]) -> str:
        if prompt is not None:
            if prompt_name is not None:
                logger.warning(
                    "Encode with either a `prompt`, a `prompt_name`, or neither, but not both. "
                    "Ignoring the `prompt_name` in favor of `prompt`."
                )
            return prompt
        name = self.default_prompt_name if prompt_name is None else prompt_name
        if name is None:
            return ""
        if name not in self.prompts:
            raise ValueError(
                f"Prompt name '{name}' not found in the configured prompts dictionary with keys "
                f"{list(self.prompts.keys())!r}."
            )
        return self.prompts[name]


class SentenceTransformer(_Prompted):
    """Texts to vectors, as sentence-transformers' class makes them.

    `SentenceTransformer("all-MiniLM-L6-v2")` takes a directory or a name; the directory's files say
    how tokens become a vector, and a directory that says nothing gets their mean. Safe to share
    between threads. `batch_tokens` bounds the memory of a call, whatever the lengths of its texts.

    >>> from cloze import SentenceTransformer
    >>> model = SentenceTransformer("all-MiniLM-L6-v2")  # doctest: +SKIP
    >>> vectors = model.encode(["a happy dog", "a puppy plays"])  # doctest: +SKIP
    >>> vectors.shape, model.similarity(vectors, vectors).shape  # doctest: +SKIP
    ((2, 384), (2, 2))
    """

    _role_prompts = ("query", "document")

    def __init__(
        self,
        model_name_or_path: Optional[Name] = None,
        *,
        device: Any = None,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
        truncate_dim: Optional[int] = None,
        cache_folder: Optional[Name] = None,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Any = None,
        trust_remote_code: bool = False,
        dtype: Any = "float32",
        model_kwargs: Optional[dict[str, Any]] = None,
        backend: str = "cloze",
        batch_tokens: int = 8192,
    ) -> None:
        if model_name_or_path is None:
            raise TypeError("SentenceTransformer() needs a directory or the name of a model")
        _require_cpu(device)
        if backend not in ("cloze", "torch"):
            raise ValueError(f"backend is {backend!r}: there is 'cloze' alone")
        if truncate_dim is not None and truncate_dim < 1:
            raise ValueError(f"truncate_dim is {truncate_dim}, and must be 1 or more")
        directory = _find(
            model_name_or_path,
            revision=revision,
            cache_dir=cache_folder,
            local_files_only=local_files_only,
            token=token,
            trust_remote_code=trust_remote_code,
        )
        self._directory = directory
        self._inner = str(_cloze.transformer_directory(directory))
        config = BertConfig.from_pretrained(self._inner)
        self._precision = precision_of(_dtype(dtype, model_kwargs), config.to_dict())
        self._batch_tokens = batch_tokens
        settings: Any = _cloze.sentence_settings(directory)
        if settings is None:
            note_once(
                f"No sentence-transformers model found with name {os.fspath(model_name_or_path)}. "
                "Creating a new one with mean pooling."
            )
        self._settings: dict[str, Any] = settings or {}
        self._native = _cloze.SentenceTransformer.from_pretrained(directory, self._precision, [], batch_tokens)
        for warning in self._native.warnings:
            logger.warning("%s", warning)
        self._tokens: Any = None
        self._tokenizer: Optional[BertTokenizer] = None
        self._set_prompts(self._native, prompts, default_prompt_name)
        self._similarity_fn_name = self._native.similarity_fn
        if similarity_fn_name is not None:
            self.similarity_fn_name = similarity_fn_name
        stated = self._settings.get("truncate_dim")
        self.truncate_dim: Optional[int] = stated if truncate_dim is None else truncate_dim
        self._stated_dim = stated
        self._max_seq_length = int(self._native.max_length)
        self._name = os.fspath(model_name_or_path)

    # Vectors.

    def encode(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[str] = "sentence_embedding",
        precision: Optional[str] = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
        *,
        sentences: Any = None,
        **unknown: Any,
    ) -> Any:
        """The vectors of a text ([d]) or of texts ([n, d]), float32, in their order; pairs are
        `[(text, text), ...]`. Longer texts than `max_seq_length` are cut. `batch_size` may be any:
        texts of like length are computed together, `batch_tokens` at once.

        Raises TypeError that names an element that is no text, ValueError for an unknown prompt.
        """
        if unknown:
            raise ValueError(
                f"SentenceTransformer.encode() got unknown keyword arguments: {sorted(unknown)}"
            )
        inputs = sentences if inputs is None else inputs
        if inputs is None:
            raise TypeError("texts is None, not a str or a list of str")
        _require_cpu(device)
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, and must be 1 or more")
        precision = "float32" if precision is None else precision
        if precision not in _PRECISIONS:
            raise ValueError(f"Precision {precision!r} is not supported: there are {', '.join(_PRECISIONS)}")
        if output_value not in ("sentence_embedding", "token_embeddings", None):
            raise ValueError(f"output_value is {output_value!r}: there are sentence_embedding, token_embeddings and None")
        if truncate_dim is not None and truncate_dim < 1:
            raise ValueError(f"truncate_dim is {truncate_dim}, and must be 1 or more")
        single = is_text(inputs) or (isinstance(inputs, np.ndarray) and inputs.ndim == 0)
        if single and isinstance(inputs, np.ndarray):
            inputs = inputs.item()
        texts, pairs = ([inputs], None) if single else split_pairs(as_list(inputs, "texts"), "texts")
        before = self._prompt(prompt, prompt_name)
        if convert_to_tensor:
            require_torch("convert_to_tensor=True")
        if not texts:
            return self._nothing(convert_to_tensor, convert_to_numpy)
        if output_value != "sentence_embedding":
            return self._token_outputs(texts, pairs, before, output_value, single)
        with Bar(show_progress_bar, "Encoding") as bar:
            vectors: Any = self._native.encode(texts, pairs, before, self._max_seq_length, bar.report)
        vectors = self._shaped(vectors, normalize_embeddings, truncate_dim)
        if precision != "float32":
            vectors = util.quantize_embeddings(vectors, precision)
        if convert_to_tensor:
            result: Any = to_torch(vectors)
        elif not convert_to_numpy:
            result = list(vectors if torch_if_loaded() is None else to_torch(vectors))
        else:
            result = vectors
        return result[0] if single else result

    def _shaped(self, vectors: Array, normalize: bool, truncate_dim: Optional[int]) -> Array:
        dim = self.truncate_dim if truncate_dim is None else truncate_dim
        if dim is not None and dim < vectors.shape[1]:
            vectors = np.ascontiguousarray(vectors[:, :dim])
        if normalize:
            vectors = util.normalize_embeddings(vectors)
        return vectors

    def _nothing(self, tensor: bool, numpy: bool) -> Any:
        if tensor:
            return require_torch("convert_to_tensor=True").Tensor()
        return np.array([]) if numpy else []

    def _token_outputs(
        self, texts: list[Any], pairs: Optional[list[Any]], before: str, value: Optional[str], single: bool
    ) -> Any:
        """The vectors of tokens, or all that there is to know of each text: in tensors where torch is
        loaded, as in sentence-transformers, which does not normalize these."""
        if self._tokens is None:
            self._tokens = _cloze.FeatureExtraction.from_pretrained(self._inner, self._precision, [], self._batch_tokens)
        prompted = [self._lowered(before + _as_str(text, f"texts[{i}]")) for i, text in enumerate(texts)]
        seconds = None if pairs is None else [self._lowered(_as_str(text, f"pairs[{i}]")) for i, text in enumerate(pairs)]
        features = self._tokens(prompted, seconds, self._max_seq_length, True)
        if value == "token_embeddings":
            rows = [vectors for _, vectors in features]
            return rows[0] if single else rows
        whole: Any = self._native.encode(texts, pairs, before, self._max_seq_length)
        vectors = self._shaped(whole, False, None)
        encoded = self.tokenizer(prompted, seconds, truncation=True, max_length=self._max_seq_length)
        result = []
        for i, (_, token_vectors) in enumerate(features):
            entry: dict[str, Any] = {key: np.asarray(values[i], dtype=np.int64) for key, values in encoded.items()}
            entry["token_embeddings"] = token_vectors
            entry["sentence_embedding"] = vectors[i]
            if torch_if_loaded() is not None:
                entry = {key: to_torch(array) for key, array in entry.items()}
            result.append(entry)
        return result[0] if single else result

    def _lowered(self, text: str) -> str:
        return text.lower() if self._settings.get("do_lower_case") else text

    def encode_query(self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any) -> Any:
        """`encode` with the prompt "query"; without one, and whatever the default prompt is, with none."""
        if prompt_name is None and prompt is None and "query" in self.prompts:
            prompt_name = "query"
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **options)

    def encode_document(self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any) -> Any:
        """`encode` with the prompt "document"; without one, and whatever the default prompt is, with none.

        "passage" and "corpus" count only where "document" was taken out of `prompts`, as in sentence-transformers.
        """
        if prompt_name is None and prompt is None:
            prompt_name = next((name for name in ("document", "passage", "corpus") if name in self.prompts), None)
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **options)

    def encode_multi_process(self, sentences: Any, pool: Any = None, **options: Any) -> Array:
        """`encode`: it uses all cores without further processes."""
        options.pop("chunk_size", None)
        result: Array = self.encode(sentences, **options)
        return result

    def start_multi_process_pool(self, target_devices: Any = None) -> dict[str, Any]:
        """Nothing to start: `encode` uses all cores."""
        return {"input": None, "output": None, "processes": []}

    @staticmethod
    def stop_multi_process_pool(pool: Any) -> None:
        """Nothing to stop."""

    # Similarity.

    @property
    def similarity_fn_name(self) -> str:
        """ "cosine", "dot", "euclidean" or "manhattan"."""
        return self._similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        value = str(getattr(name, "value", name))
        if value not in _SIMILARITIES:
            raise ValueError(f"there is no similarity function {value!r}: there are {', '.join(_SIMILARITIES)}")
        self._similarity_fn_name = value

    @property
    def similarity(self) -> Callable[[Any, Any], Any]:
        """Of every row of `a` to every row of `b`: [n, m]."""
        return _SIMILARITIES[self._similarity_fn_name][0]

    @property
    def similarity_pairwise(self) -> Callable[[Any, Any], Any]:
        """Of row i of `a` to row i of `b`: [n]."""
        return _SIMILARITIES[self._similarity_fn_name][1]

    # What programs ask models for.

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text at most: longer ones are cut."""
        return self._max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        reads = BertConfig.from_pretrained(self._inner).max_position_embeddings
        if not 1 <= value <= reads:
            raise ValueError(f"max_seq_length is {value}, and this model reads 1 to {reads} tokens")
        self._max_seq_length = int(value)

    def get_max_seq_length(self) -> int:
        """`max_seq_length`."""
        return self._max_seq_length

    def get_sentence_embedding_dimension(self) -> int:
        """Columns of every vector."""
        whole = int(self._native.dimension)
        return whole if self.truncate_dim is None else min(whole, self.truncate_dim)

    get_embedding_dimension = get_sentence_embedding_dimension

    @contextmanager
    def truncate_sentence_embeddings(self, truncate_dim: Optional[int]) -> Iterator[None]:
        """Within it, vectors have their first `truncate_dim` columns alone."""
        before = self.truncate_dim
        try:
            self.truncate_dim = truncate_dim
            yield
        finally:
            self.truncate_dim = before

    truncate_embeddings = truncate_sentence_embeddings

    @property
    def tokenizer(self) -> BertTokenizer:
        """The model's tokenizer."""
        if self._tokenizer is None:
            self._tokenizer = BertTokenizer.from_pretrained(self._inner)
        return self._tokenizer

    def tokenize(self, texts: Any) -> dict[str, Any]:
        """What the model reads of texts: arrays, or tensors where torch is loaded."""
        firsts, seconds = split_pairs(as_list(texts, "texts"), "texts")
        return dict(
            self.tokenizer(
                [self._lowered(_as_str(text, f"texts[{i}]")) for i, text in enumerate(firsts)],
                seconds,
                padding=True,
                truncation=True,
                max_length=self._max_seq_length,
                return_tensors="np" if torch_if_loaded() is None else "pt",
            )
        )

    @property
    def device(self) -> Any:
        """The CPU."""
        torch = torch_if_loaded()
        return Device("cpu") if torch is None else torch.device("cpu")

    @property
    def dtype(self) -> str:
        """What is computed in."""
        return self._precision

    def to(self, device: Any) -> SentenceTransformer:
        """The model, for the CPU."""
        _require_cpu(device)
        return self

    def eval(self) -> SentenceTransformer:
        """The model: it is always ready."""
        return self

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model as sentence-transformers reads it, with its prompts and similarity."""
        refuse({k: v for k, v in unused.items() if k not in ("safe_serialization", "create_model_card", "model_name")}, "save_pretrained")
        directory = os.fspath(path)
        _cloze.convert(self._directory, directory, overwrite=os.path.isdir(directory) and bool(os.listdir(directory)))
        if not os.path.exists(os.path.join(directory, "modules.json")):
            self._write_modules(directory)
        name = os.path.join(directory, "config_sentence_transformers.json")
        stated: dict[str, Any] = {}
        if os.path.exists(name):
            with open(name, encoding="utf-8") as file:
                stated = json.load(file)
        stated.update(
            prompts=self.prompts,
            default_prompt_name=self.default_prompt_name,
            similarity_fn_name=self._similarity_fn_name,
        )
        _write_json(name, stated)

    save = save_pretrained

    def _write_modules(self, directory: str) -> None:
        kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
        modules = [
            {"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{name}"}
            for i, (place, name) in enumerate(kinds)
        ]
        _write_json(os.path.join(directory, "modules.json"), modules)
        os.makedirs(os.path.join(directory, "1_Pooling"), exist_ok=True)
        pooling = {
            "word_embedding_dimension": int(self._native.dimension),
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        }
        _write_json(os.path.join(directory, "1_Pooling", "config.json"), pooling)
        limit = {"max_seq_length": self._max_seq_length, "do_lower_case": False}
        _write_json(os.path.join(directory, "sentence_bert_config.json"), limit)

    def __reduce__(self) -> Any:
        options = {
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self._similarity_fn_name,
            "truncate_dim": self.truncate_dim,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        return _load, (type(self), self._directory, options, {"_max_seq_length": self._max_seq_length, "_name": self._name})

    def __repr__(self) -> str:
        return (
            f"SentenceTransformer({os.path.basename(self._name.rstrip('/'))}: {self.get_sentence_embedding_dimension()} columns, "
            f"{' + '.join(self._native.poolings)} pooling, {self._max_seq_length} tokens, {self._precision})"
        )


def _load(cls: Any, directory: str, options: dict[str, Any], state: dict[str, Any]) -> Any:
    made = cls(directory, **options)
    made.__dict__.update(state)
    return made


def _write_json(path: str, value: Any) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def _as_str(text: Any, name: str) -> str:
    if isinstance(text, bytes):
        return text.decode("utf-8")
    if not isinstance(text, str):
        raise TypeError(f"{name} is {kind(text)}, not str")
    return text


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Identity": lambda x: x,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Softmax": _softmax,
    "ReLU": lambda x: np.maximum(x, 0),
}


def _activation(given: Any) -> Callable[[Array], Array]:
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


class CrossEncoder(_Prompted):
    """Scores of pairs of texts by a model that reads both at once.

    `activation_fn` makes scores of logits: a name ("Sigmoid", "Identity", "Tanh", "Softmax",
    "ReLU"), a function on arrays or a module of torch. Without one it is what the model's files say,
    else Sigmoid for one label and Identity for several, as sentence-transformers has it.

    >>> from cloze import CrossEncoder
    >>> model = CrossEncoder("cross-encoder/ms-marco-MiniLM-L6-v2")  # doctest: +SKIP
    >>> model.rank("Where is my parcel?", ["We open at nine.", "It left on Monday."])  # doctest: +SKIP
    [{'corpus_id': 1, 'score': 2.1}, {'corpus_id': 0, 'score': -9.8}]
    """

    def __init__(
        self,
        model_name_or_path: Optional[Name] = None,
        num_labels: Optional[int] = None,
        max_length: Optional[int] = None,
        activation_fn: Any = None,
        device: Any = None,
        *,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        cache_folder: Optional[Name] = None,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Any = None,
        trust_remote_code: bool = False,
        dtype: Any = "float32",
        model_kwargs: Optional[dict[str, Any]] = None,
        batch_tokens: int = 8192,
    ) -> None:
        if model_name_or_path is None:
            raise TypeError("CrossEncoder() needs a directory or the name of a model")
        _require_cpu(device)
        directory = locate(
            model_name_or_path,
            revision=revision,
            cache_dir=cache_folder,
            local_files_only=local_files_only,
            token=token,
            trust_remote_code=trust_remote_code,
        )
        self._directory = directory
        self._inner = str(_cloze.transformer_directory(directory))
        self.config = BertConfig.from_pretrained(self._inner)
        if num_labels is not None and num_labels != self.config.num_labels:
            raise ValueError(
                f"num_labels is {num_labels}, and the model has {self.config.num_labels}: cloze.finetune makes new heads"
            )
        self._precision = precision_of(_dtype(dtype, model_kwargs), self.config.to_dict())
        self._batch_tokens = batch_tokens
        self._lower = False
        stated: Any = None
        if self.config.num_labels <= 2:  # its files are read, and what Cloze cannot honour refused
            native = _cloze.CrossEncoder.from_pretrained(directory, self._precision, [], batch_tokens)
            stated = native.activation if self.config.num_labels == 1 else None
            self._limit = int(native.max_seq_length)
            self._set_prompts(native, prompts, default_prompt_name)
            for warning in native.warnings:
                logger.warning("%s", warning)
            self._native = _cloze.TextClassification.of(native.model, native.tokenizer, batch_tokens)
        else:
            self._native = _cloze.TextClassification.from_pretrained(self._inner, self._precision, [], batch_tokens)
            limit = self._native.tokenizer.model_max_length
            reads = int(self._native.max_length)
            self._limit = reads if limit is None else min(int(limit), reads)
            self.prompts, self.default_prompt_name = dict(prompts or {}), default_prompt_name
        if max_length is not None and not 1 <= max_length <= self._native.max_length:
            raise ValueError(f"max_length is {max_length}, and this model reads 1 to {self._native.max_length} tokens")
        self.max_length = self._limit if max_length is None else max_length
        if activation_fn is None and stated is None:
            stated = _stated_activation(self.config) or "Identity"
        self._given_activation = activation_fn
        self.activation_fn = _activation(stated if activation_fn is None else activation_fn)
        self._name = os.fspath(model_name_or_path)
        self._tokenizer: Optional[BertTokenizer] = None

    @property
    def num_labels(self) -> int:
        """Outputs of the model."""
        return self.config.num_labels

    @property
    def tokenizer(self) -> BertTokenizer:
        """The model's tokenizer."""
        if self._tokenizer is None:
            self._tokenizer = BertTokenizer.from_pretrained(self._inner)
        return self._tokenizer

    def predict(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        activation_fn: Any = None,
        apply_softmax: bool = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        *,
        sentences: Any = None,
    ) -> Any:
        """The score of a pair (a scalar, or [labels]), or of pairs ([n], or [n, labels])."""
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, and must be 1 or more")
        inputs = sentences if inputs is None else inputs
        if inputs is None or is_text(inputs):
            raise TypeError(f"inputs is {kind(inputs)}, not a list of pairs of texts")
        items = as_list(inputs, "inputs")
        single = bool(items) and is_text(items[0])
        if single:
            items = [items]
        firsts, seconds = [], []
        for i, item in enumerate(items):
            if not isinstance(item, (list, tuple)) or len(item) != 2:
                raise TypeError(f"inputs[{i}] is {kind(item)}, not a pair of two texts")
            firsts.append(item[0])
            seconds.append(item[1])
        before = self._prompt(prompt, prompt_name)
        if before:
            firsts = [before + _as_str(text, f"texts[{i}]") for i, text in enumerate(firsts)]
        if convert_to_tensor:
            require_torch("convert_to_tensor=True")
        if not items:
            return require_torch("a tensor").Tensor() if convert_to_tensor else np.array([])
        with Bar(show_progress_bar, "Scoring") as bar:
            logits: Any = self._native.logits(firsts, seconds, self.max_length, bar.report)
        apply = self.activation_fn if activation_fn is None else _activation(activation_fn)
        scores = np.asarray(apply(logits), dtype=np.float32)
        if apply_softmax and scores.ndim > 1 and scores.shape[1] > 1:
            scores = _softmax(scores)
        if self.num_labels == 1:
            scores = scores[:, 0]
        if convert_to_tensor:
            result: Any = to_torch(scores)
        elif not convert_to_numpy:
            result = list(scores if torch_if_loaded() is None else to_torch(scores))
        else:
            result = scores
        return result[0] if single else result

    def rank(
        self,
        query: str,
        documents: Any,
        top_k: Optional[int] = None,
        return_documents: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """The documents, best first: {"corpus_id", "score"}, and "text" on request."""
        if self.num_labels != 1:
            raise ValueError(
                "CrossEncoder.rank() only works for models with num_labels=1. "
                "Consider using CrossEncoder.predict with input pairs instead."
            )
        texts = as_list(documents, "documents")
        if not is_text(query):
            raise TypeError(f"query is {kind(query)}, not str")
        scores = self.predict([(query, text) for text in texts], **options)
        results: list[dict[str, Any]] = []
        for index, text in enumerate(texts):
            entry: dict[str, Any] = {"corpus_id": index, "score": scores[index]}
            if return_documents:
                entry["text"] = text
            results.append(entry)
        results.sort(key=lambda entry: float(entry["score"]), reverse=True)
        for entry in results:
            if not is_torch(entry["score"]):
                entry["score"] = float(entry["score"])
        return results[:top_k]

    def to(self, device: Any) -> CrossEncoder:
        """The model, for the CPU."""
        _require_cpu(device)
        return self

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model's files."""
        refuse({k: v for k, v in unused.items() if k not in ("safe_serialization",)}, "save_pretrained")
        directory = os.fspath(path)
        _cloze.convert(self._directory, directory, overwrite=os.path.isdir(directory) and bool(os.listdir(directory)))

    def __reduce__(self) -> Any:
        options = {
            "activation_fn": self._given_activation,
            "max_length": self.max_length,
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        return _load, (type(self), self._directory, options, {"_name": self._name})

    def __repr__(self) -> str:
        return f"CrossEncoder({os.path.basename(self._name.rstrip('/'))}: {self.num_labels} labels, {self.max_length} tokens, {self._precision})"


def _stated_activation(config: BertConfig) -> Optional[str]:
    """What config.json says of the activation of a model with several labels."""
    section = config.__dict__.get("sentence_transformers")
    if isinstance(section, dict) and isinstance(section.get("activation_fn"), str):
        return str(section["activation_fn"])
    older = config.__dict__.get("sbert_ce_default_activation_function")
    return older if isinstance(older, str) else None
