"""The archive of goldens: the same bytes for the same goldens, and nothing comes out of it that was not put in."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile

import pytest
from typer.testing import CliRunner

from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import GOLDEN
from trt_conformance.golden import archive
from trt_conformance.golden.archive import FOLDER, SUMS, differences, pack, read_archive, unpack
from trt_conformance.golden.sums import golden_sums


@pytest.fixture
def store(tmp_path):
    """A copy of some of the suite's goldens, as a store of its own."""
    root = tmp_path / "store"
    for name in ("documented/convolution", "hashes"):
        shutil.copytree(GOLDEN / name, root / name)
    from trt_conformance.golden import manifest

    lines = {k: v for k, v in manifest.read_manifest(GOLDEN).items() if k.startswith("documented/convolution/")}
    manifest.write_manifest(root, lines)
    return root


@pytest.fixture
def packed(store, tmp_path):
    pack(store, tmp_path / "g.tar.gz")
    return tmp_path / "g.tar.gz"


def test_equal_goldens_give_equal_archives_whatever_their_times_and_permissions(store, packed, tmp_path):
    other = tmp_path / "elsewhere" / "other"
    for name in reversed(list(golden_sums(store))):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store / name, other / name)
        os.utime(other / name, (1e9, 1e9))
        (other / name).chmod(0o600)
    (other / "observed" / "target").mkdir(parents=True)
    (other / "observed" / "target" / "x.h5").write_bytes(b"what a target gave is no golden")
    digest = pack(other, tmp_path / "h.tar.gz")
    assert (tmp_path / "h.tar.gz").read_bytes() == packed.read_bytes()
    assert digest == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_what_is_unpacked_is_what_was_packed(store, packed, tmp_path):
    assert unpack(packed, tmp_path / "new") == len(golden_sums(store))
    assert golden_sums(tmp_path / "new") == golden_sums(store)
    assert differences(tmp_path / "new", packed) == []


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not here")
def test_other_tools_read_the_archive_and_its_sums(packed, tmp_path):
    subprocess.run(["tar", "xzf", str(packed)], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=tmp_path / FOLDER, check=True)


def test_differences_of_a_store_are_listed(store, packed):
    files = list(golden_sums(store))
    (store / files[0]).write_bytes(b"changed")
    (store / files[1]).unlink()
    (store / "hashes" / "new.tsv").write_text("new", encoding="utf-8")
    assert differences(store, packed) == sorted(
        [
            f"{files[0]}: differs from the archive's",
            f"{files[1]}: is missing",
            "hashes/new.tsv: is not in the archive",
        ]
    )


def test_goldens_that_the_manifest_does_not_list_are_not_packed(store, tmp_path):
    file = next((store / "documented" / "convolution").iterdir())
    file.write_bytes(b"changed")
    with pytest.raises(
        ConformanceError, match=r"MANIFEST.json does not match 1 golden file, such as documented/.*golden verify"
    ):
        pack(store, tmp_path / "x.tar.gz")
    file.unlink()
    with pytest.raises(ConformanceError, match=r"MANIFEST.json does not match 1 golden file"):
        pack(store, tmp_path / "x.tar.gz")
    (store / "MANIFEST.json").unlink()
    with pytest.raises(ConformanceError, match=r"MANIFEST.json does not exist"):
        pack(store, tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists()


def forged(path, members, sums=None):
    """An archive of members (name, content or a TarInfo), with true sums unless others are given."""
    files = {name: data for name, data in members if isinstance(data, bytes)}
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    every = [*members, (SUMS, (lines if sums is None else sums).encode())]
    with tarfile.open(path, "w:gz") as tar:
        for name, data in every:
            member = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(f"{FOLDER}/{name}")
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def link(name, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


GOOD = ("reference/a.h5", b"a")


@pytest.mark.parametrize(
    ("members", "sums", "message"),
    [
        ([("../../evil.h5", b"x")], None, r"it has a member 'golden/../../evil.h5', which is not a golden"),
        ([("", tarfile.TarInfo("/tmp/evil.h5"))], None, "it has a member '/tmp/evil.h5'"),
        ([("", tarfile.TarInfo("evil.h5"))], None, "it has a member 'evil.h5'"),
        ([("", link("golden/a.h5", tarfile.SYMTYPE))], None, "it has a member 'golden/a.h5'"),
        ([("", link("golden/a.h5", tarfile.LNKTYPE))], None, "it has a member 'golden/a.h5'"),
        ([("", link("golden/a.h5", tarfile.FIFOTYPE))], None, "it has a member 'golden/a.h5'"),
        ([GOOD, GOOD], None, "it has a member 'golden/reference/a.h5'"),
        ([GOOD], f"{'0' * 64}  reference/a.h5\n", "reference/a.h5 is damaged: SHA256SUMS lists another SHA-256"),
        ([GOOD], f"{'0' * 64}  reference/b.h5\n", "SHA256SUMS does not list reference/a.h5"),
        ([], f"{'0' * 64}  reference/b.h5\n", "reference/b.h5 is missing; SHA256SUMS lists it"),
        ([GOOD], "", "it has no SHA256SUMS"),
        ([GOOD], "nonsense\n", "SHA256SUMS has a line 'nonsense', which is not a checksum line"),
    ],
)
def test_a_forged_archive_is_refused_and_writes_nothing(tmp_path, members, sums, message):
    path = forged(tmp_path / "forged.tar.gz", members, sums)
    with pytest.raises(ConformanceError, match=message):
        unpack(path, tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["forged.tar.gz"]


def test_a_damaged_archive_is_refused(packed, tmp_path):
    data = packed.read_bytes()
    for name, content in {"cut": data[:-20], "long": data + b"x", "empty": b"", "text": b"no archive"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConformanceError, match=f"{name}: not an archive of goldens: "):
            read_archive(tmp_path / name)
    with pytest.raises(ConformanceError, match="No such file"):
        read_archive(tmp_path / "none")


def test_an_archive_that_unfolds_too_far_is_refused(packed, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", packed.stat().st_size + 1000)
    with pytest.raises(ConformanceError, match="or it has more than"):
        read_archive(packed)


def test_a_folder_with_something_in_it_is_left_alone(packed, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(mine)
    for folder in (mine, mine / "thesis.txt", tmp_path / "link"):
        with pytest.raises(ConformanceError, match="is not an empty folder"):
            unpack(packed, folder)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_the_commands(store, tmp_path):
    def invoke(*arguments):
        return CliRunner().invoke(app, ["golden", *map(str, arguments)])

    file = tmp_path / "goldens.tar.gz"
    done = invoke("pack", "-o", file, "--golden", store)
    assert done.exit_code == 0
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f"bytes, SHA-256 {digest}" in done.output
    assert file.with_name("goldens.tar.gz.sha256").read_text(encoding="utf-8") == f"{digest}  goldens.tar.gz\n"
    assert invoke("unpack", file, "-o", tmp_path / "new").output.endswith(f"new: {len(golden_sums(store))} files\n")
    same = invoke("verify", "--archive", file, "--golden", tmp_path / "new")
    assert (same.exit_code, same.output) == (0, "every golden equals that of the archive\n")
    (tmp_path / "new" / "MANIFEST.json").unlink()
    other = invoke("verify", "--archive", file, "--golden", tmp_path / "new")
    assert (other.exit_code, other.output) == (1, "MANIFEST.json: is missing\n")
