"""The pipelines that read one text with another: questions, following sentences, choices, documents of a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._pipeline import Pipeline, pairs_of, positive
from ._texts import is_text, kind


class QuestionAnsweringPipeline(Pipeline):
    """Answers in contexts: {"score", "start", "end", "answer"}, in the shapes of transformers 4."""

    task = "question-answering"
    _native_class = "QuestionAnswering"
    _defaults = {
        "top_k": 1,
        "topk": None,
        "doc_stride": 128,
        "max_answer_len": 15,
        "max_seq_len": 384,
        "max_question_len": 64,
        "handle_impossible_answer": False,
        "align_to_words": True,
        "padding": "longest",
    }

    def __call__(self, inputs: Any = None, context: Any = None, *, question: Any = None, **options: Any) -> Any:
        """`pipe(question=..., context=...)`, with lists of either; or dicts with both."""
        merged = {**self._options, **self._known(options)}
        if merged["topk"] is not None:
            merged["top_k"] = merged["topk"]
        if isinstance(inputs, str):
            question, inputs = inputs, None
        if inputs is None:
            if question is None or context is None:
                raise ValueError("question answering needs question= and context=")
            questions = [question] if is_text(question) else list(question)
            contexts = [context] * len(questions) if is_text(context) else list(context)
            if len(questions) != len(contexts):
                raise ValueError("Questions and contexts don't have the same lengths")
            single = is_text(question) and is_text(context)
        else:
            single = isinstance(inputs, Mapping)
            items = [inputs] if single else list(inputs)
            for i, item in enumerate(items):
                if not isinstance(item, Mapping) or "question" not in item or "context" not in item:
                    raise ValueError(f"inputs[{i}] is no dict with question and context")
            questions = [item["question"] for item in items]
            contexts = [item["context"] for item in items]
        for i, (asked, read) in enumerate(zip(questions, contexts)):
            if asked == "" or read == "":
                raise ValueError(f"`{'question' if asked == '' else 'context'}` {i} is empty")
        longest = min(merged["max_seq_len"], int(self._native.max_length))
        answers = self._native(
            questions,
            contexts,
            positive(merged["top_k"], "top_k"),
            positive(merged["max_answer_len"], "max_answer_len"),
            merged["handle_impossible_answer"],
            merged["align_to_words"],
            longest,
            min(merged["doc_stride"], longest // 2),
            merged["max_question_len"],
        )
        shaped = [found[0] if len(found) == 1 else found for found in answers]
        return shaped[0] if single or len(shaped) == 1 else shaped


class NextSentencePredictionPipeline(Pipeline):
    """Whether a text follows another: {"is_next": probability} of a pair."""

    task = "next-sentence-prediction"
    _native_class = "NextSentence"
    _defaults = {"truncation": False}

    def _is_single(self, inputs: Any) -> bool:
        if isinstance(inputs, Mapping):
            return True
        return isinstance(inputs, tuple) and len(inputs) == 2 and all(map(is_text, inputs))

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        texts, pairs = pairs_of(inputs)
        if pairs is None and texts:
            raise ValueError(f"inputs[0] is {kind(inputs[0])}, not a pair of two texts")
        return list(self._native(texts, pairs or [], bool(options["truncation"])))


class MultipleChoicePipeline(Pipeline):
    """Which of several continuations is right: {"choice": index, "scores": [...]}."""

    task = "multiple-choice"
    _native_class = "MultipleChoice"
    _defaults = {"truncation": False}

    def __call__(self, inputs: Any, choices: Any = None, **options: Any) -> Any:
        """`pipe(prompt, choices)`, or with lists of both."""
        if choices is None:
            raise ValueError("multiple choice needs a prompt and its choices")
        options = {**self._options, **self._known(options)}
        single = is_text(inputs)
        prompts, lists = ([inputs], [choices]) if single else (list(inputs), list(choices))
        if len(prompts) != len(lists):
            raise ValueError(f"there are {len(prompts)} prompts and {len(lists)} lists of choices")
        answers = list(self._native(prompts, [list(one) for one in lists], bool(options["truncation"])))
        return answers[0] if single else answers


class TextRankingPipeline(Pipeline):
    """Documents for a query: [{"corpus_id", "score"}], best first."""

    task = "text-ranking"
    _native_class = "CrossEncoder"
    _defaults = {"top_k": None, "return_documents": False}

    def __call__(self, query: Any, documents: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """`pipe(query, documents)`."""
        if documents is None:
            raise ValueError("text ranking needs a query and its documents")
        options = {**self._options, **self._known(options)}
        if self._encoder is None:
            from .cross_encoder import CrossEncoder

            self._encoder = CrossEncoder(self._name, dtype=self._dtype)
        return self._encoder.rank(query, documents, options["top_k"], options["return_documents"])

    _encoder: Any = None
    _dtype: Any = "float32"
