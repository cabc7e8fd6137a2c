#!/usr/bin/env python3
"""Reads a run's event files with TensorBoard's own reader and says what is in them.

    python bench/check_tensorboard.py RUN/tensorboard

Needs tensorboard from PyPI. Exits 1 where scalars, histograms, texts or hyper-parameters are missing.
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
events.Reload()
tags = events.Tags()
for tag in tags["scalars"]:
    values = events.Scalars(tag)
    print(f"{tag:36} {len(values):5} values, step {values[0].step} {values[0].value:.4g} ... step {values[-1].step} {values[-1].value:.4g}")
histograms = tags["histograms"]
print(f"{len(histograms)} histograms, such as {histograms[:2]}")
last = events.Histograms(histograms[0])[-1].histogram_value if histograms else None
if last:
    print(f"  the last of the first: {last.num:.0f} values, {last.min:.3g} ... {last.max:.3g}, {len(last.bucket)} buckets")
texts = [tag for tag in tags["tensors"] if tag == "fill-mask"]
if texts:
    print(events.Tensors("fill-mask")[-1].tensor_proto.string_val[0].decode())
metadata = events.SummaryMetadata("_hparams_/session_start_info") if "_hparams_/session_start_info" in tags["tensors"] else None
settings = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content) if metadata else None
print("hyper-parameters:", sorted(settings.session_start_info.hparams) if settings else "none")
sys.exit(not (tags["scalars"] and histograms and texts and settings))
