"""Texts and labelled examples in the tables of pandas, datasets, Arrow and polars, with those that are installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cloze

ROWS = [{"text": "good film", "label": "pos"}, {"text": "bad film", "label": "neg"}] * 6


def table_of_pandas(columns: dict[str, list[Any]]) -> Any:
    return importlib.import_module("pandas").DataFrame(columns)


def table_of_datasets(columns: dict[str, list[Any]]) -> Any:
    return importlib.import_module("datasets").Dataset.from_dict(columns)


def table_of_arrow(columns: dict[str, list[Any]]) -> Any:
    return importlib.import_module("pyarrow").table(columns)


def table_of_polars(columns: dict[str, list[Any]]) -> Any:
    return importlib.import_module("polars").DataFrame(columns)


KINDS = {
    "pandas": table_of_pandas,
    "datasets": table_of_datasets,
    "pyarrow": table_of_arrow,
    "polars": table_of_polars,
}

# What the packages themselves warn of is no matter of these tests.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=list(KINDS))
def table(request: pytest.FixtureRequest) -> Callable[[dict[str, list[Any]]], Any]:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return KINDS[request.param]


def columns_of_rows() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in ROWS[0]}


def test_encode(table: Callable[[dict[str, list[Any]]], Any], models: dict[str, str], lines: list[str]) -> None:
    model = cloze.SentenceTransformer(models["BertModel"])
    wanted = model.encode(lines)
    whole = table({"id": list(range(len(lines))), "text": lines})
    for given in (whole, whole["text"], table({"whatever": lines})):
        assert (model.encode(given) == wanted).all()
    with pytest.raises(TypeError, match="with the columns id, other: give the one that has texts"):
        model.encode(table({"id": [1], "other": ["a"]}))
    with pytest.raises(TypeError, match=r"texts\[1\] is .*, not str"):
        model.encode(table({"text": ["a", None]}))
    tokens = model.tokenizer(list(lines))["input_ids"]
    assert cloze.Tokenizer(model.tokenizer._native).encode_batch(whole)[0].ids == tokens[0]


def test_dict_is_no_list_of_texts(models: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="texts is dict, not a list of str: give one of its columns"):
        cloze.SentenceTransformer(models["BertModel"]).encode({"text": ["a"]})


def test_training(table: Callable[[dict[str, list[Any]]], Any], models: dict[str, str], tmp_path: Path) -> None:
    runs = []
    for name, data in (("rows", ROWS), ("table", table(columns_of_rows()))):
        result = cloze.finetune(
            models["BertModel"], "text-classification", data, data, tmp_path / name, steps=3, dtype="float32", seed=1
        )
        vectors = cloze.BertForSequenceClassification.from_pretrained(result.model_path).state_dict()
        runs.append((result.metrics, vectors))
        assert cloze.evaluate(result.model_path, data=data).examples == len(ROWS)
    assert runs[0][0] == runs[1][0]
    assert all((runs[0][1][name] == tensor).all() for name, tensor in runs[1][1].items())


def test_named_columns(table: Callable[[dict[str, list[Any]]], Any], models: dict[str, str], tmp_path: Path) -> None:
    data = table({"review": ["good film", "bad film"] * 4, "verdict": ["pos", "neg"] * 4})
    cloze.finetune(
        models["BertModel"], "text-classification", data, output=tmp_path / "run", steps=1, dtype="float32",
        text_column="review", label_column="verdict",
    )  # fmt: skip
    found = cloze.evaluate(tmp_path / "run", data=data, text_column="review", label_column="verdict")
    assert found.examples == 8
    with pytest.raises(ValueError, match="has no column 'absent'"):
        cloze.evaluate(tmp_path / "run", data=data, text_column="absent")


def test_names_of_classes(models: dict[str, str], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"sentence": ["good film", "bad film"] * 4, "label": [1, 0] * 4}, features=features)
    result = cloze.finetune(models["BertModel"], "text-classification", data, output=tmp_path / "run", steps=1, dtype="float32")
    assert sorted(cloze.BertConfig.from_pretrained(result.model_path).id2label.values()) == ["neg", "pos"]
    tags = datasets.Dataset.from_dict(
        {"tokens": [["ada", "wrote"], ["the", "cat"]], "ner_tags": [[1, 0], [0, 0]]},
        features=datasets.Features(
            {
                "tokens": datasets.Sequence(datasets.Value("string")),
                "ner_tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"])),
            }
        ),
    )
    tagged = cloze.finetune(models["BertModel"], "token-classification", tags, output=tmp_path / "tags", steps=1, dtype="float32")
    assert {"O", "B-PER"} <= set(cloze.BertConfig.from_pretrained(tagged.model_path).id2label.values())


def test_pipeline_of_a_data_set(models: dict[str, str]) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    classify = cloze.pipeline("text-classification", models["BertForSequenceClassification"])
    data = datasets.Dataset.from_dict({"text": ["the cat", "a dog"]})
    answers = list(classify(data))
    wanted = classify(["the cat", "a dog"])
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in wanted]
    assert np.allclose([answer["score"] for answer in answers], [answer["score"] for answer in wanted])
