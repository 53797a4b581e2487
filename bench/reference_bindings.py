"""What the package's API bindings do with a reply: every entry of a list becomes an object, and every field that the
bindings know is checked on its way there. That is most of what an attach costs on a large cluster.
"""

import re


class InvalidReply(Exception):
    """Says what is wrong, and has what could be made of the reply all the same."""

    def __init__(self, message, partial=None, **facts):
        super().__init__(message.format(**facts))
        self.partial = partial


def attempt(keep, make, problem):
    """Keeps what can be made, and gives the first problem that there was so far.

    A reply of another version of the service may lack fields: whoever catches the error still finds the rest, so
    every single field and entry goes through here.
    """
    try:
        keep(make())
    except InvalidReply as another:
        if another.partial is not None:
            keep(another.partial)
        return problem or another
    except Exception as another:
        return problem or another
    return problem


def conclude(problem, partial):
    if problem is not None:
        raise InvalidReply("{problem}", partial, problem=problem)
    return partial


class Entry:
    """One entry of a list, with its fields as attributes."""

    checks = {}

    def __init__(self, reply):
        reply = dict(reply)
        fields = {}
        object.__setattr__(self, "fields", fields)
        problem = None
        for field, check in self.checks.items():
            made = []
            problem = attempt(made.append, lambda: check(reply.get(field)), problem)
            fields[field] = made[0] if made else None
        conclude(problem, self)

    def __getattr__(self, field):
        return self.fields[field]


def number(least, most):
    def check(value):
        value = int(value)
        if not least <= value <= most:
            raise InvalidReply("{value} is not from {least} to {most}", value=value, least=least, most=most)
        return value

    return check


def name(pattern, longest=200):
    compiled = re.compile(pattern)

    def check(value):
        if not isinstance(value, str):
            raise InvalidReply("{value!r} is not a text", value=value)
        if len(value) > longest or compiled.match(value) is None:
            raise InvalidReply("{value!r} is not of the form {pattern}", value=value, pattern=pattern)
        return value

    return check


def either(*checks):
    def check(value):
        for one in checks:
            try:
                return one(value)
            except InvalidReply:
                pass
        raise InvalidReply("{value!r} is none of what it may be", value=value)

    return check


def const(wanted):
    def check(value):
        if value != wanted:
            raise InvalidReply("{value!r} is not {wanted!r}", value=value, wanted=wanted)
        return value

    return check


def maybe(of):
    return lambda value: None if value is None else of(value)


def mapping(of_key, of_value):
    def check(values):
        made = {}
        problem = None
        for key, value in values.items():
            pair = []
            problem = attempt(pair.append, lambda: of_key(key), problem)
            problem = attempt(pair.append, lambda: of_value(value), problem)
            if len(pair) == 2:
                made[pair[0]] = pair[1]
        return conclude(problem, made)

    return check


def list_of(fields):
    entry_type = type("ListEntry", (Entry,), {"checks": fields})

    def check(entries):
        made = []
        problem = None
        for entry in entries:
            problem = attempt(made.append, lambda: entry_type(entry), problem)
        return conclude(problem, made)

    return check


LONG = number(-(2**63), 2**64)
GLOBAL_ID = name(r"^[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
TILDE_ID = name(r"^~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
VOLUME = either(name(r"^#?[A-Za-z0-9_\-.:]+$"), TILDE_ID)
SNAPSHOT = either(name(r"^\*?[A-Za-z0-9_\-.:@]+$"), TILDE_ID)
GROUP = name(r"^[A-Za-z0-9_\-]+$")
TEMPLATE = either(const(""), name(r"^[A-Za-z0-9_\-]+$"))
LIMIT = either(const("-"), LONG)

SUMMARY = {
    "id": LONG,
    "parentName": either(const(""), SNAPSHOT),
    "templateName": TEMPLATE,
    "size": number(0, 2**60),
    "replication": either(const("-"), number(1, 3)),
    "globalId": GLOBAL_ID,
    "placeAll": GROUP,
    "placeTail": GROUP,
    "placeHead": GROUP,
    "visibleVolumeId": LONG,
    "objectsCount": int,
    "creationTimestamp": LONG,
    "tags": maybe(mapping(name(r"^[A-Za-z0-9_\-.:]+$"), str)),
    "reuseServer": maybe(bool),
    "bw": LIMIT,
    "iops": LIMIT,
}

volumes = list_of({**SUMMARY, "name": VOLUME})

snapshots = list_of(
    {
        **SUMMARY,
        "name": SNAPSHOT,
        "onVolume": either(const("-"), VOLUME),
        "autoName": bool,
        "bound": bool,
        "deleted": bool,
        "transient": bool,
        "targetDeleteDate": maybe(int),
        "recoveringFromRemote": bool,
    }
)

attachments = list_of(
    {
        "volume": either(VOLUME, SNAPSHOT),
        "snapshot": bool,
        "client": number(1, 2**31),
        "rights": either(const("rw"), const("ro")),
        "pos": number(0, 4096),
        "globalId": GLOBAL_ID,
    }
)
