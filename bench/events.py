# SPDX-License-Identifier: MIT
"""Made-up data for the benchmarks, the same on every run: events to send, rows to export."""

from __future__ import annotations

import gzip
import json
import random
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENT_TYPES = ["Level Start", "Level End", "Item Bought", "Ad Watched", "Session Ping"]
CITIES = ["Valparaíso", "Zürich", "São Paulo", "Kyōto", "Łódź", "Austin", "Lagos", "Hà Nội"]
NULLS = [
    "$insert_key $schema adid amplitude_attribution_ids amplitude_event_type device_brand",
    "device_carrier device_family device_manufacturer device_model dma global_user_properties",
    "idfa is_attribution_event location_lat location_lng partner_id sample_rate",
]


def sent(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Events as an application builds them, some 520 bytes: ids, time, device, 8 event and 3 user
    properties."""
    rng = random.Random(seed)
    base = 1767225600000
    return [
        {
            "event_type": rng.choice(EVENT_TYPES),
            "user_id": f"player-{rng.randrange(100_000):06d}",
            "time": base + i,
            "insert_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "device_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "session_id": base - rng.randrange(3_600_000),
            "platform": rng.choice(["iOS", "Android"]),
            "os_version": "19.2",
            "app_version": "2.4.1",
            "country": "Chile",
            "event_properties": {
                "level": rng.randrange(100),
                "score": rng.random() * 1000,
                "won": rng.random() < 0.5,
                "mode": rng.choice(["story", "arena", "daily"]),
                "city": rng.choice(CITIES),
                "items": [rng.choice(["potion", "key", "map"]) for _ in range(3)],
                "duration_ms": rng.randrange(600_000),
                "source": "quest board",
            },
            "user_properties": {"tier": "gold", "friends": rng.randrange(50), "beta": False},
        }
        for i in range(count)
    ]


def row(rng: random.Random, at: int) -> dict[str, Any]:
    """One export row with every documented column."""
    stamp = f"2026-03-01 {at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d}.{at % 1000:03d}000"
    user = rng.randrange(50_000)
    fields: dict[str, Any] = dict.fromkeys(" ".join(NULLS).split())
    fields |= {
        "$insert_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "amplitude_id": 902_117_000_000 + user,
        "app": 501177,
        "city": rng.choice(CITIES),
        "country": "Chile",
        "data": {"path": "/2/httpapi", "user_properties_updated": True, "group_ids": {}},
        "data_type": "event",
        "device_id": str(uuid.UUID(int=user, version=5)),
        "device_type": "Apple iPhone",
        "event_id": rng.randrange(2**31),
        "event_properties": {
            f"{word}_{i}": rng.choice([rng.randrange(10**6), rng.random(), "wörd " * 4, True])
            for i, word in enumerate(["level", "score", "mode", "path"] * rng.randrange(2, 4))
        },
        "event_type": rng.choice(EVENT_TYPES),
        "group_properties": {},
        "groups": {},
        "ip_address": "203.0.113.7",
        "language": "Spanish",
        "library": "http/2.0",
        "os_name": "ios",
        "os_version": "19.2",
        "paying": None,
        "plan": {},
        "platform": "iOS",
        "region": None,
        "session_id": 1_772_352_000_000 + user,
        "source_id": "",
        "start_version": "1.0.0",
        "user_creation_time": stamp,
        "user_id": f"player-{user:06d}",
        "user_properties": {
            f"trait_{i}": rng.choice(["gold", 17, 0.25, None, ["a", "b"]])
            for i in range(rng.randrange(5, 18))
        },
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "version_name": "2.4.1",
    }
    for name in ("client_event", "client_upload", "event", "processed", "server_received"):
        fields[f"{name}_time"] = stamp
    fields["server_upload_time"] = stamp
    return dict(sorted(fields.items()))


def lines(count: int, seed: int = 11) -> Iterator[bytes]:
    rng = random.Random(seed)
    for i in range(count):
        text = json.dumps(row(rng, i), ensure_ascii=False, separators=(",", ":"))
        yield text.encode() + b"\n"


def archive(folder: Path, count: int, members: int = 24) -> Path:
    """A day as the export endpoint sends it: stored gzip members. Made once, then kept."""
    path = folder / f"export-{count}.zip"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    source = lines(count)
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out:
        for hour in range(members):
            share = count * (hour + 1) // members - count * hour // members
            text = b"".join(next(source) for _ in range(share))
            out.writestr(f"501177/501177_2026-03-01_{hour}#0.json.gz", gzip.compress(text, 6))
    part.rename(path)
    return path
