"""The tactics that a builder may choose from: listed, forced one by one, and refused where it does not use them."""

import threading
from types import SimpleNamespace

import pytest

from tests.support.helpers import make_case
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import NetworkFacts, Tactic
from trt_conformance.targets.tensorrt import build
from trt_conformance.targets.tensorrt.build import PlanBuilder
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.network import Definition
from trt_conformance.targets.tensorrt.plans import Plans
from trt_conformance.targets.tensorrt.tactics import Forcing, is_convolution, is_same_kernel

DEFINITION = Definition(None, None, NetworkFacts((1, 1, 4, 7)))
CONVOLUTION, REFORMAT = "convolution + relu", "Reformatting CopyNode for Input Tensor 0 to convolution + relu"


class Enumeration(SimpleNamespace):
    """Members of an enumeration of TensorRT."""


def tensor(dtype, strides, axis=-1, components=1):
    return SimpleNamespace(
        dtype=SimpleNamespace(name=dtype), strides=strides, vectorized_dim=axis, components_per_element=components
    )


def choice(implementation, tactic, milliseconds, *tensors):
    return SimpleNamespace(
        algorithm_variant=SimpleNamespace(implementation=implementation, tactic=tactic),
        get_algorithm_io_info=lambda index: tensors[index] if index < len(tensors) else None,
        timing=milliseconds,
    )


LINEAR = (tensor("FLOAT", (54, 54, 9, 1)), tensor("FLOAT", (28, 28, 7, 1)))
VECTORS = (tensor("HALF", (54, 54, 9, 1), 1, 8), tensor("HALF", (28, 28, 7, 1), 1, 8))
CHOICES = {
    REFORMAT: [choice(1002, 0, 0.1, *LINEAR), choice(1002, 2, 0.2, *LINEAR)],
    CONVOLUTION: [
        choice(-2147483487, 7, 0.5, *LINEAR),
        choice(-2147483487, -1, 0.3, *LINEAR),
        choice(-2147483487, 7, 0.4, *VECTORS),
    ],
}


class Config:
    """Records the arguments of a build."""

    def __init__(self):
        self.flags, self.algorithm_selector, self.timing_cache = set(), None, None

    def set_flag(self, flag):
        self.flags.add(flag)

    def clear_flag(self, flag):
        self.flags.discard(flag)


class Builder:
    """Chooses the fastest of the choices that a selector leaves, and reports them, as TensorRT does."""

    def __init__(self, choices, obeys=True, reports=True, builds=True):
        self.choices, self.obeys, self.reports, self.builds = choices, obeys, reports, builds
        self.config = Config()

    def create_builder_config(self):
        return self.config

    def build_serialized_network(self, network, config):
        contexts = [SimpleNamespace(name=name, num_inputs=1, num_outputs=1) for name in self.choices]
        made = []
        for context in contexts:
            every = self.choices[context.name]
            left = config.algorithm_selector.select_algorithms(context, every) if config.algorithm_selector else []
            allowed = [every[index] for index in left] if self.obeys and left else every
            made.append(min(allowed, key=lambda one: one.timing))
        if not self.builds:
            return None
        if config.algorithm_selector is not None and self.reports:
            config.algorithm_selector.report_algorithms(contexts, made)
        return f"{made[-1].algorithm_variant.tactic} {made[-1].timing}".encode()


class IAlgorithmSelector:
    """The base class of selectors; its trampoline must be initialized by name."""


def api(builder, **members):
    trt = SimpleNamespace(
        ProfilingVerbosity=Enumeration(DETAILED=2),
        BuilderFlag=Enumeration(TF32=7, DISABLE_TIMING_CACHE=5),
        **({"IAlgorithmSelector": IAlgorithmSelector} | members),
    )
    return SimpleNamespace(
        trt=trt,
        builder=builder,
        flavor="tensorrt",
        version="8.6.1",
        member=lambda enum, name: getattr(getattr(trt, enum, None), name, None),
        is_strongly_typed=lambda case: True,
        take_errors=lambda: (),
        take_shortages=lambda: (),
        take_memory=dict,
    )


def plan_builder(choices=CHOICES, options=Options(), ahead=None, timings=None, **how):  # noqa: B008 - frozen
    return PlanBuilder(api(Builder(choices, **how)), ahead, options, timings)


class Timings:
    """A timing cache that says whether it was used."""

    attached = False

    def attach(self, config):
        self.attached = True


def test_every_choice_for_the_convolution_is_listed_once_with_its_layouts():
    found = plan_builder().tactics(DEFINITION, make_case())
    assert found.offered == (
        Tactic(CONVOLUTION, "0xffffffff800000a1", "0x0000000000000007", ("FLOAT 54:54:9:1", "FLOAT 28:28:7:1")),
        Tactic(CONVOLUTION, "0xffffffff800000a1", "0xffffffffffffffff", ("FLOAT 54:54:9:1", "FLOAT 28:28:7:1")),
        Tactic(
            CONVOLUTION,
            "0xffffffff800000a1",
            "0x0000000000000007",
            ("HALF 54:54:9:1 8 of axis 1", "HALF 28:28:7:1 8 of axis 1"),
        ),
    )
    assert found.chosen == found.offered[1]


