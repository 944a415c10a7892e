"""How many of the types that oneDNN's benchdnn runs convolutions in a case can express.

    python benchmarks/benchdnn_types.py oneDNN/tests/benchdnn/inputs/conv

Each value of ``--dt`` or ``--cfg`` in the files of the folder is a mention: ``--dt=f32,u8:s8:s32`` is two. A mention
can be expressed if the importer makes a case of a convolution in these types. Prints the share, and what most of the
others are.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from trt_conformance.catalog.imports.benchdnn import read_descriptor
from trt_conformance.catalog.imports.benchdnn_options import changed
from trt_conformance.catalog.imports.layer import NotExpressible
from trt_conformance.core.words import counted

DESCRIPTOR = "mb1ic8ih6oc8oh4kh3"
SHOWN = 8
"""How many of the types that cannot be expressed are printed."""

_OPTION = re.compile(r"(?:^|\s)(--dt|--cfg)=(\S+)", re.MULTILINE)
_COMMENT = re.compile(r"#.*")


def mentions(texts: Iterable[str]) -> Counter[tuple[str, str]]:
    """How often each option and value occurs in the texts of benchdnn's files."""
    return Counter(
        (name, value.strip("\"'"))
        for text in texts
        for name, values in _OPTION.findall(_COMMENT.sub("", text))
        for value in values.split(",")
        if value
    )


def is_expressible(name: str, value: str) -> bool:
    """Whether the importer makes a case of a convolution with this option; False also if it cannot read the value."""
    try:
        changed(read_descriptor(DESCRIPTOR, "line 1"), {name: value})
    except (NotExpressible, ValueError):
        return False
    return True


def summary(found: Counter[tuple[str, str]]) -> str:
    """The share of the mentions that can be expressed, and the most frequent of the others."""
    others = Counter({key: many for key, many in found.items() if not is_expressible(*key)})
    whole = found.total()
    expressed = whole - others.total()
    lines = [f"{expressed} of {whole} mentions of types can be expressed: {100 * expressed / whole:.0f} %"]
    for (_, value), many in others.most_common(SHOWN):
        lines.append(f"{many:8}  {value}")
    if len(others) > SHOWN:
        rest = sum(many for _, many in others.most_common()[SHOWN:])
        lines.append(f"{rest:8}  {counted(len(others) - SHOWN, 'other')}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with benchdnn's files: inputs/conv")
    folder = parser.parse_args().folder
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*")) if path.is_file()]
    found = mentions(texts)
    if not found:
        parser.error(
            f"{folder} has no file with --dt or --cfg; expected the folder tests/benchdnn/inputs/conv of oneDNN"
        )
    print(summary(found))


if __name__ == "__main__":
    main()
