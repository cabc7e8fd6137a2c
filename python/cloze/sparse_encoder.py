"""`SparseEncoder`, with the calls and results of sentence-transformers."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._arrays import is_torch, like, require_torch, to_torch, torch_if_loaded
from ._encoder import Encoder, find_named, given_texts, reloaded, require_cpu, save_encoder
from ._locate import Name
from ._progress import Bar
from .sparse_embeddings import SparseEmbeddings, as_sparse

__all__ = ["SparseEncoder"]

_SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


class SparseEncoder(Encoder):
    """Texts to sparse vectors: how much of each word of the vocabulary is in a text (SPLADE), as
    sentence-transformers' class makes them.

    Vectors are `SparseEmbeddings`, or sparse tensors of torch where the program has imported torch;
    `convert_to_tensor` says which. Safe to share between threads.

    >>> from cloze import SparseEncoder
    >>> model = SparseEncoder("naver/splade-cocondenser-ensembledistil")  # doctest: +SKIP
    >>> vectors = model.encode(["a happy dog", "taxes are due"])  # doctest: +SKIP
    >>> vectors.shape, model.similarity(vectors, vectors).shape  # doctest: +SKIP
    ((2, 30522), (2, 2))
    >>> model.decode(vectors[0], top_k=2)  # doctest: +SKIP
    [('dog', 2.6), ('happy', 2.4)]
    """

    def __init__(
        self,
        model_name_or_path: Optional[Name] = None,
        *,
        device: Any = None,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
        max_active_dims: Optional[int] = None,
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
            raise TypeError("SparseEncoder() needs a directory or the name of a model")
        require_cpu(device)
        if backend not in ("cloze", "torch"):
            raise ValueError(f"backend is {backend!r}: there is 'cloze' alone")
        if max_active_dims is not None and max_active_dims < 1:
            raise ValueError(f"max_active_dims is {max_active_dims}, and must be 1 or more")
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
        self._native = _cloze.SparseEncoder.from_pretrained(
            self._directory, self._precision, batch_tokens, max_active_dims
        )
        self._adopt(self._native, prompts, default_prompt_name)
        self._similarity_fn_name = str(self._native.similarity_fn)
        if similarity_fn_name is not None:
            self.similarity_fn_name = similarity_fn_name
        self._max_seq_length = int(self._native.max_length)

    def encode(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        convert_to_tensor: Optional[bool] = None,
        convert_to_sparse_tensor: bool = True,
        save_to_cpu: bool = False,
        device: Any = None,
        max_active_dims: Optional[int] = None,
        *,
        sentences: Any = None,
        **unknown: Any,
    ) -> Any:
        """The sparse vectors of texts ([n, columns]), or of one ([columns]).

        `convert_to_tensor`: True for tensors of torch, False for a list of the rows, None for tensors
        where torch is loaded and `SparseEmbeddings` otherwise. `convert_to_sparse_tensor=False` gives
        all values, zeros included. `max_active_dims` keeps the greatest values of each text.

        Raises TypeError that names an element that is no text, ValueError for an unknown prompt.
        """
        del save_to_cpu  # they are there
        unknown.pop("task", None)
        single, texts, pairs = given_texts(inputs, sentences, batch_size, unknown, "SparseEncoder.encode()")
        require_cpu(device)
        most = self._most(max_active_dims)
        before = self._prompt(prompt, prompt_name)
        if convert_to_tensor:
            require_torch("convert_to_tensor=True")
        if texts:
            with Bar(show_progress_bar, "Encoding") as bar:
                native, cut = self._native.encode(texts, pairs, before, self._max_seq_length, bar.report)
            self._tell_cut(cut, len(texts), self._max_seq_length)
            vectors = SparseEmbeddings._of(native)
        else:
            vectors = SparseEmbeddings([0], [], [], (0, int(self._native.dimension)))
        if most is not None:
            vectors = vectors.greatest(most)
        tensors = torch_if_loaded() is not None if convert_to_tensor is None else convert_to_tensor
        if convert_to_tensor is False:
            tensors = torch_if_loaded() is not None
        rows: Any = vectors[0] if single else list(vectors) if convert_to_tensor is False else vectors
        if isinstance(rows, list):
            return [_shaped(row, tensors, convert_to_sparse_tensor) for row in rows]
        return _shaped(rows, tensors, convert_to_sparse_tensor)

    def _most(self, asked: Optional[int]) -> Optional[int]:
        if asked is None:
            return None
        if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or asked < 1:
            raise ValueError(f"max_active_dims is {asked!r}, and must be an int of 1 or more")
        limit = self.max_active_dims
        if limit is not None and asked > limit:
            raise ValueError(f"max_active_dims is {asked}, and the model was loaded with {limit}: load it with more")
        return int(asked)

    def encode_query(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any
    ) -> Any:
        """`encode` with the prompt "query", if the model has one."""
        if prompt_name is None and prompt is None and "query" in self.prompts:
            prompt_name = "query"
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **options)

    def encode_document(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any
    ) -> Any:
        """`encode` with the prompt "document", "passage" or "corpus", the first that there is."""
        if prompt_name is None and prompt is None:
            prompt_name = next((name for name in ("document", "passage", "corpus") if name in self.prompts), None)
        return self.encode(inputs, prompt_name=prompt_name, prompt=prompt, **options)

    # What vectors say.

    @property
    def similarity_fn_name(self) -> str:
        """ "dot" unless the model says otherwise; "cosine", "euclidean" or "manhattan"."""
        return self._similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        value = str(getattr(name, "value", name))
        if value not in _SIMILARITIES:
            raise ValueError(f"there is no similarity function {value!r}: there are {', '.join(_SIMILARITIES)}")
        self._similarity_fn_name = value

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Of every vector of the first to every one of the second: [n, m]. Vectors may be those of
        `encode`, of scipy or of torch, arrays, or lists of them."""
        a, b = as_sparse(embeddings1, "embeddings1"), as_sparse(embeddings2, "embeddings2")
        scores = a._native.similarity(b._native, self._similarity_fn_name)
        return like(scores, _of_torch(embeddings1) or _of_torch(embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Of vector i of the first to vector i of the second: [n]."""
        a, b = as_sparse(embeddings1, "embeddings1"), as_sparse(embeddings2, "embeddings2")
        scores = a._native.similarity(b._native, self._similarity_fn_name, True)
        return like(scores, _of_torch(embeddings1) or _of_torch(embeddings2))

    def decode(self, embeddings: Any, top_k: Optional[int] = None) -> Any:
        """The words of a vector with their weights, greatest first: [(token, weight)]; a list of such
        for rows."""
        if top_k is not None and top_k <= 0:
            raise ValueError(f"top_k must be a positive integer, got {top_k}.")
        vectors = as_sparse(embeddings, "embeddings")
        words = [list(self._native.decode(vectors._native, row, top_k or 0)) for row in range(len(vectors.indptr) - 1)]
        return words[0] if vectors.ndim == 1 else words

    @staticmethod
    def sparsity(embeddings: Any) -> dict[str, float]:
        """The mean number of values that are not 0 ("active_dims"), and the mean share of zeros
        ("sparsity_ratio")."""
        vectors = as_sparse(embeddings, "embeddings")
        rows, columns = len(vectors.indptr) - 1, vectors.shape[-1]
        if rows == 0 or columns == 0:
            return {"active_dims": 0.0, "sparsity_ratio": 1.0}
        active = vectors.nnz / rows
        return {"active_dims": active, "sparsity_ratio": 1.0 - active / columns}

    @staticmethod
    def intersection(embeddings_1: Any, embeddings_2: Any) -> Any:
        """The products of a vector [columns] with a vector or with rows, where both have a value:
        `decode` says which words they share."""
        one, others = as_sparse(embeddings_1, "embeddings_1"), as_sparse(embeddings_2, "embeddings_2")
        if one.ndim != 1:
            raise ValueError(f"Expected 1D tensor for embeddings_1, but got {one.shape} shape.")
        if one.shape[-1] != others.shape[-1]:
            raise ValueError(
                f"Vocab dimension mismatch: embeddings_1 has {one.shape[-1]}, embeddings_2 has {others.shape[-1]}."
            )
        weights = one.to_dense()[others.indices]
        kept = weights != 0
        before = np.concatenate([[0], np.cumsum(kept)])
        shared = SparseEmbeddings(
            before[others.indptr], others.indices[kept], others.values[kept] * weights[kept], others.shape
        )
        return shared.to_torch() if _of_torch(embeddings_1) or _of_torch(embeddings_2) else shared

    # What programs ask models for.

    @property
    def max_active_dims(self) -> Optional[int]:
        """Values of a vector at most; None: no limit."""
        return None if self._native.max_active_dims is None else int(self._native.max_active_dims)

    def get_embedding_dimension(self) -> int:
        """Columns of a vector: tokens of the vocabulary."""
        return int(self._native.dimension)

    get_sentence_embedding_dimension = get_embedding_dimension

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model as sentence-transformers reads it, with its prompts and similarity."""
        save_encoder(self, path, unused, similarity_fn_name=self._similarity_fn_name)

    save = save_pretrained

    def __reduce__(self) -> Any:
        options = {
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self._similarity_fn_name,
            "max_active_dims": self.max_active_dims,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        state = {"_max_seq_length": self._max_seq_length, "_name": self._name}
        return reloaded, (type(self), self._directory, options, state)

    def __repr__(self) -> str:
        return (
            f"SparseEncoder({os.path.basename(self._name.rstrip('/'))}: {self.get_embedding_dimension()} columns, "
            f"{self._max_seq_length} tokens, {self._precision})"
        )


def _of_torch(vectors: Any) -> bool:
    return is_torch(vectors) or (isinstance(vectors, (list, tuple)) and bool(vectors) and is_torch(vectors[0]))


def _shaped(vectors: SparseEmbeddings, tensors: bool, sparse: bool) -> Any:
    if sparse:
        return vectors.to_torch() if tensors else vectors
    return to_torch(vectors.to_dense()) if tensors else vectors.to_dense()
