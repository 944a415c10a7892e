"""Timed cases: expanded over batch sizes, dense, without goldens, and collected only where asked for."""

import json

import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.checks.latency import check_latency
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.golden.computed import computed_reference
from trt_conformance.golden.plan import plan, sources_of
from trt_conformance.numerics.reference.shape import output_shape
from trt_conformance.numerics.roofline import work
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import Record, read_record
from trt_conformance.runner.benchmark_clock import DeviceClock
from trt_conformance.runner.options import RunOptions, check_options
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun
from trt_conformance.targets.numpy import NumpyEngine, NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts, offers
from trt_conformance.targets.timing.measurement import Measurement

FILE = """\
section = "networks"
source = "a paper"
[defaults]
input = { shape = [1, 4, 6, 6], fill = "uniform" }
kernel = { shape = [8, 4, 3, 3], fill = "uniform" }
quantize = { input = 0.01, kernel = [0.01] }
latency = true

[[case]]
id = "layer"
doc = "a layer in two sizes"
"""
TIMED = [case for case in suite_catalog().cases if case.latency]


def write(path, *lines):
    (path / "net.toml").write_text(FILE + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def faults(path):
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(path))
    return [fault.message for fault in caught.value.faults]


def test_batches_make_cases(tmp_path):
    cases = load_catalog(CaseFolder.at(write(tmp_path, "batch = [1, 8]", 'precision = ["fp16", "int8"]'))).cases
    assert [case.id for case in cases] == [
        "net/layer_n1-fp16",
        "net/layer_n1-int8",
        "net/layer_n8-fp16",
        "net/layer_n8-int8",
    ]
    assert [(case.name, case.batch, case.input.shape[0]) for case in cases[1:3]] == [
        ("layer_n1", 1, 1),
        ("layer_n8", 8, 8),
    ]
    assert [case.quantize is not None for case in cases] == [False, True, False, True]


def test_one_batch_and_none(tmp_path):
    assert [case.id for case in load_catalog(CaseFolder.at(write(tmp_path, "batch = 3"))).cases] == [
        "net/layer_n3-fp32"
    ]
    assert [case.id for case in load_catalog(CaseFolder.at(write(tmp_path))).cases] == ["net/layer-fp32"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch = []", "batch: expected at least one"),
        ("batch = [8, 8]", "batch: a value is listed twice in [8, 8]"),
        ("batch = [0]", "batch: must be at least 1, got 0"),
        ('batch = ["all"]', 'batch: expected an integer, got "all"'),
        ('input.fill = "zeros"', "input.fill: a timed case needs uniform or int8_full_range, because the data"),
        ('kernel.fill = "ramp"', "kernel.fill: a timed case needs"),
        ('reject = { phase = "build", error = "some error" }', "latency: a timed case cannot have reject"),
        ("quantize = { input = 0.1, kernel = [0.1] }", "quantize is only for precision int8"),
    ],
)
def test_faults_are_named(tmp_path, line, message):
    assert any(found.startswith(message) for found in faults(write(tmp_path, line)))


def test_expanded_ids_are_unique(tmp_path):
    other = '[[case]]\nid = "layer_n8"\ndoc = "another layer"'
    found = faults(write(tmp_path, "batch = [1, 8]", other))
    assert any('duplicate id "layer_n8": net/layer_n8 is already at' in message for message in found)


def test_dynamic_cases_have_no_batch(tmp_path):
    dynamic = "dynamic = { shape = [-1, 4, 6, 6], min = [1, 4, 6, 6], opt = [1, 4, 6, 6], max = [2, 4, 6, 6]"
    found = faults(write(tmp_path, "batch = [1]", dynamic + ", run = [[1, 4, 6, 6]] }"))
    assert "batch: a dynamic case lists its shapes in dynamic.run instead" in found


def test_the_networks():
    assert len({case.base_id.rpartition("_n")[0] for case in TIMED}) >= 30
    assert {case.precision for case in TIMED} == {"fp32", "tf32", "fp16", "int8"}
    assert {case.batch for case in TIMED} == {1, 8, 32}
    for case in TIMED:
        assert case.bias != "none" and case.source and "arXiv" in case.source
        assert work(case).flops < 1e11, f"{case.id}: its reference would take long"
        if case.precision == "int8":
            # Four standard deviations of the sum of uniform products fit into int8.
            terms = work(case).flops / 2 / _elements(case)
            assert case.quantize.output * 127 == pytest.approx(4 * terms**0.5 / 3, rel=0.06)


def _elements(case):
    count = 1
    for size in output_shape(case.input.shape, case.kernel.shape, case.attributes):
        count *= size
    return count