def test_each_tactic_can_be_forced_in_place_of_the_fastest():
    builder = plan_builder()
    offered = builder.tactics(DEFINITION, make_case()).offered
    plans = [builder.build_with(DEFINITION, make_case(), Forcing(tactic)).content for tactic in offered]
    assert plans == [b"7 0.5", b"-1 0.3", b"7 0.4"]


def test_the_timing_cache_is_off_where_tactics_are_selected():
    timings = Timings()
    builder = plan_builder(timings=timings)
    builder.tactics(DEFINITION, make_case())
    assert builder._api.builder.config.flags == {5}
    assert not timings.attached
    builder.build(DEFINITION, make_case())
    assert timings.attached


def test_each_builder_times_kernels_on_a_stream_of_its_own(monkeypatch):
    made = []

    class Stream:
        def __init__(self):
            made.append(self)
            self.handle, self.is_open = 1000 + len(made), True

        def close(self):
            self.is_open = False

    monkeypatch.setattr(build.cuda, "Stream", Stream)
    one, another = plan_builder(), plan_builder()
    for builder in (one, another):
        builder._api.runtime = None
        builder.prepare(to_build=False)
        builder.prepare(to_build=True)
        builder.prepare(to_build=True)
        builder.build(DEFINITION, make_case())
    assert [builder._api.builder.config.profile_stream for builder in (one, another)] == [1001, 1002]
    one.close()
    assert [stream.is_open for stream in made] == [False, True]
    ahead = plan_builder(ahead="SM120")
    ahead.prepare(to_build=True)
    assert len(made) == 2  # without a GPU there is nothing to time


def test_a_fresh_build_uses_no_timing_cache():
    builder = plan_builder(options=Options(fresh=True))
    builder.build(DEFINITION, make_case())
    assert builder._api.builder.config.flags == {5}


def test_a_tactic_that_the_builder_does_not_offer_again_is_not_run():
    absent = Tactic(CONVOLUTION, "0x01", "0x02")
    with pytest.raises(NotRun, match="did not offer this tactic again"):
        plan_builder().build_with(DEFINITION, make_case(), Forcing(absent))


def test_a_builder_that_chooses_another_tactic_is_found_out():
    offered = plan_builder().tactics(DEFINITION, make_case()).offered
    with pytest.raises(NotRun, match="chose another tactic: 0xffffffff800000a1 0xffffffffffffffff"):
        plan_builder(obeys=False).build_with(DEFINITION, make_case(), Forcing(offered[0]))


def test_a_builder_that_reports_nothing_is_taken_at_its_word():
    offered = plan_builder().tactics(DEFINITION, make_case()).offered
    builder = plan_builder(reports=False)
    assert builder.build_with(DEFINITION, make_case(), Forcing(offered[0])).content == b"7 0.5"
    assert builder.tactics(DEFINITION, make_case()).chosen is None


def test_a_network_without_choices_for_its_convolution_is_unsupported():
    with pytest.raises(Unsupported, match="did not ask for a choice of tactics"):
        plan_builder({REFORMAT: CHOICES[REFORMAT]}).tactics(DEFINITION, make_case())


def test_dimensions_that_the_bindings_do_not_know_are_no_fault():
    class Unknown:
        def __iter__(self):
            raise ValueError("invalid dimensions")

    odd = choice(1, 2, 0.1, tensor("FLOAT", Unknown()), LINEAR[1])
    (found,) = plan_builder({CONVOLUTION: [odd]}).tactics(DEFINITION, make_case()).offered
    assert found.tensors == ("FLOAT ?", "FLOAT 28:28:7:1")


def test_a_fault_in_a_selector_is_raised_after_the_build():
    with pytest.raises(ValueError, match="invalid literal"):
        plan_builder({CONVOLUTION: [choice("no number", 0, 0.1, *LINEAR)]}).tactics(DEFINITION, make_case())


def test_a_version_without_selectors_says_so():
    builder = PlanBuilder(api(Builder(CHOICES), IAlgorithmSelector=None), None, Options(), None)
    del builder._api.trt.IAlgorithmSelector
    with pytest.raises(Unsupported, match=r"tensorrt 8\.6\.1 has no interface to choose a tactic"):
        builder.tactics(DEFINITION, make_case())


def test_no_tactics_are_listed_for_a_gpu_that_is_not_here():
    with pytest.raises(Unsupported, match="times no tactics without the GPU"):
        plan_builder(ahead="SM120").tactics(DEFINITION, make_case())


