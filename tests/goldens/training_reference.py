"""Pre-training batches and what PyTorch makes of them: what make_training_goldens.py writes down and
bench/compare_gradients.py and bench/compare_train.py hold Cloze against."""

import numpy as np
import torch
import transformers


def make_config(**sizes):
    defaults = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "attn_implementation": "eager"}
    return transformers.BertConfig(**{**defaults, **sizes})


def make_model(config, seed, scale=1.0, kind=transformers.BertForPreTraining):
    """A model of the kind whose every parameter, biases and norms too, has something to do."""
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                parameter.normal_(1, 0.1 * scale)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.1 * scale)
            elif scale != 1.0:
                parameter.normal_(0, scale * config.initializer_range)
    return model


def make_batch(config, lengths, seed, share=0.15):
    """A packed batch: random ids, two segments, masked positions in every sequence but the shortest."""
    rng = np.random.default_rng(seed)
    total = int(sum(lengths))
    types, positions, at = [], [], 0
    for length in lengths:
        types.append((np.arange(length) >= rng.integers(1, length + 1)).astype(np.int32))
        count = min(length - 1, max(1, round(length * share)))
        positions.extend(at + 1 + np.sort(rng.permutation(length - 1)[:count]))
        at += length
    batch = {
        "input_ids": rng.integers(0, config.vocab_size, total),
        "token_type_ids": np.minimum(np.concatenate(types), config.type_vocab_size - 1),
        "position_ids": np.concatenate([np.arange(n) for n in lengths]),
        "cu_seqlens": np.cumsum([0, *lengths]),
        "masked_positions": np.array(positions),
        "masked_labels": rng.integers(0, config.vocab_size, len(positions)),
        "next_sentence_labels": rng.integers(0, 2, len(lengths)),
    }
    return {name: torch.from_numpy(value.astype(np.int32)) for name, value in batch.items()}


def padded(batch):
    """The rectangle that transformers takes, with -100 where there is no label."""
    ends = batch["cu_seqlens"].tolist()
    lengths = [b - a for a, b in zip(ends, ends[1:])]
    longest = max(lengths)
    labels = torch.full((ends[-1],), -100, dtype=torch.long)
    labels[batch["masked_positions"].long()] = batch["masked_labels"].long()

    def rectangle(values, fill):
        rows = [
            torch.cat([values[a:b].long(), torch.full((longest - (b - a),), fill)]) for a, b in zip(ends, ends[1:])
        ]
        return torch.stack(rows)

    return {
        "input_ids": rectangle(batch["input_ids"], 0),
        "token_type_ids": rectangle(batch["token_type_ids"], 0),
        "attention_mask": torch.tensor([[1] * n + [0] * (longest - n) for n in lengths]),
        "labels": rectangle(labels, -100),
        "next_sentence_label": batch["next_sentence_labels"].long(),
    }


def losses(model, batch):
    """Mean masked-LM loss, mean next-sentence loss, on the padded rectangle."""
    inputs = padded(batch)
    labels, next_sentence = inputs.pop("labels"), inputs.pop("next_sentence_label")
    out = model(**inputs)
    logits = out.prediction_logits.flatten(0, 1)
    masked_lm = torch.nn.functional.cross_entropy(logits, labels.flatten())
    return masked_lm, torch.nn.functional.cross_entropy(out.seq_relationship_logits, next_sentence)


def gradients(model, batch, dtype=torch.float64):
    """The gradient of every parameter without dropout, and the two losses."""
    model = model.to(dtype).eval()
    model.zero_grad(set_to_none=True)
    masked_lm, next_sentence = losses(model, batch)
    (masked_lm + next_sentence).backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return found, masked_lm.item(), next_sentence.item()
