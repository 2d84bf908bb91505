"""An encoder of BERT's architecture as a graph of ONNX Runtime's fused operators (domain `com.microsoft`).

What training computes in several steps, each with a copy of the activations, is one operator here: attention
with its projections, a sum with its layer normalisation, a bias with its GELU.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from starcast.models.fitted_transformer import EPSILON, MASKED, Architecture, Weights
from starcast.models.texts import PADDING

FUSED = "com.microsoft"
VERSIONS = {"": 17, FUSED: 1}  # of the operators
FORMAT = 9  # of the file
ROWS, COLUMNS, INNERMOST = np.array([0]), np.array([1]), np.array([2])  # axes


class Graph:
    """Nodes, each named after its one output, and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, kind: str, *inputs: str | np.ndarray, name: str = "", **attributes: Any) -> str:
        """Add a node, some of whose inputs may be constants, and return the name of its output."""
        name = name or f"node_{len(self.nodes)}"
        named = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(kind, named, [name], **attributes))
        return name


def graph_of(sizes: Architecture, weights: Weights) -> ModelProto:
    """Return the graph from `numbers` of word pieces, int32 (reviews, pieces), to `probabilities`."""
    graph = Graph()
    there = graph.add("Not", graph.add("Equal", "numbers", np.array(PADDING, dtype=np.int32)))
    encoded = _embedded(graph, weights)
    attended_to = graph.add("Cast", there, to=TensorProto.INT32)
    for i in range(sizes.layers):
        attention, *others = _of_block(weights, i)
        attend = _first_attends if sizes.reads_first(i) else _all_attend
        asking, learned = attend(graph, encoded, attended_to, attention, sizes.heads)
        encoded = _block(graph, asking, learned, [attention[-1], *others])
    pooled = _pooled(graph, encoded, there, sizes.pooling)
    pooled = graph.add("Tanh", graph.add("Gemm", pooled, *weights["pooler"]))
    graph.add("Softmax", graph.add("Gemm", pooled, *weights["ratings"]), name="probabilities", axis=1)
    labels = len(weights["ratings"][1])
    given = helper.make_tensor_value_info("numbers", TensorProto.INT32, ["reviews", "pieces"])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["reviews", labels])
    made = helper.make_graph(graph.nodes, "encoder", [given], [answer], graph.constants)
    versions = [helper.make_opsetid(domain, version) for domain, version in VERSIONS.items()]
    return helper.make_model(made, opset_imports=versions, ir_version=FORMAT)


def _embedded(graph: Graph, weights: Weights) -> str:
    """Add up the vectors of pieces and places, and normalise."""
    pieces, places = weights["embedded"]
    width = graph.add("Gather", graph.add("Shape", "numbers"), COLUMNS)
    here = graph.add("Slice", places, ROWS, width, ROWS)
    placed = graph.add("Add", graph.add("Gather", pieces, "numbers"), here)
    return graph.add("LayerNormalization", placed, *weights["embedded_norm"], epsilon=EPSILON)


def _of_block(weights: Weights, i: int) -> Iterator[list[np.ndarray]]:
    for name in ("attention_{}", "attention_{}_norm", "inner_{}", "outer_{}", "outer_{}_norm"):
        yield weights[name.format(i)]


def _all_attend(
    graph: Graph, encoded: str, there: str, weights: list[np.ndarray], heads: int
) -> tuple[str, str]:
    """Add attention; return the names of what asks and what it learns, both (reviews, pieces, width)."""
    joined, joined_bias, outward, _ = weights
    given: dict[str, Any] = {"num_heads": heads, "mask_filter_value": MASKED, "domain": FUSED}
    learned = graph.add("Attention", encoded, joined, joined_bias, there, **given)
    return encoded, graph.add("MatMul", learned, outward)


def _first_attends(
    graph: Graph, encoded: str, there: str, weights: list[np.ndarray], heads: int
) -> tuple[str, str]:
    """Add attention in which the first piece alone asks: both results are (reviews, 1, width)."""
    joined, joined_bias, outward, _ = weights
    asking = graph.add("Slice", encoded, ROWS, COLUMNS, COLUMNS)
    parts = zip((asking, encoded, encoded), np.split(joined, 3, axis=1), strict=True)
    projected = [graph.add("MatMul", name, kernel) for name, kernel in parts]
    given: dict[str, Any] = {"num_heads": heads, "mask_filter_value": MASKED, "domain": FUSED}
    learned = graph.add("MultiHeadAttention", *projected, joined_bias, there, **given)
    return asking, graph.add("MatMul", learned, outward)


def _block(graph: Graph, encoded: str, learned: str, weights: list[Any]) -> str:
    """Add the rest of a block after its attention: two dense layers, and two sums, each with a norm."""
    outward_bias, norm, (inner, inner_bias), (outer, outer_bias), last = weights
    fused: dict[str, Any] = {"domain": FUSED}
    summed = "SkipLayerNormalization"
    encoded = graph.add(summed, learned, encoded, *norm, outward_bias, epsilon=EPSILON, **fused)
    wide = graph.add("FastGelu", graph.add("MatMul", encoded, inner), inner_bias, **fused)
    narrow = graph.add("MatMul", wide, outer)
    return graph.add(summed, narrow, encoded, *last, outer_bias, epsilon=EPSILON, **fused)


def _pooled(graph: Graph, encoded: str, there: str, pooling: str) -> str:
    """Reduce (reviews, pieces, width) to the vector of the first piece, or to the mean of all pieces."""
    if pooling == "cls":
        return graph.add("Gather", encoded, np.array(0), axis=1)
    mask = graph.add("Unsqueeze", graph.add("Cast", there, to=TensorProto.FLOAT), INNERMOST)
    total, count = (
        graph.add("ReduceSum", each, COLUMNS, keepdims=0) for each in (graph.add("Mul", encoded, mask), mask)
    )
    return graph.add("Div", total, count)
