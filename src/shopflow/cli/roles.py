"""`shopflow roles`: the database roles of the shop and what each may do."""

import psycopg

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_table, tell
from shopflow.cli.target import login_conninfo, require_running
from shopflow.postgres import roles as shop_roles
from shopflow.postgres.embedded import Server
from shopflow.postgres.roles import Role
from shopflow.settings import Settings


def roles(*, json: bool = False) -> None:
    r"""Make the roles owner, app, readonly and monitor, and give them their rights again.

    On the embedded server each gets a generated password, and `shopflow url --role app` tells
    how to connect. On a server of your own they get none: `\password` in psql sets one. With
    `SHOPFLOW_DATABASE_ROLE` the pool takes a role whatever its login.

    Args:
        json: print a JSON array.
    """
    settings = settings_module.load()
    made = _create(settings)
    if json:
        show_json(made)
        return
    show_table(
        ("role", "", "may"),
        ((role.name, "new" if role.created else "", role.purpose) for role in made),
    )
    for role in made:
        if role.hint:
            tell(f"{role.name}: {role.hint}")


def _create(settings: Settings) -> list[Role]:
    if not settings.embedded:
        with psycopg.connect(login_conninfo(settings), autocommit=True) as connection:
            return shop_roles.create(connection, settings)
    require_running(settings)
    server = Server(settings)
    server.start()
    with psycopg.connect(server.superuser_conninfo(), autocommit=True) as connection:
        made = shop_roles.create(connection, settings)
    for role in made:
        server.ensure_login(role.name)
    return made
