"""What the tests share: a vocabulary, small random models of every head, the golden models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Pre-training measures the machine's matrix rate with OpenMP's threads. On a machine that others use, threads that
# spin while they wait would take minutes for it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import cloze  # noqa: E402

GOLDENS = Path(__file__).resolve().parents[2] / "tests" / "goldens"
WORDS = (
    "the a cat dog sat on mat hello world film good bad great awful we open at nine it left monday who "
    "wrote book was by ada is one two three low er est new york peter met angela example sport politics "
    "this capital of france paris lyon"
).split()
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *WORDS,
    *(f"##{piece}" for piece in ("s", "er", "est", "ing", "ly")),
    *(letter for letter in "abcdefghijklmnopqrstuvwxyz.,!?'-0123456789" if letter not in WORDS),
    *(f"##{letter}" for letter in "abcdefghijklmnopqrtuvwxyz0123456789"),
]


@pytest.fixture(scope="session")
def tokenizer() -> cloze.BertTokenizer:
    return cloze.BertTokenizer(VOCABULARY, model_max_length=64)


def config(**fields: Any) -> cloze.BertConfig:
    return cloze.BertConfig(
        **{
            "vocab_size": len(VOCABULARY),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
            **fields,
        }
    )


LABELS: dict[str, dict[str, Any]] = {
    "BertModel": {},
    "BertForMaskedLM": {},
    "BertForNextSentencePrediction": {},
    "BertForPreTraining": {},
    "BertForSequenceClassification": {"id2label": {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}},
    "BertForTokenClassification": {"id2label": {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC"}},
    "BertForQuestionAnswering": {},
    "BertForMultipleChoice": {},
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, tokenizer: cloze.BertTokenizer) -> dict[str, str]:
    """A directory for every head, "ranker" (one label), "nli" and a pair classifier among them."""
    root = tmp_path_factory.mktemp("models")
    made: dict[str, str] = {}
    for name, fields in LABELS.items():
        made[name] = _write(root / name, name, fields, tokenizer)
    head = "BertForSequenceClassification"
    nli = {"id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}
    made["nli"] = _write(root / "nli", head, nli, tokenizer)
    made["ranker"] = _write(root / "ranker", head, {"id2label": {0: "LABEL_0"}}, tokenizer)
    return made


def _write(path: Path, name: str, fields: dict[str, Any], tokenizer: cloze.BertTokenizer) -> str:
    getattr(cloze, name)(config(**fields), seed=3).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return os.fspath(path)


@pytest.fixture(scope="session")
def real_model() -> str:
    """all-MiniLM-L6-v2, where it is in the cache."""
    found = os.environ.get("CLOZE_TEST_MODEL")
    if found is None:
        cache = os.environ.get("CLOZE_CACHE") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cloze"
        )
        found = os.path.join(cache, "all-MiniLM-L6-v2")
    if not os.path.isdir(found):
        pytest.skip("all-MiniLM-L6-v2 is not in the cache: scripts/fetch-model brings it there")
    return found


@pytest.fixture
def lines() -> list[str]:
    """Uneven lines, the same for every test."""
    rng = np.random.default_rng(5)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 20))) for _ in range(200)]
