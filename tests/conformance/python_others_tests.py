#!/usr/bin/env python3
"""sentence-transformers' own tests, run against `cloze`.

    tests/conformance/python_others_tests.py --model DIRECTORY [--work DIRECTORY]

DIRECTORY is all-MiniLM-L6-v2, which stands for the small models that the tests name on the Hub. The tests come
from the source distribution of sentence-transformers 3.4.1, which pip fetches; none is part of this tree. A package
of the name `sentence_transformers` that re-exports cloze's names stands in for the original. Needs torch, pytest
and scikit-learn beside cloze. Prints what passed, what failed and what is left out and why; ends with 1 unless all
of test_util.py and 95 % of the others pass.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from pathlib import Path

SDIST = "sentence-transformers==3.4.1"

# What stands in for the original. Its `util` gives tensors for arrays, too, where cloze gives arrays.
STANDIN = {
    "sentence_transformers/__init__.py": """
        import os
        import cloze
        from . import models, similarity_functions, util
        MODEL = os.environ["CLOZE_STAND_IN_MODEL"]
        def _local(name):
            return name if os.path.isdir(str(name)) else MODEL
        class SentenceTransformer(cloze.SentenceTransformer):
            def __init__(self, name, **options):
                super().__init__(_local(name), **options)
            def __getitem__(self, index):  # for the parameters of a test that is left out
                return models.Transformer()
    """,
    "sentence_transformers/util.py": """
        import functools
        import torch
        import numpy as np
        from cloze import util as _util
        def _tensors(function):
            @functools.wraps(function)
            def call(*arguments, **options):
                result = function(*arguments, **options)
                return torch.from_numpy(result) if isinstance(result, np.ndarray) else result
            return call
        for _name in _util.__all__:
            globals()[_name] = getattr(_util, _name)
        for _name in ("cos_sim", "dot_score", "euclidean_sim", "manhattan_sim", "normalize_embeddings", "pytorch_cos_sim",
                      "pairwise_angle_sim", "pairwise_cos_sim", "pairwise_dot_score", "pairwise_euclidean_sim",
                      "pairwise_manhattan_sim"):
            globals()[_name] = _tensors(getattr(_util, _name))
    """,
    # The tests name these classes of modules when they are read; those that use them are left out.
    "sentence_transformers/models.py": """
        class _Module:
            def __init__(self, *arguments, **options): pass
            def __getattr__(self, name): return lambda *arguments: 1
        class CNN(_Module): pass
        class LSTM(_Module): pass
        class Dense(_Module): pass
        class LayerNorm(_Module): pass
        class Normalize(_Module): pass
        class Pooling(_Module): pass
        class Transformer(_Module): pass
        class WeightedLayerPooling(_Module): pass
    """,
    "sentence_transformers/similarity_functions.py": """
        class SimilarityFunction:
            @staticmethod
            def possible_values():
                return ["cosine", "dot", "euclidean", "manhattan"]
    """,
    "tests/__init__.py": "",
    "tests/utils.py": """
        import tempfile
        SafeTemporaryDirectory = tempfile.TemporaryDirectory
    """,
    "tests/conftest.py": """
        import pytest
        from sentence_transformers import SentenceTransformer
        @pytest.fixture
        def stsb_bert_tiny_model():
            return SentenceTransformer("tiny")
        @pytest.fixture(scope="session")
        def stsb_bert_tiny_model_reused():
            return SentenceTransformer("tiny")
        @pytest.fixture
        def paraphrase_distilroberta_base_v1_model():
            return SentenceTransformer("tiny")
    """,
}

TESTS = {
    "test_util.py": [],
    "test_sentence_transformer.py": [
        "test_prompts",
        "test_save_load_prompts",
        "test_encode_quantization",
        "test_encode_truncate",
        "test_similarity_score",
        "test_similarity_score_save",
        "test_empty_encode",
    ],
    "test_compute_embeddings.py": ["test_encode_token_embeddings", "test_encode_normalize"],
    "test_multi_process.py": ["test_encode_multi_process"],
}
LEFT_OUT = {
    "test_sentence_transformer.py, the others": "they build models of PyTorch's modules, fetch from the Hub, or need a GPU",
    "test_compute_embeddings.py, encode_single_sentences and encode_tuple_sentences": "their sums are those of a RoBERTa",
    "test_cross_encoder.py": "its models are RoBERTas, which Cloze does not compute",
}


def fetch(work: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", SDIST, "-d", str(work)], check=True
    )
    archive = next(work.glob("sentence_transformers-*.tar.gz"))
    with tarfile.open(archive) as opened:
        opened.extractall(work, filter="data")
    return work / archive.name.removesuffix(".tar.gz")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, help="keep what is fetched and made here")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    source = fetch(work)
    place = work / "run"
    for name, text in STANDIN.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    selected = []
    for name, tests in TESTS.items():
        text = (source / "tests" / name).read_text()
        text = text.replace("768", "384")  # columns of the model that stands in
        if name == "test_multi_process.py":
            text = re.sub(r"@pytest\.mark\.skip\(.*?\n\)\n", "", text, flags=re.S)  # a skip for OpenVINO's sake
            text = text.replace("128", "384")
            # all-MiniLM-L6-v2 normalizes by itself: the last line is about a model that does not.
            text = text.replace("== normalize_embeddings\n", "\n")
        (place / "tests" / name).write_text(text)
        selected += [f"tests/{name}::{test}" for test in tests] or [f"tests/{name}"]
    environment = {**os.environ, "CLOZE_STAND_IN_MODEL": os.path.abspath(options.model), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(place), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", "--tb=short", *selected]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    results = re.findall(r"^(PASSED|FAILED|ERROR) tests/(\w+\.py)", done.stdout, re.M)
    if not results:
        print(done.stdout[-3000:], done.stderr[-3000:])
        return 1
    fine = True
    other_passed = other = 0
    for name in TESTS:
        passed = sum(kind == "PASSED" and file == name for kind, file in results)
        total = sum(file == name for _, file in results)
        print(f"{name}: {passed} of {total} passed")
        if name == "test_util.py":
            fine = fine and passed == total and total >= 18
        else:
            other_passed, other = other_passed + passed, other + total
    fine = fine and other >= 60 and other_passed >= 0.95 * other
    for line in re.findall(r"^(?:FAILED|ERROR) .*", done.stdout, re.M):
        print(line)
    for what, why in LEFT_OUT.items():
        print(f"left out: {what}: {why}")
    if not fine:
        print(done.stdout[-6000:])
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
