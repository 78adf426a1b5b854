# SPDX-License-Identifier: MIT
"""House rules that no other checker knows: file heads, banned functions, layers, sizes.

Usage: tools/check_source.py [FILE...]; without arguments every source file. Prints one line per
violation and exits with 1 if there is any.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bench", "bindings", "core", "emulator", "examples", "lua", "python", "tests", "tools")
SUFFIXES = {".c", ".h", ".py", ".pyi", ".lua"}
COLUMNS, LINES = 100, 1000

# Each has a bounded or a locale-free counterpart.
BANNED = ("strcpy", "strcat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "atof", "gets")
# setlocale is process-wide; cJSON_GetErrorPtr and cJSON_InitHooks are state shared by all threads.
BANNED += ("setlocale", "cJSON_GetErrorPtr", "cJSON_InitHooks")
# The core allocates through alloc.h, so that a test can make every allocation fail.
RAW_MEMORY = ("malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup")
RAW_MEMORY += ("asprintf", "vasprintf")
ALLOCATOR = "core/src/base/alloc.c"

# A floor includes its own files and those of lower floors: no arrow runs up.
FLOOR = {"base": 0, "json": 1, "net": 1, "gate": 2, "areas": 3, "ingest": 3, "export": 3}
FLOOR |= {"client": 4}

SOURCE_LISTS = ("core/sources.txt", "emulator/sources.txt")
SOURCE_LISTS += tuple(
    f"bindings/{name}/sources.txt" for name in ("python", "python/emulator", "lua", "lua/emulator")
)

C_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SPDX = "SPDX-License-Identifier: MIT"


def blank(match: re.Match[str]) -> str:
    """Keeps the line breaks of a comment or string, so that line numbers stay right."""
    return "\n" * match.group().count("\n") or " "


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def check_head(lines: list[str]) -> Iterator[tuple[int, str]]:
    first = 1 if lines[0].startswith("#!") else 0
    if SPDX not in "".join(lines[first : first + 1]):
        yield first + 1, f"the file does not open with {SPDX}"
        return
    rest = next((line for line in lines[first + 1 :] if line.strip()), "")
    if not rest.lstrip().startswith(("/*", "--", "#", '"""')):
        yield first + 2, "no sentence says what the file is for"


def check_sizes(lines: list[str]) -> Iterator[tuple[int, str]]:
    if len(lines) > LINES:
        yield len(lines), f"the file has {len(lines)} lines, more than {LINES}"
    for number, line in enumerate(lines, 1):
        # An annotation of the Lua language server cannot be continued on a second line.
        if len(line) > COLUMNS and not line.startswith("---@"):
            yield number, f"the line has {len(line)} columns, more than {COLUMNS}"


def check_functions(name: str, text: str) -> Iterator[tuple[int, str]]:
    code = C_NOISE.sub(blank, text)
    banned = BANNED
    if name.startswith("tests/"):  # what must not depend on the locale is tested under several
        banned = tuple(function for function in BANNED if function != "setlocale")
    if name.startswith("core/src/") and name != ALLOCATOR:
        banned += RAW_MEMORY
    # A mapped file that somebody cuts kills the host program with SIGBUS.
    if name.startswith("core/src/ingest/"):
        banned += ("mmap",)
    for match in re.finditer(rf"(?<![\w.>])({'|'.join(banned)})\s*\(", code):
        yield line_of(code, match.start()), f"{match.group(1)} is banned"


def check_includes(name: str, text: str) -> Iterator[tuple[int, str]]:
    parts = name.split("/")
    core = parts[0] == "core"
    room = parts[2] if core and parts[1] == "src" else None
    for match in INCLUDE.finditer(text):
        kind, path = match.groups()
        line = line_of(text, match.start())
        if core and path in {"Python.h", "lua.h", "lauxlib.h", "lualib.h", "luajit.h"}:
            yield line, "the core includes a language's header"
        if parts[0] == "bindings" and kind == '"' and path.split("/")[0] in FLOOR:
            yield line, f"a binding includes {path}, which is not public"
        target = path.split("/")[0]
        if room is None or kind != '"' or target == room or target not in FLOOR:
            continue
        if FLOOR[target] > FLOOR[room]:
            yield line, f"{room} includes {path}, which is above it"


def check_lists() -> Iterator[str]:
    """Every C file of a listed folder stands in its list: what no build compiles is dead."""
    for name in SOURCE_LISTS:
        path = ROOT / name
        if not path.exists():
            continue
        fields = (line.split("#")[0].strip() for line in path.read_text().splitlines())
        listed = [field for field in fields if field]
        pattern = "src/**/*.c" if name.startswith("core/") else "*.c"
        there = {file.relative_to(ROOT).as_posix() for file in path.parent.glob(pattern)}
        there.discard("emulator/main.c")
        for missing in sorted(there - set(listed)):
            yield f"{name}: {missing} is not listed"
        for gone in sorted(entry for entry in listed if not (ROOT / entry).exists()):
            yield f"{name}: {gone} does not exist"
        for twice in sorted({entry for entry in listed if listed.count(entry) > 1}):
            yield f"{name}: {twice} is listed twice"


def check(path: Path) -> Iterator[str]:
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return
    lines = text.splitlines()
    found = [*check_head(lines), *check_sizes(lines)]
    if path.suffix in {".c", ".h"}:
        found += [*check_functions(name, text), *check_includes(name, text)]
    for line, message in sorted(found):
        yield f"{name}:{line}: {message}"


def all_sources() -> Iterator[Path]:
    yield from ROOT.glob("*.py")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path


def main(arguments: list[str]) -> int:
    paths = [Path(name).resolve() for name in arguments] or list(all_sources())
    violations = [line for path in paths for line in check(path)]
    violations += [] if arguments else check_lists()
    print("\n".join(violations) or f"{len(paths)} files follow the house rules")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
