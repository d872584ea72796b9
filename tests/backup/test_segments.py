"""A gap in the archived WAL is found whatever else lies there."""

from hypothesis import given
from hypothesis import strategies as st

from shopflow.backup.segments import extent, first_missing, of_file, unbroken_since

MB = 1024 * 1024


def name(number: int, size: int, timeline: int = 1) -> str:
    high, low = divmod(number, 2**32 // size)
    return f"{timeline:08X}{high:08X}{low:08X}"


@given(
    first=st.integers(0, 5000),
    count=st.integers(1, 600),
    size=st.sampled_from([MB, 16 * MB, 1024 * MB]),
    data=st.data(),
)
def test_the_first_gap_before_the_last_segment_is_named(
    first: int, count: int, size: int, data: st.DataObject
) -> None:
    numbers = range(first, first + count)
    names = {name(number, size) for number in numbers}
    others = {"00000002.history", name(first + count + 5, size, timeline=2)}
    assert first_missing(names | others, name(first, size), size) is None
    gone = data.draw(st.sampled_from(numbers))
    expected = name(gone, size) if gone != numbers[-1] or gone == first else None
    left = names - {name(gone, size)} | others
    assert first_missing(left, name(first, size), size) == expected
    since = gone + 1 if gone != numbers[-1] else first
    assert unbroken_since(left, "00000001", size) == (name(since, size) if count > 1 else None)


def test_what_is_called_after_a_segment_is_none() -> None:
    segment = name(7, MB)
    for suffix in ("", ".gz", ".zst.age"):
        assert of_file(f"wal/{segment}{suffix}") == segment
    for suffix in (".partial.gz", ".00000028.backup.gz", "0"):
        assert of_file(f"wal/{segment}{suffix}") is None
    assert of_file("wal/00000002.history.gz") is None


def test_the_extent_is_that_of_the_segments_from_the_first_on() -> None:
    size = 16 * MB
    names = [name(number, size) for number in range(250, 260)]
    others = ["00000002.history", name(258, size, timeline=2), f"{names[4]}.00000028.backup"]
    assert extent(names + others, names[3], size) == (253 * size, 7 * size)
    assert extent([], names[0], size) == (250 * size, 0)
