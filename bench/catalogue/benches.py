"""The benchmarks of the catalogue, each on catalogues of several sizes in one run."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any

from bench.catalogue import detail, facets, kept, listing, literal, searching, updating
from bench.catalogue.generating import generate
from bench.catalogue.ways import Pace, Readers, Reading
from bench.frame import Bench, Competitor, Rounds, Scale, Unit
from shopflow.settings import Settings

UNITS: Mapping[str, Unit] = {"p50": "s", "p95": "s", "rate": "1/s"}
ROUNDS: Mapping[Scale, int] = {"tiny": 1, "default": 3}
PACES: Mapping[Scale, Pace] = {
    "tiny": Pace(calls=2, within=1.0, load=1),
    "default": Pace(calls=40, within=4.0, load=5),
}
SIZES: Mapping[Scale, tuple[int, ...]] = {
    "tiny": (500,),
    "default": (10_000, 100_000, 1_000_000),
}
MEANINGS: Mapping[str, str] = {
    "vs_literal_median": "the specification's statement over ours, the median of the mix",
    "vs_literal_worst": "the same, where it is least",
    "vs_queries_median": "a statement for each facet over ours, the median of the mix",
    "vs_orm_median": "the ORM over ours, the median of the mix",
    "vs_limit_c8": "answers a second of one process with 8 callers over those of pgbench",
    "growth": "the largest catalogue over the smallest, ours, the median of the mix: 1 is best",
    "deep_page": "page 10,000 over page 1, ours, by cursor: 1 is best",
}


def of(name: str, purpose: str, reading: Reading[Any]) -> Bench:
    """Return the benchmark of a reading."""

    def sized(products: Sequence[int] | None) -> Bench:
        return Bench(
            name=name,
            purpose=purpose,
            unit=UNITS,
            rounds=ROUNDS,
            ratios={},
            competitors=partial(_competitors, reading, products),
            meanings=MEANINGS,
            summary=partial(summary, reading),
            sized=sized,
        )

    return sized(None)


@contextmanager
def catalogues(products: Sequence[int] | None, scale: Scale) -> Iterator[Mapping[int, Settings]]:
    """Start a server with each catalogue; what is missing of them is made first."""
    sizes = products or SIZES[scale]
    for size in sizes:
        asyncio.run(generate(size, print))
    with ExitStack() as stack:
        yield {size: stack.enter_context(kept.running(size)) for size in sizes}


@contextmanager
def _competitors(
    reading: Reading[Any], products: Sequence[int] | None, scale: Scale
) -> Iterator[Mapping[str, Competitor]]:
    with catalogues(products, scale) as found, asyncio.Runner() as loop:
        readers = {
            size: Readers(reading, settings, PACES[scale]) for size, settings in found.items()
        }
        try:
            for each in readers.values():
                loop.run(each.open())
            yield dict(_turns(reading, readers, loop))
        finally:
            for each in readers.values():
                loop.run(each.close())


def _turns(
    reading: Reading[Any], readers: Mapping[int, Readers[Any]], loop: asyncio.Runner
) -> Iterator[tuple[str, Competitor]]:
    """By case first: what is compared runs one after the other."""
    for size, each in readers.items():
        for case in each.cases:
            for way in reading.ways(case):
                name = f"{way}.{size}.{case}"
                if way == "limit":
                    yield name, partial(each.limit, case)
                else:
                    yield name, partial(_in(loop), each.one_by_one, way, case)
        yield f"ours_c8.{size}.mix", partial(_in(loop), each.at_a_time)
        yield f"limit_c8.{size}.mix", each.limit_at_a_time


def _in(loop: asyncio.Runner) -> Callable[..., Mapping[str, float]]:
    def run(ask: Callable[..., Any], *arguments: str) -> Mapping[str, float]:
        found: Mapping[str, float] = loop.run(ask(*arguments))
        return found

    return run


def summary(reading: Reading[Any], rounds: Rounds) -> Mapping[str, float]:
    """Return the ratios that `MEANINGS` explains, those that the reading has."""
    sizes = sorted({int(name.split(".")[1]) for name in rounds})
    least, most = sizes[0], sizes[-1]

    def of_case(way: str, size: int, case: str) -> float:
        return median(rounds[f"{way}.{size}.{case}.p50"])

    mix = [
        case
        for way, size, case, measure in (name.split(".") for name in rounds)
        if (way, size, measure) == ("ours", str(most), "p50") and case not in reading.only
    ]

    def against(way: str) -> list[float]:
        return [of_case(way, most, case) / of_case("ours", most, case) for case in mix]

    found = {f"vs_{way}_median": median(against(way)) for way in reading.others}
    if "literal" in reading.others:
        found["vs_literal_worst"] = min(against("literal"))
    loads = zip(
        rounds[f"ours_c8.{most}.mix.rate"], rounds[f"limit_c8.{most}.mix.rate"], strict=True
    )
    found["vs_limit_c8"] = median(own / limit for own, limit in loads)
    found["growth"] = median(of_case("ours", most, c) / of_case("ours", least, c) for c in mix)
    if "page_10000" in reading.only:
        found["deep_page"] = of_case("ours", most, "page_10000") / of_case("ours", most, "page_1")
    return found


def updates(products: Sequence[int] | None) -> Bench:
    """Return the benchmark of changes of stock and prices, on copies of the catalogues."""
    return Bench(
        name="updates",
        purpose="changes of stock and prices of products anywhere, eight at a time",
        unit=UNITS,
        rounds=ROUNDS,
        ratios={},
        competitors=partial(_updating, products),
        meanings={
            "stock_updates_vs_literal": "changes of stock with our indexes over the literal ones",
            "price_updates_vs_literal": "changes of a price with our indexes over the literal ones",
            "stock_movements_vs_literal": "as the first, and ours write a movement as well",
        },
        summary=updating.summary,
        sized=updates,
    )


@contextmanager
def _updating(products: Sequence[int] | None, scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    with catalogues(products, scale) as found:
        for settings in found.values():
            literal.make(settings)
        sizes = list(found)
    with ExitStack() as stack:
        copies = {size: stack.enter_context(kept.copied(size)) for size in sizes}
        yield {
            name: competitor
            for size, settings in copies.items()
            for name, competitor in updating.competitors(size, settings, PACES[scale].load)
        }


LISTING = of("listing", "pages of the catalogue over a mix of filters and sorts", listing.READING)
FACETS = of("facets", "what a listing can be narrowed to, and counts of it", facets.READING)
SEARCH = of("search", "products by words, ranked", searching.SEARCH)
SUGGEST = of("suggest", "what somebody may mean who is typing", searching.SUGGEST)
DETAIL = of("detail", "a product with its images and variants", detail.READING)
ALL = (LISTING, FACETS, SEARCH, SUGGEST, DETAIL, updates(None))
