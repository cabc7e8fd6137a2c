#!/usr/bin/env python3
"""Holds the encoders that people search with against transformers and sentence-transformers, in the same run.

    python3 tests/conformance/search_encoders.py [--cloze build/release/cloze] [--rounds 12] [--seed 1] [--bench]

Needs sentence-transformers (6.x) with PyTorch; without them it says so and ends with 77, which means "skipped". It builds
small models with random weights: ELECTRA with each of its heads and switches, DPR's encoders, SparseEncoders (SPLADE) of
all poolings and versions, and MultiVectorEncoders as sentence-transformers, PyLate and Stanford lay them out. Vectors,
logits and scores must be equal to 1e-5 (of the largest value where that is over 1). --bench measures SPLADE instead, both in
this run.
"""

import argparse
import json
import os
import pathlib
import random
import string
import subprocess
import sys
import tempfile
import time

os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                  CUDA_VISIBLE_DEVICES="")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "goldens"))
try:
    import logging
    import numpy
    import torch
    import transformers
    from sentence_transformers import MultiVectorEncoder, SparseEncoder
    from transformers.utils.logging import disable_progress_bar
    import search_models as models
except ImportError as error:
    print(f"skipped: {error}; install sentence-transformers and torch in an environment of your own")
    sys.exit(77)
logging.disable(logging.WARNING)
disable_progress_bar()

TOLERANCE = 1e-5
ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu"]


