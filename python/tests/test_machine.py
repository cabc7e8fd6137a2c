import subprocess
import sys
from pathlib import Path

import cloze


def test_says_what_best_is(tmp_path: Path, models: dict[str, str]) -> None:
    info = cloze.machine_info()
    assert info.processor and info.reason and "oneDNN" in info.library
    assert info.threads == cloze.get_num_threads() and info.f32_gflops > 0
    assert info.best == "bfloat16" or info.bf16_gflops is None or info.bf16_gflops < 1.2 * info.f32_gflops
    assert cloze.BertModel.from_pretrained(models["BertModel"], dtype="best").dtype == info.best


def test_without_a_folder_to_keep_it_in() -> None:
    code = "import cloze; print(cloze.machine_info().kept_in)"
    told = subprocess.run(
        [sys.executable, "-c", code], env={"CLOZE_CACHE": "/dev/null/x", "PATH": ""}, capture_output=True, text=True
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "None\n", "")
