"""What the Python package storpool.spopenstack does, as far as its speed goes, on the standard library alone.

It locks, reads, asks, checks and waits as the package does, in the same order.

    python3 reference_model.py FILE PORT DEVICES

takes one command a line on standard input, {"id": ID, "command": NAME, "args": {…}}, and answers each with one line,
{"id": ID, "value": …} or {"id": ID, "error": …} (see test/lib/actor.mjs):

    cycle   {"volume": NAME}     add, attach, detach, remove; how long each took
    attach  {"volume": NAME}     add and attach
    detach  {"volume": NAME}     detach and remove
    sync    {"request": ID}      attach whatever the cache wants
    add     {"times": COUNT}     one entry again and again, with another value each time
    addFor  {"ms": MS}           one entry every few milliseconds, for a while
    hold    {}                   take the lock and keep it
    release {"after": MS}        give it back after that time
"""

import contextlib
import fcntl
import http.client
import json
import os
import sys
import time

import reference_bindings

OUR_ID = 1
PREFIX = "os"


def now():
    """Milliseconds of the clock that all processes of the machine share."""
    return time.monotonic() * 1000


class LockedFileError(Exception):
    pass


class ApiError(Exception):
    def __init__(self, error):
        super().__init__(error["descr"])
        self.name = error["name"]


class Api:
    def __init__(self, port):
        self.port = port

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            text = None if body is None else json.dumps(body, separators=(",", ":"))
            headers = {"Authorization": "Storpool v1:1234567890"}
            connection.request(method, "/ctrl/1.0/" + path, text, headers)
            reply = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in reply:
            raise ApiError(reply["error"])
        return reply["data"]

    def reassign(self, entry):
        return self.call("POST", "VolumesReassign", [entry])


class LockedDB:
    """A JSON object in a file that is locked by flock(2) on the file itself."""

    def __init__(self, path):
        self.path = path
        self.file = None
        self.held = None
        self.depth = 0
        self.seen = None
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
        file = open(self.path, "r+", encoding="utf-8")
        for _ in range(100):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.file = file
                return
            except BlockingIOError:
                time.sleep(0.1)
        file.close()
        raise LockedFileError("could not lock " + self.path)

    def _stamp(self):
        stat = os.fstat(self.file.fileno())
        return stat.st_mtime_ns, stat.st_size

    def get(self):
        with self.locked():
            if self._stamp() != self.seen:
                self.file.seek(0)
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

    def remove_keys(self, keys):
        with self.locked():
            data = self.get()
            left = {key: value for key, value in data.items() if key not in keys}
            if len(left) < len(data):
                self._dump(left)


class AttachDB(LockedDB):
    def __init__(self, path, api, devices):
        super().__init__(path)
        self.api = api
        self.devices = devices

    def sync(self, request, detached):
        with self.locked():
            cached = self.get()
            if request not in cached:
                if detached is not None:
                    return
                raise KeyError(request)
            attachments = reference_bindings.attachments(self.api.call("GET", "AttachmentsList"))
            volumes = {one.name for one in reference_bindings.volumes(self.api.call("GET", "VolumesList"))}
            snapshots = {one.name for one in reference_bindings.snapshots(self.api.call("GET", "SnapshotsList"))}
            ours = {
                one.volume: one for one in attachments if one.client == OUR_ID and one.volume.startswith(PREFIX)
            }
            stale = set()
            for name, entry in self._wanted(cached, request, detached).items():
                if name in ours and (ours[name].rights == "rw" or entry["rights"] == 1):
                    continue
                if name not in (snapshots if entry["volsnap"] else volumes):
                    stale.add(name)
                    continue
                self._attach(name, entry)
            if stale:
                self.remove_keys([key for key, entry in cached.items() if entry["volume"] in stale])
            if detached in ours:
                self._detach(detached, ours[detached].snapshot)

    @staticmethod
    def _wanted(cached, request, detached):
        wanted = {}
        for key, entry in cached.items():
            name = entry["volume"]
            if key == request and name == detached:
                continue
            if name not in wanted or wanted[name]["rights"] < entry["rights"]:
                wanted[name] = entry
        return wanted

    def _attach(self, name, entry):
        if entry["volsnap"]:
            self.api.reassign({"snapshot": name, "ro": [OUR_ID], "force": False})
        else:
            rights = "rw" if entry["rights"] == 2 else "ro"
            self.api.reassign({"volume": name, rights: [OUR_ID], "force": False})
        for _ in range(10):
            if os.path.exists(os.path.join(self.devices, name)):
                return
            time.sleep(1)

    def _detach(self, name, snapshot):
        kind = "snapshot" if snapshot else "volume"
        for attempt in range(11):
            try:
                self.api.reassign({kind: name, "detach": [OUR_ID], "force": attempt == 10})
                return
            except ApiError as error:
                in_use = error.name in ("busy", "invalidParam") and "is open at" in str(error)
                if attempt == 10 or not in_use:
                    raise
                time.sleep(0.2)


def entry_of(volume):
    return {"volume": volume, "type": "cinder", "id": volume, "rights": 2, "volsnap": False}


def timed(step):
    start = now()
    step()
    return now() - start


def cycle(db, volume):
    steps = {"attach": attach(db, volume)["ms"], "detach": detach(db, volume)["ms"]}
    return {"ms": sum(steps.values()), "steps": steps}


def attach(db, volume):
    def both():
        db.add(volume, entry_of(volume))
        db.sync(volume, None)

    return {"ms": timed(both), "ended": now()}


def detach(db, volume):
    def both():
        db.sync(volume, volume)
        db.remove_keys([volume])

    return {"ms": timed(both)}


def add(db, times):
    values = [{**entry_of("os--volume-added"), "time": time.time_ns(), "nr": nr} for nr in range(times)]
    return {"ms": [timed(lambda: db.add("added", value)) for value in values]}


def add_for(db, ms):
    waits = []
    end = now() + ms
    while now() < end:
        value = {**entry_of("os--volume-beside"), "time": time.time_ns()}
        start = now()
        with contextlib.suppress(LockedFileError):  # One that had to give up has waited all the same.
            db.add("beside", value)
        waits.append(now() - start)
        time.sleep(0.005)
    return {"ms": waits}


def sync(db, request):
    return {"ms": timed(lambda: db.sync(request, None)), "ended": now()}


def hold(db):
    db.held = db.locked()
    db.held.__enter__()
    return {"at": now()}


def release(db, after):
    time.sleep(after / 1000)
    released = now()
    db.held.__exit__(None, None, None)
    return {"at": released}


COMMANDS = {
    "cycle": cycle,
    "attach": attach,
    "detach": detach,
    "sync": sync,
    "add": add,
    "addFor": add_for,
    "hold": hold,
    "release": release,
}


def answer(reply):
    print(json.dumps(reply), flush=True)


def main():
    path, port, devices = sys.argv[1:]
    db = AttachDB(path, Api(int(port)), devices)
    answer({"id": "ready"})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer({"id": asked["id"], "value": COMMANDS[asked["command"]](db, **asked["args"])})
        except Exception as error:  # pylint: disable=broad-except
            answer({"id": asked["id"], "error": {"code": type(error).__name__, "message": str(error)}})


main()
