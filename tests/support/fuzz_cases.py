"""Mutates the suite's own case files, sweeps, claims and expectations, and loads what comes of it.

Whatever a file says, loading it either succeeds or raises a ConformanceError whose every line names a file and a
line of it, within `SECONDS`. Run as a script it takes any number of inputs and prints what did not hold:

    python -m tests.support.fuzz_cases --kind case --count 20000 --seed 1
"""

from __future__ import annotations

import argparse
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.catalog.expectations import read_expectations
from trt_conformance.catalog.source import read_source
from trt_conformance.catalog.sweeps import rows
from trt_conformance.catalog.sweeps.read import read_sweep
from trt_conformance.catalog.sweeps.update import expand_all
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES

SECONDS = 10.0
"""The most that one input may take."""
MEMORY = 2**30
"""The most that the address space may grow while inputs are loaded, in bytes."""
KINDS = ("case", "sweep", "claims", "expectation")

_LOCATED = re.compile(r"(?s)(?P<file>.+?\.(?:toml|rows)):(?P<line>\d+): .+")
_SUMMARY = re.compile(r"\d+ faults? in \d+ files?")
_JARGON = re.compile(r"pydantic|Input should|Traceback|object at 0x|NoneType|unhashable|recursion depth")
_TOKEN = re.compile(r'"""|"[^"\n]*"|[\w.+-]+|\n|[^\w\s]')


class Hang(BaseException):
    """An input took longer than it may; no handler of the code under test catches this."""


# Mutations of a text.

SCALARS = (
    "0", "-1", "1", "2", "127", "65536", "2147483647", "4800000000000000000", "9223372036854775807",
    "-9223372036854775808", "99999999999999999999", "1e308", "-1e308", "1e-320", "inf", "-inf", "nan", "0.5",
    "true", "false", '""', '"none"', '"x"', '"fp16"', '"int8"', '"one/plain"', '"*"', '"["', "'('", "'(a{9999})'",
    "'((a+)+)+b'", "1979-05-27", "07:32:00", "[]", "{}", "[[]]", "[{}]", "[[[1]]]", "{ x = 1 }", "[1, 1, 1]",
    '["a"]', "[true]", "[1.5]", '"\\u0000"', '"\\u202e"', '"é\\n"', '"\\uFFFD"', "[1, 1]", "[4800000000000000000, 1]",
    '"' + "x" * 200 + '"', '["fp32", ["fp16"]]', "'''a'''",
)  # fmt: skip
"""Values of every type, most of them where a file expects another."""
PIECES = (
    "[[case]]", "[defaults]", "[[claim]]", "[[expectation]]", "[[expectations]]", "[axis.x]", "[[cover]]",
    "[[exclude]]", "[usual]", "[base]", "set.stride_nd = [0, 0]", "set = 1", "layer = 5", "precision = 5",
    "batch = [1, 2]", "batch = [0]", "exact = true", "special_values = true", "large = true", "latency = true",
    "distinguishes = { a = 1.0, b = 2.0 }", "= 1", "a.b.c.d = 1", "\x00", "\u2028", "\U0001f600", "\ufeff", "\r",
    "where = true", "where = { precision = true }", "only = 5", "only.precision = ['fp16']", "each = ['precision']",
    "dynamic = 1", "reject.on = { a = 1 }", "reject.error = '(' ", "id = 3", "batch = " + str(list(range(1, 40))),
)  # fmt: skip


def _flip_bytes(text: str, random: Random) -> str:
    raw = bytearray(text.encode("utf-8", "surrogateescape"))
    for _ in range(random.choice((1, 1, 2, 8))):
        if raw:
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    return raw.decode("utf-8", "surrogateescape")


def _tokens(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _TOKEN.finditer(text)] or [(0, len(text))]


def _swap_tokens(text: str, random: Random) -> str:
    first, second = sorted((random.choice(_tokens(text)), random.choice(_tokens(text))))
    if first[1] > second[0]:
        return text
    middle = text[first[1] : second[0]]
    return text[: first[0]] + text[slice(*second)] + middle + text[slice(*first)] + text[second[1] :]


def _replace_token(text: str, random: Random) -> str:
    start, end = random.choice(_tokens(text))
    return text[:start] + random.choice(SCALARS) + text[end:]


def _delete_token(text: str, random: Random) -> str:
    start, end = random.choice(_tokens(text))
    return text[:start] + text[end:]


def _replace_value(text: str, random: Random) -> str:
    """Another value, perhaps of another type, for one key."""
    places = [found.span(1) for found in re.finditer(r"= ([^\n]+)", text)]
    if not places:
        return text
    start, end = random.choice(places)
    return text[:start] + random.choice(SCALARS) + text[end:]


def _replace_element(text: str, random: Random) -> str:
    places = [found.span() for found in re.finditer(r"(?<=[\[ ,])-?\d+(?=[,\]])", text)]
    if not places:
        return text
    start, end = random.choice(places)
    return text[:start] + random.choice(SCALARS) + text[end:]


