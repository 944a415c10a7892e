"""A run in parts gives what the whole gives; parts that do not fit together are not put together."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.helpers import run_pytest
from tests.support.runs import ENVIRONMENT, TARGET, record, verdict
from trt_conformance.checks.padding.tiers import MODES, RANKS
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record import schema
from trt_conformance.results.record.merge import merge
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.runner.shard import Shard


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2", ""])
def test_a_wrong_shard_is_refused(text):
    with pytest.raises(ValueError, match=r"form i/n|must be from 1"):
        Shard.parse(text)


def test_a_wrong_shard_is_refused_in_one_line():
    done = run_pytest("cases", "--shard", "3/2")
    assert done.returncode == 4
    assert "--shard: 3/2: the first number must be from 1 to the number of shards, 2" in done.stderr


@pytest.mark.slow
def test_shards_make_the_whole(tmp_path):
    options = [
        "cases/test_forward.py",
        "cases/test_network.py",
        "--case",
        "stride_nd/*",
        "--case",
        "dilation_nd/*",
        "--target",
        "numpy",
        "-q",
    ]
    run_pytest(*options, "--record-root", str(tmp_path / "whole"))
    for index in (1, 2, 3):
        run_pytest(*options, "--shard", f"{index}/3", "--record-root", str(tmp_path / f"part{index}"))
    whole, *parts = (read_record(next(tmp_path.glob(f"{name}/*"))) for name in ("whole", "part1", "part2", "part3"))
    merged = merge({str(n): part for n, part in enumerate(parts)})
    assert merged.missing == ()

    def lines(run):
        return sorted((v.case, v.target, v.check, v.phase, v.status, v.message) for v in run.verdicts)

    assert lines(merged.record) == lines(whole)
    assert merged.record.end.counts == whole.end.counts
    owners: dict[str, set[int]] = {}
    for number, part in enumerate(parts):
        assert part.verdicts
        for found in part.verdicts:
            owners.setdefault(found.case, set()).add(number)
    assert all(len(numbers) == 1 for numbers in owners.values())
    cases = [len({v.case for v in part.verdicts if "/" in v.case and v.location}) for part in parts]
    assert max(cases) - min(cases) <= 1
    again = read_record(save_record(tmp_path / "merged", merged.record).parent)
    assert lines(again) == lines(whole)
    assert again.complete


def table_items(*targets):
    """The tests of padding tables, whose ids depend on how many targets there are."""
    return [
        SimpleNamespace(
            nodeid=f"cases/test_padding.py::test_padding[{rank}d-{mode}{f'-{target}' if len(targets) > 1 else ''}]",
            callspec=SimpleNamespace(params={"table": (target, "smoke", rank, mode)}),
        )
        for target in targets
        for rank in RANKS
        for mode in MODES
    ]


def test_padding_tables_are_dealt_alike_whatever_targets_a_machine_has():
    def tables(index, *targets):
        mine, others = Shard(index, 3).choose(table_items(*targets), ())
        assert len(mine) + len(others) == len(targets) * len(RANKS) * len(MODES)
        found = [item.callspec.params["table"] for item in mine]
        return {target: {table[2:] for table in found if table[0] == target} for target in targets}

    alone = [tables(index, "one")["one"] for index in (1, 2, 3)]
    several = [tables(index, "two", "one", "three") for index in (1, 2, 3)]
    assert [found["one"] for found in several] == [found["three"] for found in several] == alone
    assert sum(map(len, alone)) == len(set.union(*alone)) == len(RANKS) * len(MODES)


@pytest.mark.parametrize("option", [{"lf": True}, {"deselect": ["cases/test_forward.py"]}, {"keyword": "h2"}])
def test_what_leaves_tests_out_makes_another_whole(option):
    def tests(**given):
        options = {"keyword": "", "markexpr": ""} | given
        config = SimpleNamespace(args=["cases"], getoption=lambda name, default=None: options.get(name, default))
        return Shard(1, 2).describe(["x/a-fp32"], config)["tests"]

    assert tests(**option) == tests(**option) != tests()


def part(index, *verdicts, of=2, tests="0123456789abcdef", complete=True, **environment):
    run = record(*verdicts, complete=complete, **environment)
    return replace(run, header=run.header.model_copy(update={"shard": schema.Shard(index=index, of=of, tests=tests)}))


def on(gpu, **facts):
    """An environment of a machine with another GPU."""
    device = ENVIRONMENT["device"] | {"gpu": gpu}
    return {"device": device, "targets": {TARGET: {"version": "8.6.1", "gpu": gpu} | facts}}


def test_a_missing_shard_is_reported_and_leaves_the_record_open():
    merged = merge({"a": part(1, verdict("x/a-fp32"), of=3), "b": part(3, verdict("x/b-fp32"), of=3)})
    assert merged.missing == ("shard 2/3 is missing",)
    assert not merged.record.complete


def test_a_shard_that_was_cut_short_is_reported():
    merged = merge({"a": part(1, verdict("x/a-fp32")), "b": part(2, verdict("x/b-fp32"), complete=False)})
    assert merged.missing == ("b: the run was cut short",)


def test_a_shard_that_was_stopped_is_reported(tmp_path):
    """Its record has a closing line: -x ended it in good order, before all its cases had run."""
    options = [
        "--target",
        f"{ROOT}/tests/doubles/flipped.py:FlippedKernel",
        "--case",
        "stride_nd/h2*",
        "-q",
        "--no-isolation",
    ]
    for name, arguments in (("whole", ()), ("stopped", ("-x",))):
        folder = tmp_path / name
        run_pytest("cases/test_forward.py", *options, *arguments, "--shard", "1/1", "--record-root", str(folder))
    whole, stopped = (read_record(next(tmp_path.glob(f"{name}/*"))) for name in ("whole", "stopped"))
    assert (whole.complete, stopped.complete) == (True, False)
    assert merge({"whole": whole}).missing == ()
    merged = merge({"stopped": stopped})
    assert merged.missing == ("stopped: the run was cut short",)
    assert not merged.record.complete


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (part(1, tests="0000000000000000"), part(2), "shards of different runs"),
        (part(1, of=3), part(2), "different numbers of parts"),
        (part(1), part(2, source={"commit": "fedcba", "clean": True}), "different commits"),
    ],
)
def test_parts_of_different_wholes_are_refused(one, other, text):
    with pytest.raises(ConformanceError, match=text):
        merge({"one": one, "other": other})


@pytest.mark.parametrize(
    "other",
    [
        verdict("x/a-fp32", status="fail", message="wrong"),
        verdict("x/a-fp32", phase="build"),
        verdict("x/a-fp32", known="a_bug"),
        verdict("x/a-fp32", figures={"output_sha256": "0123456789abcdef"}),
    ],
)
def test_records_that_contradict_each_other_are_refused(other):
    with pytest.raises(ConformanceError, match=r"contradict each other:\n  x/a-fp32, forward on .* in one, .* in two"):
        merge({"one": part(1, verdict("x/a-fp32")), "two": part(1, other)})


def test_the_same_verdict_twice_is_one():
    merged = merge({"one": part(1, verdict("x/a-fp32")), "two": part(2, verdict("x/a-fp32"), verdict("x/b-fp32"))})
    assert [v.case for v in merged.record.verdicts] == ["x/a-fp32", "x/b-fp32"]


def test_machines_of_different_kinds_are_kept_apart():
    merged = merge(
        {
            "a": part(1, verdict("x/a-fp32"), **on("NVIDIA H100")),
            "b": part(2, verdict("x/a-fp32", status="fail"), **on("NVIDIA H200")),
        }
    )
    assert merged.record.header.targets == [f"{TARGET}@NVIDIA_H100", f"{TARGET}@NVIDIA_H200"]
    assert {(v.target, v.status) for v in merged.record.verdicts} == {
        (f"{TARGET}@NVIDIA_H100", "pass"),
        (f"{TARGET}@NVIDIA_H200", "fail"),
    }
    facts = merged.record.header.environment.targets
    assert [facts[name]["gpu"] for name in merged.record.header.targets] == ["NVIDIA H100", "NVIDIA H200"]
    assert [one.environment.device.gpu for one in merged.record.header.merged] == [
        "NVIDIA H100",
        "NVIDIA H200",
    ]
    assert merged.missing == ()


def test_as_many_facts_as_it_takes_tell_machines_apart():
    def machine(gpu, memory, driver):
        device = ENVIRONMENT["device"] | {"gpu": gpu, "memory_bytes": memory, "driver": driver}
        return {"device": device, "targets": {TARGET: {"version": "8.6.1", "gpu": gpu}}}

    merged = merge(
        {
            "a": part(1, verdict("x/a-fp32"), **machine("H100", 80, "535")),
            "b": part(2, verdict("x/a-fp32", status="fail"), **machine("H100", 80, "580")),
            "c": part(1, verdict("x/a-fp32"), **machine("H200", 141, "535")),
        }
    )
    names = [f"{TARGET}@{kind}" for kind in ("H100-535", "H100-580", "H200-535")]
    assert [v.target for v in merged.record.verdicts] == merged.record.header.targets == names


def test_half_a_surrogate_pair_is_merged(tmp_path):
    merged = merge({"a": record(verdict(message="from a target: \udcff"))})
    assert read_record(save_record(tmp_path, merged.record)).verdicts[0].message == "from a target: \udcff"


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConformanceError, match="cannot be written"):
            save_record(folder, record(verdict()))


def test_tactics_are_a_kind_of_their_own():
    merged = merge(
        {
            "a": part(1, verdict("x/a-fp32"), **on("NVIDIA H100", tactics="fast")),
            "b": part(2, verdict("x/b-fp32"), **on("NVIDIA H100", tactics="exhaustive")),
        }
    )
    assert merged.record.header.targets == [f"{TARGET}@fast", f"{TARGET}@exhaustive"]


def test_several_arrays_must_each_be_whole():
    merged = merge(
        {
            "a1": part(1, verdict("x/a-fp32"), **on("NVIDIA H100")),
            "a2": part(2, verdict("x/b-fp32"), **on("NVIDIA H100")),
            "b1": part(1, verdict("x/a-fp32"), **on("NVIDIA H200")),
        }
    )
    assert merged.missing == (f"{TARGET}@NVIDIA_H200: shard 2/2 is missing",)


def test_a_shard_without_a_verdict_makes_the_run_whole():
    merged = merge({"a": part(1, verdict("x/a-fp32"), of=2), "b": part(2, of=2)})
    assert merged.missing == ()
    assert merged.record.complete
    assert [v.case for v in merged.record.verdicts] == ["x/a-fp32"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_shard_of_nothing_is_right_and_has_a_record(tmp_path, workers):
    chosen = ["cases/test_forward.py", "--target", "numpy", "--case", "stride_nd/h2_w2-fp32", "-q", *workers]
    parts = {}
    for index in (1, 2):
        root = tmp_path / str(index)
        done = run_pytest(*chosen, "--shard", f"{index}/2", f"--record-root={root}")
        assert done.returncode == 0, done.stdout + done.stderr
        parts[str(index)] = read_record(next(root.iterdir()))
    assert "shard 2/2 has no test: there are fewer cases than shards" in done.stdout
    assert "its record is empty, and `trt-conformance merge` needs it" in done.stdout
    assert parts["2"].verdicts == ()
    assert (parts["2"].end.exit, parts["2"].end.stopped, parts["2"].header.targets) == (0, False, ["numpy"])
    merged = merge(parts)
    assert merged.missing == ()
    assert {v.case for v in merged.record.verdicts} == {"stride_nd/h2_w2-fp32"}


@pytest.mark.slow
def test_a_choice_of_nothing_is_no_shard_of_nothing(tmp_path):
    """-k leaves no test in any shard: that is an error of the user, and no record says that the run is whole."""
    for options in (["--shard", "1/2", "-k", "nothing_has_this_name"], ["-k", "nothing_has_this_name"]):
        done = run_pytest("cases/test_forward.py", "--target", "numpy", "-q", f"--record-root={tmp_path}", *options)
        assert done.returncode == 5, done.stdout + done.stderr
        assert "has no test" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_only_test_that_a_keyword_leaves_is_in_one_shard(tmp_path):
    options = ["cases/test_forward.py", "--target", "numpy", "--case", "stride_nd/*", "-k", "h2_w2-fp32", "-q"]
    found = []
    for index in (1, 2):
        done = run_pytest(*options, "--shard", f"{index}/2", f"--record-root={tmp_path / str(index)}")
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(len(read_record(next((tmp_path / str(index)).iterdir())).verdicts))
    assert min(found) == 0 < max(found)
