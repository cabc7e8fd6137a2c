#!/usr/bin/env python3
"""Draws the held-out masked-LM loss of pre-training runs over tokens, from their event files.

    python bench/plot_pretraining.py OUTPUT.png NAME=RUN/tensorboard=UNIGRAM_ENTROPY ...

Needs tensorboard and matplotlib from PyPI. The dashed line of each is the unigram entropy of its held-out
tokens (`bench/compare_train.py recipe` says how it is computed).
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

figure, axes = plt.subplots(figsize=(7, 4), dpi=100)
for argument in sys.argv[2:]:
    name, path, entropy = argument.split("=")
    events = EventAccumulator(path, size_guidance={"scalars": 0})
    events.Reload()
    tokens = {event.step: event.value for event in events.Scalars("train/tokens")}
    found = [(tokens[e.step] / 1e6, e.value) for e in events.Scalars("evaluation/masked_lm_loss") if e.step in tokens]
    (line,) = axes.plot(*zip(*found), marker=".", label=f"{name}: {found[-1][1]:.2f} at the end")
    axes.axhline(float(entropy), color=line.get_color(), linestyle="--", linewidth=1, label=f"  unigram entropy {float(entropy):.2f}")
axes.set_xlabel("million tokens")
axes.set_ylabel("held-out masked-LM loss, nats")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
figure.savefig(sys.argv[1])
