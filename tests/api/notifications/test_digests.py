"""What a digest says: what others have done, as far as its reader may read it."""

from email.message import EmailMessage
from typing import Any

import pytest

from samsyn_admin.notifications.digest import MAX_LINES
from samsyn_admin.notifications.sentences import first_sentence
from tests.api.layer_requests import LAYERS, MakeCaller
from tests.api.maps.map_requests import MAPS
from tests.api.notifications.followers import COMMENTS, SUBSCRIPTIONS, Plan, name
from tests.api.notifications.mail_server import Mailbox


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def lines_of(mail: EmailMessage) -> list[str]:
    return [line[4:] for line in text_of(mail).splitlines() if line.startswith("  - ")]


def test_it_says_who_did_what(plan: Plan, mailbox: Mailbox) -> None:
    plan.follow()
    plan.add_features(plan.editor, 2)
    first = plan.comment(plan.editor, "Too close to the lane. Move it\nwest.")
    plan.comment(plan.owner, "Agreed!", parent_id=first)
    plan.send(plan.editor, "PATCH", f"{MAPS}/{plan.map}", {"name": "Kattegat 2", "zoom": 7})
    plan.send(plan.owner, "PATCH", f"{MAPS}/{plan.map}/layers/{plan.layer}", {"opacity": 40})
    plan.send(plan.owner, "PATCH", f"{LAYERS}/{plan.layer}", {"style_config": {"color": "red"}})
    plan.send(plan.owner, "PUT", f"{COMMENTS}/{first}/resolve", {})
    assert plan.tell() == 1
    [mail] = mailbox.mails
    assert lines_of(mail) == [
        "Edda Strand commented: “Too close to the lane.”",
        "Somebody replied: “Agreed!”",
        "Somebody resolved the thread: “Too close to the lane.”",
        "Edda Strand changed the map (name, its view).",
        "Somebody changed how “Wind farms” is shown (opacity).",
        "Edda Strand added 2 features.",
        "Somebody changed the layer (style).",
    ]
    content = text_of(mail)
    assert "\nhttps://app.example.org/?map=" + plan.map in content
    assert f"    https://plan.example.org/ogc/collections/{plan.layer}?f=html" in content
    assert mail["Subject"] == "Changes on the map “Kattegat 2”"
    assert mailbox.recipients == ["follower@example.org"]
    assert "example.org" not in content.replace("plan.example.org", "").replace(
        "app.example.org", ""
    )


def test_who_is_mentioned_is_told_so(plan: Plan, mailbox: Mailbox) -> None:
    plan.follow()
    plan.follow(plan.owner)
    mentions = [str(plan.follower.id)]
    plan.comment(plan.editor, "Could you look at this?", mentions=mentions)
    plan.comment(plan.editor, "Somebody else has to.")
    plan.tell()
    lines = {str(mail["To"]): lines_of(mail) for mail in mailbox.mails}
    assert lines["follower@example.org"][0] == (
        "Edda Strand mentioned you: “Could you look at this?”"
    )
    assert lines["owner@example.org"][0] == "Edda Strand commented: “Could you look at this?”"
    assert {told[1] for told in lines.values()} == {
        "Edda Strand commented: “Somebody else has to.”"
    }


def test_ones_own_changes_are_not_told(plan: Plan, mailbox: Mailbox) -> None:
    key = plan.follow()
    plan.follow(plan.editor)
    plan.add_features(plan.follower)
    plan.comment(plan.follower, "Mine.")
    assert plan.tell() == 2
    assert mailbox.recipients == ["editor@example.org"]
    assert plan.subscription(key)["delivered_at"] is None
    assert plan.row(key).position >= plan.row(key).news_position


def test_everything_is_told_once(plan: Plan, mailbox: Mailbox) -> None:
    key = plan.follow()
    plan.add_features(plan.editor)
    assert [plan.tell(), plan.tell()] == [1, 0]
    plan.comment(plan.editor, "Later.")
    assert [plan.tell(), plan.tell()] == [1, 0]
    assert [lines_of(mail) for mail in mailbox.mails] == [
        ["Edda Strand added 1 feature."],
        ["Edda Strand commented: “Later.”"],
    ]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 2
    assert plan.subscription(key)["delivered_at"] is not None


def test_what_was_before_is_not_told(plan: Plan, mailbox: Mailbox) -> None:
    plan.add_features(plan.editor)
    plan.follow()
    assert [plan.tell(), plan.tell()] == [1, 0]
    assert mailbox.mails == []


