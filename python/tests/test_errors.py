"""Bad input: Python's own exceptions, with a sentence that names the element."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cloze


def test_hierarchy() -> None:
    assert issubclass(cloze.IoError, (cloze.Error, OSError)) and issubclass(cloze.IoError, OSError)
    for kind in (cloze.FormatError, cloze.ModelError, cloze.ArgumentError):
        assert issubclass(kind, cloze.Error) and issubclass(kind, ValueError)
    assert issubclass(cloze.TextTooLong, cloze.ArgumentError)
    assert issubclass(cloze.WrongPipeline, cloze.ModelError)
    assert cloze.IoError.__module__ == "cloze"


@pytest.mark.parametrize(
    ("texts", "kind", "sentence"),
    [
        (["a", None], TypeError, r"texts\[1\] is None, not str"),
        (["a", "b", float("nan")], TypeError, r"texts\[2\] is float \(nan\), not str"),
        (["a", 7], TypeError, r"texts\[1\] is int, not str"),
        (["a", b"\xff\xfe"], ValueError, r"texts\[1\] is bytes that are not UTF-8"),
        (["a", "\ud800"], ValueError, r"texts\[1\] holds a lone surrogate"),
        (7, TypeError, "is int, not"),
        (None, (TypeError, ValueError), "text"),
    ],
)
def test_texts(tokenizer: cloze.BertTokenizer, models: dict[str, str], texts: Any, kind: Any, sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        tokenizer(texts)
    model = cloze.SentenceTransformer(models["BertModel"])
    with pytest.raises(kind, match=sentence):
        model.encode(texts)


def test_bytes_are_texts(tokenizer: cloze.BertTokenizer) -> None:
    assert tokenizer(["naïve cat".encode(), "cat"])["input_ids"] == tokenizer(["naïve cat", "cat"])["input_ids"]


def test_arrays(models: dict[str, str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    size = model.config.vocab_size
    with pytest.raises(ValueError, match=r"input_ids\[0\]\[1\] is -1, and the vocabulary has"):
        model([[1, -1]])
    with pytest.raises(ValueError, match=rf"input_ids\[1\]\[0\] is {size}"):
        model([[1], [size]])
    with pytest.raises(ValueError, match="input_ids is ragged"):
        model([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"must be \[batch, length\]"):
        model([1, 2, 3])
    with pytest.raises(TypeError, match="input_ids holds NaN"):
        model(np.array([[1.0, np.nan]]))
    with pytest.raises(TypeError, match="input_ids holds float64"):
        model(np.array([[1.0, 2.0]]))
    with pytest.raises(ValueError, match=r"attention_mask is \[1, 3\], and input_ids is \[1, 2\]"):
        model([[1, 2]], attention_mask=[[1, 1, 1]])
    with pytest.raises(ValueError, match=r"attention_mask\[0\] leaves no token"):
        model([[1, 2]], attention_mask=[[0, 0]])
    with pytest.raises(ValueError, match="token_type_ids"):
        model([[1, 2]], token_type_ids=[[0, 2]])
    with pytest.raises(ValueError, match="position"):
        model(np.ones((1, 65), dtype=np.int64))
    with pytest.raises(ValueError, match="no sequence"):
        model(np.ones((0, 4), dtype=np.int64))
    with pytest.raises(ValueError, match="masks of each pair of tokens are not in Cloze"):
        model([[1, 2]], attention_mask=np.ones((1, 2, 2)))


def test_keywords(tokenizer: cloze.BertTokenizer, models: dict[str, str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    with pytest.raises(TypeError, match="unexpected keyword argument 'paddding'"):
        tokenizer("a", paddding=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        model([[1]], foo=1)
    with pytest.raises(ValueError, match="inputs_embeds is not in Cloze"):
        model(inputs_embeds=np.zeros((1, 2, 32)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'quantize'"):
        cloze.BertModel.from_pretrained(models["BertModel"], quantize=True)
    with pytest.raises(ValueError, match="trust_remote_code"):
        cloze.BertModel.from_pretrained(models["BertModel"], trust_remote_code=True)
    with pytest.raises(ValueError, match="unknown keyword arguments"):
        cloze.SentenceTransformer(models["BertModel"]).encode("a", foo=1)


def test_missing_head_and_model(models: dict[str, str], tmp_path: Any) -> None:
    with pytest.raises(cloze.ModelError):
        cloze.BertForMaskedLM.from_pretrained(models["BertModel"])
    for load in (cloze.BertModel.from_pretrained, cloze.BertTokenizer.from_pretrained, cloze.SentenceTransformer):
        with pytest.raises(OSError):
            load(str(tmp_path / "nowhere"))
    with pytest.raises(OSError):
        cloze.BertModel.from_pretrained(tmp_path)


def test_no_such_name_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(OSError):
        cloze.BertModel.from_pretrained("nobody/no-such-model")


def test_damaged_files(models: dict[str, str], tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(cloze.FormatError, match=r"config\.json"):
        cloze.BertModel.from_pretrained(tmp_path)


def test_too_long_texts(models: dict[str, str]) -> None:
    classify = cloze.pipeline("text-classification", models["BertForSequenceClassification"])
    with pytest.raises(cloze.TextTooLong, match=r"texts\[0\]"):
        classify("cat " * 100)
    assert classify("cat " * 100, truncation=True)
