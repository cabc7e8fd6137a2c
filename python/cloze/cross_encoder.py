"""`CrossEncoder`, with the calls and results of sentence-transformers."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np

from . import _cloze
from ._activations import activation_of, softmax, stated_activation
from ._arrays import is_torch, require_torch, to_torch, torch_if_loaded
from ._encoder import Prompted, as_str, dtype_of, reloaded, require_cpu
from ._locate import Name, locate, refuse
from ._log import logger
from ._precision import precision_of
from ._progress import Bar
from ._texts import as_list, is_text, kind
from .config import BertConfig
from .tokenizer import BertTokenizer

__all__ = ["CrossEncoder"]


class CrossEncoder(Prompted):
    """Scores of pairs of texts by a model that reads both at once.

    `activation_fn` makes scores of logits: a name ("Sigmoid", "Identity", "Tanh", "Softmax",
    "ReLU"), a function on arrays or a module of torch. Without one it is what the model's files say,
    else Sigmoid for one label and Identity for several, as sentence-transformers has it.

    >>> from cloze import CrossEncoder
    >>> model = CrossEncoder("cross-encoder/ms-marco-MiniLM-L6-v2")  # doctest: +SKIP
    >>> model.rank("Where is my parcel?", ["We open at nine.", "It left on Monday."])  # doctest: +SKIP
    [{'corpus_id': 1, 'score': 2.1}, {'corpus_id': 0, 'score': -9.8}]
    """

    def __init__(
        self,
        model_name_or_path: Optional[Name] = None,
        num_labels: Optional[int] = None,
        max_length: Optional[int] = None,
        activation_fn: Any = None,
        device: Any = None,
        *,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        cache_folder: Optional[Name] = None,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Any = None,
        trust_remote_code: bool = False,
        dtype: Any = "float32",
        model_kwargs: Optional[dict[str, Any]] = None,
        batch_tokens: int = 8192,
    ) -> None:
        if model_name_or_path is None:
            raise TypeError("CrossEncoder() needs a directory or the name of a model")
        require_cpu(device)
        directory = locate(
            model_name_or_path,
            revision=revision,
            cache_dir=cache_folder,
            local_files_only=local_files_only,
            token=token,
            trust_remote_code=trust_remote_code,
        )
        self._directory = directory
        self._inner = str(_cloze.transformer_directory(directory))
        self.config = BertConfig.from_pretrained(self._inner)
        if num_labels is not None and num_labels != self.config.num_labels:
            raise ValueError(
                f"num_labels is {num_labels}, and the model has {self.config.num_labels}: cloze.finetune makes new heads"
            )
        self._precision = precision_of(dtype_of(dtype, model_kwargs), self.config.to_dict())
        self._batch_tokens = batch_tokens
        self._lower = False
        stated: Any = None
        if self.config.num_labels <= 2:  # its files are read, and what Cloze cannot honour refused
            native = _cloze.CrossEncoder.from_pretrained(directory, self._precision, [], batch_tokens)
            stated = native.activation if self.config.num_labels == 1 else None
            self._limit = int(native.max_seq_length)
            self._set_prompts(native, prompts, default_prompt_name)
            for warning in native.warnings:
                logger.warning("%s", warning)
            self._native = _cloze.TextClassification.of(native.model, native.tokenizer, batch_tokens)
        else:
            self._native = _cloze.TextClassification.from_pretrained(self._inner, self._precision, [], batch_tokens)
            limit = self._native.tokenizer.model_max_length
            reads = int(self._native.max_length)
            self._limit = reads if limit is None else min(int(limit), reads)
            self.prompts, self.default_prompt_name = dict(prompts or {}), default_prompt_name
        if max_length is not None and not 1 <= max_length <= self._native.max_length:
            raise ValueError(f"max_length is {max_length}, and this model reads 1 to {self._native.max_length} tokens")
        self.max_length = self._limit if max_length is None else max_length
        if activation_fn is None and stated is None:
            stated = stated_activation(self.config) or "Identity"
        self._given_activation = activation_fn
        self.activation_fn = activation_of(stated if activation_fn is None else activation_fn)
        self._name = os.fspath(model_name_or_path)
        self._tokenizer: Optional[BertTokenizer] = None

    @property
    def num_labels(self) -> int:
        """Outputs of the model."""
        return self.config.num_labels

    @property
    def tokenizer(self) -> BertTokenizer:
        """The model's tokenizer."""
        if self._tokenizer is None:
            self._tokenizer = BertTokenizer.from_pretrained(self._inner)
        return self._tokenizer

    def predict(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        activation_fn: Any = None,
        apply_softmax: bool = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        *,
        sentences: Any = None,
    ) -> Any:
        """The score of a pair (a scalar, or [labels]), or of pairs ([n], or [n, labels])."""
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}, and must be 1 or more")
        inputs = sentences if inputs is None else inputs
        if inputs is None or is_text(inputs):
            raise TypeError(f"inputs is {kind(inputs)}, not a list of pairs of texts")
        items = as_list(inputs, "inputs")
        single = bool(items) and is_text(items[0])
        if single:
            items = [items]
        firsts, seconds = [], []
        for i, item in enumerate(items):
            if not isinstance(item, (list, tuple)) or len(item) != 2:
                raise TypeError(f"inputs[{i}] is {kind(item)}, not a pair of two texts")
            firsts.append(item[0])
            seconds.append(item[1])
        before = self._prompt(prompt, prompt_name)
        if before:
            firsts = [before + as_str(text, f"texts[{i}]") for i, text in enumerate(firsts)]
        if convert_to_tensor:
            require_torch("convert_to_tensor=True")
        if not items:
            return require_torch("a tensor").Tensor() if convert_to_tensor else np.array([])
        with Bar(show_progress_bar, "Scoring") as bar:
            logits: Any = self._native.logits(firsts, seconds, self.max_length, bar.report)
        apply = self.activation_fn if activation_fn is None else activation_of(activation_fn)
        scores = np.asarray(apply(logits), dtype=np.float32)
        if apply_softmax and scores.ndim > 1 and scores.shape[1] > 1:
            scores = softmax(scores)
        if self.num_labels == 1:
            scores = scores[:, 0]
        if convert_to_tensor:
            result: Any = to_torch(scores)
        elif not convert_to_numpy:
            result = list(scores if torch_if_loaded() is None else to_torch(scores))
        else:
            result = scores
        return result[0] if single else result

    def rank(
        self,
        query: str,
        documents: Any,
        top_k: Optional[int] = None,
        return_documents: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """The documents, best first: {"corpus_id", "score"}, and "text" on request."""
        if self.num_labels != 1:
            raise ValueError(
                "CrossEncoder.rank() only works for models with num_labels=1. "
                "Consider using CrossEncoder.predict with input pairs instead."
            )
        texts = as_list(documents, "documents")
        if not is_text(query):
            raise TypeError(f"query is {kind(query)}, not str")
        scores = self.predict([(query, text) for text in texts], **options)
        results: list[dict[str, Any]] = []
        for index, text in enumerate(texts):
            entry: dict[str, Any] = {"corpus_id": index, "score": scores[index]}
            if return_documents:
                entry["text"] = text
            results.append(entry)
        results.sort(key=lambda entry: float(entry["score"]), reverse=True)
        for entry in results:
            if not is_torch(entry["score"]):
                entry["score"] = float(entry["score"])
        return results[:top_k]

    def to(self, device: Any) -> CrossEncoder:
        """The model, for the CPU."""
        require_cpu(device)
        return self

    def save_pretrained(self, path: Name, **unused: Any) -> None:
        """Writes the model's files."""
        refuse({k: v for k, v in unused.items() if k not in ("safe_serialization",)}, "save_pretrained")
        directory = os.fspath(path)
        _cloze.convert(self._directory, directory, overwrite=os.path.isdir(directory) and bool(os.listdir(directory)))

    def __reduce__(self) -> Any:
        options = {
            "activation_fn": self._given_activation,
            "max_length": self.max_length,
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "dtype": self._precision,
            "batch_tokens": self._batch_tokens,
        }
        return reloaded, (type(self), self._directory, options, {"_name": self._name})

    def __repr__(self) -> str:
        return f"CrossEncoder({os.path.basename(self._name.rstrip('/'))}: {self.num_labels} labels, {self.max_length} tokens, {self._precision})"
