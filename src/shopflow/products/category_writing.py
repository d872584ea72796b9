"""Creating, changing, moving and deleting categories; one statement each."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError
from shopflow.ids import CategoryId
from shopflow.products.checks import LARGEST_INTEGER, as_json, check_fields, check_integer
from shopflow.products.errors import CategoryCycleError, CategoryHasChildrenError
from shopflow.products.inputs import CategoryChanges, NewCategory
from shopflow.products.refusals import named
from shopflow.products.slugging import create_with_slug
from shopflow.products.versions import written


async def create_category(connection: AsyncConnection[Any], category: NewCategory) -> CategoryId:
    """Make a category; its version is 1. A slug made from the name gets a suffix where needed.

    Raises:
        InvalidInputError: naming the field that cannot be.
        SlugTakenError: when another category has the slug given.
        NotFoundError: when there is no such parent.
    """
    return CategoryId(await create_with_slug(connection, "create_category", check_fields(category)))


async def update_category(
    connection: AsyncConnection[Any],
    category_id: CategoryId,
    changes: CategoryChanges,
    *,
    expected_version: int | None,
) -> int:
    """Change the fields given and return the new version.

    Raises:
        VersionConflictError: when it has another version than the one expected; None takes any.
        InvalidInputError: naming the field that cannot be.
        SlugTakenError: when another category has the slug.
        NotFoundError: when there is no such category.
    """
    given = check_fields(changes)
    with named(given):
        return await written(
            connection,
            "update_category",
            "category",
            category_id,
            expected_version,
            changes=as_json(given),
        )


async def move_category(
    connection: AsyncConnection[Any],
    category_id: CategoryId,
    parent_id: CategoryId | None,
    *,
    sort_order: int | None = None,
    expected_version: int | None,
) -> int:
    """Put a category and all below it elsewhere in the tree, and return its new version.

    One row is written, however large the branch. Two moves of any categories wait for each other,
    so that they cannot close a circle together.

    Args:
        connection: where to; its transaction must be READ COMMITTED, as ShopFlow's are.
        category_id: the category.
        parent_id: where to; None makes it a root.
        sort_order: its place among its new siblings; None keeps the number that it has.
        expected_version: the version that was read; None moves whatever is there.

    Raises:
        InvalidInputError: for a `sort_order` that cannot be.
        CategoryCycleError: when the new parent is the category itself or below it.
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such category or parent.
    """
    if sort_order is not None:
        check_integer("sort_order", sort_order, -LARGEST_INTEGER, LARGEST_INTEGER)
    try:
        with named({"parent_id": parent_id}):
            return await written(
                connection,
                "move_category",
                "category",
                category_id,
                expected_version,
                parent_id=parent_id,
                sort_order=sort_order,
            )
    except ConstraintViolatedError as error:
        if error.constraint != "categories_no_cycle":
            raise
        raise CategoryCycleError(category_id, parent_id) from error


async def delete_category(
    connection: AsyncConnection[Any], category_id: CategoryId, *, expected_version: int | None
) -> None:
    """Delete a category; the products in it stay, without one.

    Raises:
        CategoryHasChildrenError: when there are categories below it.
        VersionConflictError: when somebody else has changed it since.
        NotFoundError: when there is no such category.
    """
    try:
        await written(connection, "delete_category", "category", category_id, expected_version)
    except ConstraintViolatedError as error:
        if error.constraint != "categories_parent_id_fkey":
            raise
        raise CategoryHasChildrenError(category_id) from error
