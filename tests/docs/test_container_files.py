"""The container files are followed line by line, without a container: in a fresh clone, with a fresh environment."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.environments import Environment, fresh_clone
from trt_conformance.core.paths import ROOT

CI = ROOT / "docs" / "ci"
FILES = ("Containerfile", "Containerfile.gpu")


@dataclass
class Built:
    """What a container file made: the folder that stands for the image's root, its environment, and what it starts."""

    root: Path
    environment: Environment
    folder: Path
    arguments: dict[str, str] = field(default_factory=dict)
    start: list[str] = field(default_factory=list)


def instructions(file: str) -> list[tuple[str, str]]:
    """The instructions of a container file with what follows them."""
    text = (CI / file).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def copy_context(checkout: Path, folder: Path) -> None:
    """Copy what `.dockerignore` leaves of a checkout: the entries that it takes back from ``*``."""
    lines = [line for line in (checkout / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert lines[0] == "*"
    ignored = shutil.ignore_patterns(*(line.removeprefix("**/") for line in lines if line.startswith("**/")))
    for line in lines:
        if line.startswith("!"):
            source, target = checkout / line[1:], folder / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)


def build(file: str, folder: Path, **arguments: str) -> Built:
    """Follow a container file. ``/source`` and the like are folders below that of the test."""
    checkout, root = fresh_clone(folder / "checkout"), folder / "root"
    root.mkdir()
    built = Built(root, Environment(folder), root)

    def placed(text: str) -> str:
        return re.sub(r"/(?=source|work)", f"{root}/", text)

    for word, rest in instructions(file):
        if word == "ARG":
            name, _, value = rest.partition("=")
            built.arguments[name] = arguments.get(name, value)
        elif word == "COPY":
            origin, target = rest.split()
            assert origin == "."
            copy_context(checkout, Path(placed(target)))
        elif word == "RUN":
            done = built.environment.run("sh", "-c", placed(rest), cwd=built.folder, **built.arguments)
            assert done.returncode == 0, done.stdout + done.stderr
        elif word == "WORKDIR":
            built.folder = Path(placed(rest))
            built.folder.mkdir()
        elif word == "ENTRYPOINT":
            built.start = json.loads(rest)
        else:
            assert word == "FROM"
            assert re.fullmatch(r"python:(3\.1\d|\$\{PYTHON})-slim", rest)
    return built


@pytest.mark.parametrize("file", FILES)
def test_a_container_file_names_what_exists(file: str) -> None:
    text = (CI / file).read_text(encoding="utf-8")
    extras = set(re.findall(r"source\[(\w+)\]", text)) | set(re.findall(r"EXTRA=(\w+)", text))
    offered = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in extras:
        assert re.search(rf"(?m)^{extra} = \[", offered), f"{file}: there is no extra {extra}"
    for constraints in re.findall(r"constraints[\w-]*\.txt", text):
        assert (ROOT / constraints).is_file()
        assert f"!{constraints}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_context_has_what_the_wheel_is_made_of() -> None:
    offered = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    included = re.findall(r'(?m)^"([\w./]+)" = "trt_conformance/suite/', project)
    assert len(included) > 3
    for name in (*included, "pyproject.toml", "README.md", "LICENSE", "harness"):
        assert any(fnmatch(name, line[1:]) for line in offered if line.startswith("!")), f"{name} is ignored"


@pytest.mark.slow
def test_an_image_without_a_gpu_runs_cases(tmp_path: Path) -> None:
    """Run as its first lines say, with a volume for the reports."""
    built = build("Containerfile", tmp_path)
    assert not (built.root / "source").exists()
    (built.folder / "reports").mkdir()
    small = ("--case", "stride_nd/h2_w2-fp32", "-k", "test_network or test_build")
    done = built.environment.run(*built.start, "--target", "tensorrt_rtx", *small, cwd=built.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(built.folder.glob("reports/runs/*/record.jsonl"))) == 1


@pytest.mark.slow
def test_an_image_with_a_gpu_says_where_there_is_none(tmp_path: Path) -> None:
    """With the packages for the CPU: those of TensorRT need NVIDIA's index, and here is no GPU to run on."""
    built = build("Containerfile.gpu", tmp_path, EXTRA="cpu")
    assert built.arguments == {"PYTHON": "3.12", "EXTRA": "cpu", "CONSTRAINTS": "constraints.txt"}
    done = built.environment.run(*built.start, "--case", "stride_nd/h2_w2-fp32", cwd=built.folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "tensorrt is not installed" in done.stdout + done.stderr or "no GPU" in done.stdout + done.stderr
