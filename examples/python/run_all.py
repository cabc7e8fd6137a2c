"""Runs the examples of this folder with a model, as CI does. What needs a package that is not installed, or an
engine that does not start here, is skipped, and named. What does not end is ended, and named.

python run_all.py MODEL
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

here = Path(__file__).resolve().parent
model = sys.argv[1]

# Seconds. An example takes a minute at most on two cores; who waits longer waits for nothing.
LONGEST = float(os.environ.get("CLOZE_EXAMPLE_SECONDS", "300"))

# What Ray must be able to do: start its processes, and run a task in one of them.
RAY_STARTS = """
import ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
assert ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=60) == 42
ray.shutdown()
"""


def finish(command: list[str], seconds: float, quiet: bool = False) -> tuple[bool, str]:
    """Whether a command of Python ended well in so many seconds; what was wrong. It and all that it started are
    ended otherwise."""
    pipe = subprocess.PIPE if quiet else None
    errors = subprocess.STDOUT if quiet else None
    process = subprocess.Popen(
        [sys.executable, *command], cwd=here, start_new_session=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=errors
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end_group(process.pid)
        process.wait()
        return False, f"did not end within {seconds:.0f} s"
    except BaseException:
        end_group(process.pid)
        raise
    if process.returncode == 0:
        return True, ""
    last = (output or b"").decode(errors="replace").strip().splitlines()[-1:]
    return False, f"ended with {process.returncode}" + "".join(f": {line}" for line in last)


def end_group(leader: int) -> None:
    """Ends a process and those that it started. Ray's own look after their driver, and end when it is gone."""
    try:
        os.killpg(leader, signal.SIGTERM)
        time.sleep(2)
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(*command: str) -> None:
    print("$", " ".join(command), flush=True)
    start = time.monotonic()
    fine, problem = finish(list(command), LONGEST)
    if not fine:
        sys.exit(f"FAILED: {' '.join(command)} {problem}")
    print(f"  ({time.monotonic() - start:.1f} s)", flush=True)


def has(*modules: str) -> bool:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
    return not missing


def engines() -> list[str]:
    """Those of embed_parquet.py that start here."""
    if not has("ray"):
        return ["processes"]
    fine, problem = finish(["-c", RAY_STARTS], 120, quiet=True)
    if not fine:
        print(f"skipped: Ray is installed and does not start here: it {problem}")
        return ["processes"]
    return ["processes", "ray"]


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
        for engine in engines():
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
