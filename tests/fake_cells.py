"""The fused recurrent cells that torch picks on accelerators, in plain operators."""

from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten


def lstm_cell(from_input, from_hidden, memory, input_bias=None, hidden_bias=None):
    gates = from_input + from_hidden
    if input_bias is not None:
        gates = gates + input_bias + hidden_bias
    admit, forget, candidate, output = gates.chunk(4, 1)
    admit, forget, output = admit.sigmoid(), forget.sigmoid(), output.sigmoid()
    candidate = candidate.tanh()
    memory = forget * memory + admit * candidate
    return output * memory.tanh(), memory, torch.cat([admit, forget, candidate, output], 1)


def lstm_cell_backward(d_hidden, d_memory, before, after, workspace, has_bias):
    admit, forget, candidate, output = workspace.chunk(4, 1)
    squashed = after.tanh()
    d_hidden = torch.zeros_like(after) if d_hidden is None else d_hidden
    d_after = d_hidden * output * (1 - squashed**2) + (0 if d_memory is None else d_memory)
    d_gates = torch.cat(
        [
            d_after * candidate * admit * (1 - admit),
            d_after * before * forget * (1 - forget),
            d_after * admit * (1 - candidate**2),
            d_hidden * squashed * output * (1 - output),
        ],
        1,
    )
    return d_gates, d_after * forget, bias_gradient(d_gates, has_bias)


def gru_cell(from_input, from_hidden, hidden, input_bias=None, hidden_bias=None):
    if input_bias is not None:
        from_input, from_hidden = from_input + input_bias, from_hidden + hidden_bias
    input_reset, input_update, input_new = from_input.chunk(3, 1)
    hidden_reset, hidden_update, hidden_new = from_hidden.chunk(3, 1)
    reset = (input_reset + hidden_reset).sigmoid()
    update = (input_update + hidden_update).sigmoid()
    new = (input_new + reset * hidden_new).tanh()
    workspace = torch.cat([reset, update, new, hidden, hidden_new], 1)
    return (1 - update) * new + update * hidden, workspace


def gru_cell_backward(gradient, workspace, has_bias):
    reset, update, new, hidden, hidden_new = workspace.chunk(5, 1)
    d_new = gradient * (1 - update) * (1 - new**2)
    d_update = gradient * (hidden - new) * update * (1 - update)
    d_reset = d_new * hidden_new * reset * (1 - reset)
    d_input = torch.cat([d_reset, d_update, d_new], 1)
    d_hidden = torch.cat([d_reset, d_update, d_new * reset], 1)
    bias_gradients = (bias_gradient(d, has_bias) for d in (d_input, d_hidden))
    return d_input, d_hidden, gradient * update, *bias_gradients


def bias_gradient(gradient: Tensor, has_bias: bool) -> Tensor | None:
    return gradient.sum(0) if has_bias else None


CELLS = {
    aten._thnn_fused_lstm_cell.default: lstm_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
    aten._thnn_fused_gru_cell.default: gru_cell,
    aten._thnn_fused_gru_cell_backward.default: gru_cell_backward,
}
