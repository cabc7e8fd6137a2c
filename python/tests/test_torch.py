"""With PyTorch, where it is installed: tensors in, tensors out. Skipped without it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import cloze

torch = pytest.importorskip("torch")


def test_tensors_in_tensors_out(tokenizer: cloze.BertTokenizer, models: dict[str, str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    inputs = tokenizer(["Hello, my dog is cute", "a"], padding=True, return_tensors="pt")
    assert inputs["input_ids"].dtype == torch.int64
    outputs = model(**inputs, output_hidden_states=True)
    assert isinstance(outputs.last_hidden_state, torch.Tensor) and outputs.last_hidden_state.dtype == torch.float32
    assert all(isinstance(state, torch.Tensor) for state in outputs.hidden_states)
    arrays = model(**tokenizer(["Hello, my dog is cute", "a"], padding=True, return_tensors="np"))
    assert torch.equal(outputs.last_hidden_state, torch.from_numpy(arrays.last_hidden_state))
    assert model.device == torch.device("cpu")
    head = cloze.BertForSequenceClassification.from_pretrained(models["BertForSequenceClassification"])
    assert isinstance(head(**inputs, labels=torch.tensor([0, 1])).loss, torch.Tensor)
    assert cloze.BertModel.from_pretrained(models["BertModel"], dtype=torch.float32).dtype == "float32"


def test_sentences(models: dict[str, str]) -> None:
    model = cloze.SentenceTransformer(models["BertModel"])
    a, b = model.encode(["a", "the cat"], convert_to_tensor=True), model.encode(["dog"], convert_to_tensor=True)
    assert isinstance(a, torch.Tensor) and a.shape == (2, 32)
    assert isinstance(model.similarity(a, b), torch.Tensor)
    assert isinstance(model.encode(["a"], convert_to_numpy=False)[0], torch.Tensor)
    ranker = cloze.CrossEncoder(models["ranker"], activation_fn=torch.nn.Tanh())
    assert isinstance(ranker.predict([("a", "b")], convert_to_tensor=True), torch.Tensor)
    assert float(ranker.predict(("a", "b"))) == pytest.approx(float(torch.tanh(torch.tensor(ranker.predict(("a", "b"), activation_fn="Identity")))), abs=1e-6)


@pytest.mark.parametrize("order", ["torch, cloze", "cloze, torch"])
def test_threads_of_torch_stay(models: dict[str, str], order: str) -> None:
    code = (
        f"import {order}\n"
        "torch.set_num_threads(3)\n"
        f"cloze.SentenceTransformer({models['BertModel']!r}).encode(['a cat', 'the dog'] * 50)\n"
        "torch.ones(64, 64) @ torch.ones(64, 64)\n"
        "print(torch.get_num_threads())"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "3", done.stderr
