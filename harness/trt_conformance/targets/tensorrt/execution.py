"""Runs a serialized engine on the GPU, with poisoned and guarded outputs, in each execution mode of TensorRT."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT
from trt_conformance.core.types import Mode
from trt_conformance.targets.device import cuda
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.io_quantization import dequantized, quantized
from trt_conformance.targets.protocols import OTHER_OUTPUT, EngineFacts
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.guards import unwrapped
from trt_conformance.targets.tensorrt.lanes import OTHERS, TOGETHER, Lane, hold
from trt_conformance.targets.tensorrt.layouts import pack, packed_shape, unpack
from trt_conformance.targets.tensorrt.loading import device_memory, load, loaded
from trt_conformance.targets.tensorrt.network import WARNINGS
from trt_conformance.targets.tensorrt.placing import Places, give_scratch
from trt_conformance.targets.tensorrt.plans import Plan
from trt_conformance.targets.tensorrt.refusal import refusal
from trt_conformance.targets.tensorrt.reporting import laid_out, reported
from trt_conformance.targets.tensorrt.shapes import further_profile
from trt_conformance.targets.timing import gpu, quick
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.yardstick import spin_seconds

if TYPE_CHECKING:
    import tensorrt

Launch = Callable[[Callable[[], None]], None]
POISONED = "second_context_with_poisoned_workspace"
"""The execution mode in a context whose scratch memory the harness provides."""


class TensorRTEngine:
    """A deserialized engine with its context, stream and device buffers."""

    def __init__(
        self,
        api: Api,
        plan: Plan,
        case: Case,
        ceilings: Callable[[], dict[str, float]],
        exclusion: Exclusion,
    ) -> None:
        """``ceilings`` gives what the GPU can do at most, when the engine is timed; ``exclusion`` keeps others from it.

        Raises Refused in phase run where TensorRT does not load its own plan.
        """
        self._api, self._ceilings, self._exclusion = api, ceilings, exclusion
        self.origin = plan.origin
        self._case = case
        self._resources = ExitStack()
        self._engine, self._context, self._facts, _ = plan.loaded or load(api, plan.content, case)
        self._formats = laid_out(self._engine, case.formats)
        self._stream = cuda.Stream()
        self._resources.callback(self._stream.close)
        self._buffers: dict[str, cuda.Buffer] = {}
        self._execution_modes: dict[str, Callable[[Mapping[str, Array]], dict[str, Array]]] = {
            "again": self.run,
            "reloaded": self._reloaded,
            "cuda_graph": self._as_graph,
        }
        has_bindings = hasattr(self._context, "execute_async_v2")
        # Up to TensorRT 9 the profile of a dynamic engine serves one context at a time.
        self._serves_contexts = case.dynamic is None or not has_bindings
        if self._serves_contexts:
            if hasattr(self._engine, "create_execution_context_without_device_memory"):
                self._execution_modes[POISONED] = self._in_poisoned_workspace
            else:
                self._execution_modes["second_context"] = self._in_second_context
        if (index := further_profile(case)) is not None:
            self._execution_modes["further_profile"] = partial(self._in_profile, index)
        if has_bindings:
            self._execution_modes["bindings"] = self._by_bindings

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run by tensor names (`execute_async_v3`).

        Raises:
            Refused: a name or type that the engine does not have, a shape outside the profile, a failed enqueue.
            OutOfBounds: the guards around the output were written to.
            CudaError: CUDA failed.
        """
        return self._run(feeds, self._context)

    def execution_modes(self) -> tuple[str, ...]:
        return tuple(self._execution_modes)

    def run_in_mode(self, mode: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run in one of `execution_modes`. Raises as `run` does, and KeyError for another name."""
        return self._execution_modes[mode](feeds)

    def run_together(self, feeds: Mapping[str, Array], others: Mapping[str, Array]) -> dict[str, Array]:
        """Run two inputs at the same time, each in a context, on a stream and in memory of its own.

        Both streams wait for a third one while their work is enqueued, ``TOGETHER`` times each, and then go on at once.
        Raises as `run` does, and Unsupported where this version lets no second context serve the engine.
        """
        if not self._serves_contexts:
            raise Unsupported("the profile of a dynamic engine serves one context at a time")
        with ExitStack() as scope:
            second, gate = (scope.enter_context(closing(cuda.Stream())) for _ in range(2))
            context = self._new_context()
            lanes = [Lane(self._context, self._stream, feeds), Lane(context, second, others, OTHERS)]
            given = [self._shaped(lane.feeds, lane.context) for lane in lanes]
            with self._exclusion.running():
                targets = [self._loaded(lane, *x_and_shape) for lane, x_and_shape in zip(lanes, given, strict=True)]
                hold([lane.stream for lane in lanes], gate, scope)
                for _ in range(TOGETHER):
                    for lane in lanes:
                        self._enqueued(lane.context.execute_async_v3(lane.stream.handle))
                held = [target.download_guarded(lane.stream) for target, lane in zip(targets, lanes, strict=True)]
                for stream in (*(lane.stream for lane in lanes), gate):
                    stream.synchronize()
            outputs = [self._unpacked(guarded, shape) for guarded, (_, shape) in zip(held, given, strict=True)]
        return dict(zip((OUTPUT, OTHER_OUTPUT), outputs, strict=True))

    def run_misaligned(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run with the input's address one element past an aligned one. Raises as `run` does."""
        return self._run(feeds, self._context_for_misuse(), offset=NUMPY_TYPE[self._case.input_type].itemsize)

    def run_with_null_address(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run with a null address of the input. Raises as `run` does."""
        return self._run(feeds, self._context_for_misuse(), is_null=True)

    def _new_context(self) -> tensorrt.IExecutionContext:
        return loaded(self._api, self._engine.create_execution_context())

    def _context_for_misuse(self) -> tensorrt.IExecutionContext:
        """A context of its own; the engine's where no second one would get the profile."""
        return self._new_context() if self._serves_contexts else self._context

    def describe(self) -> EngineFacts | None:
        return self._facts

    def reports(self) -> dict[str, Any]:
        return reported(self._api, self._engine, self._context, self._case)

    def timing_modes(self) -> tuple[Mode, ...]:
        return gpu.modes()

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        """Time the engine on these inputs, alone on the GPU; seconds for one enqueue. Raises as `run` does."""
        with self._exclusion.alone():
            return self._measured(feeds, plan)

    def _measured(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        if plan.effort == "quick":
            return self._measured_quickly(feeds, plan)
        ceilings, before = self._ceilings(), spin_seconds()
        with ExitStack() as scope:
            copies = [scope.enter_context(closing(self._copy())) for _ in range(gpu.PLACEMENTS - 1)]
            works = []
            for engine in (self, *copies):
                engine.run(feeds)
                works.append(scope.enter_context(closing(_Timed(engine, self._packed(feeds[INPUT])))))
            measured = gpu.measure(works, plan)
        facts = {"ceilings": ceilings, "yardstick": [before, spin_seconds()]}
        return replace(measured, facts=measured.facts | facts)

    def _measured_quickly(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        """In further places of memory, without loading the engine again."""
        context, scratch = self._without_memory()
        x, shape = self._shaped(feeds, context)
        self._upload_parameters(Lane(context, self._stream, feeds))
        places = Places(context, self._stream, x, self._output_bytes(shape), scratch, self._enqueued)
        own = ["scratch memory"] * (scratch < device_memory(self._engine))
        return quick.measure(places.new, plan, ["weights", *own])

    def _without_memory(self) -> tuple[tensorrt.IExecutionContext, int]:
        """A context without scratch memory, and how many bytes it needs; the engine's own where it needs none.

        Also the engine's own where this version lets no second context serve the engine.
        """
        size = device_memory(self._engine)
        if not size or POISONED not in self._execution_modes:
            return self._context, 0
        return loaded(self._api, self._engine.create_execution_context_without_device_memory()), size

    def _copy(self) -> TensorRTEngine:
        """The same engine once more, in memory of its own."""
        plan = Plan(bytes(self._engine.serialize()))
        return type(self)(self._api, plan, self._case, self._ceilings, self._exclusion)

    def enqueue(self) -> None:
        """Enqueue once more what `run` has run. Raises Refused if TensorRT does not."""
        self._enqueued(self._context.execute_async_v3(self._stream.handle))

    def close(self) -> None:
        if hasattr(self, "_context"):
            self._stream.synchronize()  # the buffers' memory serves others next
            # TensorRT wants the context gone before its engine, and both before the stream.
            self._execution_modes.clear()
            del self._context, self._engine
        self._resources.close()

    def _in_second_context(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return self._run(feeds, self._new_context())

    def _in_profile(self, index: int, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """In a second context, which another profile of the engine serves."""
        context = self._new_context()
        if not context.set_optimization_profile_async(index, self._stream.handle):
            raise self._refusal(f"profile {index} was refused")
        self._stream.synchronize()
        return self._run(feeds, context)

    def _reloaded(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Serialized and loaded again: with the weights that it was refitted with, unless they are stripped."""
        stripped = "STRIP_PLAN" in self._case.builder.flags
        again = load(self._api, bytes(self._engine.serialize()), self._case if stripped else None)
        return self._run(feeds, again.context)

    def _in_poisoned_workspace(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """In a second context, its scratch memory full of NaN: a kernel that reads what it did not write shows it."""
        size = device_memory(self._engine)
        context = loaded(self._api, self._engine.create_execution_context_without_device_memory())
        with ExitStack() as scope:
            workspace = cuda.Buffer(max(size, 1))
            scope.callback(workspace.close)
            workspace.poison(self._stream)
            give_scratch(context, workspace.address, size)
            return self._run(feeds, context)

    def _as_graph(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Captured in a CUDA graph after one plain enqueue, as TensorRT asks for, and replayed on a new input.

        All happens on an input full of NaN, until the input is uploaded for the second replay.
        """
        stream, x = self._stream, self._packed(feeds[INPUT])

        def launch(enqueue: Callable[[], None]) -> None:
            source, target = self._buffers[INPUT], self._buffers[OUTPUT]
            source.poison(stream)
            enqueue()
            with cuda.Graph(stream, enqueue) as graph:
                graph.launch()
                source.upload(x, stream)
                target.poison(stream)
                graph.launch()
                stream.synchronize()

        # While a stream is captured, no thread may wait for the whole device, as a builder does.
        with self._exclusion.unbuilt():
            return self._run(feeds, self._context, launch)

    def _by_bindings(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """As TensorRT 8's own documents do: binding indices and `execute_async_v2`, deprecated as they are."""
        context, engine = self._context, self._engine
        # The lock of the GPU first: a builder that has it may wait for that of warnings.
        with self._exclusion.running(), WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            names = [engine.get_binding_name(i) for i in range(engine.num_bindings)]

            def launch(enqueue: Callable[[], None]) -> None:
                context.set_binding_shape(names.index(INPUT), feeds[INPUT].shape)
                bindings = [self._buffers[name].address for name in names]
                self._enqueued(context.execute_async_v2(bindings, self._stream.handle))

            return self._run(feeds, context, launch)

    def _run(
        self,
        feeds: Mapping[str, Array],
        context: tensorrt.IExecutionContext,
        launch: Launch = lambda enqueue: enqueue(),
        offset: int = 0,
        is_null: bool = False,
    ) -> dict[str, Array]:
        """``offset`` is how many bytes after an aligned address the input is; ``is_null``: it has a null address."""
        lane = Lane(context, self._stream, feeds)
        x, shape = self._shaped(feeds, context)
        with self._exclusion.running():
            target = self._loaded(lane, x, shape, offset, is_null)
            launch(lambda: self._enqueued(context.execute_async_v3(self._stream.handle)))
            guarded = target.download_guarded(self._stream)
            self._stream.synchronize()
        return {OUTPUT: self._unpacked(guarded, shape)}

    def _loaded(
        self, lane: Lane, x: Array, shape: tuple[int, ...], offset: int = 0, is_null: bool = False
    ) -> cuda.Buffer:
        """Upload the inputs of a lane, whose input's shape is set. Returns the poisoned buffer of its output."""
        source = self._buffer(lane.name + INPUT, x.nbytes + offset)
        target = self._buffer(lane.name + OUTPUT, self._output_bytes(shape))
        read = 0 if is_null else source.address + offset
        for tensor, address in ((INPUT, read), (OUTPUT, target.address)):
            if not lane.context.set_tensor_address(tensor, address):
                raise self._refusal(f"the address of {tensor!r} was refused")
        source.upload(x, lane.stream, offset)
        self._upload_parameters(lane)
        target.poison(lane.stream)
        return target

    def _unpacked(self, guarded: Array, shape: tuple[int, ...]) -> Array:
        """The output of this shape from its bytes with the guards around them. Raises OutOfBounds."""
        y = unpack(unwrapped(guarded, NUMPY_TYPE[self._case.output_type]), self._formats.output, shape)
        return dequantized(self._case, y)

    def _shaped(self, feeds: Mapping[str, Array], context: tensorrt.IExecutionContext) -> tuple[Array, tuple[int, ...]]:
        """Set the input's shape. Returns the input as it lies in memory, and the shape of the output."""
        name, given = next(iter(feeds.items()))  # a kernel and a bias may follow; their shapes are fixed
        self._api.take_errors()
        if not context.set_input_shape(name, given.shape):
            raise self._refusal(f"input {name!r} of shape {given.shape} was refused")
        dtype = NUMPY_TYPE[self._case.data_type]
        if given.dtype != dtype:  # TensorRT is given an address, and cannot see what lies there
            raise Refused("run", f"the input is {given.dtype}, but the engine reads {dtype}")
        return self._packed(given), tuple(int(n) for n in context.get_tensor_shape(OUTPUT))

    def _upload_parameters(self, lane: Lane) -> None:
        """Give the network the kernel and the bias that it reads as inputs; they follow the activation."""
        for tensor, values in list(lane.feeds.items())[1:]:
            held = self._buffer(lane.name + tensor, values.nbytes)
            if not lane.context.set_tensor_address(tensor, held.address):
                raise self._refusal(f"the address of {tensor!r} was refused")
            held.upload(values, lane.stream)

    def _output_bytes(self, shape: tuple[int, ...]) -> int:
        """The size of an output of this shape as it lies in memory."""
        return math.prod(packed_shape(shape, self._formats.output)) * NUMPY_TYPE[self._case.output_type].itemsize

    def _packed(self, x: Array) -> Array:
        """The input as it lies in memory."""
        padding = np.nan if self._formats.padding == "nan" else 0.0
        return pack(quantized(self._case, x), self._formats.input, padding)

    def _buffer(self, name: str, nbytes: int) -> cuda.Buffer:
        """A buffer of exactly this size, so that its guards touch the tensor."""
        held = self._buffers.get(name)
        if held is None or held.nbytes != nbytes:
            if held is not None:
                held.close()
            held = self._buffers[name] = cuda.Buffer(nbytes)
            self._resources.callback(held.close)
        return held

    def _enqueued(self, success: bool) -> None:
        if not success:
            raise self._refusal("the enqueue failed")

    def _refusal(self, what: str) -> Refused:
        return refusal(self._api, "run", what)


class _Timed:
    """One enqueue of an engine that has just run: its shapes, addresses and buffers are set."""

    def __init__(self, engine: TensorRTEngine, x: Array) -> None:
        self._engine = engine
        self.stream = engine._stream
        self._x, self._source = cuda.Pinned(x), engine._buffers[INPUT]
        self._target = engine._buffers[OUTPUT]
        self._values = cuda.Buffer(x.nbytes)
        self._values.upload(self._x.array, self.stream)
        self._host = cuda.Pinned(np.empty(self._target.nbytes, dtype=np.uint8))

    def enqueue(self) -> None:
        self._engine.enqueue()

    def upload(self) -> None:
        self._source.upload(self._x.array, self.stream)

    def rewrite_input(self) -> None:
        self._source.copy_from(self._values, self.stream)

    def download(self) -> None:
        self._target.download_into(self._host.array, self.stream)

    def close(self) -> None:
        self.stream.synchronize()
        self._values.close()
        self._x.close()
        self._host.close()
