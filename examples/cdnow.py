# SPDX-License-Identifier: MIT
"""The CDNOW purchase log: 69,659 purchases of 23,570 customers of a CD shop, 1997 to 1998.

The `lifetimes` package on PyPI carries it; only the data file is taken out of its wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

PACKAGE = "lifetimes==0.11.3"
MEMBER = "lifetimes/datasets/CDNOW_master.txt"


class Purchase(NamedTuple):
    line: int  # in the log, from 1: makes a stable insert_id
    customer: str
    time_ms: int
    cds: int
    dollars: Decimal


def fetch(folder: Path) -> Path:
    """The data file, downloaded once."""
    path = folder / "CDNOW_master.txt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "-d", scratch, PACKAGE], check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                part = Path(archive.extract(MEMBER, scratch))
            part.rename(path)
    return path


def read(path: Path) -> list[Purchase]:
    purchases = []
    with path.open(encoding="ascii") as lines:
        next(lines)  # the header
        for number, line in enumerate(lines, 1):
            customer, day, cds, dollars = line.split()
            time = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
            ms = int(time.timestamp()) * 1000
            purchases.append(Purchase(number, customer, ms, int(cds), Decimal(dollars)))
    return purchases
