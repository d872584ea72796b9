"""Whatever was made, lost and marked, what is restorable and should stay so stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shopflow.backup.catalogue import Backup, Kind
from shopflow.backup.policy import Policy
from shopflow.backup.retention import Plan, plan, segment_of
from shopflow.backup.store import Stored

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A few days stand for the month, a few more for the year: every limit is passed in few steps.
POLICY = Policy(full_kept=4 * DAY, wal_kept=2 * DAY, archive_kept=9 * DAY)


def name(timeline: int, position: int) -> str:
    return f"{timeline:08X}{0:08X}{position:08X}"


class World(msgspec.Struct):
    """A store, and where its server is: on each timeline, the way to a position of it."""

    now: datetime = BEGAN
    timeline: int = 1
    position: int = 1
    # Of each timeline: the one it left, and where.
    parted: dict[int, tuple[int, int]] = {}
    wal: list[Stored] = []
    base: list[Stored] = []
    backups: list[Backup] = []
    marked: set[str] = set()

    def archive(self, passed: timedelta) -> None:
        self.now += passed
        path = f"wal/{name(self.timeline, self.position)}.gz"
        self.wal.append(Stored(path, 1, self.now))
        self.position += 1

    def backup(self, kind: Kind, length: int) -> None:
        started, first, timeline = self.now, self.position, self.timeline
        for _ in range(length):
            self.archive(HOUR)
        parent = next(reversed(self.backups), None)
        if kind == "incremental" and parent is None:
            kind = "full"
        made = Backup(
            name=f"backup-{len(self.backups)}",
            started_at=started,
            finished_at=self.now,
            start_wal=name(timeline, first),
            end_wal=name(timeline, self.position - 1),
            segment_size=16 * 1024 * 1024,
            system_identifier="1",
            version=180006,
            data=f"base/backup-{len(self.backups)}",
            size=1,
            content_size=1,
            sha256="",
            kind=kind,
            parent=parent.name if parent and kind == "incremental" else None,
        )
        self.backups.append(made)
        self.base.append(Stored(made.data, 1, self.now))

    def restore(self, back: int) -> None:
        """Go on from an earlier position, on a new timeline, as a restored shop does."""
        at = max(self.position - back, self.parted.get(self.timeline, (0, 1))[1] + 1)
        self.parted[self.timeline + 1] = (self.timeline, at)
        self.timeline, self.position = self.timeline + 1, at
        self.wal.append(Stored(f"wal/{self.timeline:08X}.history.gz", 1, self.now))

    def plan(self) -> Plan:
        return plan(
            self.backups,
            marked=self.marked,
            wal=self.wal,
            base=self.base,
            policy=POLICY,
            now=self.now,
        )

    def after(self, done: Plan) -> "World":
        gone = {*done.wal, *done.orphans, *(backup.data for backup in done.backups)}
        return msgspec.structs.replace(
            self,
            backups=[backup for backup in self.backups if backup not in done.backups],
            wal=[each for each in self.wal if each.path not in gone],
            base=[each for each in self.base if each.path not in gone],
        )

    def whole(self, backup: Backup) -> bool:
        """Whether it, what it builds on and the WAL inside it are there."""
        found = {each.name: each for each in self.backups}
        if backup.parent is not None and not (
            backup.parent in found and self.whole(found[backup.parent])
        ):
            return False
        assert backup.end_wal is not None
        timeline = int(backup.start_wal[:8], 16)
        span = range(int(backup.start_wal[16:], 16), int(backup.end_wal[16:], 16) + 1)
        return {name(timeline, position) for position in span} <= self.archived()

    def archived(self) -> set[str]:
        return {found for each in self.wal if (found := segment_of(each.path))}

    def way(self, timeline: int, position: int) -> Iterator[tuple[int, int]]:
        """The segments that lead to one, from it back to the first of all."""
        while True:
            left, at = self.parted.get(timeline, (0, 1))
            yield from ((timeline, each) for each in range(position, at - 1, -1))
            if not left:
                return
            timeline, position = left, at - 1

    def restorable(self) -> set[str]:
        """The segments to whose end a restore can go."""
        archived, whole = self.archived(), [each for each in self.backups if self.whole(each)]
        starts = {(each.start_wal, each.end_wal) for each in whole}
        found = set()
        for target in archived:
            passed: set[str] = set()
            for segment in self.way(int(target[:8], 16), int(target[16:], 16)):
                if name(*segment) not in archived:
                    break
                passed.add(name(*segment))
                if any(start == name(*segment) and end in passed for start, end in starts):
                    found.add(target)
                    break
        return found


STEP = st.one_of(
    st.tuples(st.just("archive"), st.integers(1, 30)),
    st.tuples(st.sampled_from(["full", "incremental", "weekly"]), st.integers(1, 3)),
    st.tuples(st.just("restore"), st.integers(1, 9)),
)
KINDS: dict[str, Kind] = {"full": "full", "incremental": "incremental", "weekly": "archive"}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    for what, number in draw(st.lists(STEP, min_size=8, max_size=30)):
        if what == "archive":
            world.archive(number * HOUR)
        elif what in KINDS:
            world.backup(KINDS[what], number)
        else:
            world.restore(number)
    for lost in draw(st.lists(st.integers(0, 40), max_size=1)):
        del world.wal[lost : lost + 1]
    world.now += draw(st.sampled_from([0, 0, 0, 1, 4, 10])) * DAY
    names = [backup.name for backup in world.backups]
    if names:
        world.marked = draw(st.sets(st.sampled_from(names), max_size=2))
    return world


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_what_must_stay_stays(world: World) -> None:
    done = world.plan()
    left = world.after(done)
    staying = {backup.name for backup in left.backups}
    window = world.now - POLICY.wal_kept

    # Why it stays is said of everything that stays, and of nothing else.
    assert set(done.kept) == staying
    assert world.marked <= staying
    assert all(backup.parent in {None, *staying} for backup in left.backups)
    # What was consistent is, and the newest is there.
    good = [backup for backup in world.backups if world.whole(backup)]
    assert [each for each in good if each.name in staying] == [
        each for each in left.backups if left.whole(each)
    ]
    assert not world.backups or world.backups[-1].name in staying
    # The WAL of the window may be that of a backup which is being made.
    assert all(each in left.wal for each in world.wal if each.modified > window)
    # Every moment of the window that could be restored to can be.
    moments = {segment_of(each.path) for each in world.wal if each.modified > window}
    assert world.restorable() & moments == left.restorable() & moments
    # Done once, there is nothing more to do.
    again = left.plan()
    assert (again.backups, again.wal, again.orphans) == ((), (), ())
    assert again.kept == done.kept
    # A kill in the middle leaves nothing that is broken: what builds on another goes first.
    for number in range(len(done.backups)):
        half = world.after(Plan(done.backups[:number], (), (), {}))
        assert all(half.whole(backup) == world.whole(backup) for backup in half.backups)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_what_nobody_needs_goes(world: World) -> None:
    done = world.plan()
    parents = {backup.parent for backup in world.backups if backup.name in done.kept}
    for backup in world.backups:
        limit = POLICY.archive_kept if backup.kind == "archive" else POLICY.full_kept
        old = world.now - backup.finished_at > limit
        reason = done.kept.get(backup.name)
        excused = reason in {"marked keep", "the newest one from before the window"}
        assert (reason is not None) == (not old or excused or backup.name in parents)


def archive_and_later(days: int) -> World:
    """An archive of two segments in the middle of ten, a full one later, and nothing since."""
    world = World()
    for _ in range(4):
        world.archive(HOUR)
    world.backup("archive", 2)
    for _ in range(4):
        world.archive(HOUR)
    world.now += 3 * DAY
    world.backup("full", 1)
    world.now += days * DAY
    return world


def test_an_archive_keeps_the_wal_inside_it_and_no_more() -> None:
    world = archive_and_later(days=3)
    left = world.after(world.plan())
    archive, full = left.backups
    assert left.archived() == {archive.start_wal, archive.end_wal, full.start_wal}


def test_the_wal_before_the_window_goes_as_far_as_no_backup_needs_it() -> None:
    world = archive_and_later(days=1)
    assert segment_of(world.plan().wal[-1]) == name(1, 4)
    assert len(world.plan().wal) == 4


def test_content_without_an_entry_goes_after_a_day() -> None:
    world = archive_and_later(days=0)
    world.base += [
        Stored("base/killed", 1, world.now - 25 * HOUR),
        Stored("base/at work", 1, world.now - 23 * HOUR),
    ]
    world.wal += [
        Stored(f"wal/{each}", 1, world.now - 25 * HOUR)
        for each in (f".{name(1, 99)}.4711", f"{name(1, 99)}.gz#1")
    ]
    assert world.plan().orphans == ("base/killed", world.wal[-2].path, world.wal[-1].path)


def test_without_a_catalogue_nothing_is_removed() -> None:
    world = archive_and_later(days=1000)
    world.backups = []
    assert world.plan() == Plan((), (), (), {})


def test_an_entry_that_does_not_say_where_it_ends_keeps_what_follows() -> None:
    world = archive_and_later(days=3)
    world.backups[0] = msgspec.structs.replace(world.backups[0], end_wal=None)
    assert {segment_of(path) for path in world.plan().wal} == {name(1, at) for at in range(1, 5)}
