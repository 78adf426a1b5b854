# SPDX-License-Identifier: MIT
"""The main job on real data: events in, exports and cohorts out, checked to the cent.

Sends the CDNOW purchase log to the local emulator, sends it again to show that nothing is stored
twice, exports everything, adds up the revenue, and takes a cohort of the best customers there and
back. Run it with `make demo`; run it again and the store in build/demo does not grow.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import cdnow

import tidewheel

FOLDER = Path(__file__).resolve().parent.parent / "build" / "demo"
COHORT = "ten or more purchases"


def progress(items: Iterable, total: int, label: str) -> Iterator:
    """Passes the items on and draws a bar while it does, once where nobody watches."""
    step = max(total // 40, 1) if sys.stderr.isatty() else total
    for done, item in enumerate(items, 1):
        yield item
        if done % step == 0 or done == total:
            bar = "#" * (40 * done // total)
            print(f"\r  {label:<18} [{bar:<40}] {done:>7,}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


class Table:
    """What was done, how much of it, how fast."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self.clock = time.perf_counter()

    def add(self, what: str, count: int, note: str = "") -> None:
        seconds = time.perf_counter() - self.clock
        rate = f"{count / seconds:>10,.0f}/s" if seconds > 0.001 else ""
        self.rows.append((what, f"{count:>9,}", note or rate))
        self.clock = time.perf_counter()

    def show(self) -> None:
        for what, count, note in self.rows:
            print(f"  {what:<34}{count}  {note}")


def send(client: tidewheel.Client, purchases: list[cdnow.Purchase]) -> int:
    """Every purchase as a revenue event, every customer as an identify; returns how many."""
    bought = Counter(p.customer for p in purchases)
    first = {}
    for purchase in purchases:
        first[purchase.customer] = min(
            purchase.time_ms, first.get(purchase.customer, purchase.time_ms)
        )
    for purchase in progress(purchases, len(purchases), "purchases"):
        client.revenue(
            user_id=f"cdnow-{purchase.customer}",
            time=purchase.time_ms,
            insert_id=f"cdnow-purchase-{purchase.line}",
            revenue=float(purchase.dollars),
            event_properties={"cds": purchase.cds},
        )
    for customer, count in progress(bought.items(), len(bought), "customers"):
        client.identify(
            user_id=f"cdnow-{customer}",
            time=first[customer],
            insert_id=f"cdnow-customer-{customer}",
            set_once={"first_purchase": first[customer]},
            add={"purchases": count},
        )
    report = client.flush(timeout=120)
    if report.waiting or report.rejected:
        sys.exit(f"not everything arrived: {report}")
    return len(purchases) + len(bought)


def read_back(client: tidewheel.Client) -> tuple[int, Decimal, Counter]:
    """Counts and adds up what the store holds, from the raw export."""
    now = datetime.now(UTC)
    count, dollars = 0, Decimal(0)
    bought: Counter = Counter()
    for event in client.export(now - timedelta(days=360), now):
        if event["event_type"] == "revenue_amount":
            count += 1
            dollars += Decimal(str(event["event_properties"]["$revenue"]))
            bought[event["user_id"]] += 1
    return count, dollars, bought


def put_cohort(client: tidewheel.Client, app_id: int, ids: list[str]) -> str:
    """Creates the cohort, or replaces what an earlier run left in it; returns its id."""
    existing = next((c.id for c in client.cohorts.list() if c.name == COHORT), None)
    answer = client.cohorts.upload(
        name=COHORT,
        ids=ids,
        id_type="BY_USER_ID",
        app_id=app_id,
        owner="demo@example.com",
        published=True,
        existing_cohort_id=existing,
    )
    return answer.cohort_id


async def get_cohort(emulator: tidewheel.Emulator, cohort_id: str) -> list[dict]:
    """Request, poll, file: without blocking the event loop."""
    async with tidewheel.AsyncClient(
        emulator.api_key, emulator.secret_key, base_url=emulator.url
    ) as client:
        return [row async for row in client.cohorts.download(cohort_id, props=["purchases"])]


def main() -> None:
    purchases = cdnow.read(cdnow.fetch(FOLDER))
    revenue = sum(p.dollars for p in purchases)
    table = Table()
    with (
        tidewheel.Emulator(store=str(FOLDER / "python.db")) as emulator,
        tidewheel.Client(
            emulator.api_key,
            emulator.secret_key,
            base_url=emulator.url,
            on_queue_full="block",
            block_timeout=60,
        ) as client,
    ):
        print(f"Python, against the emulator at {emulator.url}")
        before = read_back(client)[0]
        table.add("purchases in the store at first", before, " ")
        table.add("events sent", send(client, purchases))
        table.add("events sent again, same insert_ids", send(client, purchases))

        count, dollars, bought = read_back(client)
        table.add("purchases exported", count)
        if (count, dollars) != (len(purchases), revenue):
            sys.exit(f"stored {count} worth {dollars}, sent {len(purchases)} worth {revenue}")
        table.add("revenue, to the cent", int(dollars), f"  ${dollars:,} = ${revenue:,}")

        best = sorted(user for user, n in bought.items() if n >= 10)
        cohort_id = put_cohort(client, emulator.app_id, best)
        table.add("cohort uploaded", len(best))
        rows = asyncio.run(get_cohort(emulator, cohort_id))
        table.add("cohort downloaded, by polling", len(rows))
        if {row["user_id"]: int(row["purchases"]) for row in rows} != {
            user: bought[user] for user in best
        }:
            sys.exit("the cohort that came back is not the one that went up")
    table.show()
    print("Python: all equal, nothing stored twice.\n")


if __name__ == "__main__":
    main()
