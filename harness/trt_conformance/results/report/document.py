"""How the report shows the documents whose claims are checked: a note on each, and its sections in English."""

from __future__ import annotations

from trt_conformance.core.documents import COOKBOOK, DOCUMENTS

NAME, LINK = DOCUMENTS[COOKBOOK].title, DOCUMENTS[COOKBOOK].link
REPOSITORY = "trt-samples-for-hackathon-cn"
LICENSE = "Apache-2.0"
"""As the source files of the chapter say."""

# Sections whose titles are not in English already.
_TITLES = {
    "ConvoutionNd 层（Convolution 层）": "The ConvolutionNd layer",
    "初始示例代码": "Initial example",
    "三维卷积的示例": "Example of a 3D convolution",
    "set_input 用法": "Use of set_input",
}


def section_title(section: str) -> str:
    """The English title of a section, with the original one in brackets where that differs."""
    return f"{_TITLES[section]} ({section})" if section in _TITLES else section
