"""Writes what was measured to bench/results/, with what it was measured on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.scratch import ROOT

FOLDER = ROOT / "bench" / "results"


def write(rounds: Sequence[Mapping[str, float]], of: str = "", **more: Any) -> Path:
    """Write all rounds and their medians; `of` names the part that was measured. Return the file."""
    return keep(of, medians=report.medians(rounds), rounds=list(rounds), **more)


def keep(of: str, **content: Any) -> Path:
    """Write figures of any form, with when, of which revision and on how many processors. Return the file."""
    FOLDER.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    file = FOLDER / f"{now:%Y%m%dT%H%M%SZ}{of and f'-{of}'}.json"
    document = {
        "at": now.isoformat(timespec="seconds"),
        "revision": revision,
        "processors": os.cpu_count(),
        **content,
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
    return file
