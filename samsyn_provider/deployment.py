"""What a running server is made of, as the views reach it."""

from dataclasses import dataclass

from flask import current_app, request
from sqlalchemy import Engine

from samsyn_model.principals import Authenticator
from samsyn_model.settings import Settings


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts that one process shares among its requests; none holds data of theirs."""

    settings: Settings
    engine: Engine
    authenticator: Authenticator


def deployment() -> Deployment:
    """Return the deployment of the app that answers the present request."""
    found: Deployment = current_app.extensions["samsyn"]
    return found


def public_url() -> str:
    """Return the address that the client uses, without a trailing slash: links start with it."""
    return deployment().settings.public_url or request.root_url.rstrip("/")
