"""Models: the golden outputs of transformers, padding, and what a ModelOutput is."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import cloze
from cloze import outputs
from conftest import GOLDENS, config

NAMES = sorted(path.parent.name for path in GOLDENS.glob("*/golden.safetensors"))


def padded(golden: dict[str, Any], name: str, fill: int = 0) -> np.ndarray[Any, Any]:
    starts = golden["cu_seqlens"]
    result = np.full((len(starts) - 1, np.diff(starts).max()), fill, dtype=np.int64)
    for row, (begin, end) in enumerate(zip(starts, starts[1:])):
        result[row, : end - begin] = golden[name][begin:end]
    return result


def test_the_golden_models_are_there() -> None:
    assert len(NAMES) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    directory = GOLDENS / name
    golden = cloze.load_safetensors(directory / "golden.safetensors")
    kind = json.loads((directory / "config.json").read_text())["architectures"][0]
    model = getattr(cloze, kind).from_pretrained(directory)
    inputs = {key: padded(golden, key) for key in ("input_ids", "token_type_ids", "position_ids")}
    inputs["attention_mask"] = padded({**golden, "ones": np.ones_like(golden["input_ids"])}, "ones")
    mask = inputs["attention_mask"].astype(bool)
    if kind == "BertForMultipleChoice":
        choices = golden["logits"].shape[1]
        inputs = {key: value.reshape(-1, choices, value.shape[-1]) for key, value in inputs.items()}
    got = model(**inputs, output_hidden_states=True, output_attentions=True)
    compared = 0
    for key, wanted in golden.items():
        if key.startswith("hidden_states."):
            found = got.hidden_states[int(key.split(".")[1])][mask]
        elif key.startswith("attentions."):
            layer = got.attentions[int(key.split(".")[1])]
            lengths = mask.sum(axis=1)
            found = np.concatenate([a[:, :n, :n].ravel() for a, n in zip(layer, lengths)])
        elif key in got and not isinstance(got[key], tuple):
            found = got[key][mask] if got[key].shape[:2] == mask.shape else got[key]
            if found.shape != wanted.shape:
                continue  # the golden has masked positions, or a single sequence, alone
        else:
            continue
        assert np.abs(found - wanted).max() <= 1e-5, key
        compared += 1
    assert compared >= 3


def test_mask_and_padding(tokenizer: cloze.BertTokenizer, models: dict[str, str], lines: list[str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    texts = [text[:60] for text in lines[:20]]
    batch = tokenizer(texts, padding=True, return_tensors="np")
    whole = model(**batch)
    for i, text in enumerate(texts):
        alone = model(**tokenizer(text, return_tensors="np"))
        count = alone.last_hidden_state.shape[1]
        assert np.abs(whole.last_hidden_state[i, :count] - alone.last_hidden_state[0]).max() < 1e-5
        assert np.abs(whole.pooler_output[i] - alone.pooler_output[0]).max() < 1e-5
        assert not whole.last_hidden_state[i, count:].any()


def test_positions_are_columns(models: dict[str, str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    ids = np.array([[0, 0, 2, 9, 3]])
    mask = np.array([[0, 0, 1, 1, 1]])
    left = model(ids, attention_mask=mask).last_hidden_state[0, 2:]
    same = model(ids[:, 2:], position_ids=[[2, 3, 4]]).last_hidden_state[0]
    assert np.abs(left - same).max() < 1e-6
    holes = model([[2, 9, 9, 3]], attention_mask=[[1, 0, 1, 1]], output_attentions=True)
    packed = model([[2, 9, 3]], position_ids=[[0, 2, 3]], output_attentions=True)
    assert np.abs(holes.last_hidden_state[0, [0, 2, 3]] - packed.last_hidden_state[0]).max() < 1e-6
    assert np.abs(holes.attentions[0][0][:, [0, 2, 3]][:, :, [0, 2, 3]] - packed.attentions[0][0]).max() < 1e-6
    assert not holes.attentions[0][0][:, :, 1].any()


def test_many_tokens_are_computed_in_parts(models: dict[str, str]) -> None:
    model = cloze.BertForMaskedLM.from_pretrained(models["BertForMaskedLM"])
    rng = np.random.default_rng(1)
    ids = rng.integers(5, 60, size=(400, 40))
    whole = model(ids, output_hidden_states=True)
    part = model(ids[300:310], output_hidden_states=True)
    assert np.abs(whole.logits[300:310] - part.logits).max() < 1e-5
    assert np.abs(whole.hidden_states[1][300:310] - part.hidden_states[1]).max() < 1e-5
    places = rng.permutation(ids.size)[:50]
    chosen = model(ids, positions=places).logits
    assert np.abs(chosen - whole.logits.reshape(-1, whole.logits.shape[-1])[places]).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("BertModel", {"last_hidden_state": (2, 6, 32), "pooler_output": (2, 32)}),
        ("BertForMaskedLM", {"logits": (2, 6, None)}),
        ("BertForNextSentencePrediction", {"logits": (2, 2)}),
        ("BertForPreTraining", {"prediction_logits": (2, 6, None), "seq_relationship_logits": (2, 2)}),
        ("BertForSequenceClassification", {"logits": (2, 3)}),
        ("BertForTokenClassification", {"logits": (2, 6, 4)}),
        ("BertForQuestionAnswering", {"start_logits": (2, 6), "end_logits": (2, 6)}),
    ],
)
def test_heads(models: dict[str, str], name: str, shapes: dict[str, Any]) -> None:
    model = getattr(cloze, name).from_pretrained(models[name])
    auto = getattr(cloze, name.replace("BertFor", "AutoModelFor").replace("BertModel", "AutoModel"))
    ids = np.random.default_rng(2).integers(5, 60, size=(2, 6))
    got = model(ids, output_hidden_states=True, output_attentions=True)
    again = auto.from_pretrained(models[name])(ids)
    assert list(got) == [*shapes, "hidden_states", "attentions"]
    for field, shape in shapes.items():
        wanted = tuple(model.config.vocab_size if size is None else size for size in shape)
        assert got[field].shape == wanted and got[field].dtype == np.float32
        # Without hidden states the last layer runs for the tokens that the head reads alone.
        assert np.abs(got[field] - again[field]).max() < 1e-5
    assert len(got.hidden_states) == 3 and got.hidden_states[0].shape == (2, 6, 32)
    assert len(got.attentions) == 2 and got.attentions[0].shape == (2, 2, 6, 6)
    assert np.allclose(got.attentions[0].sum(axis=-1), 1, atol=1e-5)


def test_multiple_choice(models: dict[str, str]) -> None:
    model = cloze.BertForMultipleChoice.from_pretrained(models["BertForMultipleChoice"])
    ids = np.random.default_rng(2).integers(5, 60, size=(3, 4, 6))
    got = model(ids, labels=[0, 1, 2])
    assert got.logits.shape == (3, 4) and got.loss > 0
    assert np.abs(model(ids[1:2]).logits - got.logits[1:2]).max() < 1e-6
    with pytest.raises(ValueError, match=r"\[batch, choices, length\]"):
        model(ids[0])


def softmax_loss(logits: Any, labels: Any) -> float:
    logits = np.asarray(logits, dtype=np.float64).reshape(-1, np.shape(logits)[-1])
    labels = np.asarray(labels).reshape(-1)
    losses = [np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels) if label != -100]
    return float(np.mean(losses))


def test_losses(models: dict[str, str]) -> None:
    ids = np.random.default_rng(2).integers(5, 60, size=(2, 6))
    labels = np.where(np.arange(6) < 2, ids, -100)
    masked = cloze.BertForMaskedLM.from_pretrained(models["BertForMaskedLM"])(ids, labels=labels)
    assert masked.loss == pytest.approx(softmax_loss(masked.logits, labels), abs=1e-5) and next(iter(masked)) == "loss"
    classify = cloze.BertForSequenceClassification.from_pretrained(models["BertForSequenceClassification"])
    single = classify(ids, labels=[0, 2])
    assert single.loss == pytest.approx(softmax_loss(single.logits, [0, 2]), abs=1e-5)
    several = classify(ids, labels=np.array([[1.0, 0, 1], [0, 0, 1]]))
    sigmoid = 1 / (1 + np.exp(-several.logits))
    wanted = -np.log(np.where([[1, 0, 1], [0, 0, 1]], sigmoid, 1 - sigmoid)).mean()
    assert several.loss == pytest.approx(wanted, abs=1e-5)
    spans = cloze.BertForQuestionAnswering.from_pretrained(models["BertForQuestionAnswering"])(
        ids, start_positions=[1, 2], end_positions=[2, 99]
    )
    begin = softmax_loss(spans.start_logits, [1, 2])
    assert spans.loss == pytest.approx((begin + softmax_loss(spans.end_logits, [2, -100])) / 2, abs=1e-5)
    ranker = cloze.BertForSequenceClassification.from_pretrained(models["ranker"])
    value = ranker(ids, labels=np.array([0.5, 1.0], dtype=np.float32))
    assert value.loss == pytest.approx(((value.logits[:, 0] - [0.5, 1]) ** 2).mean(), abs=1e-5)
    with pytest.raises(ValueError, match=r"labels\[1\] is 7, and there are 3 classes"):
        classify(ids, labels=[0, 7])


def test_calls(tokenizer: cloze.BertTokenizer, models: dict[str, str]) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    batch = tokenizer(["the cat", "a"], padding=True)
    by_name, whole = model(**batch), model(batch)
    assert (by_name.last_hidden_state == whole.last_hidden_state).all()
    assert isinstance(model(batch, return_dict=False), tuple)
    assert model(batch).last_hidden_state.flags["C_CONTIGUOUS"]
    assert cloze.BertModel.from_pretrained(models["BertModel"], add_pooling_layer=False)(batch).pooler_output is None
    assert model(batch.data["input_ids"], np.array(batch["attention_mask"], dtype=np.int32)).pooler_output.shape == (2, 32)
    read_only = np.array([[2, 9, 3]])
    read_only.flags.writeable = False
    assert model(read_only[:, ::-1]).last_hidden_state.shape == (1, 3, 32)


def test_what_programs_ask_for(models: dict[str, str], tmp_path: Any) -> None:
    model = cloze.BertModel.from_pretrained(models["BertModel"])
    assert model.eval() is model and model.to("cpu") is model and model.requires_grad_(False) is model
    assert model.train(False) is model and model.device.type == "cpu" and model.dtype == "float32"
    for call in (model.train, model.cuda, model.half, lambda: model.to("cuda")):
        with pytest.raises(ValueError):
            call()
    state = model.state_dict()
    assert sum(tensor.size for tensor in state.values()) == model.num_parameters()
    assert "BertModel(BertModel: 2 layers, hidden 32" in repr(model)
    model.save_pretrained(tmp_path)
    again = cloze.BertModel.from_pretrained(tmp_path)
    assert (again([[2, 9, 3]])[0] == model([[2, 9, 3]])[0]).all()
    assert copy.deepcopy(model) is model and copy.copy(model) is model
    assert (pickle.loads(pickle.dumps(model))([[2, 9, 3]])[0] == model([[2, 9, 3]])[0]).all()
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(cloze.BertModel(config()))


def test_dtypes(models: dict[str, str]) -> None:
    ids = [[2, 9, 10, 3]]
    exact = cloze.BertModel.from_pretrained(models["BertModel"])(ids)[0]
    for dtype in ("bfloat16", "int8", "best", "auto", np.float32):
        try:
            model = cloze.BertModel.from_pretrained(models["BertModel"], dtype=dtype)
        except cloze.ModelError as error:
            assert dtype == "bfloat16" and "this machine cannot" in str(error)
            continue
        got = model(ids)[0]
        assert got.dtype == np.float32 and np.abs(got - exact).max() < 0.35
    with pytest.raises(ValueError, match="dtype is 'float16'"):
        cloze.BertModel.from_pretrained(models["BertModel"], dtype="float16")


def test_random_models_are_the_same_for_a_seed() -> None:
    one, two, other = (cloze.BertModel(config(), seed=seed)([[1, 2]])[0] for seed in (5, 5, 6))
    assert (one == two).all() and (one != other).any()


def test_config(tmp_path: Any) -> None:
    made = config(num_labels=3, my_field="kept")
    made.save_pretrained(tmp_path)
    again = cloze.AutoConfig.from_pretrained(tmp_path)
    assert again.to_dict() == made.to_dict() and again.my_field == "kept" and again.num_labels == 3
    assert cloze.BertConfig.from_pretrained(tmp_path, hidden_act="relu").hidden_act == "relu"
    with pytest.raises(AttributeError, match="nothing of 'foo'"):
        made.foo
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(cloze.ModelError):
        cloze.BertConfig.from_pretrained(tmp_path)


def test_model_output() -> None:
    x, y = np.zeros(2), np.ones(3)
    output = outputs.QuestionAnsweringModelOutput(start_logits=x, end_logits=y)
    assert output.start_logits is x and output["end_logits"] is y and output[0] is x and output[:2] == (x, y)
    assert list(output) == ["start_logits", "end_logits"] and output.loss is None and "loss" not in output
    assert output.to_tuple()[1] is y and len(output) == 2
    output.loss = 0.5
    assert output.loss == 0.5
    first, second = outputs.QuestionAnsweringModelOutput(start_logits=x, end_logits=y).to_tuple()
    assert first is x and second is y
    for call in (
        lambda: output.pop("start_logits"),
        lambda: output.update({}),
        lambda: output.setdefault("loss", 1),
        lambda: output.__delitem__("loss"),
    ):
        with pytest.raises(Exception, match="You cannot use"):
            call()
    with pytest.raises(TypeError, match="no field"):
        outputs.QuestionAnsweringModelOutput(logits=x)
    copied = pickle.loads(pickle.dumps(outputs.SequenceClassifierOutput(logits=x)))
    assert (copied.logits == x).all() and isinstance(copied, outputs.SequenceClassifierOutput)
    assert repr(outputs.SequenceClassifierOutput(logits=x)) == "SequenceClassifierOutput(logits=array[2] float64)"
