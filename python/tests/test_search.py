"""SparseEncoder and MultiVectorEncoder, against what sentence-transformers computes with the same models
(tests/goldens/search)."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import GOLDENS

import cloze
from cloze import SparseEmbeddings

ROOT = GOLDENS / "search"
TEXTS: dict[str, list[str]] = json.loads((ROOT / "texts.json").read_text(encoding="utf-8"))
DOCUMENTS, QUERIES = TEXTS["documents"], TEXTS["queries"]


@pytest.fixture(autouse=True)
def without_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another test has imported torch, vectors would be tensors: only one test here wants them."""
    if request.function is not test_tensors:
        monkeypatch.delitem(sys.modules, "torch", raising=False)


def golden(name: str) -> dict[str, Any]:
    return {key: np.asarray(array) for key, array in cloze.load_safetensors(ROOT / name / "golden.safetensors").items()}


@pytest.fixture(scope="module")
def splade() -> cloze.SparseEncoder:
    return cloze.SparseEncoder(ROOT / "splade_max")


@pytest.fixture(scope="module")
def colbert() -> cloze.MultiVectorEncoder:
    return cloze.MultiVectorEncoder(ROOT / "colbert_pylate")


@pytest.mark.parametrize("name", ["splade_max", "splade_sum", "splade_electra"])
def test_sparse_vectors(name: str) -> None:
    wanted, model = golden(name), cloze.SparseEncoder(ROOT / name)
    vectors = model.encode(DOCUMENTS)
    assert isinstance(vectors, SparseEmbeddings)
    assert vectors.shape == wanted["document"].shape == (len(DOCUMENTS), model.get_embedding_dimension())
    assert np.abs(vectors.to_dense() - wanted["document"]).max() < 1e-5
    assert np.abs(model.similarity(vectors, vectors) - wanted["similarity"]).max() < 1e-4
    assert model.similarity_pairwise(vectors, vectors) == pytest.approx(np.diag(wanted["similarity"]), abs=1e-4)
    if name == "splade_sum":
        assert model.max_active_dims == 20 and model.similarity_fn_name == "cosine"


def test_shapes_of_sparse_vectors(splade: cloze.SparseEncoder) -> None:
    whole = splade.encode(DOCUMENTS)
    one = splade.encode(DOCUMENTS[0])
    assert one.shape == (whole.shape[1],) and np.abs(one.to_dense() - whole[0].to_dense()).max() < 1e-5
    assert splade.encode([]).shape == (0, whole.shape[1])
    rows = splade.encode(DOCUMENTS, convert_to_tensor=False)
    assert isinstance(rows, list) and [row.nnz for row in rows] == [row.nnz for row in whole]
    dense = splade.encode(DOCUMENTS[:2], convert_to_sparse_tensor=False)
    assert isinstance(dense, np.ndarray) and dense.shape == (2, whole.shape[1])
    few = splade.encode(DOCUMENTS, max_active_dims=3)
    assert all(row.nnz <= 3 for row in few)
    assert few[0].values.min() >= np.sort(whole[0].values)[::-1][:3].min() - 1e-6
    assert cloze.SparseEncoder(ROOT / "splade_max", max_active_dims=3).encode(DOCUMENTS).nnz == few.nnz
    assert splade.encode(iter(DOCUMENTS)).shape == whole.shape
    with pytest.raises(ValueError, match="max_active_dims is 0"):
        splade.encode(DOCUMENTS, max_active_dims=0)
    with pytest.raises(ValueError, match="loaded with 20: load it with more"):
        cloze.SparseEncoder(ROOT / "splade_sum").encode(DOCUMENTS, max_active_dims=30)
    with pytest.raises(TypeError, match=r"texts\[1\] is float \(nan\), not str"):
        splade.encode(["a", float("nan")])
    with pytest.raises(ValueError, match="unknown keyword arguments"):
        splade.encode(["a"], normalise=True)


def test_words_of_sparse_vectors(splade: cloze.SparseEncoder) -> None:
    vectors = splade.encode(DOCUMENTS)
    words = splade.decode(vectors, top_k=4)
    assert [len(row) for row in words] == [4] * len(DOCUMENTS)
    for row, found in zip(vectors, words):
        order = np.argsort(-row.values, kind="stable")[:4]
        assert [token for token, _ in found] == splade.tokenizer.convert_ids_to_tokens(row.indices[order].tolist())
        assert [weight for _, weight in found] == pytest.approx(row.values[order].tolist())
    assert splade.decode(vectors[0], top_k=4) == words[0]
    assert len(splade.decode(vectors[0])) == vectors[0].nnz
    stated = splade.sparsity(vectors)
    assert stated["active_dims"] == vectors.nnz / len(vectors)
    assert stated["sparsity_ratio"] == pytest.approx(1 - stated["active_dims"] / vectors.shape[1])
    shared = splade.intersection(vectors[0], vectors)
    assert np.abs(shared.to_dense() - vectors.to_dense()[:1] * vectors.to_dense()).max() < 1e-6
    with pytest.raises(ValueError, match="Expected 1D"):
        splade.intersection(vectors, vectors)
    with pytest.raises(ValueError, match="top_k must be a positive integer"):
        splade.decode(vectors, top_k=0)


