"""`MultiVectorEncoder`, with the calls and results of sentence-transformers."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._arrays import is_torch, like, to_numpy, to_torch, torch_if_loaded
from ._encoder import Encoder, given_texts, reloaded, require_cpu, save_encoder
from ._locate import Name, locate
from ._progress import Bar
from ._texts import as_list, is_text, kind
from .util import normalize_embeddings as normalized

__all__ = ["MultiVectorEncoder"]

Array = np.ndarray[Any, Any]
_SIMILARITIES = ("maxsim", "meanmaxsim")


class MultiVectorEncoder(Encoder):
    """Texts to a vector for each of their tokens, to be compared token by token (ColBERT), as
    sentence-transformers' class makes them; PyLate's and Stanford's checkpoints are read, too.

    `encode_query` and `encode_document` give lists of arrays [tokens, columns], or of tensors where
    the program has imported torch. Safe to share between threads.

    >>> from cloze import MultiVectorEncoder
    >>> model = MultiVectorEncoder("colbert-ir/colbertv2.0")  # doctest: +SKIP
    >>> documents = model.encode_document(["It left on Monday.", "We open at nine."])  # doctest: +SKIP
    >>> model.similarity(model.encode_query(["Where is my parcel?"]), documents).shape  # doctest: +SKIP
    (1, 2)
    """

    def __init__(
        self,
        model_name_or_path: Optional[Name] = None,
        *,
        device: Any = None,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
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
            raise TypeError("MultiVectorEncoder() needs a directory or the name of a model")
        require_cpu(device)
        if backend not in ("cloze", "torch"):
            raise ValueError(f"backend is {backend!r}: there is 'cloze' alone")
        place = {
            "revision": revision,
            "cache_dir": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
            "trust_remote_code": trust_remote_code,
        }
        self._open(
            model_name_or_path, locate, place, dtype=dtype, model_kwargs=model_kwargs, batch_tokens=batch_tokens
        )
        self._native = _cloze.MultiVectorEncoder.from_pretrained(self._directory, self._precision, batch_tokens)
        self._adopt(self._native, prompts, default_prompt_name)
        self._similarity_fn_name = "meanmaxsim" if self._native.means else "maxsim"
        if similarity_fn_name is not None:
            self.similarity_fn_name = similarity_fn_name
        self._max_seq_length = int(self._native.max_length("document"))

    def encode(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[str] = "token_embeddings",
        convert_to_numpy: Optional[bool] = None,
        device: Any = None,
        normalize_embeddings: bool = False,
        *,
        task: Optional[str] = None,
        sentences: Any = None,
        **unknown: Any,
    ) -> Any:
        """The vectors of the tokens that count of each text, a list of [tokens, columns]; of one text
        its array. `task` is "query" or "document" (without one, "document"): which marker or prompt
        goes before a text, how long it may be, and whether it is filled up with [MASK].

        `convert_to_numpy`: True for arrays, False for tensors of torch where it is loaded, as without
        it. Raises TypeError that names an element that is no text, ValueError for an unknown prompt.
        """
        role = "document" if task is None else task
        if role not in ("query", "document"):
            raise ValueError(f"task is {task!r}: there are 'query' and 'document'")
        if "convert_to_tensor" in unknown:
            raise ValueError(
                "MultiVectorEncoder.encode() has no `convert_to_tensor`: texts have different numbers of vectors, "
                "which make no one tensor. Drop the argument"
            )
        single, texts, pairs = given_texts(inputs, sentences, batch_size, unknown, "MultiVectorEncoder.encode()")
        if pairs is not None:
            raise TypeError(f"texts[0] is {kind((inputs or sentences)[0])}, not str: such a model reads no pairs")
        require_cpu(device)
        if output_value != "token_embeddings":
            raise ValueError(f"output_value is {output_value!r}: there is 'token_embeddings' alone")
        before: Optional[str] = None  # the role's own
        if prompt is not None or prompt_name is not None:
            before = self._prompt(prompt, prompt_name)
        elif role in self.prompts:
            before = self.prompts[role]
        limit = self._max_seq_length if role == "document" else 0
        with Bar(show_progress_bar, "Encoding") as bar:
            found, cut = self._native.encode(texts, role, before, limit, bar.report) if texts else ([], 0)
        self._tell_cut(cut, len(texts), limit or int(self._native.max_length(role)))
        rows = [normalized(vectors) if normalize_embeddings else vectors for _, vectors in found]
        if not convert_to_numpy and torch_if_loaded() is not None:
            rows = [to_torch(vectors) for vectors in rows]
        return rows[0] if single else rows

    def encode_query(self, inputs: Any = None, **options: Any) -> Any:
        """`encode` of queries."""
        return self.encode(inputs, task="query", **options)

    def encode_document(self, inputs: Any = None, **options: Any) -> Any:
        """`encode` of documents."""
        return self.encode(inputs, task="document", **options)

    # Scores.

    @property
    def similarity_fn_name(self) -> str:
        """ "maxsim": the sum over the query's tokens of the best product with one of the document's;
        "meanmaxsim": the mean."""
        return self._similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        value = str(getattr(name, "value", name))
        if value not in _SIMILARITIES:
            raise ValueError(f"there is no similarity function {value!r}: there are {', '.join(_SIMILARITIES)}")
        self._similarity_fn_name = value

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The score of every document (the second) for every query (the first): [queries, documents]."""
        queries, documents = self._texts(embeddings1, "embeddings1"), self._texts(embeddings2, "embeddings2")
        scores: Any = self._native.similarity(queries, documents)
        scores = self._scaled(scores, np.array([len(query) for query in queries])[:, None])
        return like(scores, _of_torch(embeddings1) or _of_torch(embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The score of document i for query i: [n]."""
        queries, documents = self._texts(embeddings1, "embeddings1"), self._texts(embeddings2, "embeddings2")
        if len(queries) != len(documents):
            raise ValueError(f"there are {len(queries)} queries and {len(documents)} documents: each needs one")
        compare: Any = self._native.similarity
        scores = np.array([compare([query], [document])[0, 0] for query, document in zip(queries, documents)], np.float32)
        scores = self._scaled(scores, np.array([len(query) for query in queries]))
        return like(scores, _of_torch(embeddings1) or _of_torch(embeddings2))

    def _texts(self, embeddings: Any, name: str) -> list[Array]:
        if getattr(embeddings, "ndim", 3) == 2:  # a single text's
            embeddings = [embeddings]
        rows = [np.ascontiguousarray(to_numpy(item), dtype=np.float32) for item in embeddings]
        columns = int(self._native.dimension)
        for i, vectors in enumerate(rows):
            if vectors.ndim != 2 or vectors.shape[1] != columns:
                raise ValueError(f"{name}[{i}] is {list(vectors.shape)}, not [tokens, {columns}]")
        return rows

    def _scaled(self, scores: Array, tokens: Array) -> Array:
        """What the library computes, which goes by the model's files, as this object's function has it."""
        means = self._similarity_fn_name == "meanmaxsim"
        if means == bool(self._native.means):
            return scores
        factor = np.maximum(tokens, 1).astype(np.float32)
        return np.asarray(scores / factor if means else scores * factor, dtype=np.float32)

    def rank(
        self, query: str, documents: Any, top_k: Optional[int] = None, return_documents: bool = False, **options: Any
    ) -> list[dict[str, Any]]:
        """The documents, best first: {"corpus_id", "score"}, and "text" on request, as
        `CrossEncoder.rank` has it."""
        if not is_text(query):
            raise TypeError(f"query is {kind(query)}, not str")
        texts = as_list(documents, "documents")
        if not texts:
            return []
        scores = self.similarity(
            [self.encode_query(query, convert_to_numpy=True)],
            self.encode_document(texts, convert_to_numpy=True, **options),
        )[0]
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [
            {"corpus_id": int(i), "score": float(scores[i]), **({"text": texts[i]} if return_documents else {})}
            for i in order
        ]

    # What programs ask models for.

    def get_embedding_dimension(self) -> int:
        """Columns of a token's vector."""
        return int(self._native.dimension)

    get_sentence_embedding_dimension = get_embedding_dimension

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model's files as they are read."""
        save_encoder(self, path, unused)

    save = save_pretrained

    def __reduce__(self) -> Any:
        options = {
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self._similarity_fn_name,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        state = {"_max_seq_length": self._max_seq_length, "_name": self._name}
        return reloaded, (type(self), self._directory, options, state)

    def __repr__(self) -> str:
        return (
            f"MultiVectorEncoder({os.path.basename(self._name.rstrip('/'))}: {self.get_embedding_dimension()} columns, "
            f"{self._max_seq_length} tokens, {self._precision})"
        )


def _of_torch(embeddings: Any) -> bool:
    return is_torch(embeddings) or (
        isinstance(embeddings, (list, tuple)) and bool(embeddings) and is_torch(embeddings[0])
    )
