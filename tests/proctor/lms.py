"""What Canvas and Moodle make of a file, as their documentation says they read it."""

import csv
import io
import re
from dataclasses import dataclass, field


@dataclass
class CanvasCourse:
    """A course in Canvas: students by id, sis id and login; assignments by id; grades."""

    students: dict[int, tuple[str, str, str]]  # id → name, sis id, login
    assignments: dict[int, tuple[str, float]]  # id → title, points possible
    grades: dict[tuple[int, str], str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)  # assignments that the file brought

    def load(self, text: str) -> None:
        """Read a gradebook file: header, points possible, then a student a row; an empty cell takes a grade away."""
        rows = [row for row in csv.reader(io.StringIO(text)) if any(c.strip(" ,;") for c in row)]
        header = rows[0]
        assert "Student" in header[0]
        assert "ID" in header[1]
        assert "Section" in header
        first = header.index("Section") + 1
        titles = [self.title(column) for column in header[first:]]
        for row in rows[1:]:
            if "Points Possible" in row[0]:
                for title, worth in zip(titles, row[first:], strict=True):
                    self.worth(title, float(worth))
                continue
            who = self.find(dict(zip(header, row, strict=True)))
            for title, grade in zip(titles, row[first:], strict=True):
                assert grade == "" or grade == "EX" or re.fullmatch(r"\d+(\.\d+)?", grade), grade
                self.grades[who, title] = grade

    def title(self, column: str) -> str:
        """An assignment by the number in its column, else by its title; else a new one."""
        found = re.fullmatch(r"(.*) \((\d+)\)", column)
        if found and int(found[2]) in self.assignments:
            return self.assignments[int(found[2])][0]
        if column not in [title for title, _ in self.assignments.values()]:
            self.made.append(column)
        return column

    def worth(self, title: str, points: float) -> None:
        """Points possible change the assignment."""
        for number, (known, _) in self.assignments.items():
            if known == title:
                self.assignments[number] = title, points

    def find(self, row: dict[str, str]) -> int:
        """By ID, then SIS User ID, then SIS Login ID, then by name."""
        if row["ID"] and int(row["ID"]) in self.students:
            return int(row["ID"])
        for at, column in ((1, "SIS User ID"), (2, "SIS Login ID"), (0, "Student")):
            for number, about in self.students.items():
                if row.get(column) and about[at] == row[column]:
                    return number
        raise AssertionError(f"Canvas does not know {row}")


def moodle_worksheet(text: str) -> dict[int, str]:
    """What an uploaded grading worksheet changes: the number at the end of Identifier, and the grade."""
    rows = list(csv.reader(io.StringIO(text)))
    header = rows[0]
    columns = [header.index(one) for one in ("Identifier", "Grade", "Last modified (grade)")]
    found = {}
    for row in rows[1:]:
        assert len(row) == len(header)
        identifier, grade, modified = (row[at] for at in columns)
        assert modified == "-" or re.fullmatch(r"[\w ,:]*", modified)
        number = identifier.removeprefix("Participant ")
        if grade:
            assert re.fullmatch(r"\d+(\.\d+)?", grade), grade
            found[int(number)] = grade
    return found


def moodle_grades(text: str, key: str) -> dict[str, dict[str, str]]:
    """What Grades, Import, CSV reads: whom the mapped column names, and the grade items."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return {
        row[key]: {
            name: value
            for name, value in row.items()
            if name not in (key, "First name", "Last name")
        }
        for row in rows
    }
