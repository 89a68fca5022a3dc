"""gunicorn, run in this process: workers over one database."""

import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from sqlalchemy import Engine

from samsyn_admin.companions.companion import Program, beside
from samsyn_admin.companions.live import live_beside
from samsyn_admin.companions.metrics import metrics_beside
from samsyn_admin.companions.open_files import allow_files
from samsyn_admin.companions.tiler import tiler_beside
from samsyn_admin.serving.access_log import AccessLog, JsonAccessLog
from samsyn_admin.serving.worker import BalancedWorker, keep_signals, release_slot
from samsyn_model.database.engine import MAX_OVERFLOW, open_engine
from samsyn_model.log import write_log
from samsyn_model.metrics import slow_statements, tracing
from samsyn_model.metrics.counting import watch_pool
from samsyn_model.settings import Settings

type AppFactory = Callable[[Settings, Engine], Flask]
type AppLoader = Callable[[], AppFactory]

_GRACE = 10  # seconds
_POOL = 4  # connections of a worker that are kept
_SWITCH_INTERVAL = 0.0005  # seconds: beside busy threads the main one waits so long at each call
_FILES = 4096  # of a worker: a socket and up to two files for each of its connections
_PORT_PATIENCE = 10  # seconds
_END = 3  # seconds that a worker has for its end after its last request


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with an application created in each worker, after the fork, of modules that are
    loaded before it: by the first process alone, once the server listens."""

    def __init__(self, url: str, settings: Settings, load_app: AppLoader) -> None:
        self._url, self._settings, self._load_app = url, settings, load_app
        super().__init__()

    @property
    def settings(self) -> Settings:
        """The settings, for the workers."""
        return self._settings

    @property
    def stop_timeout(self) -> int:
        """Seconds that requests have to end after SIGTERM."""
        return self._settings.stop_timeout or self._settings.statement_timeout + _GRACE

    def load_config(self) -> None:
        workers = self._settings.web_concurrency or os.cpu_count() or 1
        options: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": workers,
            "worker_class": BalancedWorker,
            "threads": 4,
            "timeout": self._settings.statement_timeout + _GRACE,
            "graceful_timeout": self.stop_timeout + _END,
            "keepalive": 30,
            "max_requests": 0,
            # X-Forwarded-* and the like are for the application, which counts the proxies
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "accesslog": "-",
            "logger_class": JsonAccessLog if self._settings.log_format == "json" else AccessLog,
            "limit_request_line": 8190,
            "post_fork": keep_signals,
            "child_exit": release_slot,
            "when_ready": lambda _: self._load_modules(),
        }
        if "control_socket_disable" in self.cfg.settings:  # since gunicorn 25
            options["control_socket_disable"] = True
        for name, value in options.items():
            self.cfg.set(name, value)

    def _load_modules(self) -> None:
        """Load what workers share. A signal to stop ends the server before there are any: they
        would load the application first."""
        stops: list[int] = []
        handlers = {
            number: signal.signal(number, lambda caught, _: stops.append(caught))
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
        }
        self._load_app()
        gc.collect()
        gc.freeze()  # what is collected is written to: workers would no longer share it
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if stops:
            sys.exit(0)

    def load(self) -> Flask:
        engine = open_engine(
            self._url,
            statement_timeout=self._settings.statement_timeout,
            pool_size=_POOL,
            prepares=self._settings.prepared_statements,
            plan_cache_mode=self._settings.plan_cache_mode,
        )
        watch_pool(engine, _POOL + MAX_OVERFLOW)
        if self._settings.slow_statements:
            slow_statements.limit = self._settings.slow_statements / 1000
        if self._settings.tracing:
            tracing.begin("worker")
        app = self._load_app()(self._settings, engine)
        # objects of the start live as long as the worker: collecting garbage among them takes a
        # tenth of a second each time
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(_SWITCH_INTERVAL)
        return app


def _check_address(settings: Settings) -> None:
    """Raise click.ClickException where the port is taken, also a while from now: workers of a
    server that was killed hold it for some seconds."""
    deadline = time.monotonic() + _PORT_PATIENCE
    while (error := _port_fault(settings)) is not None:
        if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
            raise click.ClickException(
                f"cannot listen at {settings.host}:{settings.port}: {error.strerror};"
                " HOST and PORT name another address"
            ) from error
        time.sleep(0.2)


def _port_fault(settings: Settings) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return error
    return None


def serve(
    url: str, settings: Settings, load_app: AppLoader, *, show_token_hint: bool = False
) -> None:
    """Serve until stopped by a signal; `load_app` loads what creates the application in a worker.

    Raises click.ClickException when the port is taken, or a library is not installed.
    """
    if settings.tracing and not tracing.has_libraries():
        raise click.ClickException("TRACING needs the extra `tracing`: pip install samsyn[tracing]")
    _check_address(settings)
    allow_files(_FILES)
    lines = [
        f"SamSyn at {settings.address}/",
        f"  OGC API  {settings.address}/ogc/",
        f"  health   {settings.address}/api/health",
    ]
    if show_token_hint:
        lines.append("  a token  .venv/bin/samsyn token create you@example.org")
    if settings.log_format == "text":
        click.echo("\n".join(lines), err=True)
    if settings.log_format == "json":
        write_log("json", logging.WARNING)
    with ExitStack() as stack:
        direct = settings.direct_database_url or url
        stack.enter_context(metrics_beside(direct, settings))
        if settings.jobs_workers:
            worker = Program(
                "The worker of jobs", "samsyn_admin.jobs.worker", {"DATABASE_URL": direct}
            )
            stack.enter_context(beside(worker))
        settings = stack.enter_context(tiler_beside(settings))
        settings = stack.enter_context(live_beside(direct, settings))
        _Server(url, settings, load_app).run()
