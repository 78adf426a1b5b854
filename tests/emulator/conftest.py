# SPDX-License-Identifier: MIT
"""Fixtures of the emulator's tests."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest
from emulator_api import Api

from tidewheel.emulator import Emulator


@pytest.fixture
def emu() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def api(emu: Emulator) -> Iterator[Api]:
    client = Api(emu)
    yield client
    client.connection.close()


@pytest.fixture
def program() -> str:
    """Path of the tidewheel-emulator executable."""
    root = pathlib.Path(__file__).parents[2]
    given = os.environ.get("TIDEWHEEL_EMULATOR")
    path = pathlib.Path(given) if given else root / "build" / "release" / "tidewheel-emulator"
    if not path.exists():
        pytest.skip("tidewheel-emulator is not built")
    return str(path)
