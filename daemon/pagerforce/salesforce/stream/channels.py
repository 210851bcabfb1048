"""The channels of an object: its change events, or a PushTopic. Pure.

Facts: docs/vendors/salesforce.md#streaming.
"""

import hashlib
import re

LONGEST_TOPIC = 25
_WORD_CHARS = 14
_OPERATIONS = ("Create", "Update", "Delete", "Undelete")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]")


def change_channel(object_name: str) -> str:
    """The channel of the change events of one object (``salesforce.change-event-channels``)."""
    stem = object_name[:-1] if object_name.endswith("__c") else object_name
    return f"/data/{stem}ChangeEvent"


def topic_name(object_name: str) -> str:
    """The name of the PushTopic that the daemon subscribes to; different for every object."""
    word = _NOT_PLAIN.sub("", object_name.removesuffix("__c").rpartition("__")[2])[:_WORD_CHARS]
    digest = hashlib.sha256(object_name.encode()).hexdigest()[:6]
    return f"pf_{word}_{digest}"


def channels_of(object_name: str) -> tuple[str, ...]:
    """Both channels of an object. The org has one, the other or none; each alone is enough."""
    return change_channel(object_name), f"/topic/{topic_name(object_name)}"


def topic_text(object_name: str, api_version: str) -> str:
    """Apex that creates the PushTopic, to be run once by an administrator."""
    query = f"SELECT Id FROM {object_name}"  # noqa: S608 - Salesforce's words, run by a person
    switches = ", ".join(f"NotifyForOperation{word}=true" for word in _OPERATIONS)
    return (
        f"insert new PushTopic(Name='{topic_name(object_name)}', Query='{query}',"
        f" ApiVersion={api_version}, NotifyForFields='All', {switches});"
    )
