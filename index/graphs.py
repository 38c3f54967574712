"""ONNX graphs made operation by operation, and ONNX Runtime sessions of them. The only file that knows either.

A session runs on the thread that calls it, whatever else the machine does: a product of small matrices on several
threads waits for the slowest of them, on a busy machine ten times as long as it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operations
ONNX_VERSION, IR_VERSION = 20, 10


class Graph:
    """A graph while it is made: operations, and the constants they read. Values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any, kind: str) -> str:
        """Return a constant of a NumPy type; a name is given its value once."""
        import numpy as np
        from onnx import numpy_helper

        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(value, dtype=kind, order="C"), name)
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", **settings: Any) -> str:
        """Return what an operation of one output gives."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **settings)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, domain: str = "", **settings: Any) -> list[str]:
        """Return what an operation of several outputs gives."""
        from onnx import helper

        names = [f"{len(self._nodes)}.{output}" for output in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, domain=domain, **settings))
        return names

    def session(self, read: tuple[str, int], given: tuple[str, int]) -> InferenceSession:
        """Return a session from one named input to one output, both (length, width) float32; widths are given."""
        import onnxruntime
        from onnx import TensorProto, helper

        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [f"rows of {n}", w]) for n, w in (read, given)]
        graph = helper.make_graph(self._nodes, "graph", ends[:1], ends[1:], list(self._constants.values()))
        versions = [helper.make_opsetid("", ONNX_VERSION), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=versions, ir_version=IR_VERSION)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # beyond this level additions are joined with the layer norm after them, which then takes four times as long
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.enable_mem_pattern = False  # one would be kept for each length of text
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
