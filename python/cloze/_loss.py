"""Losses of logits and labels, as transformers' models return them: for a look at how wrong a model
is. Nothing here is differentiable; `cloze.finetune` trains."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

IGNORED = -100

Array = np.ndarray[Any, Any]


def cross_entropy(logits: Array, labels: Array) -> Any:
    """The mean of -log softmax over labels that are not -100: logits [n, classes], labels [n]."""
    labels = labels.reshape(-1)
    logits = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    if len(labels) != len(logits):
        raise ValueError(f"there are {len(labels)} labels for {len(logits)} predictions")
    counted = labels != IGNORED
    wrong = counted & ((labels < 0) | (labels >= logits.shape[-1]))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"labels[{at}] is {labels[at]}, and there are {logits.shape[-1]} classes")
    if not counted.any():
        return np.float32(np.nan)
    chosen = logits[counted]
    top = chosen.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(chosen - top).sum(axis=1)) + top[:, 0]
    right = chosen[np.arange(len(chosen)), labels[counted]]
    return np.float32((log_sum - right).mean())


def binary_cross_entropy(logits: Array, labels: Array) -> Any:
    """The mean of BCEWithLogitsLoss."""
    x, y = logits.astype(np.float64), labels.astype(np.float64)
    if x.shape != y.shape:
        raise ValueError(f"labels are {list(y.shape)}, and must be {list(x.shape)}")
    return np.float32((np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))).mean())


def squared_error(logits: Array, labels: Array) -> Any:
    """The mean of the squared differences."""
    difference = logits.astype(np.float64).reshape(-1) - labels.astype(np.float64).reshape(-1)
    return np.float32((difference**2).mean())


def sequence_loss(logits: Array, labels: Array, problem_type: Optional[str]) -> Any:
    """Of sequence classification: by `problem_type`, else by the number of labels."""
    if problem_type is None:
        if logits.shape[-1] == 1:
            problem_type = "regression"
        elif np.issubdtype(labels.dtype, np.integer):
            problem_type = "single_label_classification"
        else:
            problem_type = "multi_label_classification"
    if problem_type == "regression":
        return squared_error(logits, labels)
    if problem_type == "multi_label_classification":
        return binary_cross_entropy(logits, labels)
    return cross_entropy(logits, labels)


def span_loss(start_logits: Array, end_logits: Array, starts: Array, ends: Array, mask: Array) -> Any:
    """Of question answering: positions past the end of the text are ignored. Padding is no place of
    an answer (transformers gives it a share of the probability, by numbers that mean nothing)."""
    length = start_logits.shape[1]
    losses = []
    for scores, positions in ((start_logits, starts), (end_logits, ends)):
        logits = np.where(mask, scores, -np.inf)
        clamped = np.clip(positions.reshape(-1), 0, length)
        losses.append(cross_entropy(logits, np.where(clamped == length, IGNORED, clamped)))
    return np.float32((losses[0] + losses[1]) / 2)
