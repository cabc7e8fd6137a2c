"""BertTokenizer: the rows of its documentation. bench/compare_python.py holds it against transformers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cloze
from conftest import VOCABULARY

TEXT = "Hello cats, the dog sat!"


def test_one_text(tokenizer: cloze.BertTokenizer) -> None:
    batch = tokenizer(TEXT)
    assert list(batch) == ["input_ids", "token_type_ids", "attention_mask"]
    assert batch.tokens() == ["[CLS]", "hello", "cat", "##s", ",", "the", "dog", "sat", "!", "[SEP]"]
    assert batch["input_ids"] == tokenizer.convert_tokens_to_ids(batch.tokens())
    assert batch["token_type_ids"] == [0] * 10 and batch["attention_mask"] == [1] * 10


def test_shapes(tokenizer: cloze.BertTokenizer) -> None:
    assert isinstance(tokenizer(["a", "a cat"])["input_ids"][1], list)
    one = tokenizer("a cat", return_tensors="np")["input_ids"]
    assert one.shape == (1, 4) and one.dtype == np.int64
    padded = tokenizer(["a", "the cat sat"], padding=True, return_tensors="np")
    assert padded["input_ids"].tolist()[0][3:] == [0, 0] and padded["attention_mask"].sum() == 8
    left = tokenizer(["a", "the cat sat"], padding=True, padding_side="left", return_tensors="np")
    assert left["attention_mask"].tolist()[0] == [0, 0, 1, 1, 1]
    wide = tokenizer("a", padding="max_length", max_length=8, pad_to_multiple_of=8)
    assert len(wide["input_ids"]) == 8
    assert len(tokenizer("the cat sat", padding=True, pad_to_multiple_of=8)["input_ids"]) == 8
    assert tokenizer([])["input_ids"] == []
    with pytest.raises(ValueError, match="you should probably activate truncation and/or padding"):
        tokenizer(["a", "the cat"], return_tensors="np")


def test_pairs(tokenizer: cloze.BertTokenizer) -> None:
    pair = tokenizer("the cat", "a dog")
    assert pair["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert pair.sequence_ids() == [None, 0, 0, None, 1, 1, None]
    assert tokenizer([("the cat", "a dog")])["input_ids"] == [pair["input_ids"]]
    assert tokenizer(["the cat"], ["a dog"])["input_ids"] == [pair["input_ids"]]
    with pytest.raises(ValueError, match="does not match batch length"):
        tokenizer(["a", "b"], ["c"])


def test_truncation(tokenizer: cloze.BertTokenizer) -> None:
    assert len(tokenizer("the cat sat on the mat", truncation=True, max_length=5)["input_ids"]) == 5
    first = tokenizer("the cat sat", "a dog", truncation="only_first", max_length=7)
    assert first.tokens() == ["[CLS]", "the", "cat", "[SEP]", "a", "dog", "[SEP]"]
    windows = tokenizer(
        "the cat sat on the mat", truncation=True, max_length=5, stride=1, return_overflowing_tokens=True
    )
    assert [len(row) for row in windows["input_ids"]] == [5, 5, 4]
    assert windows["overflow_to_sample_mapping"] == [0, 0, 0]
    assert windows.tokens(1)[1] == windows.tokens(0)[3]
    with pytest.raises(ValueError):
        tokenizer("the cat sat", truncation=True, max_length=1)
    with pytest.raises(ValueError, match="truncation is 'middle'"):
        tokenizer("a", truncation="middle")
    with pytest.raises(ValueError, match="multiple of pad_to_multiple_of"):
        tokenizer("a", truncation=True, padding=True, max_length=9, pad_to_multiple_of=8)
    with pytest.raises(ValueError, match="truncation_side is 'middle'"):
        cloze.BertTokenizer(["[UNK]", "[CLS]", "[SEP]", "[PAD]"], truncation_side="middle")


def test_truncation_at_the_left(tokenizer: cloze.BertTokenizer, tmp_path: Path) -> None:
    left = cloze.BertTokenizer(VOCABULARY, model_max_length=64, truncation_side="left")
    text = "the cat sat on the mat"
    assert left(text, truncation=True, max_length=5).tokens() == ["[CLS]", "on", "the", "mat", "[SEP]"]
    cut = left([text, "a"], truncation=True, max_length=5, return_offsets_mapping=True, padding=True, return_tensors="np")
    assert cut["offset_mapping"][0].tolist() == [[0, 0], [12, 14], [15, 18], [19, 22], [0, 0]]
    assert cut.tokens(0)[1] == "on" and cut.word_ids(0) == [None, 3, 4, 5, None]
    windows = left(text, truncation=True, max_length=5, stride=1, return_overflowing_tokens=True)
    assert [windows.tokens(i)[1:-1] for i in range(3)] == [["on", "the", "mat"], ["cat", "sat", "on"], ["the", "cat"]]
    pair = left(text, "a dog", truncation="only_first", max_length=7)
    assert pair.tokens() == ["[CLS]", "the", "mat", "[SEP]", "a", "dog", "[SEP]"]
    words = left(text.split(), is_split_into_words=True, truncation=True, max_length=4)
    assert words.tokens() == ["[CLS]", "the", "mat", "[SEP]"]
    left.save_pretrained(tmp_path)
    again = cloze.AutoTokenizer.from_pretrained(tmp_path)
    assert again.truncation_side == "left" and again(text, truncation=True, max_length=5) == left(text, truncation=True, max_length=5)
    assert pickle.loads(pickle.dumps(left)).truncation_side == "left"
    tokenizer = cloze.BertTokenizer.from_pretrained(tmp_path, truncation_side="right")
    assert tokenizer(text, truncation=True, max_length=5).tokens()[1] == "the"
    tokenizer.truncation_side = "left"
    assert tokenizer(text, truncation=True, max_length=5).tokens()[1] == "on"
    low = tokenizer.backend_tokenizer
    low.enable_truncation(5, stride=1, direction="left")
    one = low.encode(text)
    assert one.tokens[1] == "on" and [part.tokens[1] for part in one.overflowing] == ["cat", "the"]
    with pytest.raises(ValueError, match="direction is 'up'"):
        low.enable_truncation(5, direction="up")


def test_extras(tokenizer: cloze.BertTokenizer) -> None:
    options = {"return_offsets_mapping": True, "return_special_tokens_mask": True, "return_length": True}
    batch = tokenizer(["Naïve cat", "a"], padding=True, **options)
    assert batch["offset_mapping"][1] == [(0, 0), (0, 1), (0, 0)] + [(0, 0)] * (len(batch["offset_mapping"][0]) - 3)
    assert batch["special_tokens_mask"][1][:3] == [1, 0, 1] and set(batch["special_tokens_mask"][1][3:]) == {1}
    arrays = tokenizer(["Naïve cat", "a"], padding=True, return_tensors="np", **options)
    assert arrays["offset_mapping"].shape == (*arrays["input_ids"].shape, 2)
    assert arrays["offset_mapping"].tolist() == [[list(span) for span in row] for row in batch["offset_mapping"]]
    assert arrays["special_tokens_mask"].tolist() == batch["special_tokens_mask"]


def test_words(tokenizer: cloze.BertTokenizer) -> None:
    batch = tokenizer(["Hello", "cats"], is_split_into_words=True)
    assert batch.word_ids() == [None, 0, 1, 1, None]
    many = tokenizer([["Hello", "cats"], ["a"]], is_split_into_words=True, padding=True, return_tensors="np")
    assert many["input_ids"].shape == (2, 5)
    pairs = tokenizer([(["Hello", "cats"], ["a"])], is_split_into_words=True)
    assert pairs["token_type_ids"] == [[0, 0, 0, 0, 0, 1, 1]]
    with pytest.raises(ValueError, match="is_split_into_words wants a list of words"):
        tokenizer("Hello", is_split_into_words=True)


def test_back_to_text(tokenizer: cloze.BertTokenizer) -> None:
    ids = tokenizer(TEXT)["input_ids"]
    assert tokenizer.decode(ids) == "[CLS] hello cats, the dog sat! [SEP]" or tokenizer.decode(ids).startswith("[CLS]")
    assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True) == "hello cats, the dog sat!"
    assert tokenizer.decode(np.array(ids)) == tokenizer.decode(ids)
    assert tokenizer.batch_decode([ids, ids[:2]]) == [tokenizer.decode(ids), tokenizer.decode(ids[:2])]
    assert tokenizer.decode([ids, ids]) == [tokenizer.decode(ids)] * 2
    assert tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=True) == tokenizer.tokenize(TEXT)
    assert tokenizer.convert_tokens_to_string(["cat", "##s"]) == "cats"
    assert tokenizer.convert_tokens_to_ids("nothing") == tokenizer.unk_token_id
    with pytest.raises(ValueError):
        tokenizer.decode([10**6])
    with pytest.raises(ValueError, match=r"ids\[0\] is -1"):
        tokenizer.decode([-1])


def test_special_tokens(tokenizer: cloze.BertTokenizer) -> None:
    assert tokenizer.special_tokens_map == {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id) == (0, 1, 2)
    assert (tokenizer.sep_token_id, tokenizer.mask_token_id, tokenizer.bos_token) == (3, 4, None)
    assert sorted(tokenizer.all_special_ids) == [0, 1, 2, 3, 4]
    assert tokenizer.num_special_tokens_to_add() == 2 and tokenizer.num_special_tokens_to_add(pair=True) == 3
    assert tokenizer.max_len_single_sentence == 62 and tokenizer.max_len_sentences_pair == 61
    assert len(tokenizer) == len(tokenizer.get_vocab())
    assert tokenizer.get_special_tokens_mask([2, 9, 3], already_has_special_tokens=True) == [1, 0, 1]


def test_added_tokens(tokenizer: cloze.BertTokenizer) -> None:
    mine = pickle.loads(pickle.dumps(tokenizer))
    assert mine.add_tokens(["<brand>", "cat"]) == 1
    assert len(mine) == len(tokenizer) + 1 and mine.vocab_size == tokenizer.vocab_size
    assert mine.tokenize("the <brand> cat") == ["the", "<brand>", "cat"]
    assert mine.get_added_vocab()["<brand>"] == len(tokenizer)
    assert "<brand>" not in tokenizer.get_vocab()


def test_added_special_tokens(tokenizer: cloze.BertTokenizer, tmp_path: Any) -> None:
    mine = pickle.loads(pickle.dumps(tokenizer))
    assert mine.add_special_tokens({"pad_token": "<pad>", "extra_special_tokens": ["<ent>"]}) == 2
    assert mine.pad_token == "<pad>" and mine.pad_token_id == len(tokenizer)
    assert "<ent>" in mine.extra_special_tokens and mine.tokenize("a <ent> cat") == ["a", "<ent>", "cat"]
    assert mine(["a", "the cat"], padding=True)["input_ids"][0][-1] == mine.pad_token_id
    mine.save_pretrained(tmp_path)
    again = cloze.BertTokenizer.from_pretrained(tmp_path)
    assert again.pad_token == "<pad>" and again.tokenize("a <ent> cat") == ["a", "<ent>", "cat"]
    with pytest.raises(ValueError, match="bos_token is no special token of a BERT"):
        mine.add_special_tokens({"bos_token": "<s>"})


def test_pad(tokenizer: cloze.BertTokenizer) -> None:
    rows = [dict(tokenizer("the cat")), dict(tokenizer("a"))]
    batch = tokenizer.pad(rows, return_tensors="np")
    assert batch["input_ids"].shape == (2, 4) and batch["attention_mask"].tolist()[1] == [1, 1, 1, 0]
    assert not batch.is_fast
    with pytest.raises(ValueError, match="non-fast"):
        batch.word_ids()
    left = tokenizer.pad({"input_ids": [[1, 2], [3]]}, padding_side="left")
    assert left["input_ids"] == [[1, 2], [0, 3]] and left["attention_mask"] == [[1, 1], [0, 1]]


def test_files(tokenizer: cloze.BertTokenizer, tmp_path: Any, lines: list[str]) -> None:
    names = tokenizer.save_pretrained(tmp_path)
    assert {name.rsplit("/", 1)[-1] for name in names} == {"vocab.txt", "tokenizer.json", "tokenizer_config.json"}
    again = cloze.AutoTokenizer.from_pretrained(tmp_path)
    assert again(lines)["input_ids"] == tokenizer(lines)["input_ids"] and again.model_max_length == 64
    cased = cloze.BertTokenizer.from_pretrained(tmp_path, do_lower_case=False)
    assert cased.tokenize("Hello cat")[-1] == "cat" and cased.tokenize("Hello")[0] != "hello"
    of_list = cloze.BertTokenizer(tmp_path / "vocab.txt")
    assert of_list(lines)["input_ids"] == tokenizer(lines)["input_ids"]
    of_dict = cloze.BertTokenizer(tokenizer.get_vocab())
    assert of_dict(lines)["input_ids"] == tokenizer(lines)["input_ids"]
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy(lines)["input_ids"] == tokenizer(lines)["input_ids"] and copy.model_max_length == 64


def test_distilbert_reads_no_segments(tokenizer: cloze.BertTokenizer, tmp_path: Any) -> None:
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "distilbert"}')
    assert list(cloze.AutoTokenizer.from_pretrained(tmp_path)("cat")) == ["input_ids", "attention_mask"]


def test_a_new_vocabulary(tokenizer: cloze.BertTokenizer) -> None:
    new = tokenizer.train_new_from_iterator([["lower lowest low"] * 20], 40)
    assert new.tokenize("low") == ["low"] and new.model_max_length == 64


def test_columns_of_texts(tokenizer: cloze.BertTokenizer) -> None:
    assert tokenizer(np.array(["a cat", "a"]))["input_ids"] == tokenizer(["a cat", "a"])["input_ids"]
    assert tokenizer(("a cat", "a"))["input_ids"] == tokenizer(["a cat", "a"])["input_ids"]
