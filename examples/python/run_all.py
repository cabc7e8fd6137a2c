"""Runs the examples of this folder with a model, as CI does. What needs a package that is not installed is
skipped, and named.

python run_all.py MODEL
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
model = sys.argv[1]


def run(*command: str) -> None:
    print("$", " ".join(command), flush=True)
    subprocess.run([sys.executable, *command], check=True, cwd=here, timeout=300)  # a minute at most on two cores


def has(*modules: str) -> bool:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
    return not missing


with tempfile.TemporaryDirectory() as place:
    run("first_steps.py", model)
    run("search.py", model, str(here.parent / "sentences.txt"), "how do I keep a cat off the sofa")
    run("fine_tune.py", model, f"{place}/tuned")
    if has("pyarrow"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        lines = (here.parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
        table = pa.table({"text": [f"{line} ({i})" for i in range(3000 // len(lines)) for line in lines]})
        pq.write_table(table, f"{place}/texts.parquet")
        for engine in ("processes", *(("ray",) if has("ray") else ())):
            run("embed_parquet.py", model, f"{place}/texts.parquet", f"{place}/{engine}", "--engine", engine)
            made = pq.read_table(f"{place}/{engine}")
            assert made.num_rows == table.num_rows and len(made["embedding"][0]) > 8
            one, other = made["embedding"].to_pylist(), made["text"].to_pylist()
            from cloze import SentenceTransformer

            wanted = SentenceTransformer(model).encode(other[:50])
            assert all(abs(a - b) < 1e-4 for row, got in zip(wanted.tolist(), one[:50]) for a, b in zip(row, got))
    if has("nbclient", "nbformat", "ipykernel"):
        import nbformat
        from nbclient import NotebookClient

        os.environ["CLOZE_EXAMPLE_MODEL"] = model
        notebook = nbformat.read(here / "tour.ipynb", as_version=4)
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
        shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert any("<iframe sandbox" in output.get("data", {}).get("text/html", "") for output in shown)
        assert any("<table>" in output.get("data", {}).get("text/html", "") for output in shown)
        print("tour.ipynb ran")
