"""A student's code and errors without their author: no comments, no names, no ids."""

import io
import re
import tokenize

from proctor.report.ledger import Submission

SOMEONE = "someone"
SHORTEST = 4  # letters of a name that is looked for: `max` and `sum` are names, too


def anonymous(text: str, author: Submission) -> str:
    """Words with the author's names taken out."""
    names = {author.student, author.first, author.last, author.email, author.lms}
    names |= {part for name in (author.first, author.last) for part in name.split()}
    for name in sorted(names, key=len, reverse=True):
        if len(name) >= SHORTEST or name == author.student:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", SOMEONE, text, flags=re.I)
    return text


def bare(code: str, author: Submission) -> str:
    """Code without comments, and without the author in its strings; where it cannot be read, # cuts a line."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return anonymous(re.sub(r"(?m)[ \t]*#.*$", "", code), author)
    lines = code.split("\n")
    for token in reversed(tokens):  # from the end: what comes before keeps its place
        (row, column), (last, end) = token.start, token.end
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip() or "\0"  # nothing else: the line goes
        elif token.type == tokenize.STRING:
            kept = lines[row - 1][:column] + anonymous(token.string, author) + lines[last - 1][end:]
            lines[row - 1 : last] = kept.split("\n")
    return "\n".join(line for line in lines if line != "\0").strip("\n")
