# SPDX-License-Identifier: MIT
"""Keep a tracking plan in a file: pull it, edit it, see the difference, apply it.

    tracking_plan.py pull plan.json
    tracking_plan.py diff plan.json
    tracking_plan.py apply plan.json

The keys come from AMPLITUDE_API_KEY and AMPLITUDE_SECRET_KEY; TIDEWHEEL_URL names an emulator.
"""

import json
import os
import sys
from pathlib import Path

import tidewheel


def main(command: str, path: Path) -> int:
    """Do what the command says; 1 where a diff found something."""
    keys = os.environ["AMPLITUDE_API_KEY"], os.environ["AMPLITUDE_SECRET_KEY"]
    with tidewheel.Client(*keys, base_url=os.environ.get("TIDEWHEEL_URL")) as client:
        if command == "pull":
            text = json.dumps(client.taxonomy.pull(), indent=1, ensure_ascii=False)
            path.write_text(text + "\n")
            return 0
        diff = client.taxonomy.plan(json.loads(path.read_text()))
        print(diff)
        if command == "apply":
            client.taxonomy.apply(diff)
            return 0
        return 1 if diff else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("pull", "diff", "apply"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
