"""What a person sees while the year passes: a view drawn anew on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from siklus.demo.moment import MONTHS, Event, Moment, MonthFigures
from siklus.monitor.amounts import counted

BAR = 20  # cells of the longest bar
LONGEST = 20.0  # minutes that it stands for
SHARE_BAR = 24
SHOWN_EVENTS = 7
PER_SECOND = 8
SHADOW = "shadow"
STYLES = {"promotion": "green", "rollback": "red", "challenger": "yellow", "rollout": "cyan"}


class View(Protocol):
    """Told of each moment; a context manager."""

    def show(self, moment: Moment) -> None: ...

    def __enter__(self) -> "View": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def view_on(console: Console) -> View:
    """The one that this console can show."""
    return LiveView(console) if console.is_terminal else PlainView(console)


class LiveView:
    """One picture, drawn anew; the last one stays."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=PER_SECOND, redirect_stderr=False)

    def show(self, moment: Moment) -> None:
        self._live.update(picture(moment, width=self._console.width))

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainView:
    """A line for each month, and for whatever the loop does in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events = 0
        self._month: MonthFigures | None = None

    def show(self, moment: Moment) -> None:
        for event in moment.events[self._events :]:
            self._say(f"  {_day(event)}  {event.text}")
        self._events = len(moment.events)
        current = moment.months[-1] if moment.months else None
        if current is not None and self._month is not None and current.month != self._month.month:
            self._tell(self._month)
        self._month = current

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._month is not None and kind is None:
            self._tell(self._month)

    def _tell(self, month: MonthFigures) -> None:
        self._say(
            f"{month.name}: {counted(month.flights, 'flight')}, off by {month.mae_with_loop:.1f} minutes "
            f"with the loop, {month.mae_static:.1f} without; {_versions(month)}"
        )

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def picture(moment: Moment, *, width: int) -> RenderableType:
    """The whole view of one moment, ``width`` cells wide."""
    return Group(
        _head(moment),
        Text(),
        _months(moment),
        Text(),
        *_now(moment),
        Text(),
        *_journal(moment, width=width),
    )


def _head(moment: Moment) -> Text:
    failed = f"{counted(moment.failed_requests, 'request')} failed"
    return Text.assemble(
        ("Flights out of New York, 2013   ", "bold"),
        (f"{moment.day.day} {MONTHS[moment.day.month - 1]}", "bold reverse"),
        f"   {counted(moment.flights, 'flight')} asked, ",
        (failed, "bold red" if moment.failed_requests else ""),
    )


def _months(moment: Moment) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("minutes off")
    table.add_column("without the loop", justify="right")
    table.add_column("")
    table.add_column("with it", justify="right")
    table.add_column("")
    table.add_column("versions")
    for month in moment.months:
        better = month.mae_with_loop < month.mae_static
        table.add_row(
            month.name,
            f"{month.mae_static:.1f}",
            Text(_bar(month.mae_static), "red"),
            f"{month.mae_with_loop:.1f}",
            Text(_bar(month.mae_with_loop), "green" if better else "red"),
            ", ".join(map(str, month.versions)),
        )
    if moment.months:
        static, with_loop = (
            sum(getattr(month, name) for month in moment.months) / len(moment.months)
            for name in ("mae_static", "mae_with_loop")
        )
        table.add_row("mean", f"{static:.1f}", "", f"{with_loop:.1f}", "", style="bold")
    return table


def _now(moment: Moment) -> Iterator[Text]:
    shares = Text("answers   ")
    for share in moment.shares:
        told = SHADOW if share.share == 0 else f"{100 * share.share:.0f} %"
        cells = "█" * round(SHARE_BAR * share.share) or "·"
        shares.append(f"version {share.version} ")
        shares.append(f"{cells} {told}   ", "cyan" if share is moment.shares[0] else "yellow")
    yield shares
    quality = Text("quality   ")
    if moment.quality is not None:
        floor = "" if moment.floor is None else f", to be at most {moment.floor:g}"
        quality.append(f"{moment.quality:.1f} minutes off{floor}")
        quality.append("   ")
        quality.append(*("alarm", "bold red") if moment.quality_alarm else ("no alarm", "dim"))
    yield quality
    yield Text(f"drift     {moment.drifted} of {moment.columns} columns are not as in its training")
    done = moment.counted
    ends = f"{done.promotions} promoted, {done.refused} refused, {done.rolled_back} rolled back"
    yield Text(f"loop      {counted(done.retrainings, 'retraining')}: {ends}")
    yield Text.assemble("now       ", (moment.doing, "bold"))


def _journal(moment: Moment, *, width: int) -> Iterator[Text]:
    yield Text("journal", "dim")
    for event in moment.events[-SHOWN_EVENTS:]:
        line = Text(f"{_day(event)}  {event.text}", STYLES.get(event.kind, ""), no_wrap=True)
        line.truncate(width, overflow="ellipsis")
        yield line


def _bar(minutes: float) -> str:
    return "█" * round(BAR * min(minutes, LONGEST) / LONGEST)


def _day(event: Event) -> str:
    return f"{event.day.day:>2} {MONTHS[event.day.month - 1][:3]}"


def _versions(month: MonthFigures) -> str:
    numbers = ", ".join(map(str, month.versions))
    return f"version{'s' if len(month.versions) > 1 else ''} {numbers}"
