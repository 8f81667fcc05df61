"""Who may see feedback already: a section, after a date, and never before the student's own extension has ended."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from proctor.collect import Unusable
from proctor.export.roster import Roster, read
from proctor.report.ledger import Sheet, Submission

UTC = datetime.UTC
ROSTER = "_grading/roster.csv"  # where a course keeps its roster


@dataclass
class Terms:
    """What the command line says about who sees feedback, and when."""

    section: str = ""
    after: datetime.datetime | None = None
    at_once: bool = False  # whatever dates say
    roster: Roster | None = None

    def section_of(self, one: Submission) -> set[str]:
        """The student's sections, as far as the roster knows."""
        found = self.roster.find(one) if self.roster else None
        return found.sections if found else set()

    def until(self, sheet: Sheet, one: Submission) -> datetime.datetime | None:
        """When this student's page may go out; None: at once."""
        owed = sheet.owed(one)
        dates = [self.after, owed.replace(tzinfo=UTC) if owed else None]
        latest = max((date for date in dates if date), default=None)
        if latest is None or self.at_once or latest <= datetime.datetime.now(UTC):
            return None
        return latest.astimezone(UTC)


def date(text: str) -> datetime.datetime:
    """A date as it is typed; without a zone it is UTC, as nbgrader's dates are."""
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unusable(
            f"--after is {text!r}, expected a date such as 2030-01-31 or 2030-01-31T18:00+01:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def terms(course: Path, section: str, after: str, at_once: bool, roster: Path | None) -> Terms:
    """The terms, checked: a section needs a roster that has it."""
    place = roster or course / ROSTER
    known = read(place) if roster or place.exists() else None
    if section:
        if known is None:
            raise Unusable(f"--section {section!r} needs to know who is in it: --roster FILE")
        there = sorted({one for person in known.people for one in person.sections})
        if section not in there:
            raise Unusable(
                f"--section is {section!r}; {known.path} has the sections {', '.join(there) or 'none'}"
            )
    return Terms(section, date(after) if after else None, at_once, known)
