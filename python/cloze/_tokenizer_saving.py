"""A tokenizer's way to files and into pickles, and back."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from . import _cloze
from ._locate import Name, refuse
from ._tokenizer_files import json_of
from ._tokenizer_limits import LARGE_INTEGER
from ._tokenizer_vocabulary import Vocabulary

_KEPT = (
    "_mode",
    "_clean_up",
    "deprecation_warnings",
    "name_or_path",
    "padding_side",
    "truncation_side",
    "model_max_length",
    "model_input_names",
)


class SavedTokenizer(Vocabulary):
    """The part of `BertTokenizer` that writes it."""

    padding_side: str
    truncation_side: str
    model_input_names: list[str]

    def save_pretrained(self, save_directory: Name, **unused: Any) -> tuple[str, ...]:
        """Writes the tokenizer's files as transformers reads them; returns their names."""
        refuse({key: value for key, value in unused.items() if key not in ("legacy_format", "push_to_hub")}, "save_pretrained")
        if unused.get("push_to_hub"):
            raise ValueError("push_to_hub is not in Cloze: save, and upload with huggingface_hub")
        directory = os.fspath(save_directory)
        self._native.save_pretrained(directory)
        path = os.path.join(directory, "tokenizer_config.json")
        config = json_of(path)
        if self.model_max_length < LARGE_INTEGER:
            config["model_max_length"] = self.model_max_length
        config["padding_side"] = self.padding_side
        if self.truncation_side != "right":
            config["truncation_side"] = self.truncation_side
        if self.model_input_names != ["input_ids", "token_type_ids", "attention_mask"]:
            config["model_input_names"] = self.model_input_names
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2, ensure_ascii=False, sort_keys=True)
            file.write("\n")
        return tuple(
            os.path.join(directory, name)
            for name in ("tokenizer_config.json", "vocab.txt", "tokenizer.json")
            if os.path.exists(os.path.join(directory, name))
        )

    def save_vocabulary(self, save_directory: Name, filename_prefix: Optional[str] = None) -> tuple[str]:
        """Writes `vocab.txt` alone; returns its name."""
        import tempfile  # here: with all that it imports it would be a tenth of the package's import

        os.makedirs(save_directory, exist_ok=True)
        name = (f"{filename_prefix}-" if filename_prefix else "") + "vocab.txt"
        path = os.path.join(os.fspath(save_directory), name)
        with tempfile.TemporaryDirectory() as scratch:
            self._native.save_pretrained(scratch)
            source = os.path.join(scratch, "vocab.txt")
            if not os.path.exists(source):
                raise ValueError("this tokenizer's vocabulary has no vocab.txt: use save_pretrained")
            with open(source, "rb") as read, open(path, "wb") as write:
                write.write(read.read())
        return (path,)

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key in _KEPT}
        state["files"] = (self._native.to_json(), self._native.config_to_json())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        text, config = state.pop("files")
        self.__dict__.update(state)
        self._native = _cloze.Tokenizer.from_json(text, config, self._mode)
