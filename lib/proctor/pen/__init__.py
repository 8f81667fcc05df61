"""The pen: where students' code runs, apart from the hidden tests, and apart from everything else.

A writer (outside) knows nbgrader and sends one submission at a time to a warden. The wardens, and one server that
has imported torch, live in a bubblewrap without network, home or course. For each notebook a warden has the server
fork two processes, each confined once more: the *student* runs the cells, the *referee* runs the tests and holds
the score. Between them lies a channel that carries data. Nothing that a student sends is ever executed elsewhere.
"""
