"""Native tokenizers that are made anew, of a vocabulary or of another one's files with a change; and what files say
besides."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from . import _cloze


def made_of_vocabulary(vocab: Any, **options: Any) -> Any:
    """The tokenizer of a list of tokens, a dict of ids, or a vocab.txt."""
    if isinstance(vocab, (str, os.PathLike)):
        with open(vocab, encoding="utf-8", newline="\n") as file:
            tokens = [line.rstrip("\r\n") for line in file]
    elif isinstance(vocab, dict):
        ids = sorted(vocab.values())
        if ids != list(range(len(ids))):
            raise ValueError("the ids of a vocabulary are 0, 1, 2, ..., each once")
        tokens = [""] * len(ids)
        for token, index in vocab.items():
            tokens[index] = token
    else:
        tokens = list(vocab)
    for i, token in enumerate(tokens):
        if not isinstance(token, str):
            raise TypeError(f"vocab[{i}] is {type(token).__name__}, not str")
    return _cloze.Tokenizer.from_vocabulary(tokens, **options)


def added_tokens(tokenizer_json: dict[str, Any]) -> list[dict[str, Any]]:
    """`added_tokens` of a tokenizer.json, by their ids."""
    return sorted(tokenizer_json.get("added_tokens", []), key=lambda entry: int(entry["id"]))


def load_native(directory: str, stated: dict[str, Any], mode: str) -> Any:
    """The tokenizer of a directory. The library's pipelines cut texts at their end, and refuse one that states to
    be cut at its begin; a tokenizer by itself is told with each call where to cut."""
    path = os.path.join(directory, "tokenizer.json")
    if stated.get("truncation_side") != "left" or not os.path.isfile(path):
        return _cloze.Tokenizer.from_pretrained(directory, mode)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return _cloze.Tokenizer.from_json(text, json.dumps({**stated, "truncation_side": "right"}), mode)


def changed(
    native: Any,
    mode: str,
    *,
    config: Optional[dict[str, Any]] = None,
    tokens: Optional[list[tuple[str, bool]]] = None,
    first_id: int = 0,
) -> Any:
    """The tokenizer with other switches in its tokenizer_config.json, or with `tokens` (and whether
    each is special) added, whose ids begin at `first_id`."""
    text = native.to_json()
    stated = json.loads(native.config_to_json())
    if config:
        stated.update(config)
        stated["tokenizer_class"] = "BertTokenizer"
    if tokens:
        whole = json.loads(text)
        decoder = stated.setdefault("added_tokens_decoder", {})
        for index, (token, special) in enumerate(tokens, first_id):
            entry = {
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": not special,
                "special": special,
            }
            whole.setdefault("added_tokens", []).append({"id": index, **entry})
            decoder[str(index)] = entry
        text = json.dumps(whole, ensure_ascii=False)
    return _cloze.Tokenizer.from_json(text, json.dumps(stated, ensure_ascii=False), mode)


def json_of(path: str) -> dict[str, Any]:
    """The object of a JSON file; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def input_names(directory: str, stated: dict[str, Any]) -> list[str]:
    """What a model reads, by what its directory says; `stated` is its tokenizer_config.json."""
    names = stated.get("model_input_names")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return list(names)
    without_types = ("DistilBert", "XLMRoberta")
    if str(stated.get("tokenizer_class", "")).startswith(without_types) or (
        json_of(os.path.join(directory, "config.json")).get("model_type") == "distilbert"
    ):
        return ["input_ids", "attention_mask"]
    return ["input_ids", "token_type_ids", "attention_mask"]
