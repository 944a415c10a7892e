"""Writes the folder of a bug report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError, InvalidConvolution
from trt_conformance.core.files import replacing
from trt_conformance.core.tensors import ADDEND, INPUT, addend_of, network_input
from trt_conformance.repro.commands import DATA_SCRIPT, MODEL, data_script, input_file, polygraphy, trtexec
from trt_conformance.repro.failure import Failure, find_failure
from trt_conformance.repro.issue import Files, issue_text
from trt_conformance.repro.program import program
from trt_conformance.results.record.record import Record
from trt_conformance.targets.io_quantization import quantized
from trt_conformance.targets.onnxruntime import inexpressible, onnx_model

PROGRAM, ISSUE, ENVIRONMENT, ENGINE = "repro.py", "issue.md", "environment.json", "engine.json"


def write_repro(
    record: Record, case: Case, folder: Path, target: str | None = None, check: str | None = None
) -> tuple[Failure, list[Path]]:
    """Write the program, the ONNX model and the report of a case's failure, and return the failure and the files.

    Args:
        record: the run in which the case failed.
        case: the case, as its file states it.
        folder: where to write; it is created, and files of an earlier report are replaced.
        target: the target, if the case failed on several.
        check: the check, if several failed.

    Raises:
        ConformanceError: no such failure, no program that shows it, or the folder cannot be written.
    """
    failure = find_failure(record, case, target, check)
    files = _files(record, case, failure)
    for name, content in files.items():
        with replacing(folder / name, parents=True) as temporary:
            temporary.write_bytes(content)
    return failure, [folder / name for name in files]


def _files(record: Record, case: Case, failure: Failure) -> dict[str, bytes]:
    environment = record.header.environment
    model, reason = _model(case)
    files = {PROGRAM: program(case, failure).encode()}
    commands: list[str] = []
    if model is not None:
        feeds = _feeds(case)
        files |= {MODEL: model} | {input_file(name): x.tobytes() for name, x in feeds.items()}
        commands = [trtexec(case, failure)]
        if all(x.dtype.kind in "fiu" for x in feeds.values()):  # Polygraphy reads NumPy's own types
            files[DATA_SCRIPT] = data_script(case, feeds).encode()
            commands.append(polygraphy(case, failure))
    layers = failure.verdict.figures.get("layers")
    if layers:
        files[ENGINE] = _json({"Layers": layers})
    files[ENVIRONMENT] = _json(environment.to_json())
    others = [name for name in files if name not in (PROGRAM, MODEL)]
    listed = Files(PROGRAM, MODEL if model is not None else None, reason, others, commands)
    return files | {ISSUE: issue_text(case, failure, environment, listed).encode()}


def _feeds(case: Case) -> dict[str, Array]:
    """What the ONNX model reads, by name, in the types in which it does."""
    feeds = {INPUT: quantized(case, network_input(case))}
    addend = addend_of(case)
    feeds |= {} if addend is None else {ADDEND: addend}
    return {name: np.ascontiguousarray(x) for name, x in feeds.items()}


def _model(case: Case) -> tuple[bytes | None, str]:
    """The ONNX model; or None, and why there is none."""
    reason = inexpressible(case)
    if case.reject is not None:
        reason = "none, because ONNX cannot express the invalid layer"
    if reason is not None:
        return None, reason
    try:
        return onnx_model(case), ""
    except (ConformanceError, InvalidConvolution) as fault:
        return None, f"none: {fault}"
    except ImportError:
        return None, "none: the package onnx is not installed"


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
