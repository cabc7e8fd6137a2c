"""`SentenceTransformer`, with the calls and results of sentence-transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

import numpy as np

from . import _cloze, util
from ._arrays import require_torch, to_torch, torch_if_loaded
from ._encoder import (
    SAVE_OPTIONS,
    Encoder,
    as_str,
    find_named,
    given_texts,
    reloaded,
    require_cpu,
    write_json,
    write_modules,
)
from ._locate import Name, refuse
from ._log import note_once
from ._progress import Bar
from ._texts import as_list, split_pairs

__all__ = ["SentenceTransformer"]

Array = np.ndarray[Any, Any]

_SIMILARITIES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "cosine": (util.cos_sim, util.pairwise_cos_sim),
    "dot": (util.dot_score, util.pairwise_dot_score),
    "euclidean": (util.euclidean_sim, util.pairwise_euclidean_sim),
    "manhattan": (util.manhattan_sim, util.pairwise_manhattan_sim),
}
_PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


class SentenceTransformer(Encoder):
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
        require_cpu(device)
        if backend not in ("cloze", "torch"):
            raise ValueError(f"backend is {backend!r}: there is 'cloze' alone")
        if truncate_dim is not None and truncate_dim < 1:
            raise ValueError(f"truncate_dim is {truncate_dim}, and must be 1 or more")
        place = {
            "revision": revision,
            "cache_dir": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
            "trust_remote_code": trust_remote_code,
        }
        self._open(
            model_name_or_path, find_named, place, dtype=dtype, model_kwargs=model_kwargs, batch_tokens=batch_tokens
        )
        settings: Any = _cloze.sentence_settings(self._directory)
        if settings is None:
            note_once(
                f"No sentence-transformers model found with name {os.fspath(model_name_or_path)}. "
                "Creating a new one with mean pooling."
            )
        self._settings: dict[str, Any] = settings or {}
        self._native = _cloze.SentenceTransformer.from_pretrained(self._directory, self._precision, [], batch_tokens)
        self._tokens: Any = None
        self._adopt(self._native, prompts, default_prompt_name)
        self._similarity_fn_name = self._native.similarity_fn
        if similarity_fn_name is not None:
            self.similarity_fn_name = similarity_fn_name
        stated = self._settings.get("truncate_dim")
        self.truncate_dim: Optional[int] = stated if truncate_dim is None else truncate_dim
        self._stated_dim = stated
        self._max_seq_length = int(self._native.max_length)

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
        single, texts, pairs = given_texts(inputs, sentences, batch_size, unknown, "SentenceTransformer.encode()")
        require_cpu(device)
        precision = "float32" if precision is None else precision
        if precision not in _PRECISIONS:
            raise ValueError(f"Precision {precision!r} is not supported: there are {', '.join(_PRECISIONS)}")
        if output_value not in ("sentence_embedding", "token_embeddings", None):
            raise ValueError(f"output_value is {output_value!r}: there are sentence_embedding, token_embeddings and None")
        if truncate_dim is not None and truncate_dim < 1:
            raise ValueError(f"truncate_dim is {truncate_dim}, and must be 1 or more")
        before = self._prompt(prompt, prompt_name)
        if convert_to_tensor:
            require_torch("convert_to_tensor=True")
        if not texts:
            return self._nothing(convert_to_tensor, convert_to_numpy)
        if output_value != "sentence_embedding":
            return self._token_outputs(texts, pairs, before, output_value, single)
        with Bar(show_progress_bar, "Encoding") as bar:
            vectors, cut = self._native.encode(texts, pairs, before, self._max_seq_length, bar.report)
        self._tell_cut(cut, len(texts), self._max_seq_length)
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
        prompted = [self._lowered(before + as_str(text, f"texts[{i}]")) for i, text in enumerate(texts)]
        seconds = None if pairs is None else [self._lowered(as_str(text, f"pairs[{i}]")) for i, text in enumerate(pairs)]
        features = self._tokens(prompted, seconds, self._max_seq_length, True)
        if value == "token_embeddings":
            rows = [vectors for _, vectors in features]
            return rows[0] if single else rows
        whole, _ = self._native.encode(texts, pairs, before, self._max_seq_length)
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

    def tokenize(self, texts: Any) -> dict[str, Any]:
        """What the model reads of texts: arrays, or tensors where torch is loaded."""
        firsts, seconds = split_pairs(as_list(texts, "texts"), "texts")
        return dict(
            self.tokenizer(
                [self._lowered(as_str(text, f"texts[{i}]")) for i, text in enumerate(firsts)],
                seconds,
                padding=True,
                truncation=True,
                max_length=self._max_seq_length,
                return_tensors="np" if torch_if_loaded() is None else "pt",
            )
        )

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model as sentence-transformers reads it, with its prompts and similarity."""
        refuse({k: v for k, v in unused.items() if k not in SAVE_OPTIONS}, "save_pretrained")
        directory = os.fspath(path)
        _cloze.convert(self._directory, directory, overwrite=os.path.isdir(directory) and bool(os.listdir(directory)))
        if not os.path.exists(os.path.join(directory, "modules.json")):
            write_modules(directory, int(self._native.dimension), self._max_seq_length)
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
        write_json(name, stated)

    save = save_pretrained

    def __reduce__(self) -> Any:
        options = {
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self._similarity_fn_name,
            "truncate_dim": self.truncate_dim,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        return reloaded, (type(self), self._directory, options, {"_max_seq_length": self._max_seq_length, "_name": self._name})

    def __repr__(self) -> str:
        return (
            f"SentenceTransformer({os.path.basename(self._name.rstrip('/'))}: {self.get_sentence_embedding_dimension()} columns, "
            f"{' + '.join(self._native.poolings)} pooling, {self._max_seq_length} tokens, {self._precision})"
        )
