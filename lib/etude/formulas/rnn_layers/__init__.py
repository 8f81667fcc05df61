"""The layers of a recurrent network, their activations and first weights, and how gradients walk back.

Chapter: formulas/rnn_layers
"""

from etude.formulas.rnn_layers.gru import gru, gru_vjp
from etude.formulas.rnn_layers.lstm import lstm, lstm_vjp
from etude.formulas.rnn_layers.recurrent import rnn, rnn_vjp

__all__ = ["gru", "gru_vjp", "lstm", "lstm_vjp", "rnn", "rnn_vjp"]
