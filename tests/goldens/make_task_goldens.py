#!/usr/bin/env python3
"""Makes the goldens of fine-tuning: small models with each head, a batch, and for each loss its
gradients by PyTorch in float64.

    python tests/goldens/make_task_goldens.py [NAME ...]

Needs torch, transformers and safetensors (the committed files: torch 2.15, transformers 5.24). A
directory is a transformers model with `batch.safetensors`, a packed batch with the labels of every
loss, and for each loss `NAME.safetensors`: every parameter's gradient of the mean loss without dropout, rounded
once to f32, `loss` [1] and `logits`. The names of losses, in task_golden.h too: cross_entropy, weighted
(class weights 0.5, 1, 1.5, ...), smoothed (label smoothing 0.1), weighted_smoothed, multi_label, regression; of
sentence vectors (the means over tokens; 2i and 2i + 1 are a pair) in_batch_negatives and cosine, as sentence-transformers'
MultipleNegativesRankingLoss and CosineSimilarityLoss have them.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
import training_reference as reference
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
SIZES = dict(
    vocab_size=61,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=40,
)
LENGTHS = [7, 1, 40, 2, 13, 5]
CHOICES = [2, 1, 3]
SMOOTHING = 0.1
CASES = {
    "task_sequence": ("BertForSequenceClassification", 4),
    "task_one_label": ("BertForSequenceClassification", 1),
    "task_token": ("BertForTokenClassification", 5),
    "task_span": ("BertForQuestionAnswering", 2),
    "task_choice": ("BertForMultipleChoice", 1),
    "task_embedding": ("BertModel", 2),
    "electra/task_sequence": ("ElectraForSequenceClassification", 3),
    "electra/task_token": ("ElectraForTokenClassification", 4),
    "electra/task_span": ("ElectraForQuestionAnswering", 2),
    "electra/task_choice": ("ElectraForMultipleChoice", 1),
    "electra/task_embedding": ("ElectraModel", 2),
}
LOSSES = {
    "task_sequence": ["cross_entropy", "weighted", "smoothed", "weighted_smoothed", "multi_label", "regression"],
    "task_one_label": ["regression", "multi_label"],
    "task_token": ["cross_entropy", "weighted", "smoothed", "weighted_smoothed"],
    "task_span": ["cross_entropy", "smoothed"],
    "task_choice": ["cross_entropy", "smoothed"],
    "task_embedding": ["in_batch_negatives", "cosine"],
    "electra/task_sequence": ["cross_entropy", "multi_label"],
    "electra/task_token": ["cross_entropy"],
    "electra/task_span": ["cross_entropy"],
    "electra/task_choice": ["cross_entropy"],
    "electra/task_embedding": ["in_batch_negatives"],
}


def make_labels(labels, seed):
    rng = np.random.default_rng(seed)
    total, count = sum(LENGTHS), len(LENGTHS)
    tokens = rng.integers(0, labels, total)
    tokens[rng.random(total) < 0.4] = -100
    starts = np.array([rng.integers(0, n) for n in LENGTHS])
    return {
        "sequence_labels": rng.integers(0, labels, count),
        "token_labels": tokens,
        "start_positions": starts,
        "end_positions": np.array([rng.integers(s, n) for s, n in zip(starts, LENGTHS)]),
        "choices": np.array(CHOICES),
        "choice_labels": np.array([rng.integers(0, n) for n in CHOICES]),
        "multi_label_targets": rng.integers(0, 2, (count, labels)).astype(np.float32),
        "regression_targets": rng.normal(size=(count, labels)).astype(np.float32),
        "cosine_targets": rng.random(count // 2).astype(np.float32),
    }


def is_a(model, kind):
    """Whether a model is BERT's or ELECTRA's class of this kind."""
    return type(model).__name__ in ("Bert" + kind, "Electra" + kind)


def packed_logits(model, inputs):
    """Logits without padding: [sequences, labels] or [tokens, labels]."""
    if is_a(model, "ForMultipleChoice"):
        # One group of one choice each: the groups are made from the logits.
        return model(**{name: value[:, None] for name, value in inputs.items()}).logits
    out = model(**inputs)
    inside = inputs["attention_mask"].bool()
    if is_a(model, "Model"):
        mask = inputs["attention_mask"][:, :, None].double()
        return (out.last_hidden_state * mask).sum(1) / mask.sum(1)
    if is_a(model, "ForQuestionAnswering"):
        return torch.stack([out.start_logits[inside], out.end_logits[inside]], -1)
    if is_a(model, "ForTokenClassification"):
        return out.logits[inside]
    return out.logits


def mean_loss(model, name, logits, batch):
    labels = logits.shape[-1]
    options = {}
    if name.startswith("weighted"):
        options["weight"] = torch.arange(1, labels + 1).double() / 2
    if name.endswith("smoothed"):
        options["label_smoothing"] = SMOOTHING
    if name == "multi_label":
        return F.binary_cross_entropy_with_logits(logits, batch["multi_label_targets"].double())
    if name == "in_batch_negatives":
        first, second = (F.normalize(logits[part::2]) for part in (0, 1))
        return F.cross_entropy(20 * first @ second.T, torch.arange(len(first)))
    if name == "cosine":
        return F.mse_loss(F.cosine_similarity(logits[::2], logits[1::2]), batch["cosine_targets"].double())
    if name == "regression":
        return F.mse_loss(logits, batch["regression_targets"].double())
    if is_a(model, "ForSequenceClassification"):
        return F.cross_entropy(logits, batch["sequence_labels"].long(), **options)
    if is_a(model, "ForTokenClassification"):
        return F.cross_entropy(logits, batch["token_labels"].long(), **options)
    if is_a(model, "ForMultipleChoice"):
        groups = torch.split(logits[:, 0], CHOICES)
        losses = [F.cross_entropy(g, t.long(), **options) for g, t in zip(groups, batch["choice_labels"])]
        return torch.stack(losses).mean()
    losses = []
    for part, start, end in zip(torch.split(logits, LENGTHS), batch["start_positions"], batch["end_positions"]):
        losses.append(F.cross_entropy(part[:, 0], start.long(), **options))
        losses.append(F.cross_entropy(part[:, 1], end.long(), **options))
    return torch.stack(losses).mean()


for case, (architecture, labels) in CASES.items():
    if sys.argv[1:] and case not in sys.argv[1:]:
        continue
    electra = architecture.startswith("Electra")
    names = {i: f"label {i}" for i in range(labels)}
    labelled = dict(id2label=names, label2id={n: i for i, n in names.items()})
    if electra:  # embeddings that are projected, and a classifier's dropout of its own
        config = transformers.ElectraConfig(**SIZES, **labelled, embedding_size=16, classifier_dropout=0.2,
                                            summary_first_dropout=0.1, attn_implementation="eager")
    else:
        config = reference.make_config(**SIZES, **labelled)
    kind = getattr(transformers, architecture)
    if kind is transformers.BertModel:
        kind = lambda config: transformers.BertModel(config, add_pooling_layer=False)  # noqa: E731
    model = reference.make_model(config, 21, 3.0, kind)
    batch = reference.make_batch(config, LENGTHS, seed=22)
    batch = {name: batch[name] for name in ("input_ids", "token_type_ids", "position_ids", "cu_seqlens")}
    extra = make_labels(labels, seed=23)
    for name, value in extra.items():
        batch[name] = torch.from_numpy(value if value.dtype == np.float32 else value.astype(np.int32))
    model.save_pretrained(HERE / case)
    save_file(batch, HERE / case / "batch.safetensors")
    model = model.double().eval()
    inputs = reference.padded({**batch, "masked_positions": torch.zeros(0), "masked_labels": torch.zeros(0),
                               "next_sentence_labels": torch.zeros(0)})
    inputs = {name: inputs[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    for loss_name in LOSSES[case]:
        model.zero_grad(set_to_none=True)
        logits = packed_logits(model, inputs)
        loss = mean_loss(model, loss_name, logits, batch)
        loss.backward()
        prefix = "bert." if architecture == "BertModel" else ""
        found = {prefix + name: parameter.grad.float() for name, parameter in model.named_parameters()}
        found["loss"] = torch.tensor([loss.item()])
        found["logits"] = logits.detach().float().contiguous()
        save_file(found, HERE / case / f"{loss_name}.safetensors")
