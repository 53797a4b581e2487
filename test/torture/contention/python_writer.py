"""Makes changes to the shared file the way the Python services do, which know only flock(2) on the file.

Usage: python_writer.py FILE NAME CHANGES PAUSE_MS
Says 'ready' and waits for a line on stdin, so that all writers begin at once. Prints what it met as JSON.
"""

import fcntl
import json
import random
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


def change(handle, key, value):
    """Read, change and write in place, through the locked descriptor."""
    data = json.load(handle)
    data[key] = value
    handle.seek(0)
    handle.truncate()
    json.dump(data, handle)
    handle.flush()


def main():
    path, name, changes, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    print("ready", flush=True)
    sys.stdin.readline()
    waits = []
    gave_up = 0
    done = 0
    while done < changes:
        start = time.monotonic()
        handle = locked(path)
        waits.append((time.monotonic() - start) * 1000)
        if handle is None:
            gave_up += 1
            continue
        with handle:
            change(handle, f"{name}-{done}", {"id": done, "by": name})
        done += 1
        time.sleep(random.random() * 2 * pause / 1000)
    print(json.dumps({"waits": waits, "gaveUp": gave_up}))


if __name__ == "__main__":
    main()
