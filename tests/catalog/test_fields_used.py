"""The model of a case has no option that the suite does not use: every field and every name that it offers has a case.

Such an option would be one that no target and no check has ever met. Exempt are the fills, which every tensor shares,
and what is listed here with its reason.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from tests.support.suite import suite_catalog
from trt_conformance.core.case import Case
from trt_conformance.core.types import Fill

GROUPS = ("builder", "network", "prologue", "epilogue", "refit", "quantize", "formats", "types", "shapes", "expect")
FIELD = "a field"

EXEMPT = {
    "formats.also": "the layouts are those of formats.input",
    "builder.tactic_sources": "CUBLAS, CUBLAS_LT and CUDNN need libraries that TensorRT's packages do not install",
    "builder.tiling_optimization_level": "NONE is the default",
    "builder.hardware_compatibility_level": "NONE is the default",
    "refit.wrong.role": "KERNEL and BIAS are the right ones",
    "refit.wrong.type": "FLOAT is the right one",
    "expect.builder.flags": "the flags are those of builder.flags",
    "expect.engine.input.format": "the layouts are those of formats.input",
    "expect.engine.output.format": "the layouts are those of formats.output",
}

Names = dict[str, set[str]]


def _names(annotation: Any) -> set[str]:
    """The strings of the literals in an annotation, without those of fills."""
    if annotation is Fill:
        return set()
    if get_origin(annotation) is Literal:
        return {each for each in get_args(annotation) if isinstance(each, str)}
    return {name for part in get_args(annotation) for name in _names(part)}


def _models(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for part in get_args(annotation) for model in _models(part)}


def offered(model: type[BaseModel], path: str = "") -> Names:
    """What a model offers, by the path of the field: that it can be set, and its names beside the default."""
    found: Names = defaultdict(set)
    for name, field in model.model_fields.items():
        where = f"{path}.{name}".lstrip(".")
        found[where] |= {FIELD, *_names(field.annotation)} - {field.default if isinstance(field.default, str) else None}
        for part in _models(field.annotation):
            for inner, names in offered(part, where).items():
                found[inner] |= names
    return found


def used(cases: Iterable[Case]) -> Names:
    """What the cases use, in the same form."""
    found: Names = defaultdict(set)
    for case in cases:
        for group in GROUPS:
            _note(getattr(case, group), group, found)
    return found


def _note(value: Any, path: str, found: Names) -> None:
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            found[f"{path}.{name}"].add(FIELD)
            _note(getattr(value, name), f"{path}.{name}", found)
    elif isinstance(value, (tuple, list)):
        for each in value:
            _note(each, path, found)
    elif isinstance(value, dict):
        for key, each in value.items():
            _note(key, path, found)
            _note(each, path, found)
    elif isinstance(value, str):
        found[path].add(value)


def unused(cases: Iterable[Case]) -> Names:
    """The fields of the groups, and the names, that no case uses; without what is exempt."""
    have = used(cases)
    wanted = {path: names for path, names in offered(Case).items() if path.partition(".")[0] in GROUPS and "." in path}
    found = {path: names - have[path] for path, names in wanted.items()}
    return {path: names for path, names in found.items() if (names if path not in EXEMPT else names & {FIELD})}


def test_every_field_and_name_of_the_model_is_used_by_a_case() -> None:
    assert unused(suite_catalog().cases) == {}


def test_what_is_exempt_is_needed() -> None:
    have, could = used(suite_catalog().cases), offered(Case)
    assert {path for path in EXEMPT if not could[path] - have[path]} == set()


def test_what_no_case_uses_is_named() -> None:
    def keeps(case: Case) -> bool:
        flags, steps = case.builder.flags, {step.op for step in case.epilogue}
        return "STRICT_NANS" not in flags and "gelu_tanh" not in steps

    cases = [case for case in suite_catalog().cases if keeps(case)]
    assert unused(cases) == {"builder.flags": {"STRICT_NANS"}, "epilogue.op": {"gelu_tanh"}}
