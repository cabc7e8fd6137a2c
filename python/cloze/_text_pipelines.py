"""The pipelines that answer to a text: labels, entities, words for masks, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._log import warn_once
from ._pipeline import Pipeline, pairs_of, positive
from ._texts import is_text, kind
from .errors import PipelineException


class TextClassificationPipeline(Pipeline):
    """Labels of texts and pairs: [{"label", "score"}]."""

    task = "text-classification"
    _native_class = "TextClassification"
    _defaults = {
        "top_k": "",
        "function_to_apply": None,
        "return_all_scores": None,
        "truncation": False,
        "padding": False,
        "max_length": 0,
    }

    def _is_single(self, inputs: Any) -> bool:
        return is_text(inputs) or isinstance(inputs, Mapping)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        merged = {**self._options, **self._known(options)}
        legacy = merged["top_k"] == "" and merged["return_all_scores"] is None
        result = super().__call__(inputs, **options)
        # As transformers: a lone text without top_k gives a list of its one best label.
        return [result] if is_text(inputs) and legacy else result

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        texts, pairs = pairs_of(inputs)
        top_k = 1 if options["top_k"] == "" else options["top_k"]
        if options["return_all_scores"] is not None:
            top_k = None if options["return_all_scores"] else 1
        function = options["function_to_apply"] or "default"
        return list(
            self._native(
                texts,
                pairs,
                0 if top_k is None else positive(top_k, "top_k"),
                str(getattr(function, "value", function)).lower(),
                options["max_length"],
                bool(options["truncation"]),
            )
        )

    def _one(self, answer: Any, options: dict[str, Any]) -> Any:
        everything = options["top_k"] != "" or options["return_all_scores"]
        return answer if everything else answer[0]


class TokenClassificationPipeline(Pipeline):
    """Entities of texts: [{"entity_group", "score", "word", "start", "end"}], or with
    aggregation_strategy="none" [{"entity", "score", "index", "word", "start", "end"}]."""

    task = "token-classification"
    _native_class = "TokenClassification"
    _defaults = {
        "aggregation_strategy": "none",
        "ignore_labels": ("O",),
        "stride": None,
        "grouped_entities": None,
        "is_split_into_words": False,
        "delimiter": " ",
    }

    def __call__(self, inputs: Any, **options: Any) -> Any:
        merged = {**self._options, **self._known(options)}
        if merged["is_split_into_words"] and inputs and all(map(is_text, inputs)) and not is_text(inputs):
            return self._answers([inputs], merged)[0]
        return super().__call__(inputs, **options)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        strategy = options["aggregation_strategy"]
        if options["grouped_entities"] is not None:
            strategy = "simple" if options["grouped_entities"] else "none"
        strategy = str(getattr(strategy, "value", strategy)).lower()
        if options["is_split_into_words"]:
            for i, words in enumerate(inputs):
                if is_text(words) or not isinstance(words, (list, tuple)):
                    raise ValueError(f"is_split_into_words wants lists of words, and inputs[{i}] is {kind(words)}")
            inputs = [options["delimiter"].join(words) for words in inputs]
        stride = options["stride"]
        if stride is not None and strategy == "none":
            raise ValueError(
                "`stride` was provided to process all the text but `aggregation_strategy='none'`, please select another one instead."
            )
        return list(
            self._native(inputs, strategy, list(options["ignore_labels"]), 128 if stride is None else stride)
        )


class FillMaskPipeline(Pipeline):
    """Tokens for [MASK]: [{"score", "token", "token_str", "sequence"}]; a list of such for a text
    with several masks."""

    task = "fill-mask"
    _native_class = "FillMask"
    _defaults = {"top_k": 5, "targets": None, "tokenizer_kwargs": None}

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        targets = options["targets"]
        targets = [] if targets is None else [targets] if is_text(targets) else list(targets)
        if options["targets"] is not None and not targets:
            raise ValueError("At least one target must be provided when passed.")
        for target, token, _, known in self._native.resolve(targets):
            if not known:
                warn_once(
                    f"The specified target token `{target}` does not exist in the model vocabulary. Replacing with `{token}`."
                )
        truncate = bool((options["tokenizer_kwargs"] or {}).get("truncation"))
        answers = self._native(inputs, positive(options["top_k"], "top_k"), targets, truncate)
        for i, masks in enumerate(answers):
            if not masks:
                raise PipelineException(
                    f"No mask_token ({self.tokenizer.mask_token}) found on the input: inputs[{i}] has none"
                )
        return [masks[0] if len(masks) == 1 else masks for masks in answers]

    def _many(self, answers: list[Any], options: dict[str, Any]) -> Any:
        return answers[0] if len(answers) == 1 else answers


class FeatureExtractionPipeline(Pipeline):
    """Vectors of tokens: [1][tokens][columns] as lists; arrays with return_tensors=True."""

    task = "feature-extraction"
    _native_class = "FeatureExtraction"
    _defaults = {"return_tensors": False, "truncation": False, "tokenize_kwargs": None}

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        truncate = bool(options["truncation"] or (options["tokenize_kwargs"] or {}).get("truncation"))
        arrays = [vectors[None] for _, vectors in self._native(inputs, None, 0, truncate)]
        return arrays if options["return_tensors"] else [array.tolist() for array in arrays]


class ZeroShotClassificationPipeline(Pipeline):
    """Labels that the model was not trained on: {"sequence", "labels", "scores"}, best first."""

    task = "zero-shot-classification"
    _native_class = "ZeroShotClassification"
    _defaults = {
        "candidate_labels": None,
        "hypothesis_template": "This example is {}.",
        "multi_label": False,
    }

    def __call__(  # type: ignore[override]  # transformers' names
        self, sequences: Any = None, candidate_labels: Any = None, **options: Any
    ) -> Any:
        """`pipe(text, ["sport", "politics"])`; labels may be one str with commas."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(sequences, **options)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        labels = options["candidate_labels"]
        if isinstance(labels, str):
            labels = [label.strip() for label in labels.split(",") if label.strip()]
        if not labels or not inputs:
            raise ValueError("You must include at least one label and at least one sequence.")
        template = options["hypothesis_template"]
        if template.format(labels[0]) == template:
            raise ValueError(
                f'The provided hypothesis_template "{template}" was not able to be formatted with the target labels. '
                "Make sure the passed template includes formatting syntax such as {} where the label should go."
            )
        answers = self._native(inputs, list(labels), template, bool(options["multi_label"]))
        return [
            {
                "sequence": text,
                "labels": [label["label"] for label in found],
                "scores": [label["score"] for label in found],
            }
            for text, found in zip(inputs, answers)
        ]
