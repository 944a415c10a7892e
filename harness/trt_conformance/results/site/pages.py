"""The pages of a site: texts by their paths in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from trt_conformance.catalog.profiles import Profile
from trt_conformance.results.history import history_of
from trt_conformance.results.profiles import ProfileResult, profile_results
from trt_conformance.results.record.record import Record
from trt_conformance.results.report.matrix_text import EVENT_COLUMNS
from trt_conformance.results.report.page import record_facts, render
from trt_conformance.results.report.published import title_of
from trt_conformance.results.report.trend import history_page
from trt_conformance.results.site.badges import profile_badge, target_badge
from trt_conformance.results.site.topics import Topic, TopicCell, Topics
from trt_conformance.results.trends import History
from trt_conformance.results.versions.columns import Version, only
from trt_conformance.results.versions.matrix import UNEXPLAINED, Matrix, case_size

MOST_CASES = 400
"""The most cases that a page of a topic lists; those that differ come first."""
MOST_FINDINGS = 60
"""The most causes that a page of a topic shows for each version, and that the page of a version shows."""
MOST_OF_TARGET = 1000

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,79}")


@dataclass(frozen=True)
class Site:
    """What a site is made of: the records by the names under which it lists them, and the matrix of their versions.

    ``notes``: what is left out, a line each.
    """

    records: Mapping[str, Record]
    matrix: Matrix
    profiles: Sequence[Profile] = ()
    notes: Sequence[str] = ()

    @cached_property
    def topics(self) -> Topics:
        return Topics(self.matrix, case_size(self.matrix.catalog))

    @cached_property
    def cells(self) -> tuple[TopicCell, ...]:
        """Everything that each version shows."""
        return tuple(map(self.topics.of_version, self.matrix.versions))

    @cached_property
    def profile_results(self) -> tuple[tuple[ProfileResult, ...], ...]:
        """For each version the results of all profiles; none if no case of any profile ran."""
        found = (
            profile_results(self.profiles, self.matrix.catalog, version.target, version.verdicts.values())
            for version in self.matrix.versions
        )
        return tuple(results if any(one.ran for one in results) else () for results in found)

    def runs_of(self, version: Version) -> list[tuple[str, Record]]:
        """The records that have a version, the newest first."""
        mine = [(name, record) for name, record in self.records.items() if version.target in record.targets]
        return sorted(mine, key=lambda one: one[1].header.started, reverse=True)

    def gpu(self, version: Version) -> str:
        """The GPU of a version, or that it was built without one."""
        found = (record.header.environment.device.gpu for _, record in self.runs_of(version))
        return next(filter(None, found), "no GPU").removeprefix("NVIDIA ")


def site_files(site: Site) -> dict[str, str]:
    """Every page and badge of a site by its path in it, which has no more than one folder."""
    latencies = list(_latencies(site))
    topics = {
        "families": site.topics.families,
        "claims": tuple(topic for _, found in site.topics.claims for topic in found if topic.rows),
    }
    files = {
        "index.html": _index(site, {title: path for title, path, _ in latencies}),
        "families.html": _page("site_families.html.j2", site, topics=topics["families"]),
        "claims.html": _page("site_claims.html.j2", site, documents=site.topics.claims),
    }
    for kind, found in topics.items():
        files |= {f"{kind}/{slug(topic.name)}.html": _topic(site, kind, topic) for topic in found}
    for index, cell in enumerate(site.cells):
        name = slug(cell.version.target)
        files[f"targets/{name}.html"] = _target(site, index, cell)
        label = f"{title_of(cell.version.target)}, {site.gpu(cell.version)}"
        files[f"badges/{name}.json"] = target_badge(label, cell)
        for result in site.profile_results[index]:
            files[f"badges/{name}-{result.profile}-{result.level}.json"] = profile_badge(label, result)
    return files | {path: text for _, path, text in latencies}


def slug(name: str) -> str:
    """A name as a file name: unchanged if it is plain, or else its plain characters and a hash."""
    if _PLAIN.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-")
    return f"{plain or 'name'}-{hashlib.sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def _page(template: str, site: Site, up: str = "", **content: Any) -> str:
    """A page. ``up`` leads from its folder to that of the site."""
    return render(template, site=site, up=up, slug=slug, title_of=title_of, versions=site.matrix.versions, **content)


def _index(site: Site, latencies: Mapping[str, str]) -> str:
    every = site.profile_results
    blank = next((tuple(replace(one, outcomes={}) for one in results) for results in every if results), ())
    started = (datetime.fromisoformat(record.header.started) for record in site.records.values())
    return _page(
        "site_index.html.j2",
        site,
        flavors=_grid(site),
        latencies=latencies,
        newest=max(started),
        profiles=list(zip(*(results or blank for results in every), strict=True)) if blank else [],
        UNEXPLAINED=UNEXPLAINED,
        claims=sum(len(topics) for _, topics in site.topics.claims),
    )


def _grid(site: Site) -> list[tuple[str, list[str], list[tuple[str, list[TopicCell | None]]]]]:
    """For each flavor its GPUs, and for each version, the newest first, what it shows on each GPU."""
    flavors: dict[str, dict[tuple[str, str], TopicCell]] = {}
    for cell in site.cells:
        version = cell.version
        flavors.setdefault(version.name.flavor, {})[version.label, site.gpu(version)] = cell
    grids = []
    for flavor, found in flavors.items():
        gpus = list(dict.fromkeys(gpu for _, gpu in found))
        labels = list(dict.fromkeys(label for label, _ in found))[::-1]
        rows = [(label, [found.get((label, gpu)) for gpu in gpus]) for label in labels]
        grids.append((flavor, gpus, rows))
    return grids


def _topic(site: Site, kind: str, topic: Topic) -> str:
    return _page(
        "site_topic.html.j2",
        site,
        "../",
        kind=kind,
        topic=topic,
        shown=[cell.version for cell in topic.cells if cell.verdicts],
        rows=topic.rows[:MOST_CASES],
        MOST_FINDINGS=MOST_FINDINGS,
    )


def _target(site: Site, index: int, cell: TopicCell) -> str:
    step = next((step for step in site.matrix.steps if step.now.target == cell.version.target), None)
    return _page(
        "site_target.html.j2",
        site,
        "../",
        cell=cell,
        index=index,
        step=step,
        profiles=[(result,) for result in site.profile_results[index]],
        runs=[(name, record_facts(record), record) for name, record in site.runs_of(cell.version)],
        families=[topic for topic in site.topics.families if topic.cells[index].verdicts],
        documents=[
            (document, [topic for topic in topics if topic.cells[index].verdicts])
            for document, topics in site.topics.claims
        ],
        EVENT_COLUMNS=EVENT_COLUMNS,
        MOST_FINDINGS=MOST_OF_TARGET,
    )


def _latencies(site: Site) -> Iterator[tuple[str, str, str]]:
    """For each flavor and GPU that has latencies: its title, the path of the page of their history, and the page."""
    for flavor, gpu in dict.fromkeys(version.series for version in site.matrix.versions):
        versions = [version for version in site.matrix.versions if version.series == (flavor, gpu)]
        names = [version.target for version in versions]
        mine = {name: only(record, names) for name, record in site.records.items() if set(names) & set(record.targets)}
        found = history_of(mine)
        if timed := found.of("latency"):
            page = history_page(History(found.runs, timed), home="../index.html")
            title = f"{title_of(flavor)}, {site.gpu(versions[0])}"
            yield title, f"latency/{slug('-'.join(filter(None, (flavor, gpu))))}.html", page
