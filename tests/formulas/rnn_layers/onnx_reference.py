"""The operators LSTM and GRU of ONNX, run by its reference implementation in NumPy."""

import numpy as np
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

REFERENCE = "onnx.reference"


def reordered(weights: Tensor, order: str, wanted: str) -> Tensor:
    """Blocks of rows that stand in one order of gates, in another."""
    blocks = dict(zip(order, weights.chunk(len(order)), strict=True))
    return torch.cat([blocks[gate] for gate in wanted])


def run(
    operator: str, inputs: dict[str, Tensor | None], outputs: int, **attributes
) -> list[Tensor]:
    """All outputs of one operator, without the axis of directions."""
    given = {name: value for name, value in inputs.items() if value is not None}
    names = [name if name in given else "" for name in inputs]
    answers = [f"answer{n}" for n in range(outputs)]
    node = helper.make_node(operator, names, answers, **attributes)
    number = TensorProto.DOUBLE
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info(name, number, list(v.shape)) for name, v in given.items()],
        [helper.make_tensor_value_info(name, number, None) for name in answers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    feed = {name: value.numpy() for name, value in given.items()}
    y, *last = ReferenceEvaluator(model).run(None, feed)
    return [torch.from_numpy(np.ascontiguousarray(v)) for v in (y[:, 0], *(one[0] for one in last))]


def lstm(x, h0, c0, W_ih, W_hh, b, P=None) -> list[Tensor]:
    """y, h, c: ONNX has the gates i, o, f, c (our g) and the peepholes i, o, f."""
    inputs = {
        "X": x,
        "W": reordered(W_ih, "ifgo", "iofg")[None],
        "R": reordered(W_hh, "ifgo", "iofg")[None],
        "B": torch.cat([reordered(b, "ifgo", "iofg"), torch.zeros_like(b)])[None],
        "sequence_lens": None,
        "initial_h": h0[None],
        "initial_c": c0[None],
        "P": None if P is None else reordered(P.flatten(), "ifo", "iof")[None],
    }
    return run("LSTM", inputs, 3, hidden_size=h0.shape[1])


def gru(x, h0, W_ih, W_hh, b_ih, b_hh, reset: str) -> list[Tensor]:
    """y, h: ONNX has the gates z, r, h (our n)."""
    inputs = {
        "X": x,
        "W": reordered(W_ih, "rzn", "zrn")[None],
        "R": reordered(W_hh, "rzn", "zrn")[None],
        "B": torch.cat([reordered(b, "rzn", "zrn") for b in (b_ih, b_hh)])[None],
        "sequence_lens": None,
        "initial_h": h0[None],
    }
    after = int(reset == "after")
    return run("GRU", inputs, 2, hidden_size=h0.shape[1], linear_before_reset=after)
