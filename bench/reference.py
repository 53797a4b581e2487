"""What the Python package storpool.spopenstack does, as far as its speed goes, on the standard library alone.

It locks, reads, asks, checks and waits as the package does, in the same order. Options and commands: see ours.mjs.
"""

import contextlib
import fcntl
import http.client
import json
import os
import re
import sys
import time

OUR_ID = 1


# The bindings make an object of every entry of a list and check every field: most of the cost on a large cluster.
class InvalidReply(Exception):
    def __init__(self, message, partial=None, **facts):
        super().__init__(message.format(**facts))
        self.partial = partial


def attempt(keep, make, problem):
    """Keeps what can be made, and returns the first problem so far: whoever catches the error finds the rest."""
    try:
        keep(make())
        return problem
    except InvalidReply as another:
        if another.partial is not None:
            keep(another.partial)
        return problem or another


def conclude(problem, partial):
    if problem is not None:
        raise InvalidReply("{problem}", partial, problem=problem)
    return partial


class Entry:
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


def name(pattern):
    compiled = re.compile(pattern)

    def check(value):
        if not isinstance(value, str) or len(value) > 200 or compiled.match(value) is None:
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


def mapping(of_key, of_value):
    def check(values):
        made, problem = {}, None
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
        made, problem = [], None
        for entry in entries:
            problem = attempt(made.append, lambda: entry_type(entry), problem)
        return conclude(problem, made)
    return check


GLOBAL_ID = name(r"^[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
TILDE_ID = name(r"^~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$")
VOLUME = either(name(r"^#?[A-Za-z0-9_\-.:]+$"), TILDE_ID)
SNAPSHOT = either(name(r"^\*?[A-Za-z0-9_\-.:@]+$"), TILDE_ID)
GROUP = name(r"^[A-Za-z0-9_\-]+$")
check_objects = list_of(
    {
        **dict.fromkeys(["id", "visibleVolumeId", "creationTimestamp"], number(-(2**63), 2**64)),
        **dict.fromkeys(["placeAll", "placeTail", "placeHead"], GROUP),
        **dict.fromkeys(["bw", "iops"], either(const("-"), number(-(2**63), 2**64))),
        "name": either(VOLUME, SNAPSHOT),
        "parentName": either(const(""), SNAPSHOT),
        "templateName": either(const(""), GROUP),
        "size": number(0, 2**60),
        "replication": either(const("-"), number(1, 3)),
        "globalId": GLOBAL_ID,
        "objectsCount": int,
        "tags": mapping(name(r"^[A-Za-z0-9_\-.:]+$"), str),
        "reuseServer": bool,
    }
)
check_attachments = list_of(
    {
        "volume": either(VOLUME, SNAPSHOT),
        "snapshot": bool,
        "client": number(1, 2**31),
        "rights": either(const("rw"), const("ro")),
        "pos": number(0, 4096),
        "globalId": GLOBAL_ID,
    }
)


class AttachDB:
    """A JSON object in a file that is locked by flock(2) on the file itself, and the API."""

    def __init__(self, file, port, deviceDir):
        self.path, self.port, self.devices = file, port, deviceDir
        self.file = self.seen = None
        self.depth = 0
        self.data = {}

    @contextlib.contextmanager
    def locked(self):
        if self.depth == 0:
            self._lock()
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.file.close()

    def _lock(self):
        for _ in range(100):
            self.file = open(self.path, "r+", encoding="utf-8")
            try:
                return fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.file.close()
                time.sleep(0.1)
        raise TimeoutError("could not lock " + self.path)

    def _stamp(self):
        stat = os.stat(self.path)
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def get(self):
        with self.locked():
            if self._stamp() != self.seen:
                self.data = json.load(self.file)
                self.seen = self._stamp()
            return self.data

    def _dump(self, data):
        self.file.seek(0)
        self.file.truncate()
        json.dump(data, self.file)
        self.file.flush()
        self.data = data
        self.seen = self._stamp()

    def add(self, key, value):
        with self.locked():
            self._dump({**self.get(), key: value})

    def remove(self, key):
        with self.locked():
            self._dump({other: value for other, value in self.get().items() if other != key})

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            text = None if body is None else json.dumps(body, separators=(",", ":"))
            connection.request(method, "/ctrl/1.0/" + path, text, {"Authorization": "Storpool v1:1234567890"})
            reply = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in reply:
            raise RuntimeError(reply["error"]["descr"])
        return reply["data"]

    def sync(self, request, detached):
        with self.locked():
            cached = self.get()
            attachments = check_attachments(self.call("GET", "AttachmentsList"))
            volumes = {one.name for one in check_objects(self.call("GET", "VolumesList"))}
            _snapshots = {one.name for one in check_objects(self.call("GET", "SnapshotsList"))}
            ours = {one.volume for one in attachments if one.client == OUR_ID and one.volume.startswith("os")}
            for key, entry in cached.items():
                volume = entry["volume"]
                if volume not in ours and volume in volumes and (key != request or volume != detached):
                    self._attach(volume)
            if detached in ours:
                self._detach(detached)

    def _attach(self, volume):
        self.call("POST", "VolumesReassign", [{"volume": volume, "rw": [OUR_ID], "force": False}])
        for _ in range(10):
            if os.path.exists(os.path.join(self.devices, volume)):
                return
            time.sleep(1)

    def _detach(self, volume):
        for retry in range(11):
            try:
                entry = {"volume": volume, "detach": [OUR_ID], "force": retry == 10}
                return self.call("POST", "VolumesReassign", [entry])
            except RuntimeError as error:
                if retry == 10 or "is open at" not in str(error):
                    raise
                time.sleep(0.2)


def now():
    return time.monotonic() * 1000


def timed(*steps):
    start = now()
    for step in steps:
        step()
    return now() - start


def entry_of(volume, **more):
    return {"volume": volume, "type": "cinder", "id": volume, "rights": 2, "volsnap": False, **more}


def add_for(db, ms):
    waits, failed = [], 0
    end = now() + ms
    while now() < end:
        start = now()
        try:
            db.add("os--beside", entry_of("os--beside", time=start))
        except TimeoutError:
            failed += 1
        waits.append(now() - start)  # One that had to give up has waited all the same.
        time.sleep(0.005)
    return {"ms": waits, "failed": failed}


COMMANDS = {
    "attach": lambda db, volume: timed(lambda: db.add(volume, entry_of(volume)), lambda: db.sync(volume, None)),
    "detach": lambda db, volume: timed(lambda: db.sync(volume, volume), lambda: db.remove(volume)),
    "add": lambda db, times: [
        timed(lambda: db.add("os--added", entry_of("os--added", nr=nr))) for nr in range(times)
    ],
    "addFor": add_for,
}

database = AttachDB(**json.loads(sys.argv[1]))
print('{"id":"ready"}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        reply = {"value": COMMANDS[asked["command"]](database, **asked["args"])}
    except Exception as failure:  # pylint: disable=broad-except
        reply = {"error": {"code": type(failure).__name__, "message": str(failure)}}
    print(json.dumps({"id": asked["id"], **reply}), flush=True)