def test_timed_cases_have_no_golden():
    assert all(sources_of(case) == () for case in TIMED)
    assert plan(TIMED) == {}


def test_their_reference_is_computed_and_kept_while_it_is_needed():
    tf32, fp32 = (make_case(precision=p, latency=True) for p in ("tf32", "fp32"))
    assert computed_reference(tf32, 0) is computed_reference(fp32, 0)
    fp16 = make_case(precision="fp16", latency=True)
    assert computed_reference(fp16, 0) is not computed_reference(fp32, 0)


class Stub:
    """A target with one engine."""

    name = "stub"

    def __init__(self, engine):
        self.engine = engine

    def supports(self, case):
        return None

    def build(self, case):
        return self.engine(case)


class Measured(NumpyEngine):
    """Computes correct values, and reports a given latency."""

    found = Measurement(
        "graph",
        False,
        (2e-6, 2.1e-6) * 20,
        3,
        "precise",
        {
            "ceilings": {"memory": 1e9, "fp32": 1e12},
            "kernels": [{"name": "conv", "seconds": 2e-6, "class": "convolution"}],
            "clocks": {"median_mhz": 1755},
            "yardstick": [1e-4, 1.05e-4],
            "notes": ["enqueue-bound"],
        },
    )

    def timing_modes(self):
        return ("kernel", "graph")

    def measure(self, feeds, plan):
        return self.found


class Throttled(Measured):
    found = Measurement("graph", False, (), 57, "limit")


class Elsewhere(Measured):
    def timing_modes(self):
        raise NotRun("built for another GPU")


class Wrong(Measured):
    def run(self, feeds):
        return {key: value + 1 for key, value in super().run(feeds).items()}

    def measure(self, feeds, plan):
        raise AssertionError("a wrong result is not timed")


def subject(engine):
    return Subject(make_case(latency=True), Engines(Stub(engine)), computed_reference)


def test_figures_of_a_latency():
    found = check_latency(subject(Measured))
    assert (found.phase, found.status) == ("latency", "pass")
    figures = found.figures
    assert (figures["mode"], figures["cold_l2"], figures["discarded"], figures["stopped"]) == (
        "graph",
        False,
        3,
        "precise",
    )
    assert figures["samples"] == [2e-6, 2.1e-6] * 20
    assert figures["summary"]["median"] == pytest.approx(2.05e-6)
    assert figures["work"] == {"precision": "fp32", "flops": 2 * 28 * 9, "bytes": 4 * (54 + 9 + 28)}
    assert figures["floor"] == {"seconds": 3.64e-7, "bound": "memory", "fraction": pytest.approx(3.64e-7 / 2.05e-6)}
    assert figures["flops_per_s"] == pytest.approx(504 / 2.05e-6)
    assert figures["kernels"][0]["class"] == "convolution"
    assert figures["yardstick"] == [1e-4, 1.05e-4]
    assert figures["facts"]["clocks"] == {"median_mhz": 1755}
    assert figures["notes"] == ["enqueue-bound", "a fixed kernel varied by 5.0% meanwhile: unsteady clocks"]
    assert found.message.startswith("graph, warm cache: 2.05 µs ±")
    assert "18 % of the roofline (memory), enqueue-bound" in found.message
    json.dumps(found.to_json(), allow_nan=False)


def test_a_fallback_is_timed_and_says_so():
    class Wider(Measured):
        def describe(self):
            layer = LayerFacts("conv", "Convolution", "sm80_sgemm", ("Float",), ("Float",))
            return EngineFacts((layer,), layer, "fp32")

    case = make_case(latency=True, precision="fp16", input={"shape": [1, 1, 6, 9], "fill": "ones"})
    case = case.model_copy(update={"kernel": case.kernel.model_copy(update={"fill": "ones"})})
    found = check_latency(Subject(case, Engines(Stub(Wider)), computed_reference))
    assert (found.phase, found.status) == ("latency", "fallback")
    assert found.figures["ran_in"] == "fp32"
    assert "it ran in fp32, not in fp16" in found.figures["notes"][0]
    record = Record({}, (found,), None)
    assert len(timings(record)) == 1


def test_a_wrong_result_is_not_timed():
    found = check_latency(subject(Wrong))
    assert (found.phase, found.status) == ("compare", "fail")


@pytest.mark.parametrize(
    ("engine", "mode", "status", "text"),
    [
        (Measured, "host", "unsupported", "mode host is not available here; the engine has kernel, graph"),
        (Throttled, None, "not run", "57 of 57 samples were discarded"),
        (Elsewhere, None, "not run", "built for another GPU"),
    ],
)
def test_no_latency_and_why(engine, mode, status, text):
    found = check_latency(subject(engine), mode)
    assert (found.phase, found.status) == ("latency", status)
    assert text in found.message