def test_similarities_of_sparse_vectors(splade: cloze.SparseEncoder) -> None:
    model = cloze.SparseEncoder(ROOT / "splade_max", similarity_fn_name="cosine")
    a, b = model.encode(DOCUMENTS[:2]), model.encode(DOCUMENTS[2:])
    x, y = a.to_dense().astype(np.float64), b.to_dense().astype(np.float64)
    plain = {
        "cosine": (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T,
        "dot": x @ y.T,
        "euclidean": -np.sqrt(((x[:, None] - y) ** 2).sum(axis=-1)),
        "manhattan": -np.abs(x[:, None] - y).sum(axis=-1),
    }
    for name, wanted in plain.items():
        model.similarity_fn_name = name
        for one, other in ((a, b), (x, list(b)), (list(a), y)):
            assert np.abs(model.similarity(one, other) - wanted).max() < 1e-4
    assert splade.similarity_fn_name == "dot"
    with pytest.raises(ValueError, match="no similarity function"):
        model.similarity_fn_name = "angle"
    with pytest.raises(ValueError, match="columns cannot be compared"):
        model.similarity(a, np.ones((1, 3)))


def test_sparse_embeddings() -> None:
    rows = SparseEmbeddings([0, 2, 2, 3], [1, 4, 0], [0.5, 2.0, 1.0], (3, 6))
    assert len(rows) == 3 and rows.nnz == 3 and [row.nnz for row in rows] == [2, 0, 1]
    assert rows[1:].shape == (2, 6) and rows[-1].indices.tolist() == [0] and rows[3:].shape == (0, 6)
    copy = pickle.loads(pickle.dumps(rows))
    assert (copy.to_dense() == rows.to_dense()).all() and copy.shape == rows.shape
    assert rows.greatest(1)[0].values.tolist() == [2.0]
    for wrong in (([0, 1, 2], [4, 1], [1, 1], (2, 3)), ([0, 2], [1, 1], [1, 1], (1, 3)), ([0, 1], [-1], [1], (1, 3)), ([1, 1], [], [], (1, 3))):
        with pytest.raises(ValueError, match="are no sparse rows"):
            SparseEmbeddings(*wrong)
    with pytest.raises(ValueError, match="not one more than the rows"):
        SparseEmbeddings([0], [], [], (1, 3))
    with pytest.raises(IndexError):
        rows[3]
    scipy = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    matrix = rows.to_scipy()
    assert isinstance(matrix, scipy.csr_array) and (matrix.toarray() == rows.to_dense()).all()
    from cloze.sparse_embeddings import as_sparse

    assert (as_sparse(matrix, "x").to_dense() == rows.to_dense()).all()


def test_sparse_prompts_and_files(tmp_path: Path, splade: cloze.SparseEncoder) -> None:
    mine = cloze.SparseEncoder(ROOT / "splade_max", prompts={"query": "the "}, similarity_fn_name="cosine")
    wanted = splade.encode(["the dog"]).to_dense()
    for got in (mine.encode_query(["dog"]), mine.encode(["dog"], prompt="the "), mine.encode(["dog"], prompt_name="query")):
        assert np.abs(got.to_dense() - wanted).max() < 1e-5
    assert np.abs(mine.encode_document(["dog"]).to_dense() - splade.encode(["dog"]).to_dense()).max() < 1e-6
    mine.save_pretrained(tmp_path / "saved")
    again = cloze.SparseEncoder(tmp_path / "saved")
    assert again.prompts == mine.prompts and again.similarity_fn_name == "cosine"
    assert np.abs(again.encode(DOCUMENTS).to_dense() - splade.encode(DOCUMENTS).to_dense()).max() < 1e-6
    mine.max_seq_length = 4
    copy = pickle.loads(pickle.dumps(mine))
    assert copy.max_seq_length == 4 and copy.prompts == mine.prompts and copy.similarity_fn_name == "cosine"
    with pytest.raises(ValueError, match="device is 'cuda'"):
        cloze.SparseEncoder(ROOT / "splade_max", device="cuda")


@pytest.mark.parametrize("name", ["colbert_native", "colbert_pylate", "colbert_stanford"])
def test_vectors_of_tokens(name: str) -> None:
    wanted, model = golden(name), cloze.MultiVectorEncoder(ROOT / name)
    queries, documents = model.encode_query(QUERIES), model.encode_document(DOCUMENTS)
    for role, found in (("query", queries), ("document", documents)):
        for i, vectors in enumerate(found):
            assert isinstance(vectors, np.ndarray) and vectors.shape == wanted[f"{role}.{i}"].shape
            assert vectors.size == 0 or np.abs(vectors - wanted[f"{role}.{i}"]).max() < 1e-5
    scores = model.similarity(queries, documents)
    assert scores.shape == wanted["scores"].shape and np.abs(scores - wanted["scores"]).max() < 1e-4
    pairs = model.similarity_pairwise(queries, documents[: len(queries)])
    assert pairs == pytest.approx(np.diag(wanted["scores"]), abs=1e-4)
    ranked = model.rank(QUERIES[0], DOCUMENTS, top_k=3, return_documents=True)
    order = np.argsort(-wanted["scores"][0], kind="stable")[:3]
    assert [hit["corpus_id"] for hit in ranked] == order.tolist()
    assert ranked[0]["text"] == DOCUMENTS[order[0]] and json.dumps(ranked)
    assert model.similarity_fn_name == ("meanmaxsim" if name == "colbert_native" else "maxsim")


def test_shapes_of_token_vectors(colbert: cloze.MultiVectorEncoder) -> None:
    documents = colbert.encode_document(DOCUMENTS)
    one = colbert.encode_document(DOCUMENTS[0])
    assert one.shape == documents[0].shape and np.abs(one - documents[0]).max() < 1e-5
    assert colbert.encode_document([]) == [] and colbert.rank("a", []) == []
    assert np.allclose(np.linalg.norm(colbert.encode(DOCUMENTS[0], normalize_embeddings=True), axis=1), 1, atol=1e-5)
    assert colbert.similarity(one, documents).shape == (1, len(DOCUMENTS))  # a single text's
    mean = cloze.MultiVectorEncoder(ROOT / "colbert_pylate", similarity_fn_name="meanmaxsim")
    queries = colbert.encode_query(QUERIES)
    tokens = np.array([len(query) for query in queries])[:, None]
    assert np.abs(mean.similarity(queries, documents) * tokens - colbert.similarity(queries, documents)).max() < 1e-4
    for wrong, message in (
        ({"task": "passage"}, "task is 'passage'"),
        ({"convert_to_tensor": True}, "has no `convert_to_tensor`"),
        ({"output_value": None}, "output_value is None"),
        ({"batch_size": 0}, "batch_size is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            colbert.encode(["a"], **wrong)
    with pytest.raises(TypeError, match="such a model reads no pairs"):
        colbert.encode([("a", "b")])
    with pytest.raises(ValueError, match=r"embeddings1\[0\] is \[3, 2\], not \[tokens,"):
        colbert.similarity([np.ones((3, 2))], documents)


def test_token_vectors_and_files(tmp_path: Path, colbert: cloze.MultiVectorEncoder) -> None:
    for name in ("colbert_native", "colbert_pylate", "colbert_stanford"):
        model = cloze.MultiVectorEncoder(ROOT / name)
        model.save_pretrained(tmp_path / name)
        again = cloze.MultiVectorEncoder(tmp_path / name)
        assert again.prompts == model.prompts
        for a, b in zip(again.encode_query(QUERIES), model.encode_query(QUERIES)):
            assert (a == b).all()
    copy = pickle.loads(pickle.dumps(colbert))
    assert (copy.encode_query(QUERIES[0]) == colbert.encode_query(QUERIES[0])).all()


def test_tensors(splade: cloze.SparseEncoder, colbert: cloze.MultiVectorEncoder) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    vectors = splade.encode(DOCUMENTS)
    assert vectors.is_sparse and vectors.shape == (len(DOCUMENTS), splade.get_embedding_dimension())
    wanted = torch.tensor(golden("splade_max")["document"])
    assert (vectors.to_dense() - wanted).abs().max() < 1e-5
    assert torch.is_tensor(splade.similarity(vectors, vectors)) and splade.encode("dog").shape == (wanted.shape[1],)
    assert splade.decode(vectors[0], top_k=2) == splade.decode(vectors, top_k=2)[0]
    assert all(row.is_sparse for row in splade.encode(DOCUMENTS, convert_to_tensor=False))
    assert splade.sparsity(vectors)["active_dims"] > 1 and splade.intersection(vectors[0], vectors).is_sparse
    documents = colbert.encode_document(DOCUMENTS)
    assert all(torch.is_tensor(row) for row in documents)
    assert torch.is_tensor(colbert.similarity(colbert.encode_query(QUERIES), documents))
    assert isinstance(colbert.encode_document("dog", convert_to_numpy=True), np.ndarray)


def test_not_such_a_model(models: dict[str, str]) -> None:
    with pytest.raises(cloze.ModelError):
        cloze.MultiVectorEncoder(models["BertModel"])
    with pytest.raises(cloze.ModelError):
        cloze.SparseEncoder(models["BertModel"])
    plain = cloze.SparseEncoder(models["BertForMaskedLM"])  # any masked language model is one
    assert plain.encode(["the cat"]).shape[0] == 1
