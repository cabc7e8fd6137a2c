"""Encoding and the low-level Tokenizer: the cases of the package tokenizers' own tests."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import cloze
from conftest import VOCABULARY


@pytest.fixture
def low() -> cloze.Tokenizer:
    return cloze.Tokenizer.from_vocab(VOCABULARY)


def test_encode(low: cloze.Tokenizer) -> None:
    one = low.encode("The cats!")
    assert one.tokens == ["[CLS]", "the", "cat", "##s", "!", "[SEP]"]
    assert one.offsets == [(0, 0), (0, 3), (4, 7), (7, 8), (8, 9), (0, 0)]
    assert one.word_ids == one.words == [None, 0, 1, 1, 2, None]
    assert one.sequence_ids == [None, 0, 0, 0, 0, None] and one.n_sequences == 1
    assert one.type_ids == [0] * 6 and one.attention_mask == [1] * 6
    assert one.special_tokens_mask == [1, 0, 0, 0, 0, 1] and one.overflowing == [] and len(one) == 6


def test_maps(low: cloze.Tokenizer) -> None:
    pair = low.encode("The cats", "a dog")
    assert pair.n_sequences == 2
    assert pair.char_to_token(4) == 2 and pair.char_to_token(3) is None
    assert pair.char_to_token(2, 1) == 6 and pair.char_to_word(7) == 1
    assert pair.token_to_chars(6) == (2, 5) and pair.token_to_chars(0) is None
    assert pair.token_to_word(3) == 1 and pair.token_to_sequence(6) == 1 and pair.token_to_sequence(4) is None
    assert pair.word_to_tokens(1) == (2, 4) and pair.word_to_tokens(1, 1) == (6, 7) and pair.word_to_tokens(9) is None
    assert pair.word_to_chars(1) == (4, 8)
    with pytest.raises(IndexError):
        pair.token_to_word(99)


def test_batches(low: cloze.Tokenizer) -> None:
    assert [e.tokens for e in low.encode_batch(["a", ("a", "dog")][:1])] == [["[CLS]", "a", "[SEP]"]]
    assert low.encode_batch([("a", "dog")])[0].type_ids == [0, 0, 0, 1, 1]
    assert low.encode(["the", "cats"], is_pretokenized=True).word_ids == [None, 0, 1, 1, None]
    assert len(low.encode_batch([["the", "cats"], ["a"]], is_pretokenized=True)) == 2
    with pytest.raises(TypeError, match=r"input\[1\] is int|texts\[1\] is int"):
        low.encode_batch(["a", 3])
    with pytest.raises(TypeError, match="input is one str"):
        low.encode_batch("abc")
    with pytest.raises(TypeError):
        low.encode(None)


def test_truncation_and_padding(low: cloze.Tokenizer) -> None:
    low.enable_truncation(4, stride=1)
    one = low.encode("the cat sat on")
    assert one.tokens == ["[CLS]", "the", "cat", "[SEP]"]
    assert [part.tokens[1] for part in one.overflowing] == ["cat", "sat"]
    assert low.truncation is not None and low.truncation["stride"] == 1
    low.no_truncation()
    assert len(low.encode("the cat sat on")) == 6
    low.enable_padding(direction="left", pad_to_multiple_of=4)
    assert low.encode("a").tokens == ["[PAD]", "[CLS]", "a", "[SEP]"]
    low.enable_padding(length=6)
    assert [len(e) for e in low.encode_batch(["a", "the cat sat on the mat"])] == [6, 8]
    low.no_padding()
    assert low.padding is None


def test_own_truncation_and_padding(low: cloze.Tokenizer) -> None:
    encoding = low.encode("the cat sat")
    encoding.truncate(2)
    assert encoding.tokens == ["[CLS]", "the"] and len(encoding.overflowing) == 2
    encoding.pad(4, pad_id=9, pad_token="x")
    assert encoding.ids[2:] == [9, 9] and encoding.attention_mask == [1, 1, 0, 0]
    merged = cloze.Encoding.merge([low.encode("a", add_special_tokens=False), low.encode("cat", add_special_tokens=False)])
    assert merged.tokens == ["a", "cat"] and merged.offsets == [(0, 1), (1, 4)]


def test_vocabulary_and_files(low: cloze.Tokenizer, tmp_path: Any) -> None:
    assert low.token_to_id("cat") == VOCABULARY.index("cat") and low.token_to_id("zebra") is None
    assert low.id_to_token(4) == "[MASK]" and low.id_to_token(10**6) is None
    assert low.get_vocab_size() == len(VOCABULARY) == len(low.get_vocab())
    assert low.num_special_tokens_to_add(False) == 2 and low.num_special_tokens_to_add(True) == 3
    ids = low.encode("the cats").ids
    assert low.decode(ids) == "the cats" and low.decode_batch([ids]) == ["the cats"]
    low.save(tmp_path / "tokenizer.json")
    for again in (
        cloze.Tokenizer.from_file(tmp_path / "tokenizer.json"),
        cloze.Tokenizer.from_str(low.to_str()),
        cloze.Tokenizer.from_buffer(low.to_str().encode()),
        pickle.loads(pickle.dumps(low)),
    ):
        assert again.encode("the cats").ids == ids


def test_batch_encoding(tokenizer: cloze.BertTokenizer) -> None:
    batch = tokenizer(["the cats", "a"], padding=True, return_tensors="np")
    assert isinstance(batch, cloze.BatchEncoding) and batch.input_ids is batch["input_ids"]
    assert isinstance(batch[0], cloze.Encoding) and set(batch[0:1]) == set(batch)
    assert batch.is_fast and batch.n_sequences == 1 and {**batch}.keys() == batch.keys()
    assert batch.token_to_word(0, 3) == 1 and batch.word_to_tokens(0, 1) == cloze.TokenSpan(2, 4)
    assert batch.token_to_chars(0, 2) == cloze.CharSpan(4, 7) and batch.char_to_word(0, 7) == 1
    assert batch.word_to_chars(0, 1) == cloze.CharSpan(4, 8) and batch.token_to_sequence(0, 1) == 0
    assert batch.token_to_word(-2) == 1  # of the first sequence
    assert batch.tokens(1)[-1] == "[PAD]" and batch[1].attention_mask == batch["attention_mask"][1].tolist()
    assert batch.to("cpu") is batch
    with pytest.raises(ValueError, match="device is 'cuda'"):
        batch.to("cuda")
    with pytest.raises(AttributeError, match="labels"):
        batch.labels
    copy = pickle.loads(pickle.dumps(batch))
    assert copy.tokens(0) == batch.tokens(0) and (copy["input_ids"] == batch["input_ids"]).all()
    assert "<table>" in batch._repr_html_()
