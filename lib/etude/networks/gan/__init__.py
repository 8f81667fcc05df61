"""Two networks that play against each other: one draws, the other tells drawn from real.

Chapter: networks/gan
"""
