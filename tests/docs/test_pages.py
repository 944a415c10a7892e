"""The pages are true of the checkout: links, anchors, paths, options, the table of tolerances, the README's length."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from trt_conformance.cli import app
from trt_conformance.core.paths import ROOT
from trt_conformance.mutants import MUTANTS
from trt_conformance.numerics.bounds.elementwise import ARITHMETIC
from trt_conformance.runner import options

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "reports" / "README.md", *(ROOT / "docs").glob("*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"(?:harness|cases|golden|tests|benchmarks|docs|reports/published|\.ci)/[\w./-]*\w")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", BLOCK.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(BLOCK.sub("", text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        read = target.read_text(encoding="utf-8") if file and anchor and target.exists() else text
        if not target.exists() or (anchor and anchor not in anchors(read)):
            found.append(link)
    return found


def missing_paths(text: str) -> list[str]:
    """Paths of the checkout in backquotes that do not exist; a path with a pattern must match something."""
    named = [path for code in re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)) for path in code.split()]
    paths = [path.partition("::")[0] for path in named if CODE_PATH.fullmatch(path.partition("::")[0].rstrip("/"))]
    return [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_paths_exist(page):
    assert missing_paths(page.read_text(encoding="utf-8")) == []


def test_what_leads_nowhere_is_found():
    page = ROOT / "README.md"
    links = ["#one-heading", "#other", "docs/none.md", "docs/verdicts.md#none", "docs/verdicts.md"]
    text = "# One heading\n" + " ".join(f"[a]({link})" for link in links)
    assert broken_links(page, text) == ["#other", "docs/none.md", "docs/verdicts.md#none"]
    assert missing_paths("`harness/none.py` and `tests/docs/test_pages.py` and `words`") == ["harness/none.py"]


def test_every_page_is_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {link.partition("#")[0] for link in LINK.findall(readme)}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


def exponent(value: float) -> str:
    """``2^-24``; 0 for 0."""
    mantissa, power = value.hex().split("p")
    assert value == 0 or float.fromhex(mantissa) == 1.0
    return f"2^{int(power)}" if value else "0"


def test_the_table_of_tolerances_is_that_of_the_code():
    text = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    section = text.partition("## Table of tolerances")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    table = {(row[0], row[1]): tuple(row[2:6]) for row in rows[2:]}
    assert table == {
        key: (exponent(a.step), f"{a.step_bits} bits", exponent(a.read), exponent(a.write))
        for key, a in ARITHMETIC.items()
    }
    sources = set(re.findall(r"(?m)^(\d)\. ", section))
    assert all(set(row[6].split(", ")) <= sources for row in rows[2:])


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
PYTESTS_OWN = {"--lf", "--junitxml"}


def pytest_options() -> set[str]:
    return set(OPTION.findall(Path(options.__file__).read_text(encoding="utf-8")))


def command_options(words: list[str]) -> set[str]:
    """The options of a subcommand, such as `golden show`, that the words after `trt-conformance` begin with."""
    command = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def commands(text: str) -> list[str]:
    """Lines that start this project's programs, in code blocks without a language."""
    blocks = [body for language, body in BLOCK.findall(text) if not language]
    starts = ("make ", "pytest ", "trt-conformance ", ".venv", "python benchmarks/")
    return [line for body in blocks for line in body.splitlines() if line.startswith(starts)]


def unknown_options(text: str) -> list[str]:
    """Commands of a page with an option that their program does not have."""
    found = []
    for line in commands(text):
        words = shlex.split(line, comments=True)
        program = Path(words[0]).name
        if program == "trt-conformance" and words[1] != "run":
            known = command_options(words[1:3])
        elif program == "make" and words[1] == "compare":
            known = command_options(["compare"])
        elif program == "python":
            continue
        else:
            known = pytest_options() | PYTESTS_OWN
        if not set(OPTION.findall(" ".join(words))) <= known:
            found.append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_exist(page):
    assert unknown_options(page.read_text(encoding="utf-8")) == []


def test_an_option_of_another_command_is_found():
    wrong = ["trt-conformance golden observe --case x", "pytest cases --gate", 'make compare ARGS="--tier ci"']
    right = ["trt-conformance compare A B --gate", "pytest cases --tier ci", 'make compare ARGS="A --gate"']
    assert unknown_options("\n".join(["```", *wrong, *right, "```", ""])) == wrong


def test_the_number_of_mutants_is_stated():
    said = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    assert f"`trt-conformance mutants` runs {len(MUTANTS)} wrong convolutions" in said
