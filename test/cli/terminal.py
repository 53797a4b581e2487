"""Runs a program in a terminal: terminal.py COLUMNS ROWS JSON, which is [program arguments, [[what to wait for, what to type], ...]].

Prints JSON: the exit status and all that was shown.
"""
import fcntl
import json
import os
import pty
import struct
import sys
import termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
argv, dialogue = json.loads(sys.argv[3])
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(argv[0], argv)
shown = b""
seen = 0
while True:
    try:
        got = os.read(terminal, 65536)
    except OSError:
        break
    if not got:
        break
    shown += got
    if dialogue and dialogue[0][0].encode() in shown[seen:]:
        seen = len(shown)
        os.write(terminal, dialogue.pop(0)[1].encode())
_, status = os.waitpid(pid, 0)
json.dump({"code": os.waitstatus_to_exitcode(status), "shown": shown.decode()}, sys.stdout)
