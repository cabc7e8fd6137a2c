"""What a call of a tokenizer is given: one text or many, pairs, words."""

from __future__ import annotations

from typing import Any, Optional

from ._texts import is_text, kind, split_pairs


def inputs_of(text: Any, pair: Any, words: bool) -> tuple[bool, list[Any], Optional[list[Any]]]:
    """Whether the call has many texts; the texts and their pairs as lists."""
    text, pair = _plain(text, "texts"), _plain(pair, "pairs")
    if words:
        if not isinstance(text, (list, tuple)):
            raise ValueError(f"is_split_into_words wants a list of words, and text is {kind(text)}")
        batched = bool(text) and isinstance(text[0], (list, tuple))
    else:
        batched = isinstance(text, (list, tuple))
    if not batched:
        if pair is not None and not words and not is_text(pair):
            raise TypeError(
                "when tokenizing a single text, `text_pair` must be one text, and it is " + kind(pair)
            )
        return False, [text], None if pair is None else [pair]
    texts = list(text)
    if pair is not None:
        if is_text(pair) or not isinstance(pair, (list, tuple)):
            raise TypeError(
                "when tokenizing batches of text, `text_pair` must be a list or tuple with the same length as `text`."
            )
        if len(pair) != len(texts):
            raise ValueError(
                f"batch length of `text`: {len(texts)} does not match batch length of `text_pair`: {len(pair)}."
            )
        return True, texts, list(pair)
    if words:
        first = texts[0][0] if texts and texts[0] else None
        if texts and len(texts[0]) == 2 and isinstance(first, (list, tuple)):  # pairs of lists of words
            return True, [item[0] for item in texts], [item[1] for item in texts]
        return True, texts, None
    firsts, seconds = split_pairs(texts, "texts")
    return True, firsts, seconds


def _plain(texts: Any, name: str) -> Any:
    """Arrays and columns as lists; str, lists and tuples as they are."""
    if texts is None or is_text(texts) or isinstance(texts, (list, tuple)):
        return texts
    tolist = getattr(texts, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"{name} is {kind(texts)}, not a str or a list of str")
