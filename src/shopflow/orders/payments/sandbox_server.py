"""The gateway `sandbox`, as its server: real HTTP, with the faults of real gateways on demand."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import msgspec
from aiohttp import web

from shopflow.errors import ConfigurationError
from shopflow.orders.payments.gateway import Kind
from shopflow.orders.payments.sandbox import KEY
from shopflow.orders.payments.sandbox_books import Books, Done, NotDoneError, Request
from shopflow.orders.payments.sandbox_webhooks import Delivery, Webhooks

Moment = Literal["before", "after"]
Fault = Literal[
    "error_before",
    "error_after",
    "timeout_before",
    "timeout_after",
    "drop_before",
    "drop_after",
    "late",
]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Asked(msgspec.Struct, frozen=True):
    amount: Decimal
    currency_code: str
    token: str | None = None


class _Planned(msgspec.Struct, frozen=True):
    """The fault of a coming call of a kind, None for any."""

    fault: Fault
    kind: Kind | None = None


class _Shown(msgspec.Struct, frozen=True):
    status: str
    reference: str
    code: str | None
    card_brand: str | None
    card_last_four: str | None
    expires_at: object


class SandboxServer:
    """A gateway in one process: start it, use it, stop it.

    Attributes:
        books: what is authorized, captured, voided and refunded.
        webhooks: the events, and how they are delivered.
        arrived: set for every call that was read, before its fault and its effect.
    """

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secret: str,
        delivery: Delivery | None = None,
        state: Path | None = None,
    ) -> None:
        """Take what its clients show and what its webhooks are signed with.

        Args:
            api_key: what clients have to show.
            webhook_secret: what webhooks are signed with.
            delivery: where webhooks go, and how; None keeps them.
            state: the file to keep the books in; None for memory.
        """
        if not api_key or not webhook_secret:
            raise ConfigurationError("the sandbox needs an api_key and a webhook_secret")
        self._api_key = api_key.encode()
        self.books = Books(state)
        self.webhooks = Webhooks(webhook_secret, delivery or Delivery())
        self.arrived: asyncio.Queue[Kind] = asyncio.Queue()
        self._planned: list[_Planned] = []
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port for 0, and return the URL."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/authorizations", self._authorize),
                web.post("/authorizations/{id}/{kind:capture|void|refund}", self._on),
                web.get("/operations", self._find),
                web.post("/control/faults", self._plan),
                web.post("/control/dashboard/{id}/{kind:capture|void|refund}", self._by_hand),
                web.get("/control/authorizations", self._show),
            ]
        )
        # A client that gives up does not undo what it asked for.
        self._runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        """Stop listening, and let go of whoever is kept waiting."""
        self._released.set()
        await self.webhooks.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def fail_next(self, fault: Fault, kind: Kind | None = None) -> None:
        """Let the next call, or the next of this kind, meet a fault; several stand in line.

        `error_…` answers with a 500, `timeout_…` with nothing, `drop_…` closes the connection;
        `…_before` without doing it, `…_after` having done it. `late` does it, answered or not,
        when `release` is called.
        """
        self._planned.append(_Planned(fault, kind))

    def release(self) -> None:
        """Let what is kept waiting go on."""
        self._released.set()
        self._released = asyncio.Event()

    def at_dashboard(self, kind: Kind, authorization: str, amount: Decimal) -> Done:
        """Do something as staff does on a gateway's own pages: with no key of the shop's."""
        currency = self.books.authorizations[authorization].currency_code
        done, event = self.books.do(None, Request(kind, amount, currency, authorization))
        if event is not None:
            self.webhooks.tell(event)
        return done

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(shown, self._api_key):
            return _json(401, {"error": "unauthorized"})
        return await handler(request)

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        return await self._call(request, "authorize", None)

    async def _on(self, request: web.Request) -> web.StreamResponse:
        return await self._call(request, _kind(request), request.match_info["id"])

    async def _call(
        self, request: web.Request, kind: Kind, authorization: str | None
    ) -> web.StreamResponse:
        key = request.headers.get(KEY)
        try:
            asked = msgspec.json.decode(await request.read(), type=_Asked)
        except msgspec.DecodeError:
            return _json(400, {"error": "unreadable_request"})
        if not key:
            return _json(400, {"error": "no_idempotency_key"})
        self.arrived.put_nowait(kind)
        fault = self._fault(kind)
        if fault == "late":
            await self._released.wait()
        elif (refused := await self._meet(request, fault, "before")) is not None:
            return refused
        try:
            done, event = self.books.do(
                key, Request(kind, asked.amount, asked.currency_code, authorization, asked.token)
            )
        except NotDoneError as error:
            return _json(409 if str(error) == "idempotency_key_reused" else 404, _code(error))
        if event is not None:
            self.webhooks.tell(event)
        refused = await self._meet(request, fault, "after")
        return refused or _shown(done)

    def _fault(self, kind: Kind) -> Fault | None:
        for planned in self._planned:
            if planned.kind in {None, kind}:
                self._planned.remove(planned)
                return planned.fault
        return None

    async def _meet(
        self, request: web.Request, fault: Fault | None, moment: Moment
    ) -> web.StreamResponse | None:
        if fault == f"timeout_{moment}":
            await self._released.wait()
            return _json(504, {"error": "too_late"})
        if fault == f"drop_{moment}" and request.transport is not None:
            request.transport.abort()
            return _json(500, {"error": "dropped"})
        if fault == f"error_{moment}":
            return _json(500, {"error": "internal_error"})
        return None

    async def _find(self, request: web.Request) -> web.StreamResponse:
        done = self.books.find(request.query.get("key", ""))
        return _json(404, {"error": "unknown_key"}) if done is None else _shown(done)

    async def _plan(self, request: web.Request) -> web.StreamResponse:
        try:
            self._planned.append(msgspec.json.decode(await request.read(), type=_Planned))
        except msgspec.DecodeError:
            return _json(400, {"error": f"fault must be one of {', '.join(get_args(Fault))}"})
        return _json(200, {"planned": len(self._planned)})

    async def _by_hand(self, request: web.Request) -> web.StreamResponse:
        try:
            amount = msgspec.json.decode(await request.read(), type=dict[str, Decimal])["amount"]
            done = self.at_dashboard(_kind(request), request.match_info["id"], amount)
        except (msgspec.DecodeError, KeyError):
            return _json(400, {"error": "amount of a known authorization wanted"})
        return _shown(done)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        del request
        return _json(200, list(self.books.authorizations.values()))


async def serve(server: SandboxServer, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Run a sandbox until the task is cancelled; `ready` is told its URL."""
    ready(await server.start(host, port))
    try:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    finally:
        await server.stop()


def _kind(request: web.Request) -> Kind:
    named: dict[str, Kind] = {"capture": "capture", "void": "void", "refund": "refund"}
    return named[request.match_info["kind"]]


def _shown(done: Done) -> web.Response:
    shown = _Shown(
        done.status,
        done.reference,
        done.code,
        done.card_brand,
        done.card_last_four,
        done.expires_at,
    )
    return _json(402 if done.status == "declined" else 200, shown)


def _code(error: NotDoneError) -> dict[str, str]:
    return {"error": str(error)}


def _json(status: int, document: object) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(document), content_type="application/json"
    )
