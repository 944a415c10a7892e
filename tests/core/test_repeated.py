"""Values that repeat are written once, and a repetition that is malformed or too long is refused in plain words."""

import pytest

from trt_conformance.core.case import BiasSpec, TensorSpec
from trt_conformance.core.repeated import MOST_VALUES, write_out


def test_repetitions_are_written_out_in_their_place():
    given = [1, {"times": 2, "values": [3, 4.5]}, -1]
    assert write_out(given) == [1, 3, 4.5, 3, 4.5, -1]
    assert TensorSpec.model_validate({"shape": [1, 6], "values": given}).values == (1.0, 3.0, 4.5, 3.0, 4.5, -1.0)


def test_a_repetition_may_contain_one():
    given = [{"times": 2, "values": [65, {"times": 3, "values": [0]}]}]
    assert BiasSpec.model_validate({"values": given}).values == (65, 0, 0, 0, 65, 0, 0, 0)


def test_written_out_or_not_a_tensor_is_the_same():
    short, long = ({"shape": [4], "values": values} for values in ([{"times": 4, "values": [2]}], [2, 2, 2, 2]))
    assert TensorSpec.model_validate(short) == TensorSpec.model_validate(long)


DEEP = {"times": 2, "values": [{"times": 2, "values": [{"times": 2, "values": [1]}]}]}


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ({"times": 0, "values": [1]}, r"\[1\]\.times: expected an integer of at least 1, got 0"),
        ({"times": True, "values": [1]}, r"\[1\]\.times: expected an integer of at least 1, got true"),
        ({"values": [1]}, r"\[1\]\.times: expected an integer of at least 1, got null"),
        ({"times": 2}, r"\[1\]\.values: expected a list of numbers, got null"),
        ({"times": 2, "values": []}, r"\[1\]\.values: expected a list of numbers, got \[\]"),
        ({"times": 2, "value": [1]}, r'\[1\]: unknown key "value"; did you mean "values"\?'),
        (DEEP, r"\[1\]\.values\[0\]\.values\[0\]: repetitions are at most 2 deep"),
        ({"times": 10**18, "values": [1]}, rf"\[1\] makes more than {MOST_VALUES} values: use a fill"),
        (
            {"times": 2, "values": [{"times": MOST_VALUES, "values": [1, 2]}]},
            rf"\[1\]\.values\[0\] makes more than {MOST_VALUES} values: use a fill",
        ),
    ],
)
def test_a_malformed_repetition_is_refused(part, fault):
    with pytest.raises(ValueError, match=fault):
        write_out([1, part])


@pytest.mark.parametrize(
    "given", ["text", 3, {"times": 2, "values": [1]}, [], ["text"], [{"times": 2, "values": ["a"]}]]
)
def test_what_is_no_list_of_numbers_is_refused(given):
    with pytest.raises(ValueError, match="values"):
        BiasSpec.model_validate({"values": given})
