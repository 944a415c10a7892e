"""Lists the names of a version of TensorRT's Python API from its bindings alone, without its libraries or a GPU.

    pip download --no-deps --only-binary=:all: --python-version 3.11 tensorrt-cu13-bindings==11.1.0.106
    python -m tests.support.api_names tensorrt_cu13_bindings-11.1.0.106-*.whl > tests/data/tensorrt_api_11_1.txt

The bindings' module is imported beside empty libraries that have the functions which it is linked with; it calls none
of them when it is imported. The wheel must be of this Python's version. Needs a C compiler, ``objdump`` and ``nm``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

CLASSES = Path(__file__).parents[1] / "data" / "tensorrt_api_10_13.txt"
"""The classes that are listed, where a version has them, beside those that it alone has of `FURTHER`."""
FURTHER = ("EngineStat", "ITimingCache", "IAlgorithmSelector", "IScaleLayer", "ITensor", "Runtime", "TensorFormat")
_DUMP = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location(sys.argv[2], sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
found = {name: value for name, value in vars(module).items() if isinstance(value, type)}
print(json.dumps({name: [one for one in dir(value) if not one.startswith("_")] for name, value in found.items()}))
"""


def names_of(text: str) -> dict[str, set[str]]:
    """The members by class, of the text of a list."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: set(members.split()) for name, _, members in (line.partition(":") for line in lines)}


def listed(api: Mapping[str, Iterable[str]], classes: Iterable[str], head: Sequence[str]) -> str:
    """The text of a list: classes of an API that are asked for, each with its members."""
    lines = [f"{name}: {' '.join(sorted(api[name]))}".rstrip() for name in sorted(set(classes) & api.keys())]
    return "\n".join([*(f"# {line}" for line in head), *lines]) + "\n"


def api_of(wheel: Path) -> dict[str, list[str]]:
    """The public members of each class of the bindings in a wheel. Raises CalledProcessError where a tool fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(wheel) as archive:
            (member,) = (one for one in archive.namelist() if re.fullmatch(r"tensorrt\w*/tensorrt\w*\.so", one))
            module = Path(archive.extract(member, folder))
        _make_libraries(module, folder)
        environ = {"LD_LIBRARY_PATH": str(folder)}
        done = _run(sys.executable, "-c", _DUMP, str(module), module.stem, environ=environ)
    found: dict[str, list[str]] = json.loads(done)
    return found


def _make_libraries(module: Path, folder: Path) -> None:
    """Empty libraries for those of NVIDIA's that a module needs; each has all functions that it lacks."""
    needed = re.findall(r"NEEDED\s+(lib(?:nv|tensorrt)\S+)", _run("objdump", "-p", str(module)))
    lacking = re.findall(r" U (\w+)$", _run("nm", "-D", "--undefined-only", str(module)), re.MULTILINE)
    source = folder / "empty.c"
    source.write_text("".join(f"void {one}(void) {{}}\n" for one in lacking if not one.startswith(("_", "Py"))))
    for library in needed:
        _run("cc", "-w", "-fno-builtin", "-shared", "-o", str(folder / library), f"-Wl,-soname,{library}", str(source))


def _run(*command: str, environ: Mapping[str, str] | None = None) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout


def main() -> None:
    """Print the list of a wheel's names."""
    wheel = Path(sys.argv[1])
    package, version = wheel.name.split("-")[:2]
    head = [
        f"Names of TensorRT {version}'s Python API that a convolution network may use: class, then its members.",
        f"From the package {package.replace('_', '-')} {version}, by tests/support/api_names.py.",
    ]
    print(listed(api_of(wheel), {*names_of(CLASSES.read_text()), *FURTHER}, head), end="")


if __name__ == "__main__":
    main()
