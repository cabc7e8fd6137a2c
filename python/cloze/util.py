"""Similarity, search, mining and quantization of vectors: `sentence_transformers.util` by its names.

Arrays of NumPy (and lists) give arrays; tensors of torch give tensors.

>>> import numpy as np
>>> from cloze import util
>>> corpus = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32)
>>> [hit["corpus_id"] for hit in util.semantic_search(corpus[:1], corpus, top_k=2)[0]]
[0, 2]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._arrays import is_torch, like, to_numpy
from ._log import logger

__all__ = [
    "community_detection",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "maxsim",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "pytorch_cos_sim",
    "quantize_embeddings",
    "semantic_search",
    "truncate_embeddings",
]

Array = np.ndarray[Any, Any]


def _has_torch(*values: Any) -> bool:
    return any(is_torch(v) or (isinstance(v, (list, tuple)) and len(v) and is_torch(v[0])) for v in values)


def _matrix(value: Any) -> Array:
    """f32 (or f64) rows: of a matrix, a vector, or a list of vectors."""
    if isinstance(value, (list, tuple)) and len(value) and is_torch(value[0]):
        value = [to_numpy(item) for item in value]
    array = to_numpy(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"vectors hold {array.dtype}, and must hold numbers")
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    rows: Array = array[None] if array.ndim == 1 else array
    return rows


def _unit(rows: Array) -> Array:
    unit: Array = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return unit


def normalize_embeddings(embeddings: Any) -> Any:
    """Every row scaled to length 1."""
    rows = _matrix(embeddings)
    return like(_unit(rows), _has_torch(embeddings))


def cos_sim(a: Any, b: Any) -> Any:
    """The cosine of every row of `a` with every row of `b`: [rows of a, rows of b]."""
    return like(_unit(_matrix(a)) @ _unit(_matrix(b)).T, _has_torch(a, b))


def pytorch_cos_sim(a: Any, b: Any) -> Any:
    """`cos_sim` by its older name."""
    return cos_sim(a, b)


def dot_score(a: Any, b: Any) -> Any:
    """The dot product of every row of `a` with every row of `b`."""
    return like(_matrix(a) @ _matrix(b).T, _has_torch(a, b))


def euclidean_sim(a: Any, b: Any) -> Any:
    """Minus the distance of every row of `a` to every row of `b`."""
    x, y = _matrix(a), _matrix(b)
    return like(_distances(x, y, lambda difference: np.sqrt((difference**2).sum(axis=-1))), _has_torch(a, b))


def manhattan_sim(a: Any, b: Any) -> Any:
    """Minus the sum of the absolute differences of every row of `a` to every row of `b`."""
    x, y = _matrix(a), _matrix(b)
    return like(_distances(x, y, lambda difference: np.abs(difference).sum(axis=-1)), _has_torch(a, b))


def _distances(x: Array, y: Array, measure: Callable[[Array], Array]) -> Array:
    result = np.empty((len(x), len(y)), dtype=np.result_type(x, y))
    for i, row in enumerate(x):  # a row at a time: [n, m, columns] may not fit
        result[i] = -measure(row - y)
    return result


def pairwise_cos_sim(a: Any, b: Any) -> Any:
    """The cosine of row i of `a` with row i of `b`: [rows]."""
    return like((_unit(_matrix(a)) * _unit(_matrix(b))).sum(axis=-1), _has_torch(a, b))


def pairwise_dot_score(a: Any, b: Any) -> Any:
    """The dot product of row i of `a` with row i of `b`."""
    return like((_matrix(a) * _matrix(b)).sum(axis=-1), _has_torch(a, b))


def pairwise_euclidean_sim(a: Any, b: Any) -> Any:
    """Minus the distance of row i of `a` to row i of `b`."""
    return like(-np.sqrt(((_matrix(a) - _matrix(b)) ** 2).sum(axis=-1)), _has_torch(a, b))


def pairwise_manhattan_sim(a: Any, b: Any) -> Any:
    """Minus the sum of the absolute differences of row i of `a` to row i of `b`."""
    return like(-np.abs(_matrix(a) - _matrix(b)).sum(axis=-1), _has_torch(a, b))


def pairwise_angle_sim(x: Any, y: Any) -> Any:
    """The absolute normalized angle distance of AnglE (Li and Li, arXiv:2309.12871), whose vectors
    are complex: their first half real, their second half imaginary."""
    u, v = _matrix(x), _matrix(y)
    a, b = np.split(u, 2, axis=1)
    c, d = np.split(v, 2, axis=1)
    z = (c**2 + d**2).sum(axis=1, keepdims=True)
    real, imaginary = (a * c + b * d) / z, (b * c - a * d) / z
    dz = np.sqrt((a**2 + b**2).sum(axis=1, keepdims=True))
    dw = np.sqrt((c**2 + d**2).sum(axis=1, keepdims=True))
    scale = dz / dw
    angle = np.concatenate([real / scale, imaginary / scale], axis=1)
    return like(np.abs(angle.sum(axis=1)), _has_torch(x, y))


def maxsim(queries: Any, documents: Any) -> Any:
    """The sum over a query's token vectors of their best dot product with a document's: [queries,
    documents], of lists of [tokens, columns]."""
    result = np.zeros((len(queries), len(documents)), dtype=np.float32)
    for i, query in enumerate(queries):
        for j, document in enumerate(documents):
            result[i, j] = (_matrix(query) @ _matrix(document).T).max(axis=1).sum()
    return like(result, _has_torch(queries, documents))


def truncate_embeddings(embeddings: Any, truncate_dim: Optional[int]) -> Any:
    """The first `truncate_dim` columns."""
    return embeddings[..., :truncate_dim]


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500000,
    top_k: int = 10,
    score_function: Callable[[Any, Any], Any] = cos_sim,
) -> list[list[dict[str, Any]]]:
    """The `top_k` rows of the corpus that are nearest each query, best first, as
    {"corpus_id": int, "score": float}."""
    queries, corpus = _matrix(query_embeddings), _matrix(corpus_embeddings)
    if score_function in (cos_sim, dot_score, pytorch_cos_sim) and queries.dtype == corpus.dtype == np.float32:
        name = "dot" if score_function is dot_score else "cosine"
        return list(
            _cloze.semantic_search(
                np.ascontiguousarray(queries), np.ascontiguousarray(corpus), min(top_k, len(corpus)), name
            )
        )
    found: list[list[tuple[float, int]]] = [[] for _ in range(len(queries))]
    for first in range(0, len(queries), query_chunk_size):
        chunk = queries[first : first + query_chunk_size]
        for start in range(0, len(corpus), corpus_chunk_size):
            scores = to_numpy(score_function(chunk, corpus[start : start + corpus_chunk_size]))
            for row, values in enumerate(scores):
                for at in _best(values, top_k):
                    found[first + row].append((float(values[at]), start + int(at)))
    return [
        [{"corpus_id": index, "score": score} for score, index in sorted(hits, key=lambda hit: (-hit[0], hit[1]))[:top_k]]
        for hits in found
    ]


def _best(values: Array, count: int) -> Array:
    """The places of the `count` largest values, the largest first."""
    count = min(count, len(values))
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    places = np.argpartition(-values, count - 1)[:count]
    order: Array = places[np.lexsort((places, -values[places]))]
    return order


def paraphrase_mining(
    model: Any,
    sentences: list[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Callable[[Any, Any], Any] = cos_sim,
    truncate_dim: Optional[int] = None,
    **encode: Any,
) -> list[list[Any]]:
    """The pairs of sentences that are most alike: [score, i, j], the best first."""
    embeddings = model.encode(
        sentences, show_progress_bar=show_progress_bar, batch_size=batch_size, truncate_dim=truncate_dim, **encode
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Callable[[Any, Any], Any] = cos_sim,
) -> list[list[Any]]:
    """The same of vectors that are there already."""
    top_k += 1  # a sentence finds itself
    hits = semantic_search(embeddings, embeddings, query_chunk_size, corpus_chunk_size, top_k, score_function)
    best: dict[tuple[int, int], float] = {}
    for i, of_query in enumerate(hits):
        for hit in of_query:
            j = hit["corpus_id"]
            if i != j:
                best.setdefault((min(i, j), max(i, j)), hit["score"])
    pairs: list[list[Any]] = [[score, i, j] for (i, j), score in best.items()]
    pairs.sort(key=lambda pair: pair[0], reverse=True)
    return pairs[:max_pairs]


def community_detection(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
) -> list[list[int]]:
    """Groups of vectors around one of them with cosines of `threshold` or more: the largest group
    first, its centre the first of each."""
    del show_progress_bar
    rows = _unit(_matrix(embeddings))
    if len(rows) == 0:
        return []
    smallest = min(min_community_size, len(rows))
    groups = []
    for start in range(0, len(rows), batch_size):
        for scores in rows[start : start + batch_size] @ rows.T:
            members = np.flatnonzero(scores >= threshold)
            if len(members) < smallest:
                continue
            order = members[np.lexsort((members, -scores[members]))]
            groups.append(order.tolist())
    groups.sort(key=len, reverse=True)
    taken: set[int] = set()
    result = []
    for group in groups:
        left = [index for index in group if index not in taken]
        if len(left) >= smallest:
            result.append(left)
            taken.update(left)
    return sorted(result, key=len, reverse=True)


def quantize_embeddings(
    embeddings: Any,
    precision: str,
    ranges: Optional[Array] = None,
    calibration_embeddings: Any = None,
) -> Array:
    """Vectors in fewer bits: "float32", "int8", "uint8" (by each column's range, that of
    `calibration_embeddings` if there are some), "binary" and "ubinary" (a bit for each sign)."""
    if isinstance(embeddings, Iterable) and not hasattr(embeddings, "dtype"):
        embeddings = np.array([to_numpy(row) for row in embeddings])
    array = to_numpy(embeddings)
    if array.dtype in (np.uint8, np.int8):
        raise Exception("Embeddings to quantize must be float rather than int8 or uint8.")
    if precision == "float32":
        return array.astype(np.float32)
    if precision in ("int8", "uint8"):
        if ranges is None:
            sample = array if calibration_embeddings is None else to_numpy(calibration_embeddings)
            if calibration_embeddings is None and len(array) < 100:
                logger.warning(
                    "Computing %s quantization buckets based on %d embedding%s. %s quantization is more stable with "
                    "`ranges` calculated from more embeddings or a `calibration_embeddings` that can be used to "
                    "calculate the buckets.",
                    precision,
                    len(array),
                    "s" if len(array) != 1 else "",
                    precision,
                )
            ranges = np.vstack((sample.min(axis=0), sample.max(axis=0)))
        low, high = np.asarray(ranges)
        steps = np.where(high > low, (high - low) / 255, 1)
        scaled = (array - low) / steps
        if precision == "uint8":
            unsigned: Array = np.clip(scaled, 0, 255).astype(np.uint8)
            return unsigned
        signed: Array = np.clip(scaled - 128, -128, 127).astype(np.int8)
        return signed
    if precision in ("binary", "ubinary"):
        bits = np.packbits(array > 0, axis=-1)
        return bits if precision == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
    raise ValueError(f"Precision {precision} is not supported")
