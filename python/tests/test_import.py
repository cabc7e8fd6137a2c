"""What an import costs, and what it brings along."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

import cloze


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_brings_nothing_along() -> None:
    loaded = run(
        "import sys, cloze; cloze.BertTokenizer; cloze.BertModel; cloze.SentenceTransformer; cloze.pipeline;"
        "print([name for name in ('torch', 'tqdm', 'transformers', 'tokenizers', 'pandas') if name in sys.modules])"
    )
    assert loaded == "[]"


def test_import_is_quick() -> None:
    def best(code: str) -> float:
        """Seconds of processor time, which other work on the machine changes less than the clock's."""
        taken = []
        for _ in range(7):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(code)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(taken)

    beyond = best("import numpy, cloze") - best("import numpy")
    assert beyond <= 0.05


def test_all_names_are_there() -> None:
    for name in cloze.__all__:
        assert getattr(cloze, name) is not None
    assert set(cloze.__all__) <= set(dir(cloze))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Trainer'"):
        cloze.Trainer  # noqa: B018


def test_version() -> None:
    assert cloze.__version__.count(".") == 2
    assert cloze.show_versions()["cloze"] == cloze.__version__