def test_a_network_that_logged_errors_is_refused_before_it_is_built():
    wrong = Definition(None, None, NetworkFacts((1, 1, 4, 7), errors=("stride is wrong",)))
    with pytest.raises(Refused, match="stride is wrong"):
        plan_builder().tactics(wrong, make_case())


def test_a_builder_that_lists_tactics_and_builds_nothing_has_refused():
    found = plan_builder(builds=False).tactics(DEFINITION, make_case())
    assert found.offered == plan_builder().tactics(DEFINITION, make_case()).offered
    assert (found.chosen, found.refusal) == (None, "no engine was built, and nothing was logged")
    assert plan_builder().tactics(DEFINITION, make_case()).refusal == ""
    with pytest.raises(Refused, match="no engine was built"):
        plan_builder({REFORMAT: CHOICES[REFORMAT]}, builds=False).tactics(DEFINITION, make_case())


class LeveledConfig(Config):
    """TensorRT 8.6's, whose level is 3 unless it is set."""

    builder_optimization_level = 3


class Leveled(Builder):
    """Offers the first tactic only at a low level, as heuristics leave out others; keeps the level of each build."""

    def __init__(self, choices):
        super().__init__(choices)
        self.every, self.levels = choices, []

    def create_builder_config(self):
        self.config = LeveledConfig()
        return self.config

    def build_serialized_network(self, network, config):
        level = config.builder_optimization_level
        self.levels.append(level)
        self.choices = {name: every if level > 1 else every[:1] for name, every in self.every.items()}
        return super().build_serialized_network(network, config)


def leveled(**options):
    """Plans of a builder with levels, without threads."""
    builder = PlanBuilder(api(Leveled(CHOICES), IBuilderConfig=LeveledConfig), None, Options(**options), None)
    builder.define = lambda case: DEFINITION
    builder.load = lambda content, case: None
    builder.prepare = lambda to_build: None
    plans = Plans([builder], BuildCache(None), {}, Exclusion(GpuLock(None)))
    return plans, builder._api.builder


def test_a_tactic_is_built_at_a_low_level_where_it_is_offered_there():
    plans, builder = leveled()
    case = make_case()
    first, second, third = plans.tactics(case).offered
    builder.levels.clear()
    low = plans.get_with(case, first)
    assert (low.content, low.origin["optimization_level"], builder.levels) == (b"7 0.5", 1, [1])
    high = plans.get_with(case, second)
    assert (high.content, builder.levels) == (b"-1 0.3", [1, 1, 3])
    assert "optimization_level" not in high.origin
    plans.get_with(case, third)  # it is known by now that it is not offered at the low level
    assert builder.levels == [1, 1, 3, 3]
    plans.get_with(case, first)
    assert builder.levels == [1, 1, 3, 3, 1]


def test_tactics_are_listed_and_built_ahead_by_threads():
    threads = []

    class Noted(PlanBuilder):
        def define(self, case):
            threads.append(threading.current_thread().name)
            return DEFINITION

        def load(self, content, case):
            return None

        def prepare(self, to_build):
            return None

    builders = [Noted(api(Builder(CHOICES)), None, Options(), None) for _ in range(3)]
    plans, case = Plans(builders, BuildCache(None), {}, Exclusion(GpuLock(None))), make_case()
    plans.expect_tactics([(case, None)])
    first, second, third = plans.tactics(case).offered
    plans.expect_tactics([(case, first), (case, second)])
    assert [plans.get_with(case, tactic).content for tactic in (first, second)] == [b"7 0.5", b"-1 0.3"]
    assert {name.partition("_")[0] for name in threads} <= {"builder", threading.current_thread().name}
    assert any(name.startswith("builder") for name in threads)
    threads.clear()
    assert plans.get_with(case, third).content == b"7 0.4"  # it was not expected
    assert threads == [threading.current_thread().name]
    absent = Tactic(CONVOLUTION, "0x01", "0x02")
    plans.expect_tactics([(case, absent)])
    with pytest.raises(NotRun, match="did not offer"):
        plans.get_with(case, absent)
    plans.close()


def test_a_target_that_builds_at_a_low_level_knows_no_lower_one():
    plans, builder = leveled(tactics="fast")
    with pytest.raises(NotRun, match="did not offer"):
        plans.get_with(make_case(), Tactic(CONVOLUTION, "0x01", "0x02"))
    assert builder.levels == [1]


def test_reformats_are_not_the_convolution():
    assert is_convolution(CONVOLUTION)
    assert not is_convolution(REFORMAT)
    assert not is_convolution("(Unnamed Layer* 1) [Activation]")


def test_layouts_do_not_tell_kernels_apart():
    one, another, in_vectors = plan_builder().tactics(DEFINITION, make_case()).offered
    assert is_same_kernel(one, in_vectors)
    assert not is_same_kernel(one, another)
