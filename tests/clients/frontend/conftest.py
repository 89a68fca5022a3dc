"""A server and a browser that shows the web frontend's pages, for each module of tests."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.clerk_instance import ISSUER, PARTY, public_pem
from tests.clients.frontend.services import OtherServers, Services, other_servers
from tests.clients.frontend_server import (
    pages_folder,
    resolver_rules,
    serving_pages_by_nginx,
    standing_in_for_clerk,
)
from tests.clients.frontend_session import Person, Visitor, chromium
from tests.clients.samsyn_server import Server, serve
from tests.databases import migrated_database


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built pages, which have the policy of docs/operating.md."""
    with serving_pages_by_nginx(pages_folder(), tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherServers]:
    """Servers of others."""
    with other_servers(tmp_path_factory.mktemp("files")) as running:
        yield running


@pytest.fixture(scope="module")
def services() -> Services:
    """No services of others; modules whose pages use some return those of `others`."""
    return Services()


@pytest.fixture(scope="module")
def server(
    pages: str, services: Services, server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that knows the frontend's origin and the key that signs its sessions."""
    log = tmp_path_factory.mktemp("server") / "log"
    known = {
        "FRONTEND_URL": pages,
        "CLERK_JWT_KEY": public_pem(),
        "CLERK_ISSUER": ISSUER,
        "CLERK_AUTHORIZED_PARTIES": PARTY,
        **services.settings,
    }
    with migrated_database(server_url) as database, serve(database, log, **known) as running:
        yield running


@pytest.fixture(scope="module")
def browser(
    server: Server, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebDriver]:
    """A browser whose pages find the server and the stand-in for Clerk, and nobody else."""
    certificate, profile = map(tmp_path_factory.mktemp, ("certificate", "browser"))
    with (
        standing_in_for_clerk(server.url, certificate) as clerk,
        chromium(profile, resolver_rules(server.url, clerk, services.ports)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def visitor(pages: str, browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """Somebody who opens the frontend, signed in or not."""
    shots = tmp_path_factory.mktemp("screenshots")

    def comes(name: str | None) -> Person:
        person = Person(browser, pages, shots)
        person.comes(name)
        return person

    return comes
