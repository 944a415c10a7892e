"""Refitting an engine and streaming its weights as straight-line TensorRT code."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.refit_fields import Misrefit, Refit
from trt_conformance.repro.tensors import weights_code
from trt_conformance.targets.tensorrt.refitting import BIAS, INPUT_SCALE, KERNEL, WRONG_TYPES, Slot, slots

# TensorRT 8 wants contexts made after refitting.
_REFIT = [
    "    if not refitter.refit_cuda_engine():",
    "        return False",
    "    global context",
    "    context = engine.create_execution_context()",
    "    return context is not None",
]


def refit_lines(case: Case) -> list[str]:
    """Define ``refits``, which gives ``engine`` the case's kernel and bias; False where TensorRT refuses them."""
    refit = case.refit
    if refit is None:
        return []
    lines = [
        "def refits():",
        "    try:",
        "        refitter = trt.Refitter(engine, logger)",
        "    except TypeError:  # it is not made for an engine that cannot be refitted",
        "        return False",
    ]
    if refit.wrong is not None:
        slot, values = _wrong(case, refit, refit.wrong)
        lines += [f"    if not {_given(case, refit, slot, values)}:", "        return False"]
        return [*lines, *_REFIT]
    by_name = slots(case)
    first = [name for name in (KERNEL, BIAS) if getattr(refit, name) is not None]
    rest = [name for name in by_name if name not in first]
    for name in first:
        lines += [f"    if not {_given(case, refit, by_name[name], f'{name}.ravel()')}:", "        return False"]
    if rest:
        lines.append("    if refitter.get_missing_weights():  # weights that TensorRT joined with those given")
        lines += [f"        {_given(case, refit, by_name[name], f'{name}.ravel()')}" for name in rest]
    return [*lines, *_REFIT]


def stream_lines(case: Case) -> list[str]:
    """Limit the weights that ``engine`` keeps in device memory."""
    budget = case.builder.weight_streaming_budget
    return [] if budget is None else [f"engine.weight_streaming_budget_v2 = {budget}"]


def _wrong(case: Case, refit: Refit, wrong: Misrefit) -> tuple[Slot, str]:
    """Where wrong weights are to go, and the expression that makes them."""
    name = BIAS if refit.kernel is None else KERNEL
    slot, values = slots(case)[name], f"{name}.ravel()"
    if wrong.layer == "input_scale":
        assert case.quantize is not None
        slot, values = Slot(INPUT_SCALE, INPUT_SCALE, "CONSTANT"), f"np.array([{2 * case.quantize.input}], np.float32)"
    elif wrong.layer == "another":
        slot = Slot("another", "another", slot.role)
    if wrong.type is not None:
        values = f"{values}.astype(np.{WRONG_TYPES[wrong.type].__name__})"
    if wrong.count is not None:
        values = f"np.resize({values}, {wrong.count})"
    return Slot(slot.name, slot.layer, wrong.role or slot.role), values


def _given(case: Case, refit: Refit, slot: Slot, values: str) -> str:
    """The call that gives weights, whose memory is kept."""
    is_half = case.data_type == "bfloat16" and ".astype" not in values
    weights = f"bits({values})" if is_half else f"trt.Weights(held({values}))"
    if refit.by == "set_named_weights":
        return f'refitter.set_named_weights("{slot.name}", {weights})'
    return f'refitter.set_weights("{slot.layer}", trt.WeightsRole.{slot.role}, {weights})'


HELD = [
    "def held(values):  # TensorRT reads it until it refits",
    "    keep.append(np.ascontiguousarray(values))",
    "    return keep[-1]",
]


def name_lines(case: Case) -> list[str]:
    """Name the layer, and its weights where they are refitted by name."""
    if case.refit is None:
        return []
    lines = ['layer.name = "convolution"']
    individual = "REFIT_INDIVIDUAL" in case.builder.flags
    if individual or case.refit.by == "set_named_weights":
        names = [KERNEL, *[BIAS] * (case.bias != "none")]
        lines += [f'network.set_weights_name({weights_code(case, name)}, "{name}")' for name in names]
        if individual:
            lines += [
                f'network.mark_weights_refittable("{name}")' for name in names if getattr(case.refit, name) is not None
            ]
    return lines
