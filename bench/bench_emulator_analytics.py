# SPDX-License-Identifier: MIT
"""Analytics of the emulator over a million events: ingestion, first and later queries, memory.

Bodies are made before the clock starts; one connection sends them, 2,000 events at a time. The
first query after ingestion also makes the picture that later ones share. Times are wall seconds
of one request as its client sees them; memory is the peak of the emulator's process.
"""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import os
import random
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import OUT, ROOT

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
USERS = EVENTS // 20
DAYS = 90
START = datetime.date(2026, 3, 1)
TARGETS = {
    "ingest": 15.0, "segmentation, first": 1.0, "segmentation": 1.0, "funnel, four steps": 2.0,
    "retention, 90 days": 2.0,
}  # fmt: skip
STEPS = ["Shop Opened", "Product Viewed", "Basket Filled", "Checkout Done"]
WEIGHTS = [40, 40, 14, 6]
COUNTRIES = ["Chile", "France", "Norway", "Kenya", "Japan", "Peru", "Canada", "Italy"]


def bodies(api_key: str) -> list[bytes]:
    rng = random.Random(11)
    midnight = int(datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC).timestamp() * 1000)
    times = sorted(rng.randrange(DAYS * 86_400_000) for _ in range(EVENTS))
    made = []
    for first in range(0, EVENTS, 2000):
        events = []
        for n in range(first, min(first + 2000, EVENTS)):
            user = int(rng.paretovariate(0.9) * 40) % USERS if n % 3 else rng.randrange(USERS)
            kind = rng.choices(STEPS, WEIGHTS)[0]
            events.append(
                {
                    "event_type": kind,
                    "user_id": f"customer-{user:06d}",
                    "device_id": f"device-{user:06d}",
                    "insert_id": f"row-{n}",
                    "time": midnight + times[n],
                    "session_id": midnight + times[n] // 7_200_000 * 7_200_000,
                    "country": COUNTRIES[user % 8],
                    "platform": ["iOS", "Android", "Web"][user % 3],
                    "app_version": f"2.{user % 5}",
                    "event_properties": {
                        "product": f"p{rng.randrange(500)}",
                        "price": round(rng.random() * 100, 2),
                        "position": rng.randrange(20),
                        "campaign": rng.choice(["none", "spring", "mail"]),
                    },
                    "user_properties": {"tier": ["bronze", "silver", "gold"][user % 3]},
                }
            )
        body = {"api_key": api_key, "events": events}
        made.append(json.dumps(body, separators=(",", ":")).encode())
    return made


class Emulator:
    def __init__(self) -> None:
        switches = {"cost_limits": False, "throttle": False, "journal": False}
        binary = ROOT / "build" / "release" / "tidewheel-emulator"
        self.process = subprocess.Popen(
            [str(binary), "--switches", json.dumps(switches)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.info: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.connection = http.client.HTTPConnection(self.info["url"].removeprefix("http://"))

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        self.connection.request(method, path, body, headers)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {text[:200]!r}")
        return text

    def get(self, path: str, **query: Any) -> bytes:
        pair = f"{self.info['api_key']}:{self.info['secret_key']}".encode()
        basic = "Basic " + base64.b64encode(pair).decode()
        text = urllib.parse.urlencode(query, doseq=True)
        return self.call("GET", f"{path}?{text}", Authorization=basic)

    def cpu(self) -> float:
        """CPU seconds of the emulator so far: the machine may be shared."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel did not tell VmHWM")


def event(name: str, **keys: Any) -> str:
    return json.dumps({"event_type": name, **keys})


def queries() -> dict[str, tuple[str, dict[str, Any]]]:
    last = START + datetime.timedelta(days=DAYS - 1)
    days = {"start": f"{START:%Y%m%d}", "end": f"{last:%Y%m%d}"}
    by_product = [{"type": "event", "value": "product"}]
    segmentation = "/api/2/events/segmentation"
    bought = [{"type": "event", "event_type": "Checkout Done", "filters": [], "op": ">=",
               "value": 1, "time_type": "forEachInterval", "time_value": 7}]  # fmt: skip
    return {
        "segmentation, first": (
            segmentation, {"e": event("_active"), "g": "country", **days}),
        "segmentation": (segmentation, {"e": event("_active"), "g": "country", **days}),
        "segmentation by 500 values": (
            segmentation, {"e": event("Product Viewed", group_by=by_product), **days}),
        "segmentation of performers": (
            segmentation, {"e": event("_active"), "s": json.dumps(bought), **days}),
        "rolling window of 30 days": (
            segmentation, {"e": event("_active"), "rollingWindow": 30, **days}),
        "new users": ("/api/2/users", {"m": "new", **days}),
        "funnel, four steps": ("/api/2/funnels", {"e": [event(s) for s in STEPS], **days}),
        "funnel, unordered": (
            "/api/2/funnels", {"e": [event(s) for s in STEPS], "mode": "unordered", **days}),
        "retention, 90 days": (
            "/api/2/retention", {"se": event("_active"), "re": event("_active"), **days}),
        "retention of new users": (
            "/api/2/retention", {"se": event("_new"), "re": event("_active"), **days}),
        "session length": ("/api/2/sessions/average", days),
        "LTV": ("/api/2/revenue/ltv", days),
    }  # fmt: skip


def main() -> int:
    emulator = Emulator()
    found: dict[str, float] = {}
    try:
        made = bodies(emulator.info["api_key"])
        began = time.perf_counter()
        for body in made:
            emulator.call("POST", "/batch", body, **{"Content-Type": "application/json"})
        found["ingest"] = time.perf_counter() - began
        cpu = emulator.cpu()
        for name, (path, query) in queries().items():
            began = time.perf_counter()
            emulator.get(path, **query)
            found[name] = time.perf_counter() - began
        memory = emulator.peak_mib()
    finally:
        emulator.process.terminate()
        emulator.process.wait()
    for name, seconds in found.items():
        target = f"   target {TARGETS[name]:g} s" if name in TARGETS else ""
        print(f"{name:30} {seconds:8.3f} s{target}")
    print(f"{'ingest, CPU':30} {cpu:8.3f} s")
    print(f"{'peak memory':30} {memory:8.0f} MiB target 1024 MiB")
    OUT.mkdir(parents=True, exist_ok=True)
    result = {"events": EVENTS, "seconds": found, "ingest_cpu_s": cpu, "peak_mib": memory}
    (OUT / "emulator_analytics.json").write_text(json.dumps(result, indent=1))
    met = all(found[name] <= target for name, target in TARGETS.items()) and memory <= 1024
    return 0 if met or EVENTS < 1_000_000 else 1


if __name__ == "__main__":
    sys.exit(main())
