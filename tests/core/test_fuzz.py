"""Random TOML and random tensors end in a result or in a clear error, never in another exception."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from tests.support.helpers import make_case
from trt_conformance.core import toml
from trt_conformance.core.errors import ConformanceError, TomlError
from trt_conformance.core.paths import CASES
from trt_conformance.core.tensors import case_data
from trt_conformance.core.toml import KeyLines, parse
from trt_conformance.core.types import Fill
from trt_conformance.core.words import printable

TEXTS = [path.read_text(encoding="utf-8")[:3000] for path in sorted((CASES / "rejected").glob("*.toml"))]
PIECES = [
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    '"',
    "'",
    '"""',
    "'''",
    "#",
    "\n",
    "\\",
    "a",
    "1",
    "-",
    "e9",
    "nan",
    "[[",
    "é",
]
VALUES = [0.0, -0.0, 1.5, -3.0, 1e-320, 6e4, 7e4, 3.5e38, 1e300, float("inf"), float("-inf"), float("nan")]


def mutated(draw: random.Random) -> str:
    """A case file with a few pieces inserted, removed, repeated or nested."""
    text = draw.choice(TEXTS)
    for _ in range(draw.randint(1, 4)):
        start, length = draw.randrange(len(text) + 1), draw.randrange(30)
        kind = draw.randrange(4)
        piece = draw.choice(PIECES)
        if kind == 0:
            text = text[:start] + piece + text[start:]
        elif kind == 1:
            text = text[:start] + text[start + length :]
        elif kind == 2:
            text = text[:start] + text[start : start + length] * draw.randrange(2, 30) + text[start + length :]
        else:
            text = text[:start] + piece * draw.choice((2, 50, 1000, 5000)) + text[start:]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_mutated_documents_are_read_or_refused_with_a_line(seed):
    draw, read, refused = random.Random(seed), 0, 0
    for _ in range(100):
        text = mutated(draw)
        try:
            document = parse(text)
        except TomlError as fault:
            refused += 1
            if not 1 <= fault.line <= text.count("\n") + 1:
                pytest.fail(f"line {fault.line} is outside the text")
            continue
        read += 1
        assert document == toml.tomli.loads(text) or "nan" in text
        lines = KeyLines(text)
        for table, content in document.items():
            assert 1 <= lines.line((table,)) <= text.count("\n") + 1
            for index, entry in enumerate(content if isinstance(content, list) else ()):
                for key in entry if isinstance(entry, dict) else ():
                    assert 1 <= lines.line((table, index, key)) <= text.count("\n") + 1
    assert read
    assert refused


@pytest.mark.parametrize(
    "piece", ["[", "{a=", "a.", '"', "'", '"""', "'''", "[[", "\\", "#", "[[a]]\n", "0", "a=[", "é"]
)
@pytest.mark.parametrize("before", ["", "x = ", "[", 'x = "'], ids=["top", "value", "header", "string"])
def test_long_repetitions_are_read_or_refused(before, piece):
    try:
        document = parse(before + piece * 20_000)
    except TomlError:
        return
    assert isinstance(document, dict)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_tensors_are_made_or_refused_without_a_warning(seed, precision):
    draw, made, refused = random.Random(f"{seed} {precision}"), 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(50):
            shape = [1, 1, draw.randint(1, 3), draw.randint(1, 3)]
            values = [draw.choice(VALUES) for _ in range(shape[2] * shape[3])]
            fill = {"fill": draw.choice(Fill.__args__)} if draw.random() < 0.3 else {"values": values}
            try:
                data = case_data(make_case(precision=precision, input={"shape": shape, **fill}))
            except ConformanceError as fault:
                refused += 1
                if "overflows" not in str(fault):
                    raise
                continue
            except ValidationError:
                continue
            made += 1
            given = np.asarray(values).reshape(shape)
            if "values" in fill:
                assert (np.isfinite(data.input.astype(np.float64)) == np.isfinite(given)).all()
    assert made
    assert refused


def test_printable_text_has_no_control_characters():
    draw = random.Random(0)
    for _ in range(2000):
        text = "".join(chr(draw.choice((draw.randrange(256), draw.randrange(0x110000)))) for _ in range(20))
        shown = printable(text)
        assert not any(
            (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in shown
        )
        shown.encode("utf-8")
