"""The JSON Schema for editors: up to date, and of one mind with the loader about what it can express."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.helpers import sampled
from trt_conformance.catalog.schema import PATH, case_file_schema, rendered, write_schema
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.paths import CASES, ROOT
from trt_conformance.core.toml import parse

OTHERS = {"expectations", "sweeps"}
CASE_FILES = [path for path in sorted(CASES.glob("*/*.toml")) if path.parent.name not in OTHERS]
HEADER = 'section = "s"\n'
CASE = '[[case]]\nid = "a"\ndoc = "a case of the test"\n'


def errors(text: str) -> list[str]:
    validator = jsonschema.Draft7Validator(case_file_schema())
    return [error.message for error in validator.iter_errors(parse(text))]


def test_the_file_is_what_the_model_exports() -> None:
    assert PATH.read_text(encoding="utf-8") == rendered(), "run `python -m trt_conformance.catalog.schema`"


def test_write_schema(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == case_file_schema()


def test_schema_is_valid_and_its_references_lead_somewhere() -> None:
    schema = case_file_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert "$defs" not in schema
    assert references(schema) <= {f"#/definitions/{name}" for name in schema["definitions"]}


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(references(part) for part in node.values()))
    return set().union(*(references(part) for part in node)) if isinstance(node, list) else set()


@pytest.mark.parametrize("path", sampled(CASE_FILES, 6), ids=lambda path: path.stem)
def test_case_files_follow_the_schema(path: Path) -> None:
    assert errors(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        HEADER + CASE,
        HEADER + CASE + 'precision = "fp16"\n',
        HEADER + CASE + 'precision = ["fp16", "int8"]\n',
        HEADER + CASE + 'bias = "none"\n',
        HEADER + CASE + 'bias.fill = "ones"\n',
        HEADER + CASE + "input.seed = 3\n",
        HEADER + CASE + "quantize.input = 2.0\n",
        HEADER + CASE + "".join(f"set.{name} = [1, 1]\n" for name in ATTRIBUTE_FIELDS if name.startswith(("s", "d"))),
        HEADER + 'source = "x"\n[defaults]\ninput.fill = "ones"\nset.num_groups = 2\n' + CASE,
    ],
)
def test_partial_tables_are_accepted_because_they_merge(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        CASE,
        HEADER,
        HEADER + "case = []\n",
        HEADER + "cases = 1\n" + CASE,
        HEADER + '[[case]]\nid = "a"\n',
        HEADER + '[[case]]\ndoc = "a case of the test"\n',
        HEADER + CASE.replace('"a"', '"A"'),
        HEADER + CASE + "line = 3\n",
        HEADER + CASE + 'section = "s"\n',
        HEADER + CASE + "input.fil = 1\n",
        HEADER + CASE + 'kernel.fill = "zero"\n',
        HEADER + CASE + 'precision = "fp31"\n',
        HEADER + CASE + "precision = []\n",
        HEADER + CASE + "set.stride = 2\n",
        HEADER + CASE + "set.strides = [2, 2]\n",
        HEADER + CASE + 'set.padding_mode = "SAME"\n',
        HEADER + CASE + 'relations = [{ to = "a/b" }]\n',
        HEADER + '[defaults]\ndoc = "a case of the test"\n' + CASE,
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    assert errors(text) != []


def test_editors_find_the_schema() -> None:
    (rule,) = parse((ROOT / ".taplo.toml").read_text(encoding="utf-8"))["rule"]
    assert (ROOT / rule["schema"]["path"]).resolve() == PATH
    assert rule["include"] == ["cases/**/*.toml"]
    assert rule["exclude"] == ["cases/claims.toml", "cases/expectations/**"]
