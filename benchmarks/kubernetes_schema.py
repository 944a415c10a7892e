"""Writes the API's schema of a Kubernetes Job, which a test checks docs/ci/kubernetes-job.yaml against.

    pip install kubernetes-validate
    python benchmarks/kubernetes_schema.py --version 1.33.0

The package has the schemas that Kubernetes' OpenAPI document gives (Apache-2.0), of all resources, in 70 MB. This takes
the Job and what it refers to, without the descriptions.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "data" / "kubernetes_job.schema.json"
JOB = "io.k8s.api.batch.v1.Job"
PREFIX = "#/$defs/"


def references(node: Any) -> set[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(node, dict):
        own = {node["$ref"].rpartition(PREFIX)[2]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def plain(node: Any, is_schema: bool = True) -> Any:
    """The schema without descriptions, and with references into this file. Keys of ``properties`` are names."""
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if not is_schema or key != "description"}
        found = {key: plain(value, not is_schema or key not in ("properties", "$defs")) for key, value in kept.items()}
        if is_schema and isinstance(found.get("$ref"), str):
            found["$ref"] = PREFIX + found["$ref"].rpartition(PREFIX)[2]
        return found
    return [plain(part) for part in node] if isinstance(node, list) else node


def job_schema(definitions: dict[str, Any], version: str) -> dict[str, Any]:
    """The schema of a Job with the definitions that it needs."""
    needed, waiting = set(), {JOB}
    while waiting:
        needed |= waiting
        waiting = set().union(*(references(definitions[name]) for name in waiting)) - needed
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Kubernetes {version}, strict; written by benchmarks/kubernetes_schema.py; Apache-2.0",
        "$ref": PREFIX + JOB,
        "$defs": {name: plain(definitions[name]) for name in sorted(needed)},
    }


def main() -> None:
    """Write the schema."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", default="1.33.0")
    given = parser.parse_args()
    wanted = f"v{given.version}-local-strict/_definitions.json"
    source = next((file for file in files("kubernetes-validate") or () if file.as_posix().endswith(wanted)), None)
    if source is None:
        sys.exit(f"kubernetes-validate has no schemas of version {given.version}")
    definitions = json.loads(source.read_text(encoding="utf-8"))["$defs"]
    text = json.dumps(job_schema(definitions, given.version), indent=1, sort_keys=True)
    OUTPUT.write_text(text + "\n", encoding="utf-8")
    print(f"{OUTPUT.relative_to(ROOT)}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
