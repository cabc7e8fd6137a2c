"""SentenceTransformer, CrossEncoder and util. bench/compare_python.py has their numbers beside
sentence-transformers'."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cloze
from cloze import util


@pytest.fixture(scope="module")
def model(models: dict[str, str]) -> cloze.SentenceTransformer:
    return cloze.SentenceTransformer(models["BertModel"])


def mean_pooled(models: dict[str, str], texts: list[str]) -> Any:
    tokenizer = cloze.BertTokenizer.from_pretrained(models["BertModel"])
    encoder = cloze.BertModel.from_pretrained(models["BertModel"])
    rows = [encoder(tokenizer(text, return_tensors="np", truncation=True)).last_hidden_state[0].mean(axis=0) for text in texts]
    return np.stack(rows)


def test_encode(model: cloze.SentenceTransformer, models: dict[str, str], lines: list[str]) -> None:
    vectors = model.encode(lines)
    assert vectors.shape == (200, 32) and vectors.dtype == np.float32 and vectors.flags["C_CONTIGUOUS"]
    assert np.abs(vectors - mean_pooled(models, lines)).max() < 1e-5
    assert model.encode(lines[0]).shape == (32,)
    assert model.encode([]).shape == (0,)
    for column in (tuple(lines), np.array(lines), iter(lines)):
        assert np.abs(model.encode(column) - vectors).max() < 1e-6
    assert np.abs(model.encode(sentences=lines[:3]) - vectors[:3]).max() < 1e-5
    assert isinstance(model.encode(lines[:2], convert_to_numpy=False), list)
    pairs = model.encode([("the cat", "a dog")])
    assert pairs.shape == (1, 32) and np.abs(pairs - model.encode(["the cat"])).max() > 1e-3


def test_shapes_of_vectors(model: cloze.SentenceTransformer, lines: list[str]) -> None:
    whole = model.encode(lines)
    assert np.allclose(np.linalg.norm(model.encode(lines, normalize_embeddings=True), axis=1), 1, atol=1e-5)
    assert (model.encode(lines, truncate_dim=8) == whole[:, :8]).all()
    short = model.encode(lines, truncate_dim=8, normalize_embeddings=True)
    assert np.allclose(np.linalg.norm(short, axis=1), 1, atol=1e-5)
    with model.truncate_sentence_embeddings(8):
        assert model.encode(lines[0]).shape == (8,) and model.get_sentence_embedding_dimension() == 8
    assert model.get_sentence_embedding_dimension() == model.get_embedding_dimension() == 32
    for precision, dtype, columns in (("int8", np.int8, 32), ("uint8", np.uint8, 32), ("binary", np.int8, 4), ("ubinary", np.uint8, 4)):
        small = model.encode(lines, precision=precision)
        assert small.dtype == dtype and small.shape == (200, columns)
    bits = model.encode(lines, precision="ubinary")
    assert (bits == np.packbits(whole > 0, axis=1)).all()
    assert (model.encode(lines, precision="binary").astype(int) + 128 == bits).all()
    with pytest.raises(ValueError, match="Precision 'int4' is not supported"):
        model.encode(lines, precision="int4")
    with pytest.raises(ValueError, match="batch_size is 0"):
        model.encode(lines, batch_size=0)


def test_output_values(model: cloze.SentenceTransformer) -> None:
    tokens = model.encode(["the cats", "a"], output_value="token_embeddings")
    assert [rows.shape for rows in tokens] == [(5, 32), (3, 32)]
    assert np.abs(tokens[0].mean(axis=0) - model.encode("the cats")).max() < 1e-5
    everything = model.encode("the cats", output_value=None)
    assert {"input_ids", "attention_mask", "token_embeddings", "sentence_embedding"} <= set(everything)


def test_limits(model: cloze.SentenceTransformer, models: dict[str, str]) -> None:
    mine = cloze.SentenceTransformer(models["BertModel"])
    long = "the cat sat on the mat " * 30
    assert mine.encode(long).shape == (32,) and mine.max_seq_length == 64
    mine.max_seq_length = 5
    assert np.abs(mine.encode(long) - model.encode("the cat sat")).max() < 1e-5
    with pytest.raises(ValueError, match="max_seq_length is 65"):
        mine.max_seq_length = 65


def test_cut_texts_are_told_of(models: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    mine = cloze.SentenceTransformer(models["BertModel"])
    mine.max_seq_length = 5
    fits, long = "the cat sat", "the cat sat on the mat"
    with caplog.at_level("INFO", logger="cloze"):
        mine.encode([fits] * 3, show_progress_bar=False)
        assert not caplog.records
        mine.encode([fits, long, long], show_progress_bar=False)
        mine.encode(long, show_progress_bar=False)
        mine.encode([(fits, "a"), ("a", "b")], prompt="", show_progress_bar=False)
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("WARNING", "2 of 3 texts were longer than 5 tokens and cut there: what comes after is in no vector"),
        ("INFO", "1 of 1 texts was longer than 5 tokens and cut there: what comes after is in no vector"),
        ("INFO", "1 of 2 texts was longer than 5 tokens and cut there: what comes after is in no vector"),
    ]


def test_prompts(models: dict[str, str], model: cloze.SentenceTransformer) -> None:
    mine = cloze.SentenceTransformer(models["BertModel"], prompts={"query": "who ", "passage": "the "})
    wanted = model.encode(["who cat"])
    for got in (
        mine.encode(["cat"], prompt="who "),
        mine.encode(["cat"], prompt_name="query"),
        mine.encode_query(["cat"]),
    ):
        assert np.abs(got - wanted).max() < 1e-6
    # sentence-transformers has an empty prompt "document" where none is stated, which goes before "passage".
    assert mine.prompts == {"query": "who ", "document": "", "passage": "the "}
    assert np.abs(mine.encode_document(["cat"]) - model.encode(["cat"])).max() < 1e-6
    del mine.prompts["document"]
    assert np.abs(mine.encode_document(["cat"]) - model.encode(["the cat"])).max() < 1e-6
    with pytest.raises(ValueError, match=r"Prompt name 'nothing' not found in the configured prompts dictionary with keys \['query', 'passage'\]"):
        mine.encode("cat", prompt_name="nothing")
    with pytest.raises(ValueError, match="Default prompt name 'x' not found"):
        cloze.SentenceTransformer(models["BertModel"], default_prompt_name="x")
    default = cloze.SentenceTransformer(models["BertModel"], prompts={"q": "who "}, default_prompt_name="q")
    assert np.abs(default.encode(["cat"]) - wanted).max() < 1e-6
    for encode in (default.encode_query, default.encode_document):
        assert np.abs(encode(["cat"]) - model.encode(["cat"])).max() < 1e-6


def test_save_and_pickle(models: dict[str, str], tmp_path: Path, lines: list[str]) -> None:
    mine = cloze.SentenceTransformer(models["BertModel"], prompts={"q": "who "}, similarity_fn_name="dot")
    mine.save_pretrained(tmp_path / "saved")
    assert [entry["type"].rsplit(".", 1)[-1] for entry in json.loads((tmp_path / "saved/modules.json").read_text())] == ["Transformer", "Pooling"]
    again = cloze.SentenceTransformer(tmp_path / "saved")
    assert again.prompts == {"query": "", "document": "", "q": "who "} and again.similarity_fn_name == "dot"
    assert (again.encode(lines) == mine.encode(lines)).all()
    mine.max_seq_length = 9
    copy = pickle.loads(pickle.dumps(mine))
    assert copy.prompts == mine.prompts and copy.max_seq_length == 9 and (copy.encode(lines) == mine.encode(lines)).all()


def test_similarity(model: cloze.SentenceTransformer, models: dict[str, str], lines: list[str]) -> None:
    mine = cloze.SentenceTransformer(models["BertModel"])
    a, b = mine.encode(lines[:4]), mine.encode(lines[4:10])
    assert mine.similarity(a, b).shape == (4, 6) and mine.similarity_pairwise(a, a) == pytest.approx(np.ones(4), abs=1e-5)
    plain = {
        "cosine": (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T,
        "dot": a @ b.T,
        "euclidean": -np.sqrt(((a[:, None] - b) ** 2).sum(axis=-1)),
        "manhattan": -np.abs(a[:, None] - b).sum(axis=-1),
    }
    for name, wanted in plain.items():
        mine.similarity_fn_name = name
        assert np.abs(mine.similarity(a, b) - wanted).max() < 1e-4
        assert np.abs(mine.similarity_pairwise(a, b[:4]) - np.diag(wanted)).max() < 1e-4
    with pytest.raises(ValueError, match="no similarity function"):
        mine.similarity_fn_name = "angle"


def test_cross_encoder(models: dict[str, str]) -> None:
    ranker = cloze.CrossEncoder(models["ranker"])
    pairs = [("who?", "ada"), ("who?", "the cat sat")]
    scores = ranker.predict(pairs)
    assert scores.shape == (2,) and scores.dtype == np.float32
    assert np.shape(ranker.predict(pairs[0])) == ()
    logits = ranker.predict(pairs, activation_fn="Identity")
    assert np.abs(1 / (1 + np.exp(-logits)) - scores).max() < 1e-6
    model = cloze.BertForSequenceClassification.from_pretrained(models["ranker"])
    tokens = cloze.BertTokenizer.from_pretrained(models["ranker"])(pairs, padding=True, return_tensors="np")
    assert np.abs(model(tokens).logits[:, 0] - logits).max() < 1e-5
    ranked = ranker.rank("who?", ["ada", "the cat sat"], return_documents=True)
    assert set(ranked[0]) == {"corpus_id", "score", "text"} and ranked[0]["score"] >= ranked[1]["score"]
    assert len(ranker.rank("who?", ["ada", "peter", "a"], top_k=2)) == 2
    assert ranker.predict(pairs, activation_fn=lambda x: x * 0).tolist() == [0, 0]
    three = cloze.CrossEncoder(models["nli"])
    assert three.predict(pairs).shape == (2, 3) and three.predict(pairs[0]).shape == (3,)
    assert three.predict(pairs, apply_softmax=True).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    with pytest.raises(ValueError, match="num_labels=1"):
        three.rank("who?", ["ada"])
    with pytest.raises(TypeError, match=r"inputs\[1\] is str, not a pair"):
        ranker.predict([("a", "b"), "c"])
    with pytest.raises(ValueError, match="no activation"):
        cloze.CrossEncoder(models["ranker"], activation_fn="os.system")
    copy = pickle.loads(pickle.dumps(ranker))
    assert (copy.predict(pairs) == scores).all()


def test_declared_activation(models: dict[str, str], tmp_path: Path) -> None:
    ranker = cloze.CrossEncoder(models["ranker"])
    ranker.save_pretrained(tmp_path / "r")
    stated = json.loads((tmp_path / "r/config.json").read_text())
    stated["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    (tmp_path / "r/config.json").write_text(json.dumps(stated))
    pair = ("who?", "ada")
    assert cloze.CrossEncoder(tmp_path / "r").predict(pair) == ranker.predict(pair, activation_fn="Identity")


def test_util_search_and_mining(model: cloze.SentenceTransformer, lines: list[str]) -> None:
    vectors = model.encode(lines)
    hits = util.semantic_search(vectors[:3], vectors, top_k=4)
    cosines = util.cos_sim(vectors[:3], vectors)
    for row, found in enumerate(hits):
        assert [hit["score"] for hit in found] == pytest.approx(np.sort(cosines[row])[::-1][:4], abs=1e-5)
        assert found[0]["corpus_id"] == row
    by_function = util.semantic_search(vectors[:3], vectors, top_k=4, score_function=lambda a, b: util.cos_sim(a, b), corpus_chunk_size=7)
    assert [[hit["corpus_id"] for hit in row] for row in by_function] == [[hit["corpus_id"] for hit in row] for row in hits]
    mined = util.paraphrase_mining(model, ["the cat sat", "we open at nine", "the cat sat !", "who wrote book"], top_k=3)
    assert len(mined) == 6 and mined[0][1:] == [0, 2]
    assert [pair[0] for pair in mined] == sorted((pair[0] for pair in mined), reverse=True)


def test_util_communities() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(3, 8)
    rows = np.concatenate([centre + 0.01 * rng.standard_normal((size, 8)) for centre, size in zip(centres, (6, 9, 3))])
    found = util.community_detection(rows, threshold=0.9, min_community_size=3, batch_size=4)
    assert [sorted(group) for group in found] == [list(range(6, 15)), list(range(6)), list(range(15, 18))]
    assert util.community_detection(np.empty((0, 8))) == []


def test_util_functions() -> None:
    a, b = np.array([[3.0, 4.0]]), [[4.0, 3.0]]
    assert util.cos_sim(a, b) == pytest.approx(np.array([[0.96]])) and util.pytorch_cos_sim(a[0], b[0]).shape == (1, 1)
    assert util.dot_score(a, b) == 24 and util.euclidean_sim(a, b) == pytest.approx(-np.sqrt(2))
    assert util.manhattan_sim(a, b) == -2 and util.pairwise_dot_score(a, b) == [24]
    assert np.linalg.norm(util.normalize_embeddings(a)) == pytest.approx(1)
    assert util.truncate_embeddings(a, 1).shape == (1, 1)
    assert util.maxsim([a], [np.array([[1.0, 0.0], [0.0, 1.0]])]) == 4
    quantized = util.quantize_embeddings(np.array([[0.0, 5.0], [1.0, 5.0]]), "uint8", calibration_embeddings=np.array([[0.0, 5.0], [2.0, 5.0]]))
    assert quantized.tolist() == [[0, 0], [127, 0]]
    with pytest.raises(ValueError, match="not supported"):
        util.quantize_embeddings(a, "int4")
    with pytest.raises(TypeError, match="must hold numbers"):
        util.cos_sim(["a"], ["b"])


def test_real_model(real_model: str) -> None:
    model = cloze.SentenceTransformer(real_model)
    vectors = model.encode(["a happy dog", "a puppy plays", "taxes are due"])
    scores = model.similarity(vectors, vectors)
    assert vectors.shape == (3, 384) and scores[0, 1] > scores[0, 2] + 0.2
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
