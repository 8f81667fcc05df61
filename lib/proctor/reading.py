"""A section of the book, as people call it."""

ACRONYMS = {"bert", "cnn", "gan", "gru", "lstm", "mcmc", "rnn", "t5"}
NAMES = {"carlo", "gibbs", "hamiltonian", "markov", "monte"}


def in_words(address: str) -> str:
    """A section's address, "formulas/cnn_layers#pooling", in words."""
    slug, _, anchor = address.partition("#")
    chapter, section = map(title, (slug.rpartition("/")[2], anchor))
    return f"chapter “{chapter}”, section “{section}”"


def title(name: str) -> str:
    """A name made of small letters, as a title."""
    words = name.replace("_", " ").replace("-", " ").split()
    written = " ".join(
        word.upper() if word in ACRONYMS else word.capitalize() if word in NAMES else word
        for word in words
    )
    return written[:1].upper() + written[1:]