class Cloze:
    def __init__(self, program):
        self.program = program

    def __call__(self, command, directory, *arguments, text=None):
        done = subprocess.run([self.program, command, "--model", str(directory), "--json", *arguments],
                              input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"cloze {command}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def lines(texts):
    return "".join(text + "\n" for text in texts)


def differ(about, ours, theirs):
    ours, theirs = numpy.asarray(ours, dtype=float), numpy.asarray(theirs, dtype=float)
    if ours.shape != theirs.shape:
        return f"{about}: shape {ours.shape} instead of {theirs.shape}"
    if not ours.size:
        return None
    largest = float(numpy.abs(ours - theirs).max())
    if largest <= TOLERANCE * max(1.0, float(numpy.abs(theirs).max())):
        return None
    return f"{about}: {largest:.2e} apart"


def likeness(cloze, directory, about, query, scores):
    """What `similarity` says of a query and of pairs must be these scores of models.DOCUMENTS."""
    found = numpy.zeros_like(scores)
    for each in cloze("similarity", directory, "--query", query, text=lines(models.DOCUMENTS)):
        found[each["index"]] = each["score"]
    pairs = cloze("similarity", directory, text=lines(f"{query}\t{text}" for text in models.DOCUMENTS))
    return [differ(about, found, scores), differ(f"{about} of pairs", [each["score"] for each in pairs], scores)]


def softmax(logits):
    return torch.softmax(logits, -1)


def electra(cloze, folder, rng):
    """Every head of a random ELECTRA."""
    size = rng.choice([8, 16, 24])
    settings = dict(models.SIZES, embedding_size=size, hidden_act=rng.choice(ACTIVATIONS),
                    layer_norm_eps=rng.choice([1e-12, 1e-5]), num_labels=rng.choice([2, 3, 5]))
    texts = [text for text in models.DOCUMENTS if len(text) < 80]
    problems = []

    def check(kind, compare, **more):
        directory = folder / kind
        config = transformers.ElectraConfig(**{**settings, **more})
        model = models.randomize(getattr(transformers, kind)(config), rng.randrange(1 << 30))
        models.save(model, directory, rng.choice(["ElectraTokenizer", "BertTokenizer"]))
        if rng.random() < 0.3:  # as PyTorch saved it
            torch.save(model.state_dict(), directory / "pytorch_model.bin")
            (directory / "model.safetensors").unlink()
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        for source in (directory, folder / (kind + "_converted")):
            if source != directory:
                subprocess.run([cloze.program, "convert", str(directory), str(source)], check=True, capture_output=True)
                loaded, info = getattr(transformers, kind).from_pretrained(source, output_loading_info=True)
                if info["missing_keys"] or info["unexpected_keys"]:
                    problems.append(f"{kind} converted: {info}")
            with torch.no_grad():
                try:
                    problems.append(compare(source, model, tokenizer))
                except RuntimeError as error:
                    problems.append(f"{kind} {settings}: {error}")

    def hidden(directory, model, tokenizer):
        ours = cloze("encode", directory, text=lines(texts))
        for text, each in zip(texts, ours):
            theirs = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            if problem := differ(f"ElectraModel {settings}", each["last_hidden_state"], theirs):
                return problem
        return None

    def masked(directory, model, tokenizer):
        masked_texts = ["the [MASK] sat", "[MASK] wrote a cat on the [MASK]."]
        ours = cloze("fill-mask", directory, "--top-k", "5", text=lines(masked_texts))
        for text, each in zip(masked_texts, ours):
            inputs = tokenizer(text, return_tensors="pt")
            at = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
            theirs = softmax(model(**inputs).logits[0, at].double())  # over all rows, those without a word as well
            for mask, row in zip(each["masks"], theirs):
                for candidate in mask["predictions"]:
                    wanted = float(row[candidate["id"]])
                    if abs(candidate["score"] - wanted) > TOLERANCE:
                        return f"ElectraForMaskedLM {settings}: {candidate} instead of {wanted}"
        return None

    def replaced(directory, model, tokenizer):
        ours = cloze("replaced-tokens", directory, text=lines(texts))
        for text, each in zip(texts, ours):
            theirs = torch.sigmoid(model(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1])
            if problem := differ(f"ElectraForPreTraining {settings}", [t["score"] for t in each["tokens"]], theirs):
                return problem
        return None

    def classified(directory, model, tokenizer):
        ours = cloze("classify", directory, "--all", text=lines(texts))
        for text, each in zip(texts, ours):
            theirs = softmax(model(**tokenizer(text, return_tensors="pt")).logits[0])
            found = {label["label"]: label["score"] for label in each["labels"]}
            order = [found[model.config.id2label[i]] for i in range(settings["num_labels"])]
            if problem := differ(f"ElectraForSequenceClassification {settings}", order, theirs):
                return problem
        return None

    def tagged(directory, model, tokenizer):
        text = "the cat sat on a mat"
        ours = cloze("tag", directory, "--words", text)[0]
        probabilities = softmax(model(**tokenizer(text, return_tensors="pt")).logits[0, 1:-1])
        return differ(f"ElectraForTokenClassification {settings}", ours["scores"], probabilities.max(-1).values)

    def chosen(directory, model, tokenizer):
        prompt, endings = "the cat", ["sat on the mat", "wrote a dog", "of of"]
        rows = tokenizer([prompt] * 3, endings, return_tensors="pt", padding=True)
        theirs = softmax(model(**{name: value[None] for name, value in rows.items()}).logits[0])
        ours = cloze("choose", directory, prompt, *endings)[0]
        return differ(f"ElectraForMultipleChoice {settings}", ours["scores"], theirs)

    check("ElectraModel", hidden)
    check("ElectraForMaskedLM", masked, tie_word_embeddings=rng.random() < 0.5)
    check("ElectraForPreTraining", replaced)
    check("ElectraForSequenceClassification", classified)
    check("ElectraForTokenClassification", tagged)
    check("ElectraForMultipleChoice", chosen)
    return problems


def dpr(cloze, folder, rng):
    context, projection = rng.random() < 0.5, rng.choice([0, 0, 7, 24])
    directory = folder / "dpr"
    models.dpr(directory, rng.randrange(1 << 30), context, projection)
    kind = transformers.DPRContextEncoder if context else transformers.DPRQuestionEncoder
    model, tokenizer = kind.from_pretrained(directory).eval(), transformers.AutoTokenizer.from_pretrained(directory)
    texts = [text for text in models.DOCUMENTS if len(text) < 80]
    with torch.no_grad():
        theirs = [model(**tokenizer(text, return_tensors="pt")).pooler_output[0].numpy() for text in texts]
    ours = [each["embedding"] for each in cloze("encode", directory, text=lines(texts))]
    return [differ(f"{kind.__name__} {projection}", ours, theirs)]


def sparse(cloze, folder, rng):
    directory = folder / "sparse"
    settings = {}
    if rng.random() < 0.4:
        settings["max_active_dims"] = rng.choice([1, 5, 30])
    if rng.random() < 0.3:
        settings |= {"prompts": {"query": "query: ", "document": "d "}, "default_prompt_name": "query"}
    if rng.random() < 0.3:
        settings["similarity_fn_name"] = rng.choice(["dot", "cosine", "euclidean", "manhattan"])
    about = dict(legacy=rng.random() < 0.4, strategy=rng.choice([None, "max", "sum"]),
                 activation=rng.choice([None, "relu", "log1p_relu"]), electra=rng.random() < 0.25, settings=settings)
    models.sparse(directory, rng.randrange(1 << 30), **about)
    reference = SparseEncoder(str(directory), device="cpu")
    theirs = reference.encode(models.DOCUMENTS).to_dense().numpy()
    ours = numpy.zeros_like(theirs)
    for row, each in enumerate(cloze("encode", directory, text=lines(models.DOCUMENTS))):
        ours[row, each["indices"]] = each["values"]
    problems = [differ(f"SparseEncoder {about}", ours, theirs)]
    query = models.QUERIES[0]
    scores = reference.similarity(reference.encode_query([query]), reference.encode_document(models.DOCUMENTS))
    scores = (scores.to_dense() if scores.is_sparse else scores)[0].numpy()
    found = numpy.zeros_like(scores)
    for each in cloze("rank", directory, "--query", query, text=lines(models.DOCUMENTS)):
        found[each["index"]] = each["score"]
    problems.append(differ(f"SparseEncoder's ranking {about}", found, scores))
    # `similarity` encodes as encode does, without a role.
    plain = reference.similarity(reference.encode([query]), reference.encode(models.DOCUMENTS))
    plain = (plain.to_dense() if plain.is_sparse else plain)[0].numpy()
    return [*problems, *likeness(cloze, directory, f"SparseEncoder's similarity {about}", query, plain)]


def late_interaction(cloze, folder, rng):
    directory, seed = folder / "multi", rng.randrange(1 << 30)
    layout = rng.choice(["native", "native", "pylate", "stanford"])
    if layout == "native":
        transformer = {}
        if rng.random() < 0.7:
            transformer["query_expansion"] = {"strategy": rng.choice(["fixed", "min"]), "attend": rng.random() < 0.4,
                                              "length": rng.choice([9, 12, 40]), "token": rng.choice([None, "[PAD]", "cat"])}
        elif rng.random() < 0.5:
            transformer["query_length"] = rng.choice([9, 20])
        if rng.random() < 0.5:
            transformer["document_length"] = rng.choice([9, 20, 40])
        mask = {"skiplist_words": rng.choice([[], list(string.punctuation), ["cat", "the", "absent"]]),
                "skiplist_tasks": rng.choice([["document"], ["query"], ["query", "document"], "query"])}
        if rng.random() < 0.2:
            mask["keep_only_token_ids"] = [4, 5, 7, 8, 9]
        settings = {"similarity_fn_name": rng.choice([None, "maxsim", "meanmaxsim"])}
        if rng.random() < 0.3:
            settings["prompts"] = rng.choice([{}, {"query": "query: ", "passage": "passage "}, {"query": "[unused0] "}])
        about = dict(transformer=transformer, mask=mask, settings=settings, outputs=rng.choice([3, 12, 24]),
                     bias=rng.random() < 0.3, activation=rng.choice(["Identity", "Tanh", "GELU"]))
        models.late_interaction(directory, seed, **about)
    elif layout == "pylate":
        settings = {"query_length": rng.choice([8, 20]), "document_length": rng.choice([12, 30])}
        added = rng.choice([(), ("[Q] ", "[D] ")])
        settings |= {"query_prefix": "[Q] ", "document_prefix": "[D] "} if added or rng.random() < 0.5 else \
            {"query_prefix": "[unused0]", "document_prefix": "[unused1]"}
        for name, values in {"do_query_expansion": [True, False], "attend_to_expansion_tokens": [True, False],
                             "skiplist_words": [[], ["."], list(string.punctuation)]}.items():
            if rng.random() < 0.5:
                settings[name] = rng.choice(values)
        about = dict(settings=settings, added=added, typed=rng.random() < 0.8)
        models.pylate(directory, seed, **about)
    else:
        artifact = {"query_maxlen": rng.choice([8, 24]), "doc_maxlen": rng.choice([12, 40])}
        for name, values in {"attend_to_mask_tokens": [True, False], "mask_punctuation": [True, False],
                             "query_token_id": ["[unused1]"], "doc_token_id": ["[unused0]"]}.items():
            if rng.random() < 0.5:
                artifact[name] = rng.choice(values)
        about = dict(artifact=rng.choice([artifact, artifact, None]))
        models.stanford(directory, seed, **about)
    about = f"MultiVectorEncoder {layout} {about}"
    reference = MultiVectorEncoder(str(directory), device="cpu")
    problems = []
    for role, texts, encode in (("query", models.QUERIES, reference.encode_query),
                                ("document", models.DOCUMENTS, reference.encode_document)):
        theirs = encode(texts)
        ours = cloze("encode", directory, "--role", role, text=lines(texts))
        for text, a, b in zip(texts, ours, theirs):
            got = numpy.asarray(a["token_embeddings"], dtype=float).reshape(-1, b.shape[1])
            problems.append(differ(f"{about} {role} {text!r}", got, b.numpy()))
    query = models.QUERIES[0]
    scores = reference.similarity(reference.encode_query([query]), reference.encode_document(models.DOCUMENTS))[0].numpy()
    found = numpy.zeros_like(scores)
    for each in cloze("rank", directory, "--query", query, text=lines(models.DOCUMENTS)):
        found[each["index"]] = each["score"]
    problems.append(differ(f"{about}: ranking", found, scores))
    return [*problems, *likeness(cloze, directory, f"{about}: similarity", query, scores)]


def bench(cloze, folder, rng):
    """SPLADE of BERT's base shape with random weights: texts a second, both with as many threads as there are processors."""
    words = models.WORDS * 2000
    vocabulary = [*models.VOCABULARY, *(f"[unused{i}]" for i in range(2, 30522 - len(models.VOCABULARY) + 2))]
    config = transformers.BertConfig(vocab_size=30522)
    directory = folder / "base"
    torch.manual_seed(1)
    transformers.BertForMaskedLM(config).save_pretrained(directory)
    (directory / "vocab.txt").write_text("\n".join(vocabulary[:30522]) + "\n", encoding="utf-8")
    models.write_json(directory / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 512})
    texts = [" ".join(rng.choice(words) for _ in range(rng.choice([8, 16, 30, 60, 120]))) for _ in range(128)]
    reference = SparseEncoder(str(directory), device="cpu", max_active_dims=256)
    reference.encode(texts[:8])
    start = time.perf_counter()
    theirs = reference.encode(texts, batch_size=32).to_dense()
    peer = time.perf_counter() - start
    file = folder / "out.safetensors"

    def run(count):
        begin = time.perf_counter()
        subprocess.run([cloze.program, "encode", "--model", str(directory), "--pooling", "splade", "--top-k", "256",
                        "--output", str(file)], input=lines(texts[:count]), text=True, check=True, capture_output=True)
        return time.perf_counter() - begin

    run(1)
    load, whole = run(1), run(len(texts))
    from safetensors.numpy import load_file
    arrays = load_file(file)
    ours = numpy.zeros((len(texts), 30522), dtype=numpy.float32)
    for row in range(len(texts)):
        part = slice(arrays["indptr"][row], arrays["indptr"][row + 1])
        ours[row, arrays["indices"][part]] = arrays["values"][part]
    print(f"128 texts of 8 to 120 words, BERT-base f32: sentence-transformers {peer:.2f} s, cloze {whole - load:.2f} s "
          f"(and {load:.2f} s to start and load); largest difference of the kept weights "
          f"{float(numpy.abs(ours - theirs.numpy())[(ours > 0) & (theirs.numpy() > 0)].max()):.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bench", action="store_true")
    arguments = parser.parse_args()
    cloze, rng = Cloze(arguments.cloze), random.Random(arguments.seed)
    if arguments.bench:
        with tempfile.TemporaryDirectory() as name:
            return bench(cloze, pathlib.Path(name), rng)
    torch.set_num_threads(1)
    wrong, compared = [], {}
    for kind, times in ((electra, 1), (dpr, 1), (sparse, 3), (late_interaction, 4)):
        for _ in range(arguments.rounds * times):
            with tempfile.TemporaryDirectory() as name:
                try:
                    found = kind(cloze, pathlib.Path(name), rng)
                except RuntimeError as error:
                    found = [f"{kind.__name__}: {error}"]
            compared[kind.__name__] = compared.get(kind.__name__, 0) + len(found)
            wrong += [problem for problem in found if problem]
    print("\n".join(wrong[:20]))
    print(f"seed {arguments.seed}: comparisons " + ", ".join(f"{n} {kind}" for kind, n in compared.items())
          + f"; {len(wrong)} differ")
    sys.exit(1 if wrong else 0)


main()
