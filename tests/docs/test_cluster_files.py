"""The files for Slurm and Kubernetes work as pasted: their commands are taken out of them and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from trt_conformance.core.paths import ROOT

CI = ROOT / "docs" / "ci"
CHOICE = ["--target", "numpy", "--case", "stride_nd/*", "-q"]
SCHEMA = ROOT / "tests" / "data" / "kubernetes_job.schema.json"  # benchmarks/kubernetes_schema.py writes it


def environment(folder: Path, **values: str) -> dict[str, str]:
    """Variables with which a script finds trt-conformance as this Python's."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "trt-conformance"
    start = "import sys; from trt_conformance.cli import main; sys.exit(main())"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {
        "PATH": f"{programs}{os.pathsep}/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "harness"),
        "RUNS": str(folder / "runs"),
        "CACHE": str(folder / "cache"),
    } | values


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def job() -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((CI / "kubernetes-job.yaml").read_text(encoding="utf-8"))
    return manifest


def schema_faults(manifest: dict[str, Any]) -> list[str]:
    """What the API's own schema of a Job refuses, with the place in the manifest."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema).iter_errors(manifest)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def faults(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with an Indexed Job whose pods each run one shard, beyond what the schema says."""
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    found = ["not Indexed"] if spec.get("completionMode") != "Indexed" else []
    found += ["fewer pods than shards"] if spec["completions"] != spec["parallelism"] else []
    found += ["SHARDS is not completions"] if variables.get("SHARDS") != str(spec["completions"]) else []
    found += ["podFailurePolicy needs restartPolicy Never"] if pod.get("restartPolicy") != "Never" else []
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    found += ["a mount without a volume"] if mounted - {volume["name"] for volume in pod["volumes"]} else []
    return found


def test_the_manifest_is_an_indexed_job() -> None:
    assert schema_faults(job()) == []
    assert faults(job()) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("spec", "completionMode"), "NonIndexed", "not Indexed"),
        (("spec", "parallelism"), 4, "fewer pods than shards"),
        (("spec", "template", "spec", "restartPolicy"), "Always", "podFailurePolicy needs restartPolicy Never"),
        (("spec", "template", "spec", "volumes"), [], "a mount without a volume"),
    ],
)
def test_a_wrong_manifest_is_refused(path: tuple[str, ...], value: object, fault: str) -> None:
    manifest = job()
    place = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert faults(manifest) == [fault]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("apiVersion",), "batch/v2", "apiVersion: 'batch/v2' is not one of"),
        (("kind",), "Jobs", "kind: 'Jobs' is not one of"),
        (("spec", "completion"), 8, "spec: Additional properties are not allowed ('completion' was unexpected)"),
        (("spec", "parallelism"), "8", "spec.parallelism: '8' is not of type 'integer'"),
        (("spec", "template", "spec", "containers", 0, "env", 0, "value"), 8, "0.value: 8 is not of type 'string'"),
        (("spec", "template", "spec", "containers", 0, "name"), None, "0.name: None is not of type 'string'"),
        (
            ("spec", "podFailurePolicy", "rules", 0, "onPodConditions"),
            [{"type": "x"}],
            "'status' is a required property",
        ),
    ],
)
def test_the_schema_of_the_api_refuses_a_wrong_manifest(path: tuple[str | int, ...], value: object, fault: str) -> None:
    manifest = job()
    place: Any = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (found,) = schema_faults(manifest)
    assert fault in found


def shard(kind: str, index: int, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run shard ``index``, counted from 1, out of two as the file of this kind does."""
    if kind == "slurm":
        more = {"SHARDS": "2", "SLURM_ARRAY_TASK_ID": str(index), "SLURM_JOB_ID": str(100 + index)}
        return run(["bash", str(CI / "slurm-array.sh"), *CHOICE], variables | more)
    container = job()["spec"]["template"]["spec"]["containers"][0]
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    more = {"SHARDS": "2", "RUNS": variables["RUNS"], "JOB_COMPLETION_INDEX": str(index - 1)}
    return run([*container["command"], *CHOICE], variables | given | more)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slurm", "kubernetes"])
def test_shards_are_run_and_merged_and_a_missing_one_is_named(kind: str, tmp_path: Path) -> None:
    variables = environment(tmp_path)
    merge = ["bash", str(CI / "slurm-merge.sh")]
    nothing = run(merge, variables)
    assert nothing.returncode == 2
    assert "there is no record of any shard" in nothing.stderr

    first = shard(kind, 1, variables)
    assert first.returncode == 0, first.stdout + first.stderr
    lacking = run(merge, variables)
    assert lacking.returncode != 0
    assert "shard 2/2 is missing" in lacking.stderr
    assert "sbatch --array=SHARD" in lacking.stderr
    assert not (tmp_path / "runs" / "merged").exists()

    assert shard(kind, 2, variables).returncode == 0
    assert shard(kind, 2, variables).returncode == 0  # again: it replaces its record
    assert len(list((tmp_path / "runs" / "shard-2").iterdir())) == 1
    whole = run(merge, variables)
    assert whole.returncode == 0, whole.stderr
    assert "verdicts of 2 records" in whole.stdout


def test_slurm_needs_a_folder_for_the_records(tmp_path: Path) -> None:
    variables = environment(tmp_path) | {"SLURM_ARRAY_TASK_ID": "1", "RUNS": ""}
    for script in ("slurm-array.sh", "slurm-merge.sh"):
        refused = run(["bash", str(CI / script)], variables)
        assert refused.returncode != 0
        assert "RUNS: set RUNS to " in refused.stderr


def test_the_matrix_of_the_page_has_as_many_jobs_as_shards() -> None:
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    jobs = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])["jobs"]
    shards = jobs["shard"]["strategy"]["matrix"]["shard"]
    divided = re.findall(r"--shard=\$\{\{ matrix.shard \}\}/(\d+)", "\n".join(str(s) for s in jobs["shard"]["steps"]))
    assert shards == list(range(1, len(shards) + 1))
    assert divided == [str(len(shards))]
    assert jobs["merge"]["needs"] == "shard"
