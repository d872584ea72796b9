"""moto's S3 on a loopback port in a process of its own, which errs when it is told to.

`PUT /_fault/NAME` sets the fault, and `GET /_log` answers the requests' methods and headers.
"""

import json
import logging
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

DENIED = (
    '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>not for {}</Message></Error>'
)


class Peer:
    """moto, with what goes wrong in front of it."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._fault = "none"
        self._log: list[list[str]] = []

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        if path.startswith("/_fault/"):
            self._fault = path.removeprefix("/_fault/")
            self._log.clear()
            return self._say(start, "200 OK", "")
        if path == "/_log":
            return self._say(start, "200 OK", json.dumps(self._log))
        headers = [environ.get("HTTP_X_AMZ_STORAGE_CLASS", ""), environ.get("CONTENT_LENGTH", "")]
        self._log.append([environ["REQUEST_METHOD"], path, query, *headers])
        if self._fault == "error" or (self._fault == "second-part" and "partNumber=2" in query):
            return self._say(start, "500 Internal Server Error", "")
        if self._fault == "denied":
            said = DENIED.format(environ.get("HTTP_AUTHORIZATION", ""))
            return self._say(start, "403 Forbidden", said)
        if self._fault == "slow":
            time.sleep(1)
        found: Iterable[bytes] = self._moto(environ, start)
        return found

    def _say(self, start: StartResponse, status: str, text: str) -> Iterable[bytes]:
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
        return [text.encode()]


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, Peer(), threaded=True)
    print(server.server_port, flush=True)  # noqa: T201 whoever started us reads it
    server.serve_forever()
