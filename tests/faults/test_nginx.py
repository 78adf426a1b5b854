# SPDX-License-Identifier: MIT
"""nginx with examples/nginx.conf: reloads, killed workers, an upgrade, all under load (F19)."""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator

import kit
import ledger
import pytest
from web import PATIENCE, Load, alive, free_port, wait_until

import tidewheel

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
MODULES = pathlib.Path("/usr/lib/nginx/modules")
FOUND = NGINX is not None and (MODULES / "ngx_http_lua_module.so").exists()
RELOADS, KILLS = {"T0": (5, 3), "T1": (1000, 100), "T2": (1000, 100)}[
    os.environ.get("TIDEWHEEL_LADDER", "T0")
]

pytestmark = pytest.mark.skipif(
    not FOUND, reason="the Debian packages nginx and libnginx-mod-http-lua are not installed"
)


def command_line(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Nginx:
    """A master with its two workers, from the example; all files in one folder."""

    def __init__(self, emulator: tidewheel.Emulator, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start(emulator)

    def start(self, emulator: tidewheel.Emulator) -> None:
        text = (kit.ROOT / "examples" / "nginx.conf").read_text()
        options = "".join(f"{name} = {value},\n" for name, value in kit.OPTIONS.items())
        options = options.replace("flush_interval = 30", "flush_interval = 0.02")
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        changes = {
            "load_module modules/": f"load_module {MODULES}/",
            # The user is taken from a master that is root only; another's says so in a warning.
            "user www-data;": f"user {getpass.getuser()};",
            "/run/nginx.pid": f"{self.folder}/pid",
            "/var/log/nginx/error.log warn": f"{self.folder}/error.log notice",
            "/usr/share/lua/5.1/?": f"{kit.ROOT}/lua/?",
            "/usr/lib/lua/5.1/?": f"{kit.BUILD}/lua/5.1/?",
            "YOUR_API_KEY": emulator.api_key,
            "https://api2.amplitude.com": emulator.url,
            'spool = "/var/lib/tidewheel",': f'spool = "{self.folder}/spool",\n{options}',
            "127.0.0.1:8080": f"127.0.0.1:{self.port}",
            "access_log off;": f"access_log off;\n{temporary}",
        }
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        conf = self.folder / "nginx.conf"
        conf.write_text(text)
        command = [str(NGINX), "-p", self.folder, "-c", conf, "-e", self.folder / "error.log"]
        # A daemon: a master in the foreground takes no upgrade.
        done = subprocess.run(command, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, self.errors()

    def errors(self) -> str:
        return (self.folder / "error.log").read_text()

    @property
    def master(self) -> int:
        """0 in the moments of an upgrade in which there is none, or two."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((self.folder / "pid").read_text())
        return 0

    def children(self) -> list[int]:
        text = pathlib.Path(f"/proc/{self.master}/task/{self.master}/children").read_text()
        return [int(pid) for pid in text.split()]

    def workers(self) -> list[int]:
        """Those that take requests."""
        named = [(pid, command_line(pid)) for pid in self.children()]
        return [
            pid
            for pid, name in named
            if name.startswith("nginx: worker process") and "shutting down" not in name
        ]

    def reload(self) -> None:
        old = self.children()
        os.kill(self.master, signal.SIGHUP)
        wait_until("a reload", lambda: not any(map(alive, old)) and len(self.workers()) == 2)

    def kill(self, chance: random.Random) -> None:
        victim = chance.choice(self.workers())
        os.kill(victim, signal.SIGKILL)
        wait_until(
            "a worker's successor",
            lambda: victim not in self.children() and len(self.workers()) == 2,
        )

    def upgrade(self) -> None:
        """A new master with new workers beside the old ones, then the old master quits."""
        old = self.master
        os.kill(old, signal.SIGUSR2)
        wait_until("the new master's start", lambda: self.master not in (0, old))
        wait_until("the new workers' start", lambda: len(self.workers()) == 2)
        os.kill(old, signal.SIGQUIT)
        wait_until("the old master's end", lambda: not alive(old))

    def quit(self) -> None:
        last = self.master
        os.kill(last, signal.SIGQUIT)
        wait_until("nginx's end", lambda: not alive(last))


@pytest.fixture
def emulator() -> Iterator[tidewheel.Emulator]:
    with tidewheel.Emulator(throttle=False, journal=False) as emulator:
        yield emulator


@pytest.fixture
def nginx(emulator: tidewheel.Emulator, tmp_path: pathlib.Path) -> Iterator[Nginx]:
    nginx = Nginx(emulator, tmp_path)
    yield nginx
    if nginx.master != 0:  # nginx removes the file when it ends
        nginx.quit()


def check(emulator: tidewheel.Emulator, nginx: Nginx, load: Load) -> ledger.Notes:
    """One more process sends what the last workers left; then each answered event is there."""
    assert load.unexpected == []
    assert [line for line in nginx.errors().splitlines() if "[error]" in line] == []
    case = {
        "url": emulator.url,
        "api_key": emulator.api_key,
        "run": "drain",
        "first": 0,
        "events": 0,
        "users": 1,
        "notes": nginx.folder / "drained",
        "flush": PATIENCE,
        "close": 0,
        "drain": 1,
        "option.spool": nginx.folder / "spool",
    }
    outcome = kit.drive("c", case)
    assert outcome.code == 0, outcome.errors
    assert outcome.said["stats"]["waiting"] == 0, outcome.said
    assert list((nginx.folder / "spool").iterdir()) == []
    notes = ledger.read_notes(*load.paths)
    world = ledger.World(notes, [], list(emulator.ledger()), kit.exported(emulator), killed=True)
    assert ledger.check(world) == []
    return notes


def test_reloads_and_killed_workers(emulator: tidewheel.Emulator, nginx: Nginx) -> None:
    chance = random.Random("F19")
    steps = ["reload"] * RELOADS + ["kill"] * KILLS
    chance.shuffle(steps)
    with Load(nginx.port, nginx.folder, "nginx") as load:
        load.wait_for_some()
        threads = os.listdir(f"/proc/{nginx.master}/task")
        assert len(threads) == 1  # whatever the workers do, nothing was started in the master
        for step in steps:
            if step == "kill":
                nginx.kill(chance)
            else:
                nginx.reload()
            load.wait_for_some()
        nginx.upgrade()
        load.wait_for_some()
    nginx.quit()
    notes = check(emulator, nginx, load)
    print(
        f"\nnginx: {RELOADS} reloads, {KILLS} killed workers, 1 upgrade, "
        f"{len(notes.accepted)} events of answered requests, 0 missing, 0 twice"
    )


def test_a_reload_while_the_server_is_silent(emulator: tidewheel.Emulator, nginx: Nginx) -> None:
    """The old workers do not wait for it: their events go out with the new ones."""
    emulator.faults({"when": "before_commit", "do": {"stall_ms": 60_000}})
    with Load(nginx.port, nginx.folder, "nginx") as load:
        load.wait_for_some()
        nginx.reload()
        load.wait_for_some()
        emulator.faults()
    nginx.quit()
    assert "exited on signal" not in nginx.errors()
    check(emulator, nginx, load)
