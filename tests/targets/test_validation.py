"""A user's own target is validated where it enters: one clear fault, with the class and where it is."""

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import feeds_of
from trt_conformance.targets import registry
from trt_conformance.targets.errors import Refused, TargetFault
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import offers
from trt_conformance.targets.validation import MOST_NAME, CheckedTarget, check_name


@pytest.mark.parametrize("name", ["numpy", "my_conv-1.0-sm90", "größe", "a+b(c)"])
def test_ordinary_names_are_accepted(name):
    assert check_name(name, "x") == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (None, "must be a str, not None"),
        (7, "must be a str, not 7"),
        (b"x", "must be a str, not bytes"),
        (["x"], "must be a str, not a list"),
        ("", "1 to 100 characters; this has 0"),
        ("x" * (MOST_NAME + 1), "this has 101"),
        ("../x", "must not contain '/'"),
        ("a\\b", "must not contain"),
        ("a:b", "must not contain ':'"),
        ("\u202ereversed", r"must not contain '\\u202e'"),
        (".", "must not begin with '.'"),
        ("..", "must not begin with '.'"),
        ("a..b", "or contain '..'"),
        ("-x", "must not begin with"),
        ("a\0b", r"must not contain '\\x00'"),
        ("a\nb", r"must not contain '\\n'"),
        ("\x1b[2J", r"must not contain '\\x1b'"),
        ("\ud800", r"must not contain '\\ud800'"),
    ],
)
def test_names_that_cannot_be_folders_or_terminal_output_are_refused(name, text):
    with pytest.raises(ConformanceError, match=f"here: .*{text}"):
        check_name(name, "here")


class Plain(NumpyTarget):
    name = "plain"


def target(**members):
    return CheckedTarget(type("Mine", (Plain,), members)())


def test_a_right_target_passes_with_its_own_members_only():
    checked = target()
    case = make_case()
    engine = checked.build(case)
    assert checked.supports(case) is None
    assert engine.run(feeds_of(case))["output"].shape == (1, 1, 4, 7)
    assert offers(engine, "timing_modes", "measure")
    assert not offers(engine, "describe")
    assert not offers(checked, "define")
    with pytest.raises(Refused):
        checked.build(make_case(kernel={"shape": [1, 1, 9, 3], "fill": "ones"}))


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"supports": lambda self, case: True},
            r"`supports` of Mine .* None or a reason \(str\).*returned True",
        ),
        (
            {"build": lambda self, case: 7},
            "`build` of Mine must return an engine, an object with `run`.* 7",
        ),
        ({"build": lambda self, case: type("E", (), {"run": 3})()}, "must return an engine"),
        ({"build": lambda self, case: type("E", (), {"run": len, "origin": {"x": {1}}})()}, "`origin` of E must be"),
        ({"build": lambda self, case: exec("raise SystemExit(3)")}, "SystemExit: 3"),
    ],
)
def test_what_a_member_returns_is_checked(members, text):
    checked, case = target(**members), make_case()
    with pytest.raises(TargetFault, match=text):
        checked.supports(case) or checked.build(case)


def test_outputs_are_arrays_by_name():
    for wrong, text in (
        ([], "a dictionary of NumPy arrays"),
        ({"output": [1.0]}, "'output' is a list"),
        ({1: 2}, "keys"),
    ):
        engine_type = type("E", (), {"run": lambda self, feeds, wrong=wrong: wrong})
        engine = target(build=lambda self, case, made=engine_type: made()).build(make_case())
        with pytest.raises(TargetFault, match=text):
            engine.run({})


@pytest.mark.parametrize("value", [{"x": {1}}, {"x": "y" * 2**21}, [1], {"x": np.zeros(3)}])
def test_an_environment_that_json_cannot_hold_does_not_end_the_run(value):
    facts = registry.target_facts(target(environment=lambda self: value))
    assert "`environment` of Mine must return" in facts["environment"]


def test_a_deep_environment_is_refused():
    deep = {}
    for _ in range(5000):
        deep = {"x": deep}
    facts = registry.target_facts(target(environment=lambda self: deep))
    assert "levels deep" in facts["environment"]


def test_an_exception_of_a_users_target_says_where_it_was_raised(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def supports(self, case):\n"
        "        return self.helper()\n"
        "    def helper(self):\n"
        "        raise ValueError('bad')\n"
        "    def build(self, case):\n"
        "        return None\n"
    )
    with pytest.raises(TargetFault) as fault:
        registry.resolve(f"{path}:Mine").supports(make_case())
    assert str(fault.value).splitlines() == [
        "ValueError: bad",
        f"  at supports ({path}:4): return self.helper()",
        f"  at helper ({path}:6): raise ValueError('bad')",
    ]


def test_a_target_with_a_bad_name_is_not_opened(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    name = '../up'\n    supports = build = print\n")
    with pytest.raises(ConformanceError, match=r"mine.py:Mine: Mine \(mine.py:1\): .*must not contain '/'"):
        registry.resolve(f"{path}:Mine")


def test_a_module_that_exits_is_a_fault_of_the_option(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(ConformanceError, match="importing it raised SystemExit: 0"):
        registry.resolve(f"{path}:Mine")


def test_a_broken_package_makes_its_target_unavailable_and_no_other(monkeypatch):
    def broken(options):
        raise OSError("libsomething.so: cannot open shared object file")

    monkeypatch.setitem(registry.REGISTERED, "torch", broken)
    found = {one.family: one for one in registry.discover()}
    assert found["torch"].target is None
    assert found["torch"].reason == "torch does not load: OSError: libsomething.so: cannot open shared object file"
    assert found["numpy"].target is not None


def test_onnx_runtime_sends_no_telemetry(monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    calls = []
    monkeypatch.setattr(runtime, "disable_telemetry_events", lambda: calls.append("off"))
    registry.resolve("onnxruntime")
    assert calls == ["off"]
