"""The layers of a convolutional network, each with the map that carries its gradient back.

Chapter: formulas/cnn_layers
"""
