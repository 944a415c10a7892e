"""The JSON Schema of case files, for editors: completion and checks while typing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trt_conformance.catalog.case_file import DEFAULT_KEYS, ENTRY_KEYS
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.case import Case
from trt_conformance.core.paths import CASES, relative

PATH = CASES / "schema.json"

# Editors' TOML servers know this draft, which keeps its definitions under "definitions".
_DRAFT = "http://json-schema.org/draft-07/schema#"
_TEXT = {"type": "string", "minLength": 1}


def case_file_schema() -> dict[str, Any]:
    """The schema of a case file: closed, and complete only where an entry has no defaults to lean on."""
    model = _plain(Case.model_json_schema(ref_template="#/definitions/{model}"))
    definitions: dict[str, Any] = model["$defs"]
    for name, definition in definitions.items():
        # Tables merge with the defaults, so either may be partial; relations are elements of an array.
        if name != "Relation":
            definition.pop("required", None)

    keys: dict[str, Any] = model["properties"]
    keys["id"] = keys["name"]
    keys["precision"] = {"anyOf": [keys["precision"], {"type": "array", "items": keys["precision"], "minItems": 1}]}
    keys["batch"] = {"anyOf": [keys["batch"], {"type": "array", "items": keys["batch"], "minItems": 1}]}
    integer, axes, mode = keys["set"]["additionalProperties"]["anyOf"]
    kinds = {"num_groups": integer, "num_output_maps": integer, "padding_mode": mode}
    keys["set"] = _table({name: kinds.get(name, axes) for name in ATTRIBUTE_FIELDS})

    return {
        "$schema": _DRAFT,
        "title": "Convolution cases",
        **_table(
            {
                "section": _TEXT | {"description": "The section of the document that the file covers."},
                "source": _TEXT | {"description": "Where the cases come from that check no claim."},
                "defaults": {
                    "description": "What the file's cases share; a case's own keys win.",
                    **_table(_pick(keys, DEFAULT_KEYS)),
                },
                "case": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "description": model["description"],
                        **_table(_pick(keys, ENTRY_KEYS)),
                        "required": ["id", "doc"],
                    },
                },
            }
        ),
        "required": ["section", "case"],
        "definitions": definitions,
    }


def rendered() -> str:
    """The schema as `cases/schema.json` holds it."""
    return json.dumps(case_file_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = PATH) -> None:
    """Write the schema to a file."""
    path.write_text(rendered(), encoding="utf-8")


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _pick(keys: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: keys[name] for name in names}


def _plain(node: Any) -> Any:
    """Without null, which TOML lacks, and without titles and defaults, which repeat the keys and the model."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(part) for key, part in node.items() if key not in {"title", "default"}}
    if {"type": "null"} in plain.get("anyOf", ()):
        branches = [branch for branch in plain.pop("anyOf") if branch != {"type": "null"}]
        return plain | (branches[0] if len(branches) == 1 else {"anyOf": branches})
    return plain


if __name__ == "__main__":
    write_schema()
    print(f"wrote {relative(PATH)}")
