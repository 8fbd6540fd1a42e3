"""What the sections of tools/bench share: tables, statistics, and running commands within a time."""
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "tools", "benchmarks")
CULVERT = os.environ.get("CULVERT", os.path.join(TOP, ".build", "release", "culvert"))


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


class Table:
    """Rows of figures under one title; what cannot be measured is a row or a cell that says so."""

    def __init__(self, title, columns, note=""):
        self.title, self.columns, self.note, self.rows = title, columns, note, []

    def add(self, *cells):
        self.rows.append(list(cells))

    def text(self):
        lines = [self.columns] + [[shown(cell) for cell in row] for row in self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        out = [self.title]
        for line in lines:
            cells = [cell.ljust(widths[at]) if at == 0 else cell.rjust(widths[at]) for at, cell in enumerate(line)]
            out.append("  " + "  ".join(cells).rstrip())
        return "\n".join(out + (["  " + self.note] if self.note else []) + [""])

    def plain(self):
        return {"title": self.title, "note": self.note, "rows": [dict(zip(self.columns, row)) for row in self.rows]}


def shown(cell):
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return "%.2f" % cell if cell < 20 else "%.1f" % cell
    return str(cell)


def ratio(one, other):
    """one / other, None where either is missing."""
    return one / other if one is not None and other else None


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def build(*arguments, environment=None):
    """Builds with swift build in release, and says so."""
    say("building " + arguments[-1])
    command = ["swift", "build", "-c", "release", *arguments]
    done = subprocess.run(command, cwd=TOP, env={**os.environ, **(environment or {})}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("bench: the build failed:\n" + done.stdout[-4000:] + done.stderr[-4000:])


def build_culvert():
    if "CULVERT" not in os.environ:
        build("--product", "culvert")


def compile_c(source, target, *options):
    """Compiles a small C program; its absence is a peer that cannot run."""
    done = subprocess.run(["cc", "-O2", "-Wall", "-o", target, source, *options], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable("%s does not compile: %s" % (os.path.basename(source), done.stderr.strip()[:200]))


class Usage:
    """Wall and processor time in seconds of one finished command, and the most memory it used, in MB."""

    def __init__(self, wall, used):
        self.wall, self.user, self.system = wall, used.ru_utime, used.ru_stime
        self.memory = used.ru_maxrss // 1024

    @staticmethod
    def of(command, limit=600):
        """Runs a command for at most `limit` seconds."""
        with tempfile.TemporaryFile() as errors:
            begin = time.monotonic()
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            timer = threading.Timer(limit, child.kill)
            timer.start()
            try:
                # wait4 gives what this child alone has used.
                _, status, used = os.wait4(child.pid, 0)
            except BaseException:
                child.kill()
                raise
            finally:
                timer.cancel()
            wall = time.monotonic() - begin
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                errors.seek(0)
                text = errors.read().decode(errors="replace").strip()
                raise Unavailable("%s ended with %d: %s" % (command[0], child.returncode, text[-200:]))
        return Usage(wall, used)
