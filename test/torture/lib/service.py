"""What a Python service does with the shared file: it knows only flock(2) on it, and writes in place without a flush.

Usage: service.py FILE COMMAND ARGUMENTS; it prints what it met as lines of JSON.
  add COUNT NAME PAUSE   makes so many changes, with so many milliseconds in between on average
  busy SECONDS NAME      makes one change after the other (service.mjs alone)
  work NAME PAUSE        makes the changes of changes.mjs until it is killed, from the number on that it reads from stdin
  poll SECONDS           takes the lock again and again, with a pause of 0.1 s
  die HOW NAME           one more change, killed after truncating (HOW is empty) or in the middle of writing (half)
"""

import fcntl
import json
import os
import random
import signal
import sys
import time


def say(fact):
    print(json.dumps(fact), flush=True)


def locked(path):
    """Open the file and lock it, or give up after 100 tries."""
    handle = open(path, "r+", encoding="utf-8")
    for _ in range(100):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            time.sleep(0.1)
    handle.close()
    raise TimeoutError(f"gave up waiting for {path}")


def dump(handle, text):
    handle.seek(0)
    handle.truncate()
    handle.write(text)
    handle.flush()


def put(path, key, change):
    """Set a key, or remove it if the change is None. Returns how long it waited for the lock."""
    start = time.monotonic()
    with locked(path) as handle:
        wait = (time.monotonic() - start) * 1000
        data = json.load(handle)
        data.pop(key, None)
        if change is not None:
            volume = "a3f0c1d2-0000-4000-8000-" + key.rjust(12, "0")
            more = {"type": "volume", "id": key, "rights": 2, "volsnap": False, "change": change}
            data[key] = {"volume": volume, **more}
        dump(handle, json.dumps(data))
        return wait


def pause(milliseconds):
    time.sleep(random.random() * 2 * float(milliseconds) / 1000)


def add(path, count, name, milliseconds):
    waits = []
    for number in range(int(count)):
        waits.append(put(path, f"{name}-{number}", number))
        pause(milliseconds)
    say({"waits": waits})


def work(path, name, milliseconds):
    number = int(sys.stdin.readline())
    while True:
        try:
            put(path, f"{name}-{number % 10}", None if number % 4 == 3 else number)
            say({"done": number})
            number += 1
        except json.JSONDecodeError as error:
            # Torn by somebody who was killed.
            say({"failed": {"code": "ECORRUPT", "message": str(error)}})
        pause(milliseconds)


def poll(path, seconds):
    end = time.monotonic() + float(seconds)
    waits = []
    while time.monotonic() < end:
        start = time.monotonic()
        locked(path).close()
        waits.append((time.monotonic() - start) * 1000)
        time.sleep(0.1)
    say({"waits": waits})


def die(path, how, name):
    handle = locked(path)
    written = json.dumps({**json.load(handle), name: {"volume": "os--torn", "rights": 2}})
    dump(handle, "" if how == "empty" else written[: len(written) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


try:
    {"add": add, "work": work, "poll": poll, "die": die}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
except TimeoutError as error:
    say({"failed": {"code": "ELOCKED", "message": str(error)}})
