"""The documents whose statements about the layer are claims: NVIDIA's and those of the user's own, with their places.

A claim's id begins with the name of its document (``nvinfer_h.rank_7_8``). An id that begins otherwise
(``stride_nd.h2_w2``) belongs to the cookbook's chapter, whose sections are the beginnings of its ids.
"""

from __future__ import annotations

from typing import NamedTuple

COOKBOOK = "cookbook"
OWN = "own"
"""The name under which claims of a user's own are counted: ``own.first_layer``."""


class Document(NamedTuple):
    """A document: its title, what of it a claim's ``section`` names, and its URL, empty if it has none."""

    title: str
    section: str
    link: str


_DOCS = "https://docs.nvidia.com/deeplearning/tensorrt"
DOCUMENTS: dict[str, Document] = {
    COOKBOOK: Document(
        "NVIDIA TensorRT Cookbook, chapter ConvolutionNd",
        "section",
        "https://github.com/NVIDIA/trt-samples-for-hackathon-cn/tree/c62cebaeb48a10d8c885aa44857fda6c88874b9a"
        "/cookbook/02-API/Layer/ConvolutionNdLayer",
    ),
    "cookbook_10": Document(
        "NVIDIA TensorRT Cookbook at TensorRT 10.16, example Convolution",
        "file and function",
        "https://github.com/NVIDIA/trt-samples-for-hackathon-cn/tree/main/cookbook/02-API/Layer/Convolution",
    ),
    "nvinfer_h": Document(
        "TensorRT's headers NvInfer.h and NvInferRuntime.h",
        "symbol",
        f"{_DOCS}/latest/_static/c-api/_nv_infer_8h_source.html",
    ),
    "docstring": Document(
        "Docstrings of TensorRT's Python bindings",
        "name",
        f"{_DOCS}/latest/_static/python-api/infer/Graph/Layers.html",
    ),
    "guide": Document(
        "TensorRT Developer Guide",
        "section",
        f"{_DOCS}/archives/tensorrt-861/developer-guide/index.html",
    ),
    "operator_page": Document(
        "TensorRT Operators, page Convolution",
        "paragraph",
        f"{_DOCS}/latest/_static/operators/Convolution.html",
    ),
    "release_notes": Document(
        "Release notes of TensorRT and TensorRT-RTX",
        "release",
        f"{_DOCS}/latest/getting-started/release-notes.html",
    ),
    "support_matrix": Document(
        "Support matrix of TensorRT-RTX",
        "table or note",
        "https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/getting-started/support-matrix.html",
    ),
    OWN: Document("Claims of your own", "place", ""),
}


def document_of(claim: str) -> str:
    """Return the name of the document that a claim's id belongs to.

    >>> document_of("nvinfer_h.rank_7_8"), document_of("stride_nd.h2_w2")
    ('nvinfer_h', 'cookbook')
    """
    name = claim.partition(".")[0]
    return name if name in DOCUMENTS else COOKBOOK


def is_documented(claims: tuple[str, ...]) -> bool:
    """Whether a case's data and values are the cookbook's: it checks a claim of its chapter."""
    return any(document_of(claim) == COOKBOOK for claim in claims)
