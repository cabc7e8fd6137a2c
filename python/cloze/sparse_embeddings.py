"""Vectors of which only the values that are not 0 are kept, and what other packages' sparse matrices are as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

import numpy as np

from . import _cloze
from ._arrays import is_torch, require_torch, to_numpy
from ._texts import kind

__all__ = ["SparseEmbeddings"]

Array = np.ndarray[Any, Any]


class SparseEmbeddings:
    """Sparse vectors: row i has the values `values[indptr[i]:indptr[i + 1]]` in the columns
    `indices[indptr[i]:indptr[i + 1]]`, which ascend (CSR, as scipy has it). `shape` is [n, columns]; of a single
    vector [columns].

    `to_scipy`, `to_torch` and `to_dense` make what other packages take; a vector store takes the `indices` and
    `values` of a row.

    >>> import numpy as np
    >>> from cloze import SparseEmbeddings
    >>> rows = SparseEmbeddings(np.array([0, 2, 3]), np.array([1, 4, 0]), np.array([0.5, 2.0, 1.0]), (2, 6))
    >>> rows[0].indices.tolist(), rows[0].values.tolist()
    ([1, 4], [0.5, 2.0])
    >>> rows.to_dense()[1].tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, indptr: Any, indices: Any, values: Any, shape: tuple[int, ...]) -> None:
        self.indptr: Array = np.ascontiguousarray(indptr, dtype=np.int64)
        self.indices: Array = np.ascontiguousarray(indices, dtype=np.int32)
        self.values: Array = np.ascontiguousarray(values, dtype=np.float32)
        self.shape = tuple(int(size) for size in shape)
        rows = 1 if self.ndim == 1 else self.shape[0]
        if self.ndim not in (1, 2) or len(self.indptr) != rows + 1:
            raise ValueError(f"indptr has {len(self.indptr)} elements, which is not one more than the rows of {self.shape}")
        self._native = _cloze.SparseVectors.of(self.indptr, self.indices, self.values, self.shape[-1])

    @classmethod
    def _of(cls, native: Any) -> SparseEmbeddings:
        made = cls.__new__(cls)
        made.indptr, made.indices, made.values = native.indptr, native.indices, native.values
        made.shape = (int(native.rows), int(native.columns))
        made._native = native
        return made

    @property
    def ndim(self) -> int:
        """1 for a single vector, 2 for rows."""
        return len(self.shape)

    @property
    def nnz(self) -> int:
        """Values that are kept."""
        return len(self.values)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Union[int, slice]) -> SparseEmbeddings:
        """A vector, or rows in a row."""
        if self.ndim == 1:
            raise IndexError("a single vector has no rows: its indices and values are arrays")
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            if step != 1:
                raise IndexError("rows are taken in a row: the slice has a step")
            end = max(begin, end)
        else:
            begin = index + len(self) if index < 0 else int(index)
            if not 0 <= begin < len(self):
                raise IndexError(f"there is no row {index}: there are {len(self)}")
            end = begin + 1
        first, last = int(self.indptr[begin]), int(self.indptr[end])
        shape = (end - begin, self.shape[1]) if isinstance(index, slice) else (self.shape[1],)
        return SparseEmbeddings(
            self.indptr[begin : end + 1] - first, self.indices[first:last], self.values[first:last], shape
        )

    def __iter__(self) -> Iterator[SparseEmbeddings]:
        return (self[row] for row in range(len(self) if self.ndim == 2 else 0))

    def greatest(self, most: int) -> SparseEmbeddings:
        """The same with the `most` greatest values of every row alone."""
        if most < 1:
            raise ValueError(f"max_active_dims is {most}, and must be 1 or more")
        kept = []
        for begin, end in zip(self.indptr[:-1], self.indptr[1:]):
            order = np.argsort(-self.values[begin:end], kind="stable")[:most]
            kept.append(np.sort(order) + begin)
        chosen = np.concatenate(kept) if kept else np.zeros(0, np.int64)
        ends = np.concatenate([[0], np.cumsum([len(row) for row in kept], dtype=np.int64)])
        return SparseEmbeddings(ends, self.indices[chosen], self.values[chosen], self.shape)

    def to_dense(self) -> Array:
        """All values, float32 of `shape`."""
        dense: Any = self._native.to_dense()
        return np.asarray(dense.reshape(self.shape))

    toarray = to_dense

    def to_scipy(self) -> Any:
        """A `scipy.sparse.csr_array` [n, columns]."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.indices, self.indptr), shape=(len(self.indptr) - 1, self.shape[-1]))

    def to_torch(self) -> Any:
        """A sparse tensor of torch (COO) of `shape`."""
        torch = require_torch("a sparse tensor")
        columns = self.indices.astype(np.int64)
        rows = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        places = columns[None] if self.ndim == 1 else np.stack([rows, columns])
        return torch.sparse_coo_tensor(
            torch.from_numpy(places), torch.from_numpy(self.values.copy()), self.shape, is_coalesced=True, check_invariants=False
        )

    def __reduce__(self) -> Any:
        return SparseEmbeddings, (self.indptr, self.indices, self.values, self.shape)

    def __repr__(self) -> str:
        return f"SparseEmbeddings(shape={self.shape}, nnz={self.nnz})"


def as_sparse(value: Any, name: str) -> SparseEmbeddings:
    """Vectors of any kind as such: those of Cloze, of scipy, of torch (sparse or not), arrays, and lists of any of them.
    Raises TypeError for others."""
    if isinstance(value, SparseEmbeddings):
        return value
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (int, float)):
        parts = [as_sparse(item, f"{name}[{i}]") for i, item in enumerate(value)]
        starts = np.cumsum([0, *(part.nnz for part in parts)])
        ends = [part.indptr[1:] + start for part, start in zip(parts, starts)]
        return SparseEmbeddings(
            np.concatenate([[0], *ends]),
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.values for part in parts]),
            (sum(len(part.indptr) - 1 for part in parts), parts[0].shape[-1]),
        )
    if is_torch(value) and str(value.layout) != "torch.strided":
        tensor = value.detach().cpu()
        tensor = (tensor if str(tensor.layout) == "torch.sparse_coo" else tensor.to_sparse()).coalesce()
        return _of_places(tensor.indices().numpy(), tensor.values().numpy(), tuple(tensor.shape))
    if hasattr(value, "tocsr"):  # of scipy
        rows = value.tocsr()
        rows.sum_duplicates()
        rows.sort_indices()
        return SparseEmbeddings(rows.indptr, rows.indices, rows.data, rows.shape)
    array = to_numpy(value)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise TypeError(f"{name} is {kind(value)}, not vectors [n, columns]")
    places = np.nonzero(array)
    return _of_places(np.stack(places), array[places], array.shape)


def _of_places(places: Array, values: Array, shape: tuple[int, ...]) -> SparseEmbeddings:
    """Of the rows and columns of values, in their order."""
    rows = shape[0] if len(shape) == 2 else 1
    counts = np.bincount(places[0], minlength=rows) if len(shape) == 2 else np.array([len(values)])
    return SparseEmbeddings(np.concatenate([[0], np.cumsum(counts)]), places[-1], values, shape)
