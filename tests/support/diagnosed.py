"""What tests of the diagnosis share: the mutants by name, and a case of floats."""

from trt_conformance.mutants import MUTANTS

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
FLOAT = {
    "input": {"shape": [2, 8, 7, 9], "fill": "uniform_20_bits"},
    "kernel": {"shape": [8, 2, 3, 2], "fill": "uniform_20_bits"},
    "bias": {"fill": "uniform_20_bits"},
    "set": {"num_groups": 4, "stride_nd": [2, 1], "padding_nd": [1, 2], "dilation_nd": [1, 2]},
}
