"""Which server a request reads on: the replica, where there is one that is up to it."""

import re
from collections.abc import Callable
from uuid import UUID

from flask import Flask, current_app, request

from samsyn_model.permissions.actions import Action
from samsyn_model.replicas.reads import Reads, is_to_be_tried_again
from samsyn_provider.http.deployment import Deployment, deployment
from samsyn_provider.http.guard import UNGUARDED, declared_action, is_for_reading, principal

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NEVER = UNGUARDED | {Action.FOLLOW_LAYER, Action.FOLLOW_MAP}
"""Actions that read the primary: those that look up no principal, and tickets, which are
credentials."""


def install(app: Flask) -> None:
    """Let requests of the app that change nothing read on the replica, where there is one."""
    shared: Deployment = app.extensions["samsyn"]
    if shared.reads is not None:
        app.before_request(_begin)
        app.teardown_request(_end)


def respond[Result](view: Callable[[], Result]) -> Result:
    """Return what a view returns, once more, on the primary, where the replica may be why it
    fails. Nothing has been sent until it returns."""
    try:
        return view()
    except Exception as error:
        if not is_to_be_tried_again(error):
            raise
    return view()


def _begin() -> None:
    if request.endpoint is None:
        return
    action = declared_action(current_app, request.endpoint)
    reads = deployment().reads
    if reads is None or action is None or action in _NEVER or not is_for_reading(action):
        return
    subjects = {UUID(text) for text in _ID.findall(request.full_path)}
    reads.begin(principal().user_id, subjects)


def _end(_: BaseException | None) -> None:
    Reads.end()
