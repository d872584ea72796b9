"""The `shopflow` command: one module a group, imported only when it is used."""

import sys

import cyclopts
from psycopg import Error as DatabaseError

import shopflow
from shopflow.errors import ShopflowError

HELP = """The commerce database: a real PostgreSQL with the whole schema of a shop.

Settings come from the environment, then `shopflow.toml` (or `$SHOPFLOW_CONFIG`), then defaults;
`shopflow settings` shows them all. The most used:

- `SHOPFLOW_HOME`: where the embedded server and its data live.
- `SHOPFLOW_DATABASE_URL` (or `DATABASE_URL`, or `PGHOST` and the other `PG*` variables): a
  PostgreSQL server of your own, 18 or later, instead of the embedded one.
- `SHOPFLOW_PORT`: the embedded server's port, otherwise a free one.
- `SHOPFLOW_ENVIRONMENT`: `development`, `staging` or `production`.
"""

COMMANDS = {
    "up": "up:up",
    "down": "server:down",
    "status": "server:status",
    "url": "server:url",
    "psql": "server:psql",
    "migrate": "migrate:app",
    "roles": "roles:roles",
    "backup": "backup:app",
    "restore": "backup:restore_backup",
    "worker": "worker:worker",
    "webhooks": "webhooks:app",
    "import": "importing:app",
    "export": "exporting:app",
    "carts": "carts:app",
    "orders": "orders:app",
    "stock": "stock:app",
    "prices": "prices:app",
    "search": "search:app",
    "demo": "demo:app",
    "payments": "payments:app",
    "settings": "show_settings:settings",
}

app = cyclopts.App(
    name="shopflow",
    help=HELP,
    version=shopflow.__version__,
    result_action="return_value",
    # No --no-json beside every --json.
    default_parameter=cyclopts.Parameter(negative=()),
)
for _name, _place in COMMANDS.items():
    app.command(f"shopflow.cli.{_place}", name=_name)


def main() -> None:
    """Run the command line: exit code 1 and one line for what went wrong, 2 for wrong usage."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in app.help_flags:
        # The list of commands shows the first line of each one's help.
        for name in COMMANDS:
            app[name]
    try:
        sys.exit(app(arguments))
    except (ShopflowError, DatabaseError) as error:
        # Only the server's first line: its DETAIL quotes rows.
        said = (isinstance(error, DatabaseError) and error.diag.message_primary) or str(error)
        print(f"error: {' '.join(said.split())}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output had enough, as `head` does.
        sys.stderr.close()
        sys.exit(1)
