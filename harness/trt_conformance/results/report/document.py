"""The document whose claims are checked: its name, place, license, and its sections in English."""

from __future__ import annotations

NAME = "NVIDIA TensorRT Cookbook, chapter ConvolutionNd"
REPOSITORY = "trt-samples-for-hackathon-cn"
LINK = (
    f"https://github.com/NVIDIA/{REPOSITORY}/tree/c62cebaeb48a10d8c885aa44857fda6c88874b9a"
    "/cookbook/02-API/Layer/ConvolutionNdLayer"
)
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
