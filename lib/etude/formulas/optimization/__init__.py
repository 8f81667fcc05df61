"""Descending a function: first-order rules, their schedules and limits, and second-order methods.

Chapter: formulas/optimization
"""
