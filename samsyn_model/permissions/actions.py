"""What a request may do: the actions that routes declare."""

import enum


class Action(enum.Enum):
    """What a request does; every route declares one."""

    READ_PUBLIC = "read what is public"
    SIGNED_IN = "act as a signed-in user"
    READ_LAYER = "read a layer"
    SEARCH_LAYER = "search a layer"
    FOLLOW_LAYER = "follow a layer's changes"
    WRITE_FEATURES = "write a layer's features"
    CHANGE_LAYER = "change a layer's definition"
    OWN_LAYER = "change who sees and edits a layer, index it, or delete it"
    EXPORT_LAYER = "have a layer written as a file"
    READ_MAP = "read a map"
    FOLLOW_MAP = "follow a map's changes"
    CHANGE_MAP = "change a map, its layers and their order"
    COPY_MAP = "copy a map"
    EXPORT_MAP = "have a map written as a file"
    LEAVE_MAP = "leave a map"
    OWN_MAP = "delete a map, change its permissions, collaborators or owner"
    ASK_SERVERS = "read what other servers have"
    KEEP_SERVERS = "keep the list of web map servers"
    READ_AUDIT = "read what was changed of all that is public"
    WEBHOOK = "deliver a signed event"
    SIGN_IN = "begin or end the session of a browser"
    UNSUBSCRIBE = "end a subscription by the link in a mail"


WRITING = frozenset(Action) - {
    Action.READ_PUBLIC,
    Action.SIGNED_IN,
    Action.READ_LAYER,
    Action.SEARCH_LAYER,
    Action.FOLLOW_LAYER,
    Action.FOLLOW_MAP,
    Action.READ_MAP,
    Action.ASK_SERVERS,
    Action.READ_AUDIT,
    Action.WEBHOOK,
    Action.SIGN_IN,
    Action.UNSUBSCRIBE,
}

READING_BY_POST = frozenset({Action.SEARCH_LAYER, Action.FOLLOW_LAYER, Action.FOLLOW_MAP})
"""Actions whose requests read, whatever their method is."""