def _change_lines(text: str, random: Random) -> str:
    lines = text.split("\n")
    place = random.randrange(len(lines))
    action = random.randrange(4)
    if action == 0:
        del lines[place : place + random.choice((1, 1, 3))]
    elif action == 1:
        lines.insert(place, random.choice(lines))
    elif action == 2:
        lines.insert(place, random.choice(PIECES))
    else:
        other = random.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines)


def _misspell(text: str, random: Random) -> str:
    keys = [found.span() for found in re.finditer(r"[a-z_]{3,}(?=[ .\]]*[=\].])", text)]
    if not keys:
        return text
    start, end = random.choice(keys)
    key = text[start:end]
    return text[:start] + random.choice((key + "s", key[:-1], key.upper(), f'"{key} "', f"{key}.{key}")) + text[end:]


def _nest(text: str, random: Random) -> str:
    depth = random.choice((3, 30, 90, 300, 1000, 3000))
    start, end = random.choice([found.span(1) for found in re.finditer(r"= ([^\n]+)", text)] or [(0, 0)])
    forms = (
        "[" * depth + "]" * depth,
        "{ a = " * depth + "1" + " }" * depth,
        "[" * depth,
        "'" + "(" * depth + "a" + ")" * depth + "'",
        "1\n" + ".".join(["a"] * depth) + " = 1",
        "1\n[" + ".".join(["a"] * depth) + "]",
    )
    return text[:start] + random.choice(forms) + text[end:]


def _repeat(text: str, random: Random) -> str:
    """A part of the text many times over, within the size that a file may have."""
    lines = text.split("\n")
    start = random.randrange(len(lines))
    part = "\n".join(lines[start : start + random.choice((1, 6))])
    count = min(random.choice((10, 100, 1000)), 200_000 // max(1, len(part)))
    return "\n".join([*lines[:start], *[part] * count, *lines[start:]])


MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    _flip_bytes, _swap_tokens, _replace_token, _replace_token, _delete_token, _replace_value, _replace_value,
    _replace_value, _replace_element, _replace_element, _change_lines, _change_lines, _misspell, _nest,
)  # fmt: skip


def mutate(text: str, random: Random) -> str:
    """One to three mutations of a text; one time in a hundred a part of it is repeated many times."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = random.choice(MUTATIONS)(text, random)
    return _repeat(text, random) if random.random() < 0.01 else text


# What is mutated.


@cache
def _texts(kind: str) -> tuple[str, ...]:
    folders = {"sweep": ["sweeps"], "expectation": ["expectations"]}
    if kind == "claims":
        return ((CASES / "claims.toml").read_text(),)
    if kind == "case":
        others = {"sweeps", "expectations"}
        paths = [path for path in CASES.glob("*/*.toml") if path.parent.name not in others]
    else:
        paths = [path for folder in folders[kind] for path in (CASES / folder).glob("*.toml")]
    return tuple(path.read_text() for path in sorted(paths))


def _few_entries(text: str, table: str, random: Random) -> str:
    """The head of a file with one to three of its entries."""
    head, *entries = re.split(rf"(?m)^(?=\[\[{table}\]\])", text)
    return head + "".join(random.sample(entries, min(len(entries), random.choice((1, 2, 3)))))


SMALL_SWEEP = """\
section = "sweep: a few attributes"
source = "systematic sweep of a few values"
seed = 3
usual = { stride = "s1" }

[base]
layer = { channels = 4, maps = 4, size = [4, 7, 10] }

[axis.window]
f3.layer.window = [3, 3, 3]
f1.layer.window = [1, 1, 1]

[axis.stride]
s1 = {}
s2.layer.stride = [2, 2, 2]
s2x1x3.set.stride_nd = [1, 3]

[axis.precision]
fp32.precision = "fp32"
fp16.precision = "fp16"
int8 = { precision = "int8", layer.quantize = "channel" }

[[exclude]]
doc = "nobody needs both of these"
where = { precision = ["int8"], window = ["f1"] }

[[cover]]
tier = "smoke"
how = "pairwise"
only.stride = ["s1", "s2"]

