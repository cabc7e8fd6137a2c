"""A classifier from a list of dicts.

python fine_tune.py MODEL OUTPUT
"""

import sys
from typing import Any

import cloze

good = ["What a film!", "A joy from start to end.", "I laughed and cried.", "Great acting, great music."]
bad = ["Two hours that I want back.", "Dull, long and loud.", "The plot makes no sense.", "A waste of a good cast."]
rows = [{"text": text, "label": "good"} for text in good] + [{"text": text, "label": "bad"} for text in bad]


def tell(event: dict[str, Any]) -> None:
    if event["kind"] == "evaluation":
        print(f"after step {event['step']}: {event['metrics']['accuracy']:.0%} right")


result = cloze.finetune(
    sys.argv[1], "text-classification", rows, rows, sys.argv[2], epochs=8, batch_size=4, learning_rate=1e-4, callbacks=tell
)
classify = cloze.pipeline("text-classification", result.model_path)
print(classify("I would see it again.", top_k=None))
