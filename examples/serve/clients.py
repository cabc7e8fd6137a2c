#!/usr/bin/env python3
"""What the clients that people have say to `cloze serve`, each checked against the server's own /embed.

    python3 -m venv venv && venv/bin/pip install openai huggingface_hub numpy
    cloze serve --model all-MiniLM-L6-v2 [--model ner=DIR ...] &
    venv/bin/python examples/serve/clients.py [http://127.0.0.1:3000]

Tasks that no served model has are left out, and said so. Ends with 1 where a client is answered wrongly.
"""
import json
import sys
import urllib.request

import numpy
import openai
from huggingface_hub import InferenceClient

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(path):
    with urllib.request.urlopen(URL + path) as answer:
        return json.load(answer)


TASKS = {task for model in get("/info")["models"] for task in model["tasks"]}
failures = 0


def check(name, passed):
    global failures
    print(f"{'ok  ' if passed else 'FAIL'} {name}")
    failures += not passed


def task_client(task):
    if task not in TASKS:
        print(f"     {task}: no served model does this")
        return None
    return InferenceClient(model=f"{URL}/pipeline/{task}", token="x")


if "feature-extraction" in TASKS:
    texts = ["a happy dog", "taxes are due"]
    expected = numpy.array(post("/embed", {"inputs": texts}), numpy.float32)
    client = openai.OpenAI(base_url=URL + "/v1", api_key="x")
    answer = client.embeddings.create(model="", input=texts) if len(get("/v1/models")["data"]) == 1 else \
        client.embeddings.create(model=next(m["served_model_name"] for m in get("/info")["models"]
                                            if "feature-extraction" in m["tasks"]), input=texts)
    vectors = numpy.array([each.embedding for each in answer.data], numpy.float32)
    check("openai: embeddings (base64) are /embed's to the bit", (vectors == expected).all())
    check("openai: usage", answer.usage.total_tokens > 0)
    name = answer.model
    floats = client.embeddings.create(model=name, input=texts[0], encoding_format="float", dimensions=8)
    check("openai: floats, dimensions", len(floats.data[0].embedding) == 8)
    check("openai: models", name in [model.id for model in client.models.list()])
    check("openai: one model", client.models.retrieve(name).id == name)
    try:
        client.embeddings.create(model=name, input=[[10**6]])
        check("openai: foreign ids are refused", False)
    except openai.BadRequestError as error:
        check("openai: foreign ids are refused", "vocabulary" in str(error))

    extract = task_client("feature-extraction")
    check("huggingface_hub: feature_extraction", (extract.feature_extraction(texts[0]) == expected[:1]).all())
    scores = task_client("sentence-similarity").sentence_similarity(texts[0], other_sentences=texts)
    check("huggingface_hub: sentence_similarity", abs(scores[0] - 1) < 1e-5 and len(scores) == 2)

if client := task_client("text-classification"):
    labels = client.text_classification("a b", top_k=2)
    check("huggingface_hub: text_classification", len(labels) == 2 and labels[0].score >= labels[1].score)
if client := task_client("token-classification"):
    check("huggingface_hub: token_classification",
          all(entity.entity_group for entity in client.token_classification("a b c")))
if client := task_client("question-answering"):
    check("huggingface_hub: question_answering",
          client.question_answering(question="a b", context="c d e a").end <= 7)
if client := task_client("fill-mask"):
    filled = client.fill_mask("a [MASK] b", top_k=3)
    check("huggingface_hub: fill_mask", len(filled) == 3 and filled[0].score >= filled[1].score)
if client := task_client("zero-shot-classification"):
    labels = client.zero_shot_classification("a b", candidate_labels=["a", "b"])
    check("huggingface_hub: zero_shot_classification", abs(sum(label.score for label in labels) - 1) < 1e-5)

sys.exit(1 if failures else 0)
