# SPDX-License-Identifier: MIT
"""Encoding events and decoding export lines in Lua, beside lua-cjson, under each interpreter."""

import json
import os
import subprocess

import harness

BUILD = harness.ROOT / os.environ.get("TIDEWHEEL_BUILD", "build/release")
INTERPRETERS = {"lua5.4": "5.4", "luajit": "5.1"}
# `fields` is the decoding of 10 of the about 50 fields of a line.
GOALS = {"encode": 1.7, "decode": 1.5, "fields": 8.0}


def run(interpreter: str, abi: str) -> dict:
    environment = os.environ | {
        "LUA_PATH": f"{harness.ROOT}/lua/?.lua;{harness.ROOT}/lua/?/init.lua;;",
        "LUA_CPATH": f"{BUILD}/lua/{abi}/?.so;;",
    }
    done = subprocess.run(
        [interpreter, harness.ROOT / "bench" / "lua_json.lua"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures = json.loads(done.stdout)
    for name, goal in GOALS.items():
        figures[name]["ratio"] = figures[name]["tidewheel"] / figures[name]["lua-cjson"]
        figures[name]["goal"] = goal
    return figures


def main() -> None:
    results = {interpreter: run(interpreter, abi) for interpreter, abi in INTERPRETERS.items()}
    print(f"\n{'lua_json':22} {'tidewheel /CPU s':>17} {'lua-cjson /CPU s':>17}  x lua-cjson")
    for interpreter, figures in results.items():
        for name, goal in GOALS.items():
            row = figures[name]
            print(
                f"{interpreter + ' ' + name:22} {row['tidewheel']:17,.0f} {row['lua-cjson']:17,.0f}"
                f"  {row['ratio']:.2f} (goal {goal})"
            )
    harness.OUT.mkdir(parents=True, exist_ok=True)
    result = {"benchmark": "lua_json", "baseline": "lua-cjson", "results": results}
    (harness.OUT / "lua_json.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
