"""A run's metrics, read by Prometheus's own parser, its checker and a server."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from typing import ClassVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.exported import FULL, TIMED, view
from tests.support.runs import TARGET, record, verdict
from trt_conformance.results.report.exports import (
    prometheus,
)


def test_prometheus_lines():
    nasty = record(verdict(target='a"b\\c\nd\ud800'), device={"gpu": 'say "hi"'})
    text = prometheus(view(FULL, nasty))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = [sample for family in families.values() for sample in family.samples]
    assert {family.type for family in families.values()} == {"gauge"}
    assert all(name.startswith("trt_conformance_") and families[name].documentation for name in families)
    assert len({(s.name, *sorted(s.labels.items())) for s in samples}) == len(samples)
    assert f'checks{{outcome="fail",phase="compare",target="{TARGET}"}} 1' in text
    assert f'checks{{outcome="error",phase="compare",target="{TARGET}"}} 1' in text
    assert f'bound_fraction_max{{precision="fp32",target="{TARGET}"}} 0.25' in text
    assert 'a"b\\c\nd\\ud800' in {sample.labels.get("target") for sample in samples}
    assert 'run_complete{run="1"} 1' in text
    assert f'claims{{document="cookbook",state="differs",target="{TARGET}"}} 1' in text


def test_prometheus_has_latencies_with_labels():
    families = {family.name: family for family in text_string_to_metric_families(prometheus(view(TIMED)))}
    medians = {tuple(s.labels.values()): s.value for s in families["trt_conformance_latency_seconds"].samples}
    labels = [dict(s.labels) for s in families["trt_conformance_latency_seconds"].samples]
    cold = {"target": TARGET, "case": "resnet50/conv1_n1-fp16", "mode": "graph", "cache": "cold", "effort": "full"}
    assert cold in labels
    assert sorted(medians.values()) == pytest.approx([20e-6, 50e-6, 80e-6, 90e-6])
    errors = [s.value for s in families["trt_conformance_latency_error_seconds"].samples]
    assert len(errors) == 4
    assert all(0 < error < 1e-6 for error in errors)


def test_prometheus_leaves_out_the_error_of_one_sample():
    one = record(
        verdict(phase="latency", check="latency", figures={"mode": "host", "cold_l2": False, "samples": [1e-3]})
    )
    text = prometheus(view(one))
    assert "latency_seconds{" in text
    assert "latency_error_seconds" not in text


PROMTOOL = shutil.which("promtool")
PROMETHEUS = shutil.which("prometheus")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus)")
@pytest.mark.parametrize("run", [FULL, TIMED, record()], ids=["full", "timed", "empty"])
def test_promtool_accepts_the_metrics(run):
    text = prometheus(view(run))
    assert promtool(text) == (0, "")
    without_help = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("# HELP"))
    code, complaint = promtool(without_help)
    assert code
    assert "no help text" in complaint


def promtool(text):
    """Its exit code and what it says."""
    command = [PROMTOOL, "check", "metrics"]
    done = subprocess.run(command, check=False, input=text, text=True, capture_output=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian's package prometheus)")
def test_prometheus_scrapes_the_metrics(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    (served / "metrics").write_text(prometheus(view(TIMED)), encoding="utf-8")
    with serving(served) as source, scraping(tmp_path, source) as server:
        query = urllib.parse.quote('trt_conformance_latency_seconds{mode="host"}')
        found = answer_of(server, query)
    metric, (_, value) = found["metric"], found["value"]
    assert (metric["case"], metric["target"], metric["cache"]) == ("resnet50/conv1_n1-fp16", TARGET, "warm")
    assert float(value) == pytest.approx(80e-6)


@contextmanager
def serving(folder):
    """A folder as `node_exporter` or a push gateway would serve it: the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map: ClassVar = {"": "text/plain; version=0.0.4"}

        def log_message(self, *words):
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def scraping(folder, source):
    """A Prometheus that scrapes ``source`` each second: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: conformance, static_configs: [{{targets: ['{source}']}}]}}]\n"
    )
    log = (folder / "log").open("w")
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with log, subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log) as process:
        try:
            yield address
        finally:
            process.terminate()
            process.wait(60)


def answer_of(server, query):
    """The only answer to a query, once Prometheus has scraped."""
    for _ in range(300):
        with suppress(OSError):
            with urllib.request.urlopen(f"http://{server}/api/v1/query?query={query}", timeout=30) as reply:
                found = json.load(reply)["data"]["result"]
            if found:
                (one,) = found
                return one
        time.sleep(0.2)
    raise AssertionError("Prometheus has scraped nothing")


def test_prometheus_has_what_engines_cost():
    families = {family.name: family for family in text_string_to_metric_families(prometheus(view(FULL)))}
    sizes = {sample.labels["kind"]: sample.value for sample in families["trt_conformance_engine_bytes"].samples}
    assert sizes == {
        "plan": 40_000,
        "weights": 36,
        "stored_weights": 512,
        "device_memory": 3 * 2**30,
        "workspace": 0,
    }
    (build,) = families["trt_conformance_engine_build_seconds"].samples
    assert (build.value, build.labels["engine"], build.labels["case"]) == (0.75, "built", "stride_nd/h2_w2-fp32")
    assert "engine_bytes" not in prometheus(view(TIMED))