[[cover]]
tier = "nightly"
how = "matrix"
"""


def _original(kind: str, random: Random) -> str:
    if kind == "sweep":
        return random.choice((SMALL_SWEEP, SMALL_SWEEP, SMALL_SWEEP, *_texts(kind)))
    table = {"case": "case", "claims": "claim", "expectation": "expectation"}[kind]
    return _few_entries(random.choice(_texts(kind)), table, random)


# What is tried.

_PLAIN = """\
section = "a section"
source = "a source"
[[case]]
id = "plain"
doc = "a small convolution"
input = { shape = [1, 1, 6, 9], fill = "tiled_1_to_9" }
kernel = { shape = [1, 1, 3, 3], fill = "powers_of_ten" }
"""


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def _try_case(root: Path, text: str, random: Random) -> None:
    _write(root / "one.toml", text)
    load_catalog(CaseFolder.at(root))


def _try_claims(root: Path, text: str, random: Random) -> None:
    ids = re.findall(r'(?m)^id = "([a-z0-9_.]+)"$', text)
    _write(root / "one.toml", f"{_PLAIN}claims = {ids}\n")
    _write(root / "claims.toml", text)
    load_catalog(CaseFolder.at(root))


def _try_expectation(root: Path, text: str, random: Random) -> None:
    _write(root / "known.toml", text)
    _, faults = read_expectations(root, ids=("one/plain-fp32", "stride_nd/h2-int8", "dynamic_shapes/c-1"))
    if faults:
        raise CaseFileError(faults)


def _try_sweep(root: Path, text: str, random: Random) -> None:
    """Read it; find its rows where that takes little, else take rows that may be wrong; make its cases."""
    path = _write(root / "sweeps" / "one.toml", text)
    held = path.with_suffix(".rows")
    held.unlink(missing_ok=True)
    if len(text) < 2 * len(SMALL_SWEEP):
        expand_all(CaseFolder.at(root))
    else:
        source = read_source(path)
        sweep = read_sweep(source)
        if sweep is not None:
            rows.write_rows(
                sweep, {"smoke": [tuple(values[0] for values in sweep.domains.values())], "ci": [], "nightly": []}
            )
    if held.exists() and random.random() < 0.3:
        _write(held, mutate(held.read_text(), random))
    load_catalog(CaseFolder.at(root), tier="nightly" if len(text) < 2 * len(SMALL_SWEEP) else "smoke")


TRIALS: dict[str, Callable[[Path, str, Random], None]] = {
    "case": _try_case,
    "claims": _try_claims,
    "expectation": _try_expectation,
    "sweep": _try_sweep,
}


@dataclass
class Outcome:
    """What became of the inputs of a kind."""

    tried: int = 0
    loaded: int = 0
    slowest: float = 0.0
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By what went wrong: the first index at which it did, and its details."""
    counts: Counter[str] = field(default_factory=Counter)


def text_of(kind: str, seed: int, index: int) -> tuple[str, Random]:
    """The ``index``-th input of a kind and seed: the same on every machine."""
    random = Random(f"{kind} {seed} {index}")
    return mutate(_original(kind, random), random), random


def fuzz(kind: str, seed: int, indices: Iterator[int] | range, until: float = float("inf")) -> Outcome:
    """Load the inputs at ``indices`` until the monotonic clock shows ``until``."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        for index in indices:
            if time.monotonic() > until:
                break
            root = Path(folder) / kind
            root.mkdir(exist_ok=True)
            text, random = text_of(kind, seed, index)
            start = time.monotonic()
            wrong, details = _wrong(lambda: TRIALS[kind](root, text, random))  # noqa: B023
            outcome.slowest = max(outcome.slowest, time.monotonic() - start)
            outcome.tried += 1
            outcome.loaded += wrong == "" and not details
            if wrong:
                outcome.counts[wrong] += 1
                outcome.failures.setdefault(wrong, (index, details))
    return outcome


def _wrong(trial: Callable[[], None]) -> tuple[str, str]:
    """What a trial did that it may not do, in short and in full: nothing where it ended well or in plain words."""
    try:
        with _guarded():
            trial()
    except ConformanceError as error:
        message = str(error)
        return _unclear(message), message
    except Hang:
        return f"takes more than {SECONDS:g} s at {_place(sys.exc_info()[2])}", traceback.format_exc(limit=-20)
    except Exception as error:
        return f"{type(error).__name__} at {_place(error.__traceback__)}", traceback.format_exc(limit=-20)
    return "", ""


def _unclear(message: str) -> str:
    """What is wrong with a message: a line without a place, a term of a library, or far too much of it."""
    lines = message.split("\n")
    if _SUMMARY.fullmatch(lines[-1]):
        lines.pop()
    for line in lines:
        found = _LOCATED.fullmatch(line)
        if found is None or int(found["line"]) < 1:
            return "a message without file and line"
        if _JARGON.search(line):
            return "a message in the terms of a library"
        if len(line) > 1000:
            return "a message of more than 1000 characters"
    if len(lines) > 1000:
        return "a message of more than 1000 lines"
    return "" if lines else "an empty message"


def _place(trace: object) -> str:
    frames = traceback.extract_tb(trace)  # type: ignore[arg-type]
    ours = [frame for frame in frames if "trt_conformance" in frame.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"


@contextmanager
def _guarded() -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    """Fuzz as the command line says, and print the outcome; exit code 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, action="append", help="what to mutate (default: every kind)")
    parser.add_argument("--count", type=int, default=1000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="index of the first input")
    options = parser.parse_args()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEMORY, size + 2 * MEMORY))
    failed = False
    for kind in options.kind or KINDS:
        outcome = fuzz(kind, options.seed, range(options.start, options.start + options.count))
        print(
            f"{kind}: {outcome.tried} tried, {outcome.loaded} loaded, {sum(outcome.counts.values())} failed, "
            f"slowest {outcome.slowest:.1f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
            flush=True,
        )
        for wrong, number in outcome.counts.most_common():
            index, details = outcome.failures[wrong]
            print(f"  {number} x {wrong}, first at index {index}:\n    " + details[-1500:].replace("\n", "\n    "))
        failed |= bool(outcome.counts)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
