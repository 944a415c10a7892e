"""Workers and their GPUs; what is built ahead; memory that is kept on the device."""

import pytest

from trt_conformance.runner import pool
from trt_conformance.targets.device import sharing
from trt_conformance.targets.device.blocks import LARGEST, Blocks
from trt_conformance.targets.device.cuda import Gpu


@pytest.fixture
def gpus(monkeypatch):
    def give(*names):
        found = tuple(Gpu(i, name, 9, 0, 2**36, 132, 2**25) for i, name in enumerate(names))
        monkeypatch.setattr(sharing.cuda, "gpus", lambda: (found, ""))
        sharing.gpus_of_one_kind.cache_clear()

    yield give
    sharing.gpus_of_one_kind.cache_clear()


def test_auto_gives_each_gpu_its_worker(gpus, monkeypatch):
    monkeypatch.delenv(pool.ASKED, raising=False)
    gpus()
    assert pool.pytest_xdist_auto_num_workers() is None  # pytest-xdist decides
    gpus("H100", "H100", "H100")
    assert pool.pytest_xdist_auto_num_workers() == 3
    gpus("H100", "H100", "L4", "H100")
    assert pool.pytest_xdist_auto_num_workers() == 2
    monkeypatch.setenv(pool.ASKED, "5")
    assert pool.pytest_xdist_auto_num_workers() is None


@pytest.mark.parametrize(
    ("visible", "devices"), [(None, ["0", "1", "0", "1"]), ("5, 3", ["5", "3", "5", "3"]), ("", ["0", "1", "0", "1"])]
)
def test_gpus_go_round_robin(visible, devices):
    assert [sharing.device_of(worker, 2, visible) for worker in range(4)] == devices


class Device:
    """Stands for cudaMalloc and cudaFree on a GPU of some size."""

    def __init__(self, size=2**40):
        self.size, self.held, self.calls = size, {}, []

    def allocate(self, nbytes):
        if sum(self.held.values()) + nbytes > self.size:
            raise RuntimeError("cudaErrorMemoryAllocation")
        address = 2**20 * (len(self.calls) + 1)
        self.held[address] = nbytes
        self.calls.append(nbytes)
        return address

    def free(self, address):
        del self.held[address]


def test_a_block_serves_again():
    device = Device()
    blocks = Blocks(device.allocate, device.free)
    first = blocks.take(1000)
    other = blocks.take(1000)
    assert first != other
    blocks.give(first, 1000)
    assert blocks.take(60_000) == first
    assert len(device.calls) == 2
    assert all(size >= 60_000 for size in device.held.values())


def test_large_blocks_and_more_than_is_kept_are_freed():
    device = Device()
    blocks = Blocks(device.allocate, device.free, limit=2**17)
    held = [blocks.take(2**16) for _ in range(4)]
    for address in held:
        blocks.give(address, 2**16)
    assert len(device.held) == 2
    large = blocks.take(LARGEST + 1)
    assert device.held[large] == LARGEST + 1
    blocks.give(large, LARGEST + 1)
    assert large not in device.held


def test_what_lies_unused_is_freed_before_memory_is_said_to_be_short():
    device = Device(size=2**18)
    blocks = Blocks(device.allocate, device.free)
    small = [blocks.take(2**16) for _ in range(4)]
    for address in small:
        blocks.give(address, 2**16)
    assert blocks.take(2**18)
    with pytest.raises(RuntimeError, match="cudaErrorMemoryAllocation"):
        blocks.take(2**16)
