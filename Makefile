# SPDX-License-Identifier: MIT
# make demo, make test; `make help` lists the rest. Each prepares the machine first (tools/setup).
PYTHON := .venv/bin/python
package := .venv/.tidewheel

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help setup build library test prove demo bench lint format sanitize tsan fuzz wheel clean

help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup:
	@tools/setup --no-build

build: setup library $(package) ## .venv with the package; build/release with the rest

library: setup
	@tools/cmake-build release

# The stamp lies in .venv: a new .venv gets the package again. Its inputs are
# found anew each time, so that a new or a deleted file counts as well.
python_inputs := $(shell find core bindings/python emulator python -name __pycache__ -prune -o \
    -name '*.egg-info' -prune -o \( -type f -o -type d \) -print 2>/dev/null)

$(package): setup.py pyproject.toml tools/install-python $(python_inputs) | setup
	@tools/install-python
	@touch $@

test: build      ## C, Python, Lua 5.4 and LuaJIT
	@tools/test

prove: build     ## the full ladder: every fault, thousands of kills; writes docs/evidence
	@tools/cmake-build dev
	@tools/prove

demo: build      ## a real job against the emulator, in Python and in Lua
	@tools/demo

bench: build     ## measurements beside other libraries; results in build/bench
	@tools/bench

lint: setup      ## formatting, static checks, types, house rules
	@tools/lint

format: setup    ## formats C and Python in place
	@tools/lint --fix

sanitize: setup  ## the suites of all languages under ASan and UBSan
	@tools/sanitize

tsan: setup      ## the C tests under the thread sanitizer
	@tools/cmake-build tsan
	@ctest --preset tsan

fuzz: setup      ## each fuzz target for FUZZ_SECONDS (30)
	@tools/fuzz

wheel: setup     ## dist/*.whl, linked with the libraries of this system
	@$(PYTHON) -m pip wheel -q --no-build-isolation --no-deps -w dist .

clean:           ## all but .venv
	@rm -rf build dist python/*.egg-info .mypy_cache .pytest_cache .ruff_cache
