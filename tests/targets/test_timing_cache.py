"""The timing cache's file is always complete, whoever writes it, and is replaced where it is damaged."""

import threading

import pytest

from trt_conformance.core.disk_cache import unpack
from trt_conformance.targets.tensorrt.timing_cache import TimingCache

pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")


@pytest.fixture(scope="module")
def api():
    pytest.importorskip("tensorrt_rtx")
    from trt_conformance.targets.tensorrt.api import Api

    return Api("tensorrt_rtx", has_gpu=False)


def filled(api, path):
    """A cache that one build has used. TensorRT-RTX keeps no timings in it, but reads, combines and writes it."""
    cache = TimingCache(api, path)
    cache.attach(api.builder.create_builder_config())
    return cache


def content(path):
    return unpack(path.name, path.read_bytes())


def test_saved_and_loaded(api, tmp_path):
    path = tmp_path / "timings" / "one.cache"
    filled(api, path).save()
    first = content(path)
    assert first
    filled(api, path).save()
    assert content(path) == first


def test_a_damaged_file_is_replaced(api, tmp_path):
    path = tmp_path / "one.cache"
    path.write_bytes(b"no cache of timings")
    filled(api, path).save()
    assert content(path)


def test_what_tensorrt_refuses_is_an_empty_cache(api):
    class Config:
        """Takes a cache only if it is empty, as one that was made by another version is refused."""

        def __init__(self):
            self.given = []

        def create_timing_cache(self, content):
            self.given.append(content)
            return None if content else "empty"

        def set_timing_cache(self, cache, ignore_mismatch):
            return True

    config = Config()
    assert TimingCache(api, None)._made(config, b"of another version") == "empty"
    assert config.given == [b"of another version", b""]


def test_what_is_logged_of_the_cache_is_no_error_of_a_build(api):
    class Config:
        """Logs an error whenever it gets a cache, as TensorRT 8.6 does for one without graphs of Myelin's."""

        def create_timing_cache(self, content):
            return "cache"

        def set_timing_cache(self, cache, ignore_mismatch):
            api.logger.log(api.trt.ILogger.Severity.ERROR, "Myelin error from unknown graph")
            return True

    cache, config = TimingCache(api, None), Config()
    for _ in range(2):
        cache.attach(config)
        assert api.take_errors() == ()


def test_without_a_file_nothing_is_written(api, tmp_path):
    filled(api, None).save()
    TimingCache(api, tmp_path / "unused.cache").save()
    assert not list(tmp_path.iterdir())


def test_writers_at_once_leave_a_whole_file(api, tmp_path):
    path = tmp_path / "one.cache"
    caches = [filled(api, path) for _ in range(4)]
    threads = [threading.Thread(target=lambda c=cache: [c.save() for _ in range(10)]) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(path)
    assert sorted(p.name for p in tmp_path.iterdir()) in (["one.cache"], ["one.cache", "one.lock"])


def test_a_folder_that_cannot_be_written_fails_nothing(api, tmp_path):
    (tmp_path / "file").write_text("in the way")
    filled(api, tmp_path / "file" / "one.cache").save()