def test_hidden_layers_and_what_is_said_of_them_are_not_told(
    plan: Plan, mailbox: Mailbox, make_caller: MakeCaller
) -> None:
    """A reader of a public map does not read private layers of others than its owner."""
    plan.send(plan.owner, "PATCH", f"{MAPS}/{plan.map}", {"view_permission": "public"})
    body = {"name": "Secret wrecks", "source_type": "vector"}
    secret = plan.send(plan.editor, "POST", LAYERS, body)["id"]
    passer_by = make_caller("passer-by")
    plan.follow(passer_by)
    plan.follow()
    plan.send(plan.editor, "POST", f"{MAPS}/{plan.map}/layers", {"layer_id": secret})
    plan.add_features(plan.editor, layer=secret)
    plan.comment(plan.editor, "A chest of gold.", map_id=plan.map, layer_id=secret)
    plan.send(plan.editor, "PATCH", f"{LAYERS}/{secret}", {"description": "Hush"})
    order = [{"layer_id": key, "order": place} for place, key in enumerate((secret, plan.layer))]
    plan.send(plan.owner, "PUT", f"{MAPS}/{plan.map}/layers/reorder", {"layer_orders": order})
    plan.comment(plan.editor, "For all.")
    assert plan.tell() == 2
    mails = dict(zip(mailbox.recipients, mailbox.mails, strict=True))
    assert lines_of(mails["passer-by@example.org"]) == ["Edda Strand commented: “For all.”"]
    assert secret not in text_of(mails["passer-by@example.org"])
    assert lines_of(mails["follower@example.org"]) == [
        "Edda Strand commented on “Secret wrecks”: “A chest of gold.”",
        "Edda Strand commented: “For all.”",
        "Somebody changed the map (the order of its layers).",
        "Edda Strand put the layer “Secret wrecks” on the map.",
        "Edda Strand added 1 feature.",
        "Edda Strand changed the layer (description).",
    ]


def test_a_layer_that_was_taken_off_is_named_to_whom_may_still_read_it(
    plan: Plan, mailbox: Mailbox
) -> None:
    body = {"name": "Secret wrecks", "source_type": "vector"}
    secret = plan.send(plan.editor, "POST", LAYERS, body)["id"]
    plan.send(plan.editor, "POST", f"{MAPS}/{plan.map}/layers", {"layer_id": secret})
    plan.follow()
    for layer in (plan.layer, secret):
        plan.send(plan.editor, "DELETE", f"{MAPS}/{plan.map}/layers/{layer}")
    plan.tell()
    assert lines_of(mailbox.mails[0]) == ["Edda Strand took off “Wind farms”."]


def test_whoever_lost_the_right_is_told_nothing_and_the_subscription_rests(
    plan: Plan, mailbox: Mailbox
) -> None:
    key = plan.follow()
    plan.add_features(plan.editor)
    path = f"{MAPS}/{plan.map}/collaborators"
    plan.send(plan.owner, "DELETE", f"{path}/{plan.follower.id}")
    plan.comment(plan.editor, "Without you.")
    assert plan.tell() == 1
    resting = plan.subscription(key)
    assert (resting["status"], resting["reason"]) == ("resting", "You may not read this any more.")
    client, headers = plan.follower.client, plan.follower.headers
    change = {"status": "active"}
    refused = client.patch(f"{SUBSCRIPTIONS}/{key}", json=change, headers=headers)
    assert refused.status_code == 409
    plan.send(plan.owner, "POST", path, {"user_id": str(plan.follower.id)})
    plan.comment(plan.editor, "You are back.")
    assert plan.tell() == 0
    assert plan.send(plan.follower, "PATCH", f"{SUBSCRIPTIONS}/{key}", change)["reason"] is None
    plan.comment(plan.editor, "From now on.")
    plan.tell()
    assert [lines_of(mail) for mail in mailbox.mails] == [["Edda Strand commented: “From now on.”"]]


