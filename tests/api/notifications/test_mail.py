"""Mail by a real server: encryption, refusals, tries, and that each change is told once."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.notifications import telling
from samsyn_admin.notifications.mail_server import MailServer
from samsyn_admin.notifications.telling import Teller
from samsyn_model.identity.accounts import close_account, merge_accounts
from samsyn_model.settings import Settings
from samsyn_model.subscriptions.deliveries import claim_delivery, note_told
from tests.api.jobs.workers import kill, wait_for, worker
from tests.api.layer_requests import MakeCaller
from tests.api.notifications.followers import SUBSCRIPTIONS, Plan
from tests.api.notifications.mail_server import (
    PASSWORD,
    USER,
    Mailbox,
    mail_server,
    make_certificate,
)
from tests.api.notifications.test_digests import lines_of
from tests.clients.samsyn_server import free_port


@pytest.fixture
def followed(plan: Plan) -> str:
    """The id of a subscription with something to be told."""
    key = plan.follow()
    plan.comment(plan.editor, "News.")
    return key


def changed(plan: Plan, **settings: Any) -> Settings:
    values = plan.settings.model_dump() | settings
    return Settings(_env_file=None, **values)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_mail_is_sent_encrypted_by_a_user(
    plan: Plan,
    followed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    plan.follow(plan.owner)
    plan.comment(plan.editor, "More news.")
    with mail_server(certificate) as mailbox:
        plan.settings = changed(
            plan,
            smtp_port=mailbox.port,
            smtp_tls="starttls",
            smtp_user=USER,
            smtp_password=password,
        )
        teller = Teller(plan.engine, plan.settings)
        plan.tell(teller)
        if password == PASSWORD:
            assert sorted(mailbox.recipients) == ["follower@example.org", "owner@example.org"]
            return
        assert mailbox.mails == []
        tried = mailbox.connections
        plan.tell(teller)
        assert mailbox.connections == tried, "a server that refuses us is not asked at once again"
    states = plan.rows("SELECT status, failures FROM subscriptions ORDER BY failures")
    assert [tuple(row) for row in states] == [("active", 0), ("active", 1)]


@pytest.mark.parametrize("trouble", ["certificate", "no STARTTLS", "nobody listens"])
def test_nothing_is_sent_without_a_server_that_can_be_trusted(
    plan: Plan, followed: str, mailbox: Mailbox, tmp_path: Path, trouble: str
) -> None:
    certificate = make_certificate(tmp_path / "unknown.pem")
    with mail_server(certificate) as encrypted:
        ports = {"certificate": encrypted.port, "no STARTTLS": mailbox.port}
        port = ports.get(trouble) or free_port()
        plan.settings = changed(plan, smtp_port=port, smtp_tls="starttls")
        assert plan.tell() == 1
        assert [*mailbox.mails, *encrypted.mails] == []
    row = plan.row(followed)
    assert (row.status, row.failures, row.claimed_until) == ("active", 1, None)
    assert plan.subscription(followed)["reason"] == (
        "Mail cannot be sent at present: it is tried again."
    )
    plan.settings = changed(plan, smtp_port=mailbox.port, smtp_tls="off")
    assert plan.tell() == 1
    assert len(mailbox.mails) == 1
    assert plan.subscription(followed)["reason"] is None


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
def test_a_refusal_for_good_ends_the_mails(
    plan: Plan, followed: str, mailbox: Mailbox, step: str
) -> None:
    mailbox.refusals[step] = "550 5.7.1 internal-host says no"
    assert plan.tell() == 1
    ended = plan.subscription(followed)
    assert ended["status"] == "failed"
    assert "(550)" in ended["reason"]
    assert "internal-host" not in ended["reason"]
    mailbox.refusals.clear()
    assert plan.tell() == 0
    plan.comment(plan.editor, "Meanwhile.")
    teller = Teller(plan.engine, plan.settings)
    teller.look_for_news()
    plan.send(plan.follower, "PATCH", f"{SUBSCRIPTIONS}/{followed}", {"status": "active"})
    assert [plan.tell(teller) for _ in range(3)] == [1, 1, 0]
    told = [line for mail in mailbox.mails for line in lines_of(mail)]
    assert told == [
        "Edda Strand commented: “News.”",
        "Edda Strand commented: “Meanwhile.”",
    ]


def test_a_refusal_for_now_is_tried_again_as_the_same_mail(
    plan: Plan, followed: str, mailbox: Mailbox
) -> None:
    mailbox.refusals["RCPT"] = "451 later"
    pauses = []
    for _ in range(3):
        plan.tell()
        pause = "SELECT extract(epoch FROM due_at - now()) AS seconds FROM subscriptions"
        pauses.append(plan.rows(pause)[0].seconds)
    assert pauses[0] < pauses[1] < pauses[2]
    plan.comment(plan.editor, "Later news.")
    mailbox.refusals.clear()
    plan.tell()
    plan.tell()
    first, second = mailbox.mails
    assert lines_of(first) == ["Edda Strand commented: “News.”"]
    assert lines_of(second) == ["Edda Strand commented: “Later news.”"]
    assert (plan.row(followed).failures, plan.row(followed).failing_since) == (0, None)


def test_an_address_that_is_none_gets_no_mail(plan: Plan, followed: str, mailbox: Mailbox) -> None:
    for address in ("a@example.org, b@example.org", "x@example.org\r\nBcc: b@example.org", "x"):
        plan.rows("UPDATE users SET email = :e WHERE id = :id", e=address, id=plan.follower.id)
        plan.rows("UPDATE subscriptions SET status = 'active', due_at = now()")
        plan.tell()
        assert plan.subscription(followed)["status"] == "failed"
    assert mailbox.connections == 0


def test_who_has_no_email_gets_no_mail(plan: Plan, followed: str, mailbox: Mailbox) -> None:
    plan.rows("UPDATE users SET email = NULL WHERE id = :id", id=plan.follower.id)
    plan.tell()
    assert mailbox.connections == 0
    assert plan.subscription(followed)["reason"].startswith("Your account has no e-mail address")
    change = {"status": "active"}
    response = plan.follower.client.patch(
        f"{SUBSCRIPTIONS}/{followed}", json=change, headers=plan.follower.headers
    )
    assert response.status_code == 409


def test_two_at_once_send_one_mail(plan: Plan, mailbox: Mailbox) -> None:
    count = 6
    for number in range(count):
        thread = plan.comment(plan.owner, f"Thread {number}.")
        plan.follow(comment_id=thread)
        plan.comment(plan.editor, "News.", parent_id=thread)
    together = threading.Barrier(3)

    def tell() -> None:
        teller = Teller(plan.engine, plan.settings)
        together.wait()
        while teller.tell_next():
            pass

    Teller(plan.engine, plan.settings).look_for_news()
    plan.wait()
    threads = [threading.Thread(target=tell) for _ in range(3)]
    for thread_ in threads:
        thread_.start()
    for thread_ in threads:
        thread_.join()
    assert len(mailbox.mails) == count
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == count


def test_a_crash_after_sending_sends_the_same_mail_again(
    plan: Plan, followed: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(telling, "note_told", crash)
        with pytest.raises(KeyboardInterrupt):
            plan.tell()
    assert plan.tell() == 0, "the claim of the one that crashed holds"
    plan.comment(plan.editor, "Not in the second mail.")
    plan.wait(minutes=11)
    plan.tell()
    plan.tell()
    once, again, later = mailbox.mails
    assert once["Message-ID"] == again["Message-ID"] != later["Message-ID"]
    assert lines_of(once) == lines_of(again) == ["Edda Strand commented: “News.”"]
    assert lines_of(later) == ["Edda Strand commented: “Not in the second mail.”"]


def test_workers_tell_once_also_where_one_is_killed(
    plan: Plan, followed: str, mailbox: Mailbox, tmp_path: Path
) -> None:
    """The first worker is killed when the server has taken the mail, and not yet said so."""
    environment = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_TLS": "off",
        "MAIL_FROM": "samsyn@plan.example.org",
    }
    with worker(plan.engine, tmp_path / "one", **environment) as first:
        wait_for(lambda: plan.row(followed).due_at)
        mailbox.before_answer = lambda: kill(first.pid)
        plan.wait()
        wait_for(lambda: first.poll() is not None)
    mailbox.before_answer = lambda: None
    assert len(mailbox.mails) == 1
    assert plan.row(followed).claimed_until is not None
    plan.wait(minutes=11)
    with (
        worker(plan.engine, tmp_path / "two", **environment),
        worker(plan.engine, tmp_path / "three", **environment),
    ):
        wait_for(lambda: plan.row(followed).delivered_at)
        plan.comment(plan.editor, "More news.")
        wait_for(lambda: plan.row(followed).due_at)
        plan.wait()
        wait_for(lambda: plan.row(followed).due_at is None)
    assert [mail["Message-ID"] for mail in mailbox.mails[:2]] == [
        mailbox.mails[0]["Message-ID"]
    ] * 2
    assert lines_of(mailbox.mails[2]) == ["Edda Strand commented: “More news.”"]
    assert len(mailbox.mails) == 3
    assert "@" not in (tmp_path / "two").read_text()


def test_what_is_committed_late_is_told(plan: Plan, followed: str, mailbox: Mailbox) -> None:
    """A transaction that began before what has been told, and is committed after it."""
    statement = "INSERT INTO comments (map_id, author_id, content) VALUES (%s, %s, 'Late.')"
    with plan.engine.connect() as connection:
        late = connection.begin()
        connection.exec_driver_sql(statement, (plan.map, plan.editor.id))
        plan.comment(plan.editor, "Early.")
        plan.tell()
        late.commit()
    plan.tell()
    assert [lines_of(mail) for mail in mailbox.mails] == [
        ["Edda Strand commented: “News.”", "Edda Strand commented: “Early.”"],
        ["Somebody commented: “Late.”"],
    ]


def test_what_is_committed_while_a_mail_is_sent_is_told(
    plan: Plan, followed: str, mailbox: Mailbox
) -> None:
    other = Teller(plan.engine, plan.settings)

    def meanwhile() -> None:
        plan.comment(plan.editor, "Meanwhile.")
        other.look_for_news()
        mailbox.before_answer = lambda: None

    mailbox.before_answer = meanwhile
    teller = Teller(plan.engine, plan.settings)
    teller.look_for_news()
    plan.wait()
    assert teller.tell_next()
    assert plan.row(followed).due_at is not None
    plan.wait()
    assert teller.tell_next()
    assert [lines_of(mail) for mail in mailbox.mails] == [
        ["Edda Strand commented: “News.”"],
        ["Edda Strand commented: “Meanwhile.”"],
    ]


def test_a_claim_that_was_lost_notes_nothing(plan: Plan, followed: str) -> None:
    Teller(plan.engine, plan.settings).look_for_news()
    plan.wait()
    first = claim_delivery(plan.engine, has_mail=True, has_webhooks=True)
    assert first is not None
    assert claim_delivery(plan.engine, has_mail=True, has_webhooks=True) is None
    plan.wait(minutes=11)
    second = claim_delivery(plan.engine, has_mail=True, has_webhooks=True)
    assert second is not None
    assert second.message_id == first.message_id
    with plan.engine.begin() as connection:
        note_told(connection, first, is_sent=True)
    assert plan.row(followed).claimed_until == second.claimed_until
    assert plan.row(followed).position == first.position


def test_mail_waits_while_the_server_sends_none(
    plan: Plan, followed: str, mailbox: Mailbox, empty_database: Engine
) -> None:
    off = changed(plan, smtp_host=None)
    Teller(plan.engine, off).look_for_news()
    plan.wait()
    assert not Teller(plan.engine, off).tell_next()
    client = create_app(off, empty_database).test_client()
    headers = plan.follower.headers
    told = client.get(f"{SUBSCRIPTIONS}/{followed}", headers=headers).json
    assert told is not None
    assert told["reason"] == "This server sends no e-mail (SMTP_HOST)."
    refused = client.post(SUBSCRIPTIONS, json={"map_id": plan.map}, headers=headers)
    assert refused.status_code == 503
    assert refused.json is not None
    assert refused.json["detail"] == "This server sends no e-mail (SMTP_HOST)."
    assert plan.tell() == 1
    assert len(mailbox.mails) == 1


def test_a_deleted_account_is_told_nothing(plan: Plan, followed: str, mailbox: Mailbox) -> None:
    with plan.engine.begin() as connection:
        close_account(connection, plan.follower.id)
    assert plan.tell() == 0
    assert plan.rows("SELECT FROM subscriptions") == []


def test_merged_accounts_follow_each_thing_once(
    plan: Plan, followed: str, make_caller: MakeCaller
) -> None:
    thread = plan.comment(plan.owner, "A thread.")
    plan.follow(plan.editor)
    plan.follow(plan.editor, comment_id=thread)
    with plan.engine.begin() as connection:
        merge_accounts(connection, target=plan.follower.id, source=plan.editor.id)
    kept = plan.rows("SELECT user_id, map_id, comment_id FROM subscriptions")
    assert {str(row.user_id) for row in kept} == {str(plan.follower.id)}
    assert sorted(str(row.map_id or row.comment_id) for row in kept) == sorted([plan.map, thread])


def test_a_server_that_is_away_is_not_asked_again_at_once() -> None:
    server = MailServer(Settings(_env_file=None, smtp_host="127.0.0.1", mail_from="a@example.org"))
    assert server.takes_mail
    assert not MailServer(Settings(_env_file=None)).takes_mail
