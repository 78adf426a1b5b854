# SPDX-License-Identifier: MIT
"""Events per second that the emulator takes in: python load.py EMULATOR [events] [store].

Bodies are made before the clock starts; one keep-alive connection per sender thread.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import uuid

BATCH = 1000


def body(key: str, first: int) -> bytes:
    events = [
        {
            "user_id": f"customer-{(first + i) % 20000:06d}",
            "device_id": f"device-{(first + i) % 20000:06d}",
            "event_type": ("Page Viewed", "Basket Opened", "Checkout Done")[i % 3],
            "time": 1795000000000 + first + i,
            "insert_id": str(uuid.uuid4()),
            "session_id": 1795000000000,
            "platform": "Web",
            "country": "Chile",
            "event_properties": {
                "path": "/products/garden/chairs/folding",
                "referrer": "https://shop.test/search?q=chair",
                "position": i,
                "price": 19.99,
                "tags": ["garden", "sale"],
                "first": False,
            },
            "user_properties": {"tier": "gold", "city": "Valparaiso"},
        }
        for i in range(BATCH)
    ]
    return json.dumps({"api_key": key, "events": events}, separators=(",", ":")).encode()


def send(host: str, port: int, requests: list[bytes]) -> None:
    with socket.create_connection((host, port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            s.sendall(request)
            reply = b""
            while b"\r\n\r\n" not in reply or not reply.rstrip().endswith(b"}"):
                part = s.recv(65536)
                if not part:
                    raise SystemExit("the connection was closed")
                reply += part
            if not reply.startswith(b"HTTP/1.1 200"):
                raise SystemExit(reply.decode())


def main() -> None:
    total = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    store = sys.argv[3] if len(sys.argv) > 3 else ":memory:"
    command = [sys.argv[1], "--exit-with-stdin", "--store", store]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    info = json.loads(process.stdout.readline())
    host, port = info["url"][7:].split(":")
    requests = []
    for first in range(0, total, BATCH):
        data = body(info["api_key"], first)
        head = f"POST /batch HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
        requests.append(head.encode() + data)
    size = sum(map(len, requests))
    for senders in (1, 2):
        part = requests[(senders - 1) :: 2] if total > BATCH else requests
        threads = [
            threading.Thread(target=send, args=(host, int(port), part[i::senders]))
            for i in range(senders)
        ]
        start = time.perf_counter()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        spent = time.perf_counter() - start
        n = len(part) * BATCH
        print(f"{senders} connection(s): {n} events in {spent:.2f} s, {n / spent:,.0f}/s")
    proc = pathlib.Path(f"/proc/{process.pid}")
    peak = re.search(r"VmHWM:\s+(\d+)", (proc / "status").read_text())
    cpu = (proc / "stat").read_text().split()
    ticks = (int(cpu[13]) + int(cpu[14])) / 100
    print(
        f"{size / total:.0f} bytes an event; emulator: {ticks / total * 1e6:.1f} us CPU an event, "
        f"peak {int(peak[1]) // 1024 if peak else 0} MiB"
    )
    process.stdin.close()
    process.wait(20)


if __name__ == "__main__":
    main()
