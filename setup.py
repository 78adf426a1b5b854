# SPDX-License-Identifier: MIT
"""Builds the Python extensions: the core's sources, the binding's, and flags; pkg-config, no CMake.

Environment: TIDEWHEEL_ABI3=1 builds for the stable ABI of Python 3.11, slower by an eighth (not
where there is no interpreter lock); otherwise the build is for this Python version only;
TIDEWHEEL_SANITIZE=address,undefined builds with these sanitizers; TIDEWHEEL_JOBS compilers run side
by side; TIDEWHEEL_LTO=0 compiles each file for itself; CC, CFLAGS and PKG_CONFIG as usual.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
ABI3 = os.environ.get("TIDEWHEEL_ABI3", "0") != "0" and not FREE_THREADED
SANITIZE = os.environ.get("TIDEWHEEL_SANITIZE", "")

# Only #include "..." looks into the folders of internal headers: none may hide a system's.
INTERNAL = [f"-iquote{folder}" for folder in ("core/src", "bindings/python", "emulator")]
LTO = os.environ.get("TIDEWHEEL_LTO", "1") != "0" and not SANITIZE
# No PLT: the interpreter's functions are called by the hundred for each event.
VISIBILITY = ["-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt"]
LINKING = ["-Wl,--version-script=bindings/python/exports.map", "-Wl,-z,relro,-z,now"]
if SANITIZE:
    PROTECTION = [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-UNDEBUG"]
    PROTECTION += ["-O1", "-g", "-fno-omit-frame-pointer"]
    LINKING += PROTECTION[:1]
else:
    # -O2 by name: CFLAGS of the environment take the place of Python's own flags.
    PROTECTION = ["-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong"]


def rows(path: str) -> list[list[str]]:
    """The fields of each line that is not empty; '#' starts a comment. A missing list is empty."""
    file = ROOT / path
    lines = file.read_text().splitlines() if file.exists() else []
    return [fields for line in lines if (fields := line.split("#")[0].split())]


def sources(path: str) -> list[str]:
    return [row[0] for row in rows(path)]


def pkg_config(*arguments: str) -> list[str]:
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    except FileNotFoundError:
        sys.exit("tidewheel: pkg-config was not found (Debian: apt-get install pkg-config)")


class MissingError(Exception):
    """The required libraries that were not found."""


def dependencies(path: str) -> dict[str, list]:
    """Extension arguments for a dependencies.txt, which CMake reads too."""
    compile_args, link_args, macros, missing = [], [], [], []
    for module, minimum, need, macro in rows(path):
        try:
            compile_args += pkg_config("--cflags", f"{module} >= {minimum}")
            link_args += pkg_config("--libs", f"{module} >= {minimum}")
        except subprocess.CalledProcessError:
            if need == "required":
                missing.append(f"{module} >= {minimum}")
        else:
            if macro != "-":
                macros.append((macro, "1"))
    if missing:
        raise MissingError(", ".join(missing))
    return {
        "extra_compile_args": compile_args,
        "extra_link_args": link_args,
        "define_macros": macros,
    }


def extension(name: str, files: list[str], *lists: str) -> Extension:
    headers = [p for top in ("core", "emulator", "bindings") for p in (ROOT / top).rglob("*.h")]
    ext = Extension(
        name,
        sorted(set(files)),
        include_dirs=["core/include"],
        # Defined as nothing, so that a source may define it for itself as well.
        define_macros=[("_GNU_SOURCE", "")],
        extra_compile_args=["-std=c11", "-pthread", *INTERNAL, *VISIBILITY, *PROTECTION],
        extra_link_args=["-pthread", *LINKING],
        depends=[str(path.relative_to(ROOT)) for path in headers],
        py_limited_api=ABI3,
    )
    if ABI3:
        ext.define_macros.append(("Py_LIMITED_API", "0x030B0000"))
    for path in lists:
        for key, values in dependencies(path).items():
            getattr(ext, key).extend(v for v in values if v not in getattr(ext, key))
    return ext


def extensions() -> list[Extension]:
    try:
        core = extension(
            "tidewheel._core",
            sources("core/sources.txt") + sources("bindings/python/sources.txt"),
            "core/dependencies.txt",
        )
    except MissingError as error:
        sys.exit(
            f"tidewheel: not found by pkg-config: {error}\n"
            "Debian: apt-get install libcurl4-openssl-dev libcjson-dev zlib1g-dev libisal-dev"
        )
    found = [core]
    binding = sources("bindings/python/emulator/sources.txt")
    try:
        if binding:
            files = [path for path in sources("emulator/sources.txt") if path != "emulator/main.c"]
            lists = ["emulator/dependencies.txt", "core/dependencies.txt"]
            found.append(extension("tidewheel._emulator", files + binding, *lists))
    except MissingError as error:
        print(f"tidewheel: built without the emulator, not found: {error}", file=sys.stderr)
    return found


class FreshBuild(build):
    """Starts on an empty folder; setuptools would package what an earlier build left there."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class ParallelBuild(build_ext):
    """Compiles an extension's sources side by side; setuptools knows only whole extensions."""

    def build_extensions(self) -> None:
        # Binding, writer and rules are small functions in three folders: 10 % of an event's cost.
        # Only gcc brings the linker plugin for it along.
        if LTO and any("gcc" in Path(word).name for word in self.compiler.compiler_so[:2]):
            for extension in self.extensions:
                extension.extra_compile_args.append("-flto=auto")
                extension.extra_link_args += ["-O2", "-flto=auto"]
        jobs = int(os.environ.get("TIDEWHEEL_JOBS") or len(os.sched_getaffinity(0)))
        spawn = self.compiler.compile

        def compile_all(sources: list[str], **options: object) -> list[str]:
            with ThreadPoolExecutor(jobs) as pool:
                done = list(pool.map(lambda source: spawn([source], **options), sources))
            return [name for names in done for name in names]

        self.compiler.compile = compile_all
        super().build_extensions()


def version() -> str:
    text = (ROOT / "core/include/tidewheel/version.h").read_text()
    return re.search(r'^#define TW_VERSION "(.+)"$', text, re.MULTILINE).group(1)


os.chdir(ROOT)
setup(
    version=version(),
    ext_modules=extensions(),
    cmdclass={"build": FreshBuild, "build_ext": ParallelBuild},
    options={
        "build": {"build_base": "build/python"},
        "bdist_wheel": {"py_limited_api": "cp311"} if ABI3 else {},
    },
)
