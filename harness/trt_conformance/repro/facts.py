"""What a layer, the builder and a configuration report, as straight-line TensorRT code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trt_conformance.core.case import Case

_SAID = {
    "type": "layer.type.name",
    "default_output_name": "layer.get_output(0).name",
    "output_type": "layer.get_output(0).dtype.name",
    "get_output_type": "layer.get_output_type(0).name",
    "no_input": "next((index for index in range(8) if layer.get_input(index) is None), None)",
    "kernel": 'weights_said(layer.kernel, locals().get("kernel"))',
    "bias": 'weights_said(layer.bias, locals().get("bias"))',
    "num_DLA_cores": "builder.num_DLA_cores",
    "can_run_on_DLA": "said.can_run_on_DLA(layer)",
}
"""How facts that are not attributes of the layer are read. ``said`` is a configuration."""

WEIGHTS_SAID = [
    "def weights_said(held, given):",
    "    if not getattr(held, 'size', 0):",
    "        return 'empty'",
    "    same = given is not None and np.array_equal(np.ravel(held), np.ravel(given))",
    "    return 'as given' if same else f'{np.ravel(held).tolist()}'",
]


def fact_lines(case: Case, names: Iterable[str]) -> list[str]:
    """Read into ``actual``, before the output is named, what the layer and the builder say under these names."""
    wanted = [name for name in names if name != "shape"]
    lines = []
    if any(name.startswith("flags.") or name == "can_run_on_DLA" for name in wanted):
        lines.append("said = builder.create_builder_config()")
        lines += [f"said.set_flag(trt.BuilderFlag.{flag})" for flag in case.builder.flags]
    lines += ["actual = {}"]
    for name in wanted:
        code = _SAID.get(name, f"layer.{name}")
        if name.startswith("flags."):
            code = f"said.get_flag(trt.BuilderFlag.{name.removeprefix('flags.')})"
        lines.append(f'actual["{name}"] = {code}')
    return lines


def expected_facts(shape: tuple[int, ...], attributes: dict[str, Any]) -> dict[str, Any]:
    """The facts that the program compares, lists as tuples."""
    return {"shape": shape} | {
        name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()
    }
