"""Pipelines: shapes by the type of the input, and plain values. bench/compare_python.py has their
numbers beside transformers'."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import cloze


def plain(value: Any) -> Any:
    json.dumps(value)
    return value


def same(a: Any, b: Any) -> bool:
    """Equal, but for the last bits of scores."""
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == pytest.approx(b, abs=1e-5) if isinstance(a, float) else bool(a == b)


@pytest.fixture(scope="module")
def classify(models: dict[str, str]) -> Any:
    return cloze.pipeline("sentiment-analysis", models["BertForSequenceClassification"])


def test_text_classification(classify: Any) -> None:
    one = plain(classify("good film"))
    assert isinstance(one, list) and list(one[0]) == ["label", "score"] and isinstance(one[0]["score"], float)
    many = plain(classify(["good film", "bad film"]))
    # A batch of another size is multiplied in another order: the last bits differ.
    assert len(many) == 2 and same(many[0], one[0])
    best = classify("good film", top_k=2)
    assert len(best) == 2 and same(best[0], one[0]) and best[0]["score"] >= best[1]["score"]
    every = classify(["good film"], top_k=None)
    assert len(every[0]) == 3 and sum(entry["score"] for entry in every[0]) == pytest.approx(1)
    assert set(classify({"text": "good", "text_pair": "film"})) == {"label", "score"}
    assert same(classify([("good", "film")])[0], classify({"text": "good", "text_pair": "film"}))
    logits = classify("good film", top_k=None, function_to_apply="none")
    model = cloze.BertForSequenceClassification.from_pretrained(classify.model.name_or_path)
    wanted = model(classify.tokenizer("good film", return_tensors="np")).logits[0]
    assert np.abs(np.sort([entry["score"] for entry in logits]) - np.sort(wanted)).max() < 1e-5
    with pytest.raises(ValueError, match="function_to_apply"):
        classify("a", function_to_apply="tanh")
    with pytest.raises(ValueError, match="top_k is 0"):
        classify("a", top_k=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        classify("a", foo=1)


def test_generators(classify: Any, lines: list[str]) -> None:
    stream = classify(text for text in lines)
    assert iter(stream) is stream
    for one, many in zip(stream, classify(lines)):  # batches of another size: other last bits
        assert one["label"] == many["label"] and one["score"] == pytest.approx(many["score"], abs=1e-6)


def test_token_classification(models: dict[str, str]) -> None:
    tag = cloze.pipeline("ner", models["BertForTokenClassification"], ignore_labels=[])
    text = "peter met angela, at paris"
    tokens = plain(tag(text))
    assert list(tokens[0]) == ["entity", "score", "index", "word", "start", "end"]
    assert [text[entry["start"] : entry["end"]] for entry in tokens] == [entry["word"] for entry in tokens]
    for strategy in ("simple", "first", "max", "average"):
        groups = plain(tag(text, aggregation_strategy=strategy))
        assert list(groups[0]) == ["entity_group", "score", "word", "start", "end"]
    assert same(tag([text, text])[1], tokens)
    assert same(tag(text.split(), is_split_into_words=True), tag(" ".join(text.split())))
    with pytest.raises(ValueError, match="`stride` was provided"):
        tag(text, stride=8)
    with pytest.raises(ValueError, match="aggregation"):
        tag(text, aggregation_strategy="best")


def test_question_answering(models: dict[str, str]) -> None:
    answer = cloze.pipeline("question-answering", models["BertForQuestionAnswering"])
    context = "the book was by ada. the dog sat on the mat"
    one = plain(answer(question="who wrote the book?", context=context))
    assert list(one) == ["score", "start", "end", "answer"] and context[one["start"] : one["end"]] == one["answer"]
    three = answer(question="who wrote the book?", context=context, top_k=3)
    assert len(three) == 3 and three[0] == one
    assert answer({"question": "who wrote the book?", "context": context}) == one
    two = answer(question=["who?", "where?"], context=[context, context])
    assert len(two) == 2 and isinstance(two[0], dict)
    assert len(answer(question=["who?", "where?"], context=context)) == 2
    with pytest.raises(ValueError, match="is empty"):
        answer(question="who?", context="")
    with pytest.raises(ValueError, match="needs question= and context="):
        answer(question="who?")


def test_fill_mask(models: dict[str, str]) -> None:
    fill = cloze.pipeline("fill-mask", models["BertForMaskedLM"])
    one = plain(fill("the cat [MASK] on the mat"))
    assert len(one) == 5 and list(one[0]) == ["score", "token", "token_str", "sequence"]
    assert one[0]["sequence"].startswith("the cat ")
    two = plain(fill("the [MASK] sat on the [MASK]", top_k=2))
    assert len(two) == 2 and len(two[0]) == 2 and "[CLS]" in two[0][0]["sequence"]
    assert fill(["the cat [MASK]"]) == fill("the cat [MASK]")
    assert len(fill(["the cat [MASK]", "a [MASK]"])) == 2
    some = fill("the cat [MASK] on the mat", targets=["sat", "met"])
    assert {entry["token_str"] for entry in some} == {"sat", "met"}
    with pytest.raises(ValueError, match="No mask_token") as caught:
        fill("no mask here")
    assert isinstance(caught.value, cloze.PipelineException)


def test_feature_extraction(models: dict[str, str]) -> None:
    extract = cloze.pipeline("feature-extraction", models["BertModel"])
    nested = plain(extract("the cat"))
    assert len(nested) == 1 and len(nested[0]) == 4 and len(nested[0][0]) == 32
    array = extract("the cat", return_tensors=True)
    assert array.shape == (1, 4, 32) and np.allclose(array, nested)
    assert len(extract(["the cat", "a"])) == 2


def test_zero_shot(models: dict[str, str]) -> None:
    classify = cloze.pipeline("zero-shot-classification", models["nli"])
    one = plain(classify("the cat sat", ["sport", "politics"]))
    assert list(one) == ["sequence", "labels", "scores"] and sum(one["scores"]) == pytest.approx(1)
    assert one["scores"] == sorted(one["scores"], reverse=True)
    assert set(classify("the cat sat", "sport, politics")["labels"]) == {"sport", "politics"}
    assert len(classify(["a", "the"], ["sport"])) == 2
    assert max(classify("a", ["sport", "politics"], multi_label=True)["scores"]) < 1
    with pytest.raises(ValueError, match="hypothesis_template"):
        classify("a", ["sport"], hypothesis_template="This is it.")
    with pytest.raises(ValueError, match="at least one label"):
        classify("a", [])


def test_own_tasks(models: dict[str, str]) -> None:
    follow = cloze.pipeline("next-sentence-prediction", models["BertForNextSentencePrediction"])
    assert 0 <= plain(follow(("we open", "at nine")))["is_next"] <= 1
    assert len(follow([("we open", "at nine"), ("a", "b")])) == 2
    with pytest.raises(ValueError, match=r"inputs\[0\] is str, not a pair"):
        follow(["alone"])
    choose = cloze.pipeline("multiple-choice", models["BertForMultipleChoice"])
    chosen = plain(choose("the cat", ["sat", "met", "wrote"]))
    assert sum(chosen["scores"]) == pytest.approx(1) and chosen["choice"] == int(np.argmax(chosen["scores"]))
    assert len(choose(["a", "the"], [["sat", "met"], ["one", "two"]])) == 2
    rank = cloze.pipeline("text-ranking", models["ranker"])
    ranked = plain(rank("who?", ["ada", "the cat sat", "peter"]))
    assert sorted(entry["corpus_id"] for entry in ranked) == [0, 1, 2]


def test_models_and_tokenizers_given(models: dict[str, str], tokenizer: cloze.BertTokenizer) -> None:
    path = models["BertForSequenceClassification"]
    model = cloze.BertForSequenceClassification.from_pretrained(path)
    of_model = cloze.pipeline("text-classification", model, tokenizer)
    of_path = cloze.pipeline("text-classification", path)
    assert same(of_model("good film"), of_path("good film"))
    assert type(cloze.pipeline(model=path)) is type(of_path)
    assert cloze.pipeline(model=models["BertForTokenClassification"]).task == "token-classification"
    with pytest.raises(TypeError, match="needs a head that it does not have"):
        cloze.pipeline("fill-mask", model, tokenizer)
    with pytest.raises(KeyError, match="Unknown task translation"):
        cloze.pipeline("translation", path)
    with pytest.raises(ValueError, match="no default models"):
        cloze.pipeline("ner")
    with pytest.raises(ValueError, match="device is 'cuda'"):
        cloze.pipeline("ner", path, device="cuda")
