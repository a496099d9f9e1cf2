"""Facts held against a scale: what each criterion has, what it lacks, and which level or score that makes."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from siklus.assess.facts import FULL, HALF, NOTHING, Area, Facts, Lens, Trace
from siklus.assess.questions import ASK, QUESTIONS
from siklus.assess.rubrics.rubric import Criterion, Level, Rubric, RubricName
from siklus.assess.signs import SIGNS, Sign

ADVISED = 3  # commands that are told of a scale
ASKING = "siklus assess --ask"
ASKING_MINUTES = 1.0


class Gap(Struct, frozen=True, kw_only=True):
    """What keeps a need from counting in full. ``command`` is "" where none would supply it.

    ``unknown``: the place that would show it cannot be read, so nobody knows.
    """

    said: str
    command: str
    minutes: float
    unknown: bool = False


class Shown(Struct, frozen=True, kw_only=True):
    """Evidence as it is told: ``age`` is "" for what stands there."""

    said: str
    where: str
    age: str
    worth: float


class Finding(Struct, frozen=True, kw_only=True):
    """One criterion. ``score``: 0, 0.5 or 1, that of the need which is met least."""

    key: str
    section: str
    title: str
    asks: str
    score: float
    evidence: tuple[Shown, ...]
    gaps: tuple[Gap, ...]


class Advice(Struct, frozen=True, kw_only=True):
    """A command and the keys of the criteria that it would lift, wholly or in part."""

    command: str
    lifts: tuple[str, ...]


class Sum(Struct, frozen=True, kw_only=True):
    """The points of a section."""

    section: str
    title: str
    points: float
    of: int


class Standing(Struct, frozen=True, kw_only=True):
    """Where the project stands on one scale.

    ``value``: the level that is reached, or the score; ``highest``: of the scale. ``between``: one sentence
    on what separates it from the next level or band; ``advice``: the cheapest commands first.
    """

    rubric: RubricName
    title: str
    source: str
    url: str
    value: float
    highest: int
    name: str
    means: str
    between: str
    sums: tuple[Sum, ...]
    advice: tuple[Advice, ...]
    findings: tuple[Finding, ...]


def judged(rubric: Rubric, facts: Facts, lens: Lens) -> Standing:
    """The project's standing on a scale. A function of its arguments."""
    findings = tuple(_finding(criterion, facts, lens) for criterion in rubric.criteria)
    sums = tuple(_sum(section, title, findings) for section, title in rubric.sections.items())
    told = _score if rubric.name == "ml-test-score" else _ladder
    level, value, between, ahead = told(rubric, sums, findings)
    return Standing(
        rubric=rubric.name,
        title=rubric.title,
        source=rubric.source,
        url=rubric.url,
        value=value,
        highest=rubric.highest,
        name=level.name,
        means=level.means,
        between=between,
        sums=sums,
        advice=_advice(ahead),
        findings=findings,
    )


def _finding(criterion: Criterion, facts: Facts, lens: Lens) -> Finding:
    best = [_best(need, facts, lens) for need in criterion.needs]
    worths = [NOTHING if trace is None else lens.worth(trace) for trace in best]
    gaps = [
        _gap(need, trace, worth, facts, lens)
        for need, trace, worth in zip(criterion.needs, best, worths, strict=True)
        if worth < FULL
    ]
    return Finding(
        key=criterion.key,
        section=criterion.section,
        title=criterion.title,
        asks=criterion.asks,
        score=min(worths),
        evidence=tuple(
            dict.fromkeys(  # one trace may meet several needs
                Shown(said=trace.said, where=trace.where, age=lens.told(trace), worth=worth)
                for trace, worth in zip(best, worths, strict=True)
                if trace is not None and worth > NOTHING
            )
        ),
        gaps=tuple({gap.said: gap for gap in gaps}.values()),
    )


def _best(need: Sequence[str], facts: Facts, lens: Lens) -> Trace | None:
    """The trace that is worth most; among equals that of the sign named first, and its newest."""
    found = [trace for sign in need for trace in facts.traces.get(sign, ())]
    return max(found, key=lens.worth, default=None)


def _gap(need: Sequence[str], trace: Trace | None, worth: float, facts: Facts, lens: Lens) -> Gap:
    """Told of the need's first sign, which can count in full; where there is nothing at all, of the one that
    comes before it: a file or a setting."""
    first = need[0]
    mend = "" if trace is None else trace.mend
    if worth == NOTHING and not first.startswith(ASK):
        first = next((each for each in need if each in SIGNS and SIGNS[each].area in _STANDS), first)
    if first.startswith(ASK):
        return _unanswered(first, facts, lens)
    sign = SIGNS[first]
    why = facts.unknown.get(sign.area)
    if why is not None:
        return Gap(said=f"unknown: {why}", command="siklus doctor", minutes=sign.minutes, unknown=True)
    said, ready = sign.missing, _ready(sign, facts)
    if worth == HALF and trace is not None and trace in facts.traces.get(first, ()):
        age = lens.told(trace)
        said = "that shows only a part" if trace.most < FULL else f"the last time was {age}" if age else said
    return Gap(said=said, command=mend or ready.command, minutes=ready.minutes)