def test_engines_without_a_clock_are_unsupported():
    class Plain:
        def __init__(self, case):
            self.engine = NumpyEngine(case)

        def run(self, feeds):
            return self.engine.run(feeds)

        def close(self):
            return None

    assert not offers(Plain(make_case()), "measure")
    assert check_latency(subject(Plain)).status == "unsupported"
    assert offers(NumpyTarget().build(make_case()), "timing_modes", "measure")


def test_the_clock_replays_samples():
    clock, seen = DeviceClock(), []

    class Benchmark:
        def __init__(self):
            self.extra_info = {}

        def pedantic(self, call, rounds, iterations):
            for _ in range(rounds):
                begin = clock.now()
                call()
                seen.append(clock.now() - begin)

    benchmark = Benchmark()
    clock.replay(check_latency(subject(Measured)), benchmark)
    assert seen == pytest.approx([2e-6, 2.1e-6] * 20)
    assert benchmark.group == "graph, warm cache"
    assert benchmark.extra_info["summary"]["count"] == 40
    assert "samples" not in benchmark.extra_info


def suite(*arguments):
    return run_pytest("-q", *arguments)


def test_end_to_end(tmp_path):
    report = tmp_path / "benchmark.json"
    done = suite(
        *("cases/test_latency.py", "--latency", "--target", "onnxruntime", "--case", "mobilenetv3/*n1-fp32"),
        *("--latency-limit", "0.3", "--benchmark-json", str(report)),
        *("--record-root", str(tmp_path)),
    )
    assert done.returncode == 0, done.stdout
    (record,) = tmp_path.rglob("record.jsonl")
    latencies = {v.case: v for v in read_record(record).verdicts if v.status == "pass"}
    assert len(latencies) == 2
    assert all(v.phase == "latency" and v.check == "latency" for v in latencies.values())
    benchmarks = json.loads(report.read_text())["benchmarks"]
    assert {b["params"]["case"] for b in benchmarks} == set(latencies)
    for benchmark in benchmarks:
        figures = latencies[benchmark["params"]["case"]].figures
        assert benchmark["stats"]["data"] == pytest.approx(figures["samples"])
        assert benchmark["stats"]["median"] == pytest.approx(figures["summary"]["median"])
        assert benchmark["extra_info"]["mode"] == "host"
        assert benchmark["options"]["timer"] == "now"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--case", "mobilenetv2/*"], 2, "only timed cases match; add --latency"),
        (["--collect-only"], 5, "1 deselected"),
    ],
)
def test_not_asked_for(arguments, code, text):
    done = suite("cases/test_latency.py", "--target", "numpy", "--no-record", *arguments)
    assert done.returncode == code
    assert text in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "processes", "text"),
    [
        ({}, 2, "cannot be combined with -n"),
        ({"latency_limit_s": 1000.0}, None, "must be between 0 and --time-limit, 300"),
        ({"latency_limit_s": 0.0}, None, "must be between"),
    ],
)
def test_options_that_cannot_be(options, processes, text):
    with pytest.raises(pytest.UsageError, match=text):
        check_options(RunOptions(latency="full", time_limit_s=300.0, **options), processes)


@pytest.mark.parametrize("latency", [None, "off", "quick"])
@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"latency_modes": ("kernel",)}, "--latency-mode can"),
        ({"cold": "weights"}, "--cold can"),
        ({"latency_limit_s": 3.0}, "--latency-limit can"),
        ({"latency_modes": ("graph",), "cold": "all"}, "--latency-mode and --cold can"),
    ],
)
def test_options_of_full_latencies_are_refused_without_them(latency, options, names):
    with pytest.raises(pytest.UsageError, match=f"^{names} only be used with --latency=full"):
        check_options(RunOptions(latency=latency, **options), None)
    check_options(RunOptions(latency=latency), None)


@pytest.mark.parametrize(
    ("cold", "plan", "word"),
    [(None, (False, False), "warm"), ("all", (True, False), "cold"), ("weights", (True, True), "cold weights")],
)
def test_what_is_cold(cold, plan, word):
    class Asked(Measured):
        def measure(self, feeds, plan):
            asked.append((plan.cold_l2, plan.warm_input))
            return Measurement("graph", plan.cold_l2, (2e-6,) * 20, 0, "precise", {"warm_input": plan.warm_input})

    asked: list[tuple[bool, bool]] = []
    found = check_latency(subject(Asked), cold=cold)
    assert asked == [plan]
    assert found.message.startswith(f"graph, {word} cache: ")
    assert [key.cache for key in timings(Record({}, (found,), None))] == [word]
