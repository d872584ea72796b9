"""`shopflow search`: try the search, and look after its words, synonyms and language."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import cyclopts
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, show_table
from shopflow.cli.target import require_running
from shopflow.products.search.language import Rewritten, ShowCount
from shopflow.products.search.models import SearchLanguage
from shopflow.products.search.search import Search
from shopflow.shop import open_shop

T = TypeVar("T")
app = cyclopts.App(name="search", help="Try the search of the catalogue, and look after it.")
synonyms = cyclopts.App(name="synonyms", help="Words that find others as well.")
semantic = cyclopts.App(name="semantic", help="Search by meaning, with pgvector.")
app.command(synonyms)
app.command(semantic)


@app.command
def find(text: str, /, *, limit: int = 20, cursor: str | None = None, json: bool = False) -> None:
    """Show what a search finds, best first.

    Args:
        text: words, "phrases" and -what not; the last word may be the beginning of one.
        limit: rows a page, 1 to 100.
        cursor: of the page before, as --json shows it.
        json: print a JSON object.
    """
    found = _with_search(lambda search: search.find(text, limit=limit, cursor=cursor))
    if json:
        show_json(found)
        return
    show_pairs(
        [
            ("corrected", found.corrected),
            ("found", f"more than {found.matches}" if found.is_capped else found.matches),
        ]
    )
    show_table(
        ("product", "price", "brand", "category", "slug"),
        (
            (each.name, str(each.price), each.brand_name or "", each.category_name or "", each.slug)
            for each in found.items
        ),
    )


@app.command
def suggest(text: str, /, *, limit: int = 5, json: bool = False) -> None:
    """Show what is suggested to somebody who has typed so far.

    Args:
        text: what was typed.
        limit: of each kind, 1 to 20.
        json: print a JSON object.
    """
    found = _with_search(lambda search: search.suggest(text, limit))
    if json:
        show_json(found)
        return
    rows = [
        *(("search", each) for each in found.searches),
        *(("product", each.name) for each in found.products),
        *(("category", each.name) for each in found.categories),
        *(("brand", each.name) for each in found.brands),
    ]
    show_pairs([("corrected", found.corrected)])
    show_table(("kind", "suggestion"), rows)


@app.command
def language(name: str | None = None, /, *, json: bool = False) -> None:
    """Show the language that the shop is searched in, or change it.

    A change rewrites what is searched in batches; until the end products are found in both.

    Args:
        name: the new one, such as german: a text search configuration of the server.
        json: print a JSON object.
    """
    if name is not None:
        with _counter() as progress:
            _with_search(lambda search: search.set_language(name, progress=progress))
    now: SearchLanguage = _with_search(lambda search: search.language())
    if json:
        show_json(now)
    else:
        show_pairs([("language", now.language), ("changing from", now.previous)])


@app.command
def rebuild(*, json: bool = False) -> None:
    """Write anew what is not as the products say, as after a load with triggers off.

    Args:
        json: print a JSON object.
    """
    with _counter() as progress:
        done: Rewritten = _with_search(lambda search: search.rebuild(progress=progress))
    if json:
        show_json(done)
    else:
        print(f"{done.changed} of {done.products} products were not as they should be")


@app.command
def refresh(*, json: bool = False) -> None:
    """Do at once what `shopflow worker` does: new words, their counts, popularity.

    Args:
        json: print a JSON object with how many of each have changed.
    """

    async def everything(search: Search) -> dict[str, int]:
        return {
            "new": await search.refresh(),
            "words": await search.count_words(),
            "popularity": await search.refresh_popularity(),
        }

    done = _with_search(everything)
    if json:
        show_json(done)
    else:
        show_pairs(done.items())


@synonyms.command(name="list")
def list_(word: str | None = None, /, *, json: bool = False) -> None:
    """Show the synonyms of a word, or all.

    Args:
        word: whose.
        json: print a JSON array.
    """
    found = _with_search(lambda search: search.synonyms.list(word))
    if json:
        show_json(found)
    else:
        show_table(("word", "finds as well"), ((each.word, each.synonym) for each in found))


@synonyms.command
def add(word: str, /, *others: str, one_way: bool = False) -> None:
    """Have searches for a word find others as well.

    Args:
        word: one to three words.
        others: words or phrases.
        one_way: searches for the others do not find the word.
    """
    count = _with_search(lambda search: search.synonyms.add(word, *others, both_ways=not one_way))
    print(f"{count} new")


@synonyms.command
def remove(word: str, /, *others: str, one_way: bool = False) -> None:
    """Take synonyms back.

    Args:
        word: as it was added.
        others: as they were added.
        one_way: leave those of the other direction.
    """
    count = _with_search(
        lambda search: search.synonyms.remove(word, *others, both_ways=not one_way)
    )
    print(f"{count} removed")


@semantic.command
def enable(*, dimensions: int) -> None:
    """Make the table of vectors; run it as the schema's owner.

    Args:
        dimensions: how long the vectors of your model are.
    """
    _with_search(lambda search: search.semantic.enable(dimensions))
    print(f"search by meaning is on, with vectors of {dimensions} dimensions")


@semantic.command
def disable(*, yes: bool = False, dry_run: bool = False) -> int:
    """Delete the vectors of all products; the model can make them again.

    Args:
        yes: really do.
        dry_run: only say what would be done.
    """
    if dry_run or not yes:
        print("this deletes the vectors of all products; --yes does it")
        return 0 if dry_run else 1
    _with_search(lambda search: search.semantic.disable())
    print("search by meaning is off")
    return 0


def _with_search(do: Callable[[Search], Awaitable[T]]) -> T:
    settings = settings_module.load()
    require_running(settings)

    async def work() -> T:
        async with open_shop(settings) as shop:
            return await do(shop.products.search)

    return asyncio.run(work())


@contextmanager
def _counter() -> Iterator[ShowCount]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("products", total=None)
        yield lambda seen: bar.advance(task, seen)