def _ready(sign: Sign, facts: Facts) -> Sign:
    """The sign whose command can be given now: of what this one's command comes after, the first that is
    missing. What cannot be read may be there."""
    for name in sign.after:
        before = SIGNS[name]
        if name not in facts.traces and before.area not in facts.unknown:
            return _ready(before, facts)
    return sign


def _unanswered(name: str, facts: Facts, lens: Lens) -> Gap:
    question = QUESTIONS[name.removeprefix(ASK)]
    why: str | None = facts.unknown.get(_ANSWERS)
    if why is not None:
        return Gap(said=f"unknown: {why}", command=ASKING, minutes=ASKING_MINUTES, unknown=True)
    given = facts.traces.get(name, ())
    if not given:
        said = f"not answered: {question.about}"
    elif lens.worth(given[0]) < given[0].most:
        said = f"answered {lens.told(given[0])}, which is too long ago: {question.about}"
    elif lens.worth(given[0]) == HALF:
        return Gap(said="what runs by itself would count in full", command="", minutes=ASKING_MINUTES)
    else:
        return Gap(said=f"answered: {given[0].said}", command="", minutes=ASKING_MINUTES)
    return Gap(said=said, command=ASKING, minutes=ASKING_MINUTES)


_ANSWERS: Area = "answers"
_STANDS: frozenset[Area] = frozenset({"files", "git"})  # where something is or is not, and never happens

Told = tuple[Level, float, str, Sequence[Finding]]


def _ladder(rubric: Rubric, sums: Sequence[Sum], findings: Sequence[Finding]) -> Told:
    """The highest level of which, and of all below, every criterion counts in full."""
    reached = 0
    for each in sums:
        if each.points < each.of:
            break
        reached += 1
    level = rubric.levels[reached]
    if reached == len(sums):
        return level, reached, f"Level {rubric.highest} is the highest.", ()
    section = sums[reached].section
    open_ones = [each for each in findings if each.section == section and each.score < FULL]
    half = sum(each.score == HALF for each in open_ones)
    partly = f" ({half} half done)" if half else ""
    titles = "; ".join(each.title for each in open_ones)
    of = sums[reached].of
    count = "all" if len(open_ones) == of else f"{len(open_ones)} more"
    needs = f"Level {reached + 1} needs {count} of its {of} criteria"
    between = f"{needs}{partly}: {titles}."
    return level, reached, between, open_ones


def _score(rubric: Rubric, sums: Sequence[Sum], findings: Sequence[Finding]) -> Told:
    """The least of the sections' sums, and its band."""
    least = min(each.points for each in sums)
    # The first band is 0 itself; any other begins above its number.
    band = max((i for i, level in enumerate(rubric.levels) if i and least > level.number), default=0)
    weakest = [each for each in sums if each.points == least]
    ahead = [
        each for each in findings if each.score < FULL and each.section in {one.section for one in weakest}
    ]
    if band == len(rubric.levels) - 1:
        between = "It is in the highest band."
    else:
        names = " and ".join(each.section for each in weakest)
        above = rubric.levels[band + 1].number
        counted = f"{names}, {least:g} of {weakest[0].of}"
        between = f"The least section counts: {counted}. The next band begins above {above}."
    return rubric.levels[band], least, between, ahead


def _advice(findings: Iterable[Finding]) -> tuple[Advice, ...]:
    """The cheapest commands first, and of these the one that lifts more."""
    minutes: dict[str, float] = {}
    lifts: dict[str, list[str]] = {}
    for finding in findings:
        for gap in finding.gaps:
            if gap.command:
                minutes.setdefault(gap.command, gap.minutes)
                lifts.setdefault(gap.command, []).append(finding.key)
    ordered = sorted(lifts, key=lambda command: (minutes[command], -len(set(lifts[command]))))
    return tuple(
        Advice(command=command, lifts=tuple(dict.fromkeys(lifts[command]))) for command in ordered[:ADVISED]
    )


def _sum(section: str, title: str, findings: Sequence[Finding]) -> Sum:
    own = [finding.score for finding in findings if finding.section == section]
    return Sum(section=section, title=title, points=sum(own), of=len(own))
