"""Prints what a process finds when it begins; then it ends as its argument says."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading

ENDS = ("return", "code", "none", "text", "exception", "interrupt", "signal", "kill", "pending output")


def _stream(stream):
    return {
        "name": stream.name, "encoding": stream.encoding, "errors": stream.errors, "newlines": stream.newlines,
        "line_buffering": stream.line_buffering, "write_through": stream.write_through, "number": stream.fileno(),
        "kind": type(stream.buffer).__name__, "isatty": stream.isatty(), "seekable": stream.seekable(),
    }  # fmt: skip


def found():
    streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
    return {
        "arguments": sys.argv,
        "module": [__name__, sys.modules["__main__"].__spec__ and sys.modules["__main__"].__spec__.name],
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": sorted(os.environ.items()),
        "streams": {name: _stream(stream) for name, stream in streams.items()},
        "are_originals": [stream is getattr(sys, f"__{name}__") for name, stream in streams.items()],
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "signals": {
            signal.Signals(number).name: str(getattr(handler, "__name__", handler))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
            for handler in [signal.getsignal(number)]
        },
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "threads": [thread.name for thread in threading.enumerate()],
        "is_leader": os.getpid() == os.getpgid(0),
        "umask": os.umask(0o22),
    }


def main(end):
    print(json.dumps(found(), indent=1))
    print("a line of the log", file=sys.stderr)
    atexit.register(lambda: print("at exit"))
    threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
    if end == "code":
        sys.exit(3)
    elif end == "none":
        sys.exit()
    elif end == "text":
        sys.exit("a text")
    elif end == "exception":
        raise ValueError(end)
    elif end == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    elif end == "signal":
        signal.raise_signal(signal.SIGTERM)
    elif end == "kill":
        signal.raise_signal(signal.SIGKILL)
    elif end == "wait":
        sys.stdin.read()
    elif end == "pending output":
        sys.stdout.buffer.write(b"pending")


if __name__ == "__main__":
    main(sys.argv[1])
