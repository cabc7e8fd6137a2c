"""Fine-tuning, evaluation, pre-training, vocabularies, files and inspection."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cloze
from conftest import WORDS

ROWS = [{"text": "good film", "label": "pos"}, {"text": "bad awful film", "label": "neg"}] * 8


def tune(models: dict[str, str], output: Path, **settings: Any) -> cloze.FineTuneResult:
    options = {"epochs": 2, "batch_size": 4, "dtype": "float32", "learning_rate": 1e-3, **settings}
    train = options.pop("train", ROWS)
    dev = options.pop("dev", ROWS)
    return cloze.finetune(models["BertModel"], "text-classification", train, dev, output, **options)


def test_finetune_in_memory(models: dict[str, str], tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    result = tune(models, tmp_path / "run", epochs=6, log_every=1, callbacks=events.append)
    assert result.finished and result.steps == 24 and result.metrics["accuracy"] == 1
    assert {"start", "step", "evaluation"} <= {event["kind"] for event in events}
    assert result.history[0]["kind"] == "step" and result.history[0]["loss"] > 0
    classify = cloze.pipeline("text-classification", result.model_path)
    assert classify("good film")[0]["label"] == "pos"
    found = cloze.evaluate(result.model_path, data=ROWS, predictions=True)
    assert found.metrics["accuracy"] == 1 and found.examples == 16 and len(found.predictions) == 16


def test_forms_of_data_are_the_same(models: dict[str, str], tmp_path: Path) -> None:
    columns = {"text": [row["text"] for row in ROWS], "label": [row["label"] for row in ROWS]}
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    numbered = [{"sentence": row["text"], "label": int(row["label"] == "pos")} for row in ROWS]
    runs = {
        "list": tune(models, tmp_path / "list"),
        "columns": tune(models, tmp_path / "columns", train=columns, dev=columns),
        "file": tune(models, tmp_path / "file", train=file, dev=file),
        "named": tune(models, tmp_path / "named", train=numbered, dev=numbered),
    }
    weights = {name: cloze.load_safetensors(run.model_path / "model.safetensors") for name, run in runs.items()}
    for name in ("columns", "file", "named"):
        for key, value in weights["list"].items():
            assert (weights[name][key] == value).all(), (name, key)


def test_other_tasks(models: dict[str, str], tmp_path: Path) -> None:
    tagged = [{"tokens": ["peter", "met", "angela"], "tags": ["B-PER", "O", "B-PER"]}] * 6
    asked = [{"question": "who wrote", "context": "the book was by ada", "answers": {"text": ["ada"], "answer_start": [16]}}] * 6
    chosen = [{"prompt": "the cat", "choices": ["sat", "wrote"], "label": 0}] * 6
    scored = [{"sentence1": "the cat", "sentence2": "a dog", "score": 0.5}, {"sentence1": "we", "sentence2": "at", "score": 1.0}] * 4
    cases = {"token-classification": tagged, "question-answering": asked, "multiple-choice": chosen, "regression": scored}
    for task, rows in cases.items():
        result = cloze.finetune(models["BertModel"], task, rows, rows, tmp_path / task, steps=2, batch_size=2, dtype="float32")
        assert result.finished and result.steps == 2 and result.metrics
        assert cloze.evaluate(result.model_path, task, rows).task == task


def test_answer_metrics(models: dict[str, str], tmp_path: Path) -> None:
    asked = [{"question": "who wrote", "context": "the book was by ada", "answers": {"text": ["by ada"], "answer_start": [13]}}] * 6
    options: dict[str, Any] = {"steps": 1, "batch_size": 2, "dtype": "float32"}
    task = "question-answering"
    result = cloze.finetune(models["BertModel"], task, asked, asked, tmp_path / "run", answer_metrics="cmrc", **options)
    assert result.metrics
    model = result.model_path
    found = {name: cloze.evaluate(model, task, asked, answer_metrics=name).metrics for name in ("auto", "squad", "cmrc")}
    assert found["auto"] == found["squad"] and found["cmrc"] == result.metrics
    with pytest.raises(ValueError, match="bleu"):
        cloze.evaluate(model, task, asked, answer_metrics="bleu")
    with pytest.raises(ValueError, match="answer"):
        tune(models, tmp_path / "other", answer_metrics="cmrc")


def test_bad_data(models: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"train\[1\]\['text'\] is int, not str"):
        tune(models, tmp_path / "a", train=[ROWS[0], {"text": 3, "label": "x"}])
    with pytest.raises(TypeError, match=r"train\[0\] is str, not a dict"):
        tune(models, tmp_path / "a", train=["good"])
    with pytest.raises(ValueError, match="train has no column of texts"):
        tune(models, tmp_path / "a", train=[{"x": "good", "label": 1}])
    with pytest.raises(ValueError, match="different lengths"):
        tune(models, tmp_path / "a", train={"text": ["a"], "label": []})
    with pytest.raises(ValueError, match="no task 'translation'"):
        cloze.finetune(models["BertModel"], "translation", ROWS, output=tmp_path / "a")
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        tune(models, tmp_path / "a", epoch=3)
    with pytest.raises(TypeError, match="epochs is str"):
        tune(models, tmp_path / "a", epochs="three")
    with pytest.raises(OSError):
        tune(models, tmp_path / "a", train=tmp_path / "none.tsv", dev=None)
    with pytest.raises(TypeError, match=r"callbacks\[0\] is int"):
        tune(models, tmp_path / "a", callbacks=[3])
    assert not (tmp_path / "a").exists()


def test_callbacks_stop_and_raise(models: dict[str, str], tmp_path: Path) -> None:
    def stop(event: dict[str, Any]) -> Any:
        return event["kind"] != "step"

    result = tune(models, tmp_path / "stopped", epochs=50, log_every=1, callbacks=stop)
    assert not result.finished and result.steps < 10

    def fail(event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        tune(models, tmp_path / "failed", epochs=50, log_every=1, callbacks=fail)


def test_interrupt_saves_and_resume_goes_on(models: dict[str, str], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 60, "evaluate_every": 500, "log_every": 1}
    whole = tune(models, tmp_path / "whole", **settings)
    sent = []

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 20 and not sent:
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="resume=True"):
        tune(models, tmp_path / "run", callbacks=interrupt, **settings)
    assert time.monotonic() - sent[0] < 3  # a second, and a machine that others use
    resumed = cloze.finetune(output=tmp_path / "run", train=ROWS, dev=ROWS, resume=True)
    assert resumed.finished and resumed.steps == whole.steps
    one, two = (cloze.load_safetensors(run.model_path / "model.safetensors") for run in (whole, resumed))
    assert all((one[key] == two[key]).all() for key in one)


def test_pretrain(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    text = tmp_path / "text.txt"
    documents = ["\n".join(" ".join(rng.choice(WORDS, 12)) + "." for _ in range(8)) for _ in range(30)]
    text.write_text("\n\n".join(documents))
    result = cloze.pretrain(text, tmp_path / "run", size="tiny", vocab_size=120, steps=3, dtype="float32", batch_tokens=256, log_every=1)
    assert result.finished and result.steps == 3 and result.metrics["loss"] > 0
    assert len(result.history) >= 3
    fill = cloze.pipeline("fill-mask", result.model_path)
    assert len(fill("the [MASK] sat")) == 5

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 3:
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt, match=r"cloze\.pretrain\(output="):
        cloze.pretrain(text, tmp_path / "long", size="tiny", vocab_size=120, steps=100000, dtype="float32", batch_tokens=256, log_every=1, callbacks=interrupt)
    with pytest.raises(TypeError, match="unexpected keyword argument 'stepz'"):
        cloze.pretrain(text, tmp_path / "x", stepz=3)


def test_pretrain_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    sentences = [[" ".join(rng.choice(WORDS, 12)) + "." for _ in range(8)] for _ in range(30)]
    file, dev = tmp_path / "text.txt", tmp_path / "dev.txt"
    file.write_text("\n\n".join("\n".join(document) for document in sentences) + "\n\n")
    dev.write_text("\n\n".join("\n".join(document) for document in sentences[:9]) + "\n\n")
    options: dict[str, Any] = {"size": "tiny", "vocab_size": 120, "dtype": "float32", "batch_tokens": 256, "seed": 3}
    runs = {
        "file": cloze.pretrain(file, tmp_path / "file", dev=dev, steps=4, **options),
        "lists": cloze.pretrain(texts=sentences, output=tmp_path / "lists", dev_texts=iter(sentences[:9]), steps=4, **options),
        "strings": cloze.pretrain(
            texts=("\n \n".join(document) for document in sentences), output=tmp_path / "strings", dev_texts=sentences[:9], steps=4, **options
        ),
    }
    weights = {name: cloze.load_safetensors(run.model_path / "model.safetensors") for name, run in runs.items()}
    for name in ("lists", "strings"):
        assert runs[name].metrics == runs["file"].metrics
        assert all((weights[name][key] == value).all() for key, value in weights["file"].items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev.txt", "file", "lists", "strings", "text.txt"]

    def stop(event: dict[str, Any]) -> bool:
        return not (event["kind"] == "step" and event["step"] == 2)

    output = tmp_path / "resumed"
    begun = cloze.pretrain(texts=sentences, output=output, dev_texts=sentences[:9], steps=4, log_every=1, callbacks=stop, **options)
    assert not begun.finished
    with pytest.raises(TypeError, match="were in memory: give them again, with texts="):
        cloze.pretrain(output=output, resume=True)
    with pytest.raises(TypeError, match="give them again, with dev_texts="):
        cloze.pretrain(output=output, resume=True, texts=sentences)
    with pytest.raises(ValueError, match="the text is not what the run began with"):
        cloze.pretrain(output=output, resume=True, texts=sentences[1:], dev_texts=sentences[:9])
    rest = cloze.pretrain(output=output, resume=True, texts=sentences, dev_texts=sentences[:9])
    assert rest.finished and rest.steps == 4
    again = cloze.load_safetensors(rest.model_path / "model.safetensors")
    assert all((again[key] == value).all() for key, value in weights["file"].items())
    with pytest.raises(TypeError, match=r"texts\[1\]\[0\] is int, not str"):
        cloze.pretrain(texts=["a", [3]], output=tmp_path / "x", steps=1, **options)
    with pytest.raises(TypeError, match="texts is one str"):
        cloze.pretrain(texts="a", output=tmp_path / "x", steps=1, **options)
    with pytest.raises(ValueError, match="lone surrogate"):
        cloze.pretrain(texts=["a", "\udc80"], output=tmp_path / "x", steps=1, **options)
    with pytest.raises(TypeError, match="files, or texts"):
        cloze.pretrain(file, texts=["a"], output=tmp_path / "x", steps=1, **options)
    with pytest.raises(ValueError, match="documents is 'file'"):
        cloze.pretrain(texts=["a"], documents="file", output=tmp_path / "x", steps=1, **options)


def test_vocabulary(tmp_path: Path) -> None:
    texts = ["low lower lowest"] * 30
    tokens = cloze.train_vocabulary(texts, 40)
    file = tmp_path / "text.txt"
    file.write_text("\n".join(texts))
    assert cloze.train_vocabulary(files=[file], size=40) == tokens
    assert cloze.BertTokenizer(tokens).tokenize("lowest")[0].startswith("low")
    with pytest.raises(TypeError, match=r"texts\[0\] is int"):
        cloze.train_vocabulary([3])
    with pytest.raises(TypeError, match="one str"):
        cloze.train_vocabulary("text")
    with pytest.raises(OSError):
        cloze.train_vocabulary(files=[tmp_path / "none"])


def test_files(models: dict[str, str], tmp_path: Path) -> None:
    info = cloze.model_info(models["BertForTokenClassification"])
    assert info.config.hidden_size == 32 and info.heads[0]["pipeline"] == "token-classification"
    assert info.parameters > 1000 and "<table>" in info._repr_html_()
    half = cloze.convert(models["BertModel"], tmp_path / "half", dtype="bfloat16")
    assert half.architecture == "BertModel" and half.bytes * 2 == info_bytes(models["BertModel"])
    assert cloze.load_safetensors(tmp_path / "half")["embeddings.word_embeddings.weight"].dtype == np.float32
    with pytest.raises(ValueError):
        cloze.convert(models["BertModel"], tmp_path / "half")
    exported = cloze.export_onnx(models["BertModel"], tmp_path / "model.onnx")
    assert exported.inputs == ("input_ids", "attention_mask", "token_type_ids") and (tmp_path / "model.onnx").exists()
    array = next(iter(cloze.load_safetensors(models["BertModel"]).values()))
    with pytest.raises(ValueError):
        array[0] = 1  # mapped, read-only


def info_bytes(path: str) -> int:
    return cloze.model_info(path).bytes


def test_inspect(models: dict[str, str], tmp_path: Path) -> None:
    found = cloze.inspect(models["BertForSequenceClassification"], "good film", top=3)
    count = len(found.tokens)
    assert found.tokens[0] == "[CLS]" and len(found.attentions) == 2
    assert found.attentions[0].shape == (2, count, count) and found.integrated_gradients is not None
    assert found.integrated_gradients.shape == (count,) and found.answer is not None
    assert found.answer["answer"] in ("NEGATIVE", "NEUTRAL", "POSITIVE")
    page = found._repr_html_()
    assert page.startswith('<iframe sandbox="allow-scripts" srcdoc="') and len(page) > 10000
    found.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!")
    masked = cloze.inspect(models["BertForMaskedLM"], "the [MASK] sat", attribution=False)
    assert masked.layers is not None and masked.masks is not None and masked.integrated_gradients is None
    assert masked.layers["ids"].shape[2] == 5 and masked.pseudo_perplexity is not None
    with pytest.raises(ValueError):
        cloze.inspect(models["BertModel"], "the cat", layers=True)
    with pytest.raises(TypeError, match="text is None"):
        cloze.inspect(models["BertModel"], None)  # type: ignore[arg-type]


def test_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(OSError):
        cloze.hub.pull("nobody/no-such-model")
    with pytest.raises(ValueError):
        cloze.hub.pull("not a name!")