def test_a_thread_has_its_replies_alone(plan: Plan, mailbox: Mailbox) -> None:
    root = plan.comment(plan.owner, "Where to put the cable?", layer_id=plan.layer)
    reply = plan.comment(plan.editor, "Through the fjord.", parent_id=root, layer_id=plan.layer)
    key = plan.follow(comment_id=root)
    assert plan.subscription(key)["comment_id"] == root
    plan.comment(plan.editor, "Another thread.", layer_id=plan.layer)
    plan.add_features(plan.editor)
    plan.comment(plan.editor, "Or around it?", parent_id=reply, layer_id=plan.layer)
    plan.send(plan.editor, "PATCH", f"{COMMENTS}/{reply}", {"content": "Through the strait."})
    plan.tell()
    [mail] = mailbox.mails
    assert mail["Subject"] == "The thread “Where to put the cable?”"
    assert lines_of(mail) == [
        "Edda Strand replied on “Wind farms”: “Or around it?”",
        "Edda Strand edited a comment on “Wind farms”: “Through the strait.”",
    ]
    plan.send(plan.owner, "PATCH", f"{LAYERS}/{plan.layer}", {"visibility": "private"})
    plan.send(plan.owner, "DELETE", f"{MAPS}/{plan.map}/layers/{plan.layer}")
    plan.comment(plan.owner, "In private.", parent_id=root, layer_id=plan.layer)
    plan.tell()
    assert len(mailbox.mails) == 1
    assert plan.subscription(key)["status"] == "resting"


def test_what_is_deleted_again_is_not_told(plan: Plan, mailbox: Mailbox) -> None:
    plan.follow()
    rash = plan.comment(plan.editor, "Rash words.")
    answered = plan.comment(plan.editor, "Other rash words.")
    plan.comment(plan.owner, "Well.", parent_id=answered)
    for comment in (rash, answered):
        plan.send(plan.editor, "DELETE", f"{COMMENTS}/{comment}")
    plan.tell()
    assert lines_of(mailbox.mails[0]) == ["Somebody replied: “Well.”"]


def test_names_add_no_header_and_no_markup(plan: Plan, mailbox: Mailbox) -> None:
    evil = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\u202eevil\x07"
    name(plan, plan.editor, evil)
    plan.rows("UPDATE maps SET name = :name", name=evil)
    plan.rows("UPDATE layers SET name = :name", name=evil)
    plan.follow()
    plan.add_features(plan.editor)
    plan.comment(plan.editor, "<b>bold</b> & “quoted”\r\n.\r\nQUIT\r\n")
    plan.tell()
    [mail] = mailbox.mails
    assert "Bcc" not in mail
    assert mailbox.recipients == ["follower@example.org"]
    shown = "x Bcc: all@example.org <script>alert(1)</script>evil"
    assert mail["Subject"] == f"Changes on the map “{shown}”"
    assert lines_of(mail) == [
        f"{shown} commented: “<b>bold</b> & “quoted””",
        f"{shown} added 1 feature.",
    ]
    html = text_of(mail, "html")
    assert "<script" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; “quoted”" in html


def test_a_long_digest_is_cut_and_says_so(plan: Plan, mailbox: Mailbox) -> None:
    plan.follow()
    with plan.engine.begin() as connection:
        for number in range(MAX_LINES + 5):
            connection.exec_driver_sql(
                "INSERT INTO comments (map_id, author_id, content) VALUES (%s, %s, %s)",
                (plan.map, plan.editor.id, f"Comment {number}. " + "x" * 9_000),
            )
    plan.tell()
    [mail] = mailbox.mails
    assert len(lines_of(mail)) == MAX_LINES
    assert "There is more than this mail has" in text_of(mail)
    assert "There is more than this mail has" in text_of(mail, "html")
    assert len(mail.as_bytes()) < 100_000


def test_the_headers_let_programs_unsubscribe(plan: Plan, mailbox: Mailbox) -> None:
    key = plan.follow()
    plan.add_features(plan.editor)
    plan.tell()
    [mail] = mailbox.mails
    address = f"https://plan.example.org/api/v1/subscriptions/{key}/unsubscribe?ticket="
    # as it is sent, for programs that decode no encoded words
    assert f"\r\nList-Unsubscribe: <{address}".encode() in mailbox.contents[0]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "SamSyn <samsyn@plan.example.org>"
    assert mail["Message-ID"].endswith("@plan.example.org>")
    assert address in text_of(mail)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("One. Two.", "One."),
        ("Really? Yes.", "Really?"),
        ("v1.2 is out today", "v1.2 is out today"),
        ("  A line\nAnother.", "A line"),
        ("x" * 300, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_first_sentences(content: str, sentence: Any) -> None:
    assert first_sentence(content) == sentence
