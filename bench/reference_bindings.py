"""What the package's API bindings do with a reply: every entry of a list becomes an object, and every field that the
bindings know is checked on its way there. That is most of what an attach costs on a large cluster.
"""

import re


class InvalidReply(Exception):
    pass


class Entry:
    """One entry of a list, with its fields as attributes."""


def kind(wanted):
    def check(value):
        if not isinstance(value, wanted):
            raise InvalidReply(f"{value!r} is not of the type {wanted.__name__}")
        return wanted(value)

    return check


def number(least, most):
    of_kind = kind(int)

    def check(value):
        value = of_kind(value)
        if not least <= value <= most:
            raise InvalidReply(f"{value} is not from {least} to {most}")
        return value

    return check


def name(pattern, longest=200):
    matches = re.compile(pattern).match
    of_kind = kind(str)

    def check(value):
        value = of_kind(value)
        if len(value) > longest or not matches(value):
            raise InvalidReply(f"{value!r} is not a name")
        return value

    return check


def either(*checks):
    def check(value):
        for one in checks:
            try:
                return one(value)
            except InvalidReply:
                continue
        raise InvalidReply(f"{value!r} is none of what it may be")

    return check


def const(wanted):
    def check(value):
        if value != wanted:
            raise InvalidReply(f"{value!r} is not {wanted!r}")
        return value

    return check


def maybe(of):
    return lambda value: None if value is None else of(value)


def mapping(of_key, of_value):
    def check(value):
        return {of_key(one): of_value(other) for one, other in kind(dict)(value).items()}

    return check


def list_of(fields):
    def checked(entry):
        made = Entry()
        problems = {}
        for field, check in fields.items():
            try:
                setattr(made, field, check(entry.get(field)))
            except InvalidReply as problem:
                problems[field] = problem
        if problems:
            raise InvalidReply(problems)
        return made

    return lambda entries: [checked(entry) for entry in kind(list)(entries)]


LONG = number(-(2**63), 2**64)
GLOBAL_ID = name(r"^[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
TILDE_ID = name(r"^~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
VOLUME = either(name(r"^#?[A-Za-z0-9_\-.:]+$"), TILDE_ID)
SNAPSHOT = either(name(r"^\*?[A-Za-z0-9_\-.:@]+$"), TILDE_ID)
GROUP = name(r"^[A-Za-z0-9_\-]+$")
TEMPLATE = either(name(r"^[A-Za-z0-9_\-]+$"), const(""))
LIMIT = either(const("-"), LONG)

SUMMARY = {
    "id": LONG,
    "parentName": either(SNAPSHOT, const("")),
    "templateName": TEMPLATE,
    "size": number(0, 2**60),
    "replication": either(number(1, 3), const("-")),
    "globalId": GLOBAL_ID,
    "placeAll": GROUP,
    "placeTail": GROUP,
    "placeHead": GROUP,
    "visibleVolumeId": LONG,
    "objectsCount": kind(int),
    "creationTimestamp": LONG,
    "tags": maybe(mapping(name(r"^[A-Za-z0-9_\-.:]+$"), kind(str))),
    "reuseServer": maybe(kind(bool)),
    "bw": LIMIT,
    "iops": LIMIT,
}

volumes = list_of({**SUMMARY, "name": VOLUME})

snapshots = list_of(
    {
        **SUMMARY,
        "name": SNAPSHOT,
        "onVolume": either(VOLUME, const("-")),
        "autoName": kind(bool),
        "bound": kind(bool),
        "deleted": kind(bool),
        "transient": kind(bool),
        "targetDeleteDate": maybe(kind(int)),
        "recoveringFromRemote": kind(bool),
    }
)

attachments = list_of(
    {
        "volume": either(VOLUME, SNAPSHOT),
        "snapshot": kind(bool),
        "client": number(1, 2**31),
        "rights": either(const("rw"), const("ro")),
        "pos": number(0, 4096),
        "globalId": GLOBAL_ID,
    }
)
