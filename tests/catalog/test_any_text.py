"""Whatever is written, people see faults: never an error of Python, never the terms of a library."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.case_text import CASE, HEADER, JARGON, case, write
from trt_conformance.catalog.catalog import CaseFileError, Fault, load_catalog
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder

SCALARS = st.one_of(
    st.integers(-3, 12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.sampled_from(["", "none", "fp16", "int8", "zeros", "SAME_UPPER", "equal", "build", "one/plain", "1 2 3", "(["]),
)
SHAPES = st.lists(st.integers(-1, 9), min_size=1, max_size=5)
KEYS = st.sampled_from(["shape", "on", "x"])
VALUES = st.recursive(
    SCALARS | SHAPES | st.lists(SHAPES, max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=8,
)
PATHS = [
    *(f"{key}" for key in Case.model_fields if key not in {"id", "doc"}),
    *(f"set.{key}" for key in ATTRIBUTE_FIELDS),
    *(f"{tensor}.{key}" for tensor in ("input", "kernel", "bias") for key in ("shape", "fill", "values", "seed")),
    *(f"quantize.{key}" for key in ("input", "kernel", "output", "io_quantization")),
    *(f"dynamic.{key}" for key in ("shape", "min", "opt", "max", "run")),
    *(f"expect.{key}" for key in ("shape", "printed", "ideal", "attributes")),
    *(f"reject.{key}" for key in ("phase", "error", "on", "neighbor", "constraint")),
    *(f"formats.{key}" for key in ("input", "output", "padding")),
    *(f"types.{key}" for key in ("input", "kernel", "bias")),
    *(f"shapes.{key}" for key in ("kernel", "bias")),
    *(f"deprecated.{key}" for key in ("name", "new", "warning")),
]


def toml(value: object) -> str:
    """A value in TOML, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + "}"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.dictionaries(st.sampled_from(PATHS), VALUES, min_size=1, max_size=4))
def test_anything_written_is_loaded_or_is_a_fault(written: dict[str, object], tmp_path: Path) -> None:
    lines = [f"{path} = {toml(value)}" for path, value in written.items()]
    write(tmp_path, one=HEADER + CASE + case("other", *lines))
    try:
        load_catalog(CaseFolder.at(tmp_path))
        found: tuple[Fault, ...] = ()
    except CaseFileError as error:
        found = error.faults
    for fault in found:
        assert fault.line > 0
        assert not JARGON.search(fault.message), fault
