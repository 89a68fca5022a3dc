"""What a thread of the worker does: serve a request that is here."""

import errno
from http import HTTPStatus
from time import monotonic
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.gthread import ThreadWorker

from samsyn_admin.serving.access_log import BEGUN
from samsyn_admin.serving.connections.connection import Connection, Reply, SentResponse
from samsyn_admin.serving.refusals import refusal, refusal_of
from samsyn_admin.serving.request_input import RequestInput
from samsyn_model.metrics.counting import count_request

_MORE = object()  # what `handle` returns for a response of which more follows
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


class RespondingWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, whose threads neither wait for requests nor for clients."""

    def handle(self, conn: Connection) -> Any:
        """Serve a request, or send more of a response that its client was slow to take.

        Returns whether to keep the connection alive.
        """
        try:
            if conn.reply is None:
                conn.outbox.begin()
                conn.reply = self._begin_reply(conn)
            return self._go_on(conn, conn.reply)
        except (NoMoreData, StopIteration):
            return False
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _GONE:
                return False
            if conn.outbox.has_sent:
                self.log.exception("A response was not completed")
                conn.is_cut = True
            else:
                self.refuse(conn, error)
            return False

    def refuse(self, conn: Connection, error: BaseException) -> None:
        """Respond to a request that is not passed to the application, or failed beside it."""
        status, detail = refusal_of(error)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("Error handling a request", exc_info=error)
        else:
            address = conn.client[0] if conn.client else ""
            self.log.warning("Refused a request from %s: %s", address, type(error).__name__)
        count_request("other", None, status.value, 0.0)
        conn.outbox.begin()
        conn.outbox.sendall(refusal(status, detail))

    def _begin_reply(self, conn: Connection) -> Reply:
        request = next(conn.parser)
        if conn.received.has_continued:
            request._expected_100_continue = False
        response, environ = wsgi.create(
            request, conn.outbox, conn.client, conn.server, self.cfg, response_class=SentResponse
        )
        environ["wsgi.multithread"] = True
        environ["gunicorn.socket"] = conn.sock
        environ[BEGUN] = monotonic()
        environ["wsgi.input"] = RequestInput(environ["wsgi.input"], response)
        is_crowded = len(self.keepalived_conns) >= self.max_keepalived
        if is_crowded or not self.alive or not conn.received.is_whole:
            response.force_close()
        reply = Reply(response, environ, self.wsgi(environ, response.start_response))
        if reply.handover is not None:
            response.force_close()
        return reply

    def _go_on(self, conn: Connection, reply: Reply) -> Any:
        try:
            if not reply.send(conn.outbox):
                return _MORE
        except BaseException:
            self._end(conn, reply)
            raise
        self._end(conn, reply)
        if reply.handover is not None and not conn.outbox.is_pending:
            is_chunked = reply.response.chunked
            conn.is_handed_over = reply.handover.give(conn.sock, chunked=is_chunked)
        if reply.response.should_close():
            return False
        try:
            conn.parser.finish_body()  # what the application did not read
        except ParseException:  # where the next request begins is not known
            return False
        conn.received.begin()
        return True

    def _end(self, conn: Connection, reply: Reply) -> None:
        conn.reply = None
        self.log.access(reply.response, None, reply.environ, None)
        reply.close()
