"""What the adapter uses of TensorRT's module, so that mypy checks it; ``stubs/tensorrt`` states its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import tensorrt

EnumName = Literal[
    "ActivationType",
    "BuilderFlag",
    "ComputeCapability",
    "DataType",
    "DeviceType",
    "EngineStat",
    "HardwareCompatibilityLevel",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "PaddingMode",
    "TacticSource",
    "TensorFormat",
    "TilingOptimizationLevel",
    "WeightsRole",
]
"""The enumerations whose members are asked for by name."""


class Module(Protocol):
    """``tensorrt`` or ``tensorrt_rtx``. A version may lack a class, which the adapter then asks for first."""

    __version__: str
    ActivationType: type[tensorrt.ActivationType]
    Builder: type[tensorrt.Builder]
    BuilderFlag: type[tensorrt.BuilderFlag]
    DataType: type[tensorrt.DataType]
    ElementWiseOperation: type[tensorrt.ElementWiseOperation]
    IAlgorithmSelector: type[tensorrt.IAlgorithmSelector]
    IConvolutionLayer: type[tensorrt.IConvolutionLayer]
    ICudaEngine: type[tensorrt.ICudaEngine]
    ILogger: type[tensorrt.ILogger]
    INetworkDefinition: type[tensorrt.INetworkDefinition]
    IQuantizeLayer: type[tensorrt.IQuantizeLayer]
    LayerInformationFormat: type[tensorrt.LayerInformationFormat]
    PoolingType: type[tensorrt.PoolingType]
    ProfilingVerbosity: type[tensorrt.ProfilingVerbosity]
    Refitter: type[tensorrt.Refitter]
    Runtime: type[tensorrt.Runtime]
    ScaleMode: type[tensorrt.ScaleMode]
    TacticSource: type[tensorrt.TacticSource]
    Weights: type[tensorrt.Weights]
