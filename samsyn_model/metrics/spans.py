"""Spans, sent in batches by OTLP over HTTP to where the environment says (`OTEL_…`).

Names and attributes are those of OpenTelemetry's semantic conventions. None has a value of a
statement, an address, a query or a credential.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from time import time_ns

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes.db_attributes import DB_QUERY_TEXT, DB_SYSTEM_NAME
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from samsyn_model.metrics.methods import METHODS
from samsyn_model.metrics.slow_statements import shape_of

_SERVER_FAULT = 500
_NANOSECONDS = 1_000_000_000
_LAST_SECONDS = 2.0
_PROPAGATOR = TraceContextTextMapPropagator()


class Request:
    """The span of a request: left by its thread after the view, ended with its last byte."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token = context.attach(trace.set_span_in_context(span))

    def leave(self) -> None:
        """Let what this thread does from now on be no part of it."""
        context.detach(self._token)

    def end(self, status: int, user: str | None, request_id: str | None) -> None:
        """End it with the status of its response; `user` is the id of who has sent it."""
        self._span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
        if user is not None:
            self._span.set_attribute("user.id", user)
        if request_id is not None:
            self._span.set_attribute("samsyn.request_id", request_id)
        if status >= _SERVER_FAULT:
            self._span.set_attribute(ERROR_TYPE, str(status))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Spans:
    """What one process sends."""

    def __init__(self, part: str) -> None:
        resource = Resource.create({"samsyn.part": part, **_default_name()})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # what is under way is waited for at the end, unless the environment says how long it takes
        timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else _LAST_SECONDS
        self._exporter = OTLPSpanExporter(timeout=timeout)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("samsyn")

    def send(self) -> None:
        """Send what waits, as far as that takes some seconds, and no more after it."""
        giving_up = Timer(_LAST_SECONDS, self._exporter.shutdown)
        giving_up.start()
        self._provider.shutdown()
        giving_up.cancel()

    def begin_request(self, method: str, route: str | None, headers: Mapping[str, str]) -> Request:
        """Begin the span of a request, as a part of the span that its headers name."""
        is_known = method in METHODS
        attributes = {HTTP_REQUEST_METHOD: method if is_known else "_OTHER"}
        if route is not None:
            attributes[HTTP_ROUTE] = route
        span = self._tracer.start_span(
            " ".join([method if is_known else "HTTP", *filter(None, [route])]),
            context=_PROPAGATOR.extract(headers, context=context.Context()),
            kind=SpanKind.SERVER,
            attributes=attributes,
        )
        return Request(span)

    @contextmanager
    def job(self, kind: str) -> Iterator[None]:
        """The span of a job."""
        with self._tracer.start_as_current_span(
            f"job {kind}", kind=SpanKind.CONSUMER, record_exception=False
        ):
            yield

    def note_statement(
        self, statement: object, seconds: float, error: BaseException | None
    ) -> None:
        """Send a statement's span: named by its first word, with its text, which has no values."""
        shape = shape_of(statement)
        attributes = {DB_SYSTEM_NAME: "postgresql", DB_QUERY_TEXT: shape}
        failure = None if error is None else type(error).__name__
        self._note(shape.partition(" ")[0], attributes, seconds, failure)

    def note_outgoing(self, outcome: str, seconds: float) -> None:
        """Send the span of a request to another server."""
        error = None if outcome in {"2xx", "3xx"} else outcome
        self._note("request to another server", {}, seconds, error)

    def _note(
        self, name: str, attributes: dict[str, str], seconds: float, error: str | None
    ) -> None:
        """Send the span of what has ended just now, as a part of this thread's."""
        if not trace.get_current_span().is_recording():
            return
        end = time_ns()
        span = self._tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - round(seconds * _NANOSECONDS),
        )
        if error is not None:
            span.set_attribute(ERROR_TYPE, error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def _default_name() -> dict[str, str]:
    """Return the name of the service, unless the environment has one."""
    has_name = f"{SERVICE_NAME}=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if has_name or os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "samsyn"}
