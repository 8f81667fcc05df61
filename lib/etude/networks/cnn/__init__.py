"""Convolutional networks: a LeNet, a plain stack and a ResNet, and what it takes to train them.

Chapter: networks/cnn
"""
