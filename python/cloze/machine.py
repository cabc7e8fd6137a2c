"""The machine that Cloze computes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import _cloze

__all__ = ["MachineInfo", "machine_info"]


@dataclass(frozen=True)
class MachineInfo:
    """A processor, and what was measured on it. Rates are those of all threads together, None where the
    processor has no instructions for the dtype."""

    processor: str
    instruction_sets: tuple[str, ...]
    library: str
    threads: int
    f32_gflops: float
    bf16_gflops: Optional[float]
    int8_gops: Optional[float]
    best: str
    reason: str
    kept_in: Optional[Path]


def machine_info() -> MachineInfo:
    """Measures the machine, which takes about 10 ms: its processor, the instruction sets that products can use,
    their rates, and which dtype `dtype="best"` is here ("float32" or "bfloat16"), why, and where that is kept.

    >>> import cloze
    >>> cloze.machine_info().best in ("float32", "bfloat16")
    True
    """
    found = _cloze.machine_info()
    kept = found["kept_in"]
    return MachineInfo(
        **{**found, "instruction_sets": tuple(found["instruction_sets"]), "kept_in": Path(kept) if kept else None}
    )
