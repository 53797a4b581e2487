"""What a Python service does with the shared file: it knows only flock(2) on it, and writes in place without a flush.

Usage: service.py FILE COMMAND [ARGUMENTS]
  add COUNT KEY        makes so many changes, one after the other
  die HOW KEY          one more change, killed after truncating (HOW is empty) or in the middle of writing (half)
  busy SECONDS         makes one change after the other, without a pause
  work KEY             changes until it is killed, with short pauses; says what it has acknowledged, and when
  poll SECONDS         takes the lock again and again, with a pause of 0.1 s
Prints what it met as one line of JSON.
"""

import fcntl
import json
import os
import random
import signal
import sys
import time

TRIES = 100
PAUSE = 0.1


def locked(path):
    """Open the file and lock it; None when it stays locked for all of the tries."""
    handle = open(path, "r+", encoding="utf-8")
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            time.sleep(PAUSE)
    handle.close()
    return None


def add(path, count, key):
    """Acknowledges what it has written, or stops where it cannot go on."""
    done = 0
    for number in range(count):
        handle = locked(path)
        if handle is None:
            break
        with handle:
            data = json.load(handle)
            data[f"{key}{number}"] = {"volume": f"os--{number}", "rights": 2}
            handle.seek(0)
            handle.truncate()
            json.dump(data, handle)
            handle.flush()
        done += 1
    return {"done": done}


def die(path, how, key):
    """Never returns."""
    handle = locked(path)
    data = json.load(handle)
    data[key] = {"volume": "os--torn", "rights": 2}
    written = json.dumps(data)
    handle.seek(0)
    handle.truncate()
    if how == "half":
        handle.write(written[: len(written) // 2])
    handle.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def poll(path, seconds):
    """How long it waited for the lock at the worst, and how often it had to give up."""
    end = time.monotonic() + seconds
    longest = taken = gave_up = 0
    while time.monotonic() < end:
        start = time.monotonic()
        handle = locked(path)
        longest = max(longest, time.monotonic() - start)
        if handle is None:
            gave_up += 1
            continue
        taken += 1
        handle.close()
        time.sleep(PAUSE)
    return {"longest": longest * 1000, "taken": taken, "gaveUp": gave_up}


def busy(path, seconds):
    """How many changes it made; whoever else wants the lock has to find it free in between."""
    end = time.monotonic() + seconds
    made = 0
    while time.monotonic() < end:
        made += add(path, 1, f"busy{os.getpid()}-{made % 50}-")["done"]
    return {"made": made}


def work(path, key):
    """Never returns."""
    number = 0
    while True:
        try:
            done = add(path, 1, f"{key}-{number}-")["done"]
        except json.JSONDecodeError:
            # Torn by somebody who was killed: only a Node.js process can mend it.
            done = 0
        if done:
            print(json.dumps({"at": time.monotonic() * 1000, "added": f"{key}-{number}-0"}), flush=True)
        number += 1
        time.sleep(random.random() * 0.03)


def main():
    path, command, *rest = sys.argv[1:]
    if command == "add":
        result = add(path, int(rest[0]), rest[1])
    elif command == "die":
        result = die(path, *rest)
    elif command == "work":
        result = work(path, *rest)
    elif command == "busy":
        result = busy(path, float(rest[0]))
    else:
        result = poll(path, float(rest[0]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
