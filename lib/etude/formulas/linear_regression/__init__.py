"""Linear regression: a number for how two variables go together, and the line, plane or hyperplane.

Chapter: formulas/linear_regression
"""
