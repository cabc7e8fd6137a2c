"""The texts of a table to vectors, in batches, on all cores of a machine or on a cluster.

python embed_parquet.py MODEL IN.parquet OUT [--engine processes|ray] [--workers 2] [--column text]

One process of Cloze uses all cores by itself; more processes help where each has cores of its own, which is
what CLOZE_NUM_THREADS divides here. Needs pyarrow, and for --engine ray the package "ray[data]".
"""

import argparse
import multiprocessing
import os
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

model: Any = None


def load(name: str, threads: int) -> None:
    """Once in each process of the pool."""
    global model
    os.environ["CLOZE_NUM_THREADS"] = str(threads)
    from cloze import SentenceTransformer

    model = SentenceTransformer(name)


def embed(texts: list[str]) -> Any:
    return model.encode(texts)


def with_processes(options: argparse.Namespace, threads: int) -> int:
    table = pq.read_table(options.source)
    texts = table[options.column].to_pylist()
    parts = [texts[i : i + 1024] for i in range(0, len(texts), 1024)]
    # "spawn": the workers begin fresh, as they would on another machine.
    with multiprocessing.get_context("spawn").Pool(options.workers, load, (options.model, threads)) as pool:
        vectors = [row for part in pool.imap(embed, parts) for row in part]
    column = pa.array([row.tolist() for row in vectors], pa.list_(pa.float32()))
    os.makedirs(options.output, exist_ok=True)
    pq.write_table(table.append_column("embedding", column), os.path.join(options.output, "part-0.parquet"))
    return len(texts)


def with_ray(options: argparse.Namespace, threads: int) -> int:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no word to anybody
    import ray

    # One more than the workers take: reading and writing are tasks of their own, and without a free CPU for them
    # nothing would ever begin.
    ray.init(num_cpus=options.workers + 1, include_dashboard=False, log_to_driver=False)

    class Embedder:
        def __init__(self) -> None:
            load(options.model, threads)

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {**batch, "embedding": embed(list(batch[options.column]))}

    # A small file is one block, which one worker would do alone.
    data = ray.data.read_parquet(options.source, override_num_blocks=2 * options.workers)
    data = data.map_batches(Embedder, batch_size=1024, concurrency=options.workers, num_cpus=1)
    data.write_parquet(options.output)
    return int(pq.read_table(options.source).num_rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--engine", choices=["processes", "ray"], default="processes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--column", default="text")
    options = parser.parse_args()
    threads = max(1, (os.cpu_count() or 1) // options.workers)
    start = time.perf_counter()
    rows = (with_ray if options.engine == "ray" else with_processes)(options, threads)
    taken = time.perf_counter() - start
    print(f"{rows} lines in {taken:.1f} s: {rows / taken:.0f} lines/s, start of the workers included")


if __name__ == "__main__":
    main()
