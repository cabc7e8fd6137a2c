#!/usr/bin/env python3
"""Races PyTorch, ONNX Runtime, OpenVINO and Cloze at encoding: the same weights, the same token
ids, the same threads, one after another in every round, so that a drift of the machine's speed
touches all alike. Prints medians and ratios, and a table for bench/README.md.

    bench/compare_encode.py --cloze build/release/cloze --threads 2 --rounds 5

Needs (from PyPI): torch transformers onnx onnxscript onnxruntime openvino. Peers that are not
installed are left out, saying so. Each peer gets the settings that its documentation gives for the
lowest time: PyTorch inference mode with SDPA attention (bf16 by autocast-free conversion of the
model), ONNX Runtime all graph optimizations (int8: dynamic, per channel), OpenVINO the LATENCY hint with the inference precision named.

Peers get uneven sequences as one padded rectangle with its attention mask, as their users would.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import print_machine

# The design's uneven case: 32 sentences, 887 tokens, the longest 128.
UNEVEN = [128, 64, 58, 50, 44, 40, 37, 34, 32, 30, 28, 26, 25, 24, 22, 21,
          20, 19, 18, 17, 16, 15, 15, 14, 13, 13, 12, 11, 10, 9, 9, 13]
CASES = {
    "1x16": [16],
    "1x128": [128],
    "8x128": [128] * 8,
    "1x512": [512],
    "uneven": UNEVEN,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloze", default="build/release/cloze", help="the cloze binary")
    parser.add_argument("--model", help="a BERT directory; default: BERT-base with random weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ",".join(CASES))
    parser.add_argument("--dtypes", default="f32,bf16,int8")
    parser.add_argument("--peers", default="torch,onnxruntime,openvino")
    parser.add_argument("--json", help="also write every time to this file")
    return parser.parse_args()


def make_model(directory: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(directory)


class Torch:
    name = "PyTorch"
    dtypes = ("f32", "bf16")

    def __init__(self, directory: Path, dtype: str, threads: int):
        import torch
        from transformers import BertModel

        self.torch = torch
        torch.set_num_threads(threads)
        kind = torch.bfloat16 if dtype == "bf16" else torch.float32
        self.model = BertModel.from_pretrained(directory, attn_implementation="sdpa", dtype=kind).eval()

    def run(self, ids, types, mask) -> None:
        torch = self.torch
        with torch.inference_mode():
            self.model(input_ids=torch.from_numpy(ids), token_type_ids=torch.from_numpy(types),
                       attention_mask=torch.from_numpy(mask))


def export_onnx(directory: Path, path: Path) -> None:
    import torch
    from transformers import BertModel

    model = BertModel.from_pretrained(directory, attn_implementation="eager").eval()

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, token_type_ids, attention_mask):
            output = self.model(input_ids=input_ids, token_type_ids=token_type_ids,
                                attention_mask=attention_mask)
            return output.last_hidden_state, output.pooler_output

    example = torch.ones(2, 9, dtype=torch.int64)
    axes = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("length", min=2, max=512)}
    torch.onnx.export(Wrapper().eval(), (example, torch.zeros_like(example), example), str(path),
                      input_names=["input_ids", "token_type_ids", "attention_mask"],
                      output_names=["last_hidden_state", "pooler_output"], dynamo=True,
                      external_data=False, optimize=True,
                      dynamic_shapes={"input_ids": axes, "token_type_ids": axes, "attention_mask": axes})


class OnnxRuntime:
    name = "ONNX Runtime"
    dtypes = ("f32", "int8")

    def __init__(self, directory: Path, dtype: str, threads: int):
        import onnxruntime as ort

        path = directory / "model.onnx"
        if not path.exists():
            export_onnx(directory, path)
        if dtype == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantized = directory / "model.int8.onnx"
            if not quantized.exists():
                quantize_dynamic(str(path), str(quantized), per_channel=True, weight_type=QuantType.QInt8)
            path = quantized
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = {item.name for item in self.session.get_inputs()}

    def run(self, ids, types, mask) -> None:
        feed = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
        self.session.run(None, {name: value for name, value in feed.items() if name in self.inputs})


class OpenVino:
    name = "OpenVINO"
    dtypes = ("f32", "bf16")

    def __init__(self, directory: Path, dtype: str, threads: int):
        import openvino as ov

        path = directory / "model.onnx"
        if not path.exists():
            export_onnx(directory, path)
        core = ov.Core()
        compiled = core.compile_model(core.read_model(str(path)), "CPU", {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": dtype,
        })
        self.request = compiled.create_infer_request()
        self.inputs = {next(iter(item.get_names())) for item in compiled.inputs}

    def run(self, ids, types, mask) -> None:
        feed = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
        self.request.infer({name: value for name, value in feed.items() if name in self.inputs},
                           share_inputs=True, share_outputs=True)


class Cloze:
    name = "Cloze"
    dtypes = ("f32", "bf16", "int8")

    def __init__(self, directory: Path, dtype: str, threads: int, binary: str):
        self.command = [binary, "bench", "encode", "--model", str(directory), "--dtype", dtype,
                        "--threads", str(threads), "--json"]

    def measure(self, lengths: list[int], iterations: int) -> dict:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(map(str, lengths)) + "\n")
            file.flush()
            done = subprocess.run(
                [*self.command, "--lengths", file.name, "--batch-tokens", "1000000", "--warmup", "2",
                 "--iterations", str(iterations)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def rectangle(lengths: list[int], vocabulary: int):
    import numpy as np

    generator = np.random.default_rng(0)
    longest = max(lengths)
    ids = generator.integers(1, vocabulary, (len(lengths), longest), dtype=np.int64)
    mask = (np.arange(longest)[None, :] < np.array(lengths)[:, None]).astype(np.int64)
    return ids * mask, np.zeros_like(ids), mask


def main() -> None:
    options = arguments()
    print_machine(options.cloze, options.threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(options.model) if options.model else Path(scratch) / "model"
        if not options.model:
            make_model(directory)
        elif not (directory / "model.onnx").exists():
            copy = Path(scratch) / "model"  # exports never go into the user's directory
            copy.mkdir()
            for file in directory.iterdir():
                if file.is_file():
                    (copy / file.name).symlink_to(file.resolve())
            directory = copy
        vocabulary = json.loads((directory / "config.json").read_text())["vocab_size"]
        kinds = {"torch": Torch, "onnxruntime": OnnxRuntime, "openvino": OpenVino}
        runners: list[tuple[str, str, object]] = []
        for dtype in options.dtypes.split(","):
            for peer in options.peers.split(","):
                if dtype in kinds[peer].dtypes:
                    try:
                        runners.append((kinds[peer].name, dtype, kinds[peer](directory, dtype, options.threads)))
                    except ImportError as missing:
                        print(f"{kinds[peer].name} left out: {missing}", file=sys.stderr)
            runners.append((Cloze.name, dtype, Cloze(directory, dtype, options.threads, options.cloze)))

        results: dict[str, dict[str, list[float]]] = {}
        fractions: dict[str, dict[str, list[float]]] = {}
        for case in options.cases.split(","):
            lengths = CASES[case]
            batch = rectangle(lengths, vocabulary)
            iterations = 20 if sum(lengths) <= 16 else 8 if sum(lengths) <= 128 else 3
            times: dict[str, list[float]] = {}
            for name, dtype, runner in runners:
                if not isinstance(runner, Cloze):
                    runner.run(*batch)  # warm up: shapes are compiled on first use
            for _ in range(options.rounds):
                for name, dtype, runner in runners:
                    key = f"{name} {dtype}"
                    if isinstance(runner, Cloze):
                        measured = runner.measure(lengths, iterations)
                        times.setdefault(key, []).append(measured["ms_median"])
                        fractions.setdefault(case, {}).setdefault(key, []).append(measured["fraction_of_gemm"])
                        continue
                    samples = []
                    for _ in range(iterations):
                        start = time.perf_counter()
                        runner.run(*batch)
                        samples.append((time.perf_counter() - start) * 1e3)
                    times.setdefault(key, []).append(statistics.median(samples))
                    time.sleep(0.05)  # let its spinning threads go to sleep before the next peer
            results[case] = times
            report(case, times, fractions.get(case, {}))
        if options.json:
            Path(options.json).write_text(json.dumps({"times_ms": results, "fraction_of_gemm": fractions}, indent=1))
        table(results)


def report(case: str, times: dict[str, list[float]], fractions: dict[str, list[float]]) -> None:
    print(f"\n{case}")
    medians = {key: statistics.median(values) for key, values in times.items()}
    for key, value in medians.items():
        dtype = key.split()[-1]
        line = f"  {key:<20} {value:9.2f} ms"
        if key in fractions:
            line += f"   {100 * statistics.median(fractions[key]):5.1f} % of GEMM"
        elif f"Cloze {dtype}" in medians:
            # Ratios of the same round, so that both saw the machine in the same state.
            ratios = [a / b for a, b in zip(times[key], times[f"Cloze {dtype}"])]
            line += f"   Cloze is {statistics.median(ratios):5.2f} times as fast"
        print(line)


def table(results: dict[str, dict[str, list[float]]]) -> None:
    cases = list(results)
    print("\n| encode, ms | " + " | ".join(cases) + " |\n|---" * 1 + "|---" * len(cases) + "|")
    for key in results[cases[0]]:
        print(f"| {key} | " + " | ".join(f"{statistics.median(results[c][key]):.1f}" for c in cases) + " |")


if __name__ == "__main__":
    main()
