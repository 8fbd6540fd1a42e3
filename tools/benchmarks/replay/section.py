"""Section replay: processor and wall time per packet of a capture, beside tools that read and write as much."""
import os
import shutil
import subprocess
import sys
import tempfile

import report

NEEDS = ["tcpdump=tcpdump", "tcprewrite=tcpreplay"]
COUNT = 4_000_000
EXAMPLE = os.path.join(report.TOP, "captures", "http-clusterip")


def room(needed):
    """A directory in memory if there is room for `needed` bytes twice over, on disk otherwise."""
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    shared = "/dev/shm"
    if os.path.isdir(shared) and min(available, shutil.disk_usage(shared).free) > 2 * needed:
        return tempfile.mkdtemp(prefix="culvert-bench-", dir=shared)
    return tempfile.mkdtemp(prefix="culvert-bench-")


def commands(work):
    """What is measured, in the order of one round; tcpdump copies the trace that Culvert has just written."""
    def file(name):
        return os.path.join(work, name)

    options = ["-c", EXAMPLE + "/culvert.yaml", "-f", EXAMPLE + "/manifests.yaml", file("input.pcap"), "--seed", "1"]
    return {
        "culvert replay -q": [report.CULVERT, "replay", "-q", *options],
        "culvert replay -q -w": [report.CULVERT, "replay", "-q", "-w", file("trace.pcapng"), *options],
        "tcpdump -r TRACE -w": ["tcpdump", "-r", file("trace.pcapng"), "-w", file("copy.pcap")],
        "tcprewrite": ["tcprewrite", "--dstipmap=10.96.0.10/32:10.244.0.11/32", "-i", file("input.pcap"), "-o", file("rewritten.pcap")],
    }


def forget(path):
    """Removes a file: to empty a large one would be counted as work of whoever writes it again."""
    if os.path.exists(path):
        os.remove(path)


def check_rewritten(path):
    """Of link types that it cannot edit, tcprewrite copies the packets as they are; that would be no measure."""
    with open(path, "rb") as file:
        # Behind the headers of the file, the record and Ethernet, the destination is at 16.
        if file.read(24 + 16 + 14 + 20)[-4:] != bytes([10, 244, 0, 11]):
            raise report.Unavailable("it did not rewrite")


def rounds(work, count):
    """The usages of each command, measured by turns; or the reason why it cannot run."""
    results = {}
    for _ in range(count):
        for name, command in commands(work).items():
            if isinstance(results.get(name), str):
                continue
            try:
                if "-w" in command:
                    forget(command[command.index("-w") + 1])
                usage = report.Usage.of(command)
                if name == "tcprewrite":
                    check_rewritten(os.path.join(work, "rewritten.pcap"))
                results.setdefault(name, []).append(usage)
            except (report.Unavailable, FileNotFoundError) as reason:
                results[name] = "cannot run here: %s" % reason
            report.say("replay: " + name)
        for name in ["copy.pcap", "rewritten.pcap"]:
            forget(os.path.join(work, name))
    return results


def table_of(kind, count, turns):
    # The trace has every packet twice, and its copy as well.
    work = room(count * (700 if kind == "64" else 2200))
    try:
        capture = os.path.join(work, "input.pcap")
        generator = os.path.join(report.HERE, "replay", "capture.py")
        subprocess.run([sys.executable, generator, capture, str(count), kind], check=True)
        results = rounds(work, turns)
        trace = os.path.join(work, "trace.pcapng")
        sizes = "input %d MB, trace %d MB" % tuple(
            (os.path.getsize(path) if os.path.exists(path) else 0) // 1_000_000 for path in (capture, trace)
        )
    finally:
        shutil.rmtree(work)
    name = "64 bytes" if kind == "64" else "64, 576 and 1,500 bytes as 7 to 4 to 1"
    table = report.Table(
        "replay: ns per packet of the input, %d packets of %s" % (count, name),
        ["command", "CPU min", "median", "user", "system", "wall min", "Mpps", "MB"],
        "%s, in %s; CPU is user and system time of all threads." % (sizes, os.path.dirname(work)),
    )
    for command, usages in results.items():
        if isinstance(usages, str):
            table.add(command, usages, *[None] * 6)
            continue
        totals = [1e9 * (usage.user + usage.system) / count for usage in usages]
        best = min(usages, key=lambda usage: usage.user + usage.system)
        wall = min(usage.wall for usage in usages)
        table.add(
            command, min(totals), report.median(totals), 1e9 * best.user / count, 1e9 * best.system / count,
            1e9 * wall / count, count / wall / 1e6, best.memory,
        )
    return table


def measure(options):
    report.build_culvert()
    turns = 2 if options.quick else 5
    return [table_of(kind, COUNT, turns) for kind in ("64", "mix")]
