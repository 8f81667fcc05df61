"""What a class did and did not understand, counted."""

import re
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from proctor.exercise import capitalized
from proctor.report.anonymous import anonymous, bare
from proctor.report.classroom import Classroom, Pupil, Question, Work
from proctor.report.message import Said

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
FEWEST = 5  # students below which a correlation says nothing


@dataclass
class Wrong:
    """A message that several students got, and one of them as an example."""

    checks: list[str]  # where it was said
    says: str
    named: bool  # whether it names a cause
    count: int
    lines: dict[str, str]
    code: str


@dataclass
class Misconception:
    """Something that students believe, and how many do."""

    sentence: str
    exercise: str
    count: int
    share: float  # of those who tried the exercise
    read: str
    students: list[str]


@dataclass
class Figures:
    """One exercise, in numbers."""

    question: Question
    graded: int
    mean: float | None
    untouched: int
    full: int
    partial: int
    none: int  # tried, and no point
    waiting: int
    discrimination: float | None
    late: list[str]
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def reading(self) -> str:
        """What the correlation says, in words; nothing where there is none."""
        r = self.discrimination
        if r is None:
            return ""
        if r < 0:
            return "Those who did well elsewhere did worse here: look at the task and its tests."
        if r < 0.2:
            return "It says little about how a student does elsewhere."
        return "Who did well here did well elsewhere."


def correlations(room: Classroom) -> dict[str, float | None]:
    """Each exercise's marks against the sum of the other exercises' (corrected item-rest correlation).

    An exercise that some still wait for is left out of the others' rest.
    """
    keys = [question.key for question in room.questions]
    scores = np.array([
        [np.nan if (score := pupil.works[key].score) is None else score for key in keys]
        for pupil in room.pupils
    ]).reshape(len(room.pupils), len(keys))  # fmt: skip
    whole = np.asarray(~np.isnan(scores).any(axis=0))
    found: dict[str, float | None] = {}
    for at, key in enumerate(keys):
        others = whole.copy()
        others[at] = False
        mine = ~np.isnan(scores[:, at])
        item, rest = scores[mine, at], scores[mine][:, others].sum(axis=1)
        says = len(item) >= FEWEST and others.any() and item.std() > 1e-9 and rest.std() > 1e-9
        found[key] = float(np.corrcoef(item, rest)[0, 1]) if says else None
    return found


def theme(said: Said) -> str:
    """What a failed check says, without this student's numbers: the cause, else the rule, else what came."""
    if said.late:
        return "no answer within the time limit"
    if cause := said.lines.get("likely"):
        return cause
    came = NUMBER.sub("…", said.lines.get("got", ""))
    if re.match(r"[A-Z]\w*(?:Error|Exception|Warning)\b", came):
        return came[:160]
    return said.lines.get("rule") or came[:160] or "did not pass"


def messages(question: Question, pupils: list[Pupil]) -> list[Wrong]:
    """The wrong messages of an exercise, the most frequent first; a student counts once for each."""
    groups: dict[str, dict[str, tuple[Pupil, Work, Said]]] = defaultdict(dict)
    titles: dict[str, Counter[str]] = defaultdict(Counter)
    for pupil in pupils:
        work = pupil.works[question.key]
        if work.untouched:
            continue
        failed = [said for said in work.message.checks if said.sign == "✗"]
        if not failed and work.message.failure:
            failed = [Said(question.name, "✗", lines={"got": work.message.failure})]
        for said in failed:
            groups[theme(said)].setdefault(pupil.id, (pupil, work, said))
            titles[theme(said)][said.title] += 1
    made = []
    for says, group in groups.items():
        # the shortest code shows the mistake best
        pupil, work, said = min(group.values(), key=lambda one: (len(one[1].code), one[0].id))
        lines = {word: anonymous(text, pupil.handed) for word, text in said.lines.items()}
        code = (anonymous if work.text else bare)(work.code, pupil.handed)
        checks = [title for title, _ in titles[says].most_common(3)]
        ours = bool(said.likely or said.lines.get("rule")) or said.late  # the grader's own words
        words = capitalized(says if ours else anonymous(says, pupil.handed))
        made.append(Wrong(checks, words, bool(said.likely), len(group), lines, code))
    return sorted(made, key=lambda one: (-one.count, not one.named, one.says))


def misconceptions(room: Classroom) -> list[Misconception]:
    """Every misconception that somebody had, the most frequent first."""
    found = []
    for question in room.questions:
        known = {" ".join(sentence.split()): sentence for sentence in question.sentences.values()}
        had: dict[str, list[str]] = defaultdict(list)
        tried = 0
        for pupil in room.pupils:
            work = pupil.works[question.key]
            if work.untouched:
                continue
            tried += 1
            named = {one for said in work.message.checks for one in said.likely}
            for sentence in sorted(named & set(known)):
                had[sentence].append(pupil.id)
        for sentence, students in had.items():
            found.append(Misconception(
                capitalized(known[sentence]), question.name, len(students), len(students) / tried,
                question.read, students,
            ))  # fmt: skip
    return sorted(found, key=lambda one: (-one.count, -one.share, one.sentence))


def figures(room: Classroom) -> list[Figures]:
    """Every exercise, in numbers."""
    apart, made = correlations(room), []
    for question in room.questions:
        works = {pupil.id: pupil.works[question.key] for pupil in room.pupils}
        kinds = Counter(kind(work, question.points) for work in works.values())
        scores = [work.score for work in works.values() if work.score is not None]
        late = [
            who for who, work in works.items()
            if work.message.late or any("ran longer than" in one for one in work.failures)
        ]  # fmt: skip
        made.append(Figures(
            question, len(scores), statistics.fmean(scores) if scores else None, kinds["untouched"],
            kinds["full"], kinds["partial"], kinds["none"], kinds["waiting"],
            apart[question.key], late, messages(question, room.pupils),
        ))  # fmt: skip
    return made


def kind(work: Work, points: float) -> str:
    """What became of an exercise."""
    if work.score is None:
        return "waiting"
    if work.score >= points - 1e-9 and points > 0:
        return "full"
    if work.untouched and not work.score:
        return "untouched"
    return "partial" if work.score > 0 else "none"


@dataclass
class Need:
    """Why a submission needs a person; `lost` where something went wrong, and it is not merely unread."""

    why: str
    lost: bool


def persons(room: Classroom) -> dict[str, Need]:
    """The submissions that need a person, and why."""
    found: dict[str, Need] = {}
    for pupil in room.pupils:
        lost = [key for key in pupil.handed.waits if key not in room.sheet.tasks]
        waits = [key for key in pupil.handed.waits if key in room.sheet.tasks]
        why = [f"no score for {', '.join(lost)}"] * bool(lost)
        if pupil.id in room.unread:
            why.append(room.unread[pupil.id])
        wrong = bool(why)
        why += [f"waits to be graded by hand: {', '.join(waits)}"] * bool(waits)
        if why:
            found[pupil.id] = Need("; ".join(why), wrong)
    return found
