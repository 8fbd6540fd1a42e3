"""Section live: real stacks on both sides, and between them Culvert or one of its peers, by turns."""
import os
import shutil
import subprocess
import tempfile

import report
from live import loads, peers

NEEDS = [
    "ip=iproute2", "cc=gcc", "nft=nftables", "iperf3=iperf3", "wrk=wrk", "nginx=nginx-light", "curl=curl", "ping=iputils-ping",
    "sysctl=procps",
]


def open_peers(kinds, work, note):
    """The peers that come up; of the others `note` gets the reason."""
    opened = []
    for number, kind in enumerate(kinds):
        peer = kind(work, "culvert-bench-%d-%d" % (os.getpid(), number))
        opened.append(peer)
        try:
            peer.open()
        except (report.Unavailable, OSError, subprocess.TimeoutExpired) as reason:
            note.append("%s cannot run here: %s." % (peer.name, reason))
            peer.close()
            opened.pop()
        except BaseException:
            close_all(opened)
            raise
    return opened


def close_all(opened):
    for peer in opened:
        peer.close()


def rounds(opened, chosen, count, seconds, note):
    """figures[row][peer] and cpu[row][peer], a list each; a load that fails is said in `note` and left empty."""
    figures, cpu = {}, {}
    for turn in range(count):
        # The order turns, so that no peer always follows the same one.
        order = opened[turn % len(opened):] + opened[: turn % len(opened)]
        for name, _, _, load in chosen:
            for peer in order:
                try:
                    result = load(peer, seconds)
                except (report.Unavailable, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as reason:
                    note.append("%s, %s, round %d: %s." % (name, peer.name, turn + 1, reason))
                    result = {"figure": None}
                figures.setdefault(name, {}).setdefault(peer.name, []).append(result["figure"])
                cpu.setdefault(name, {}).setdefault(peer.name, []).append(result.get("cpu"))
            report.say("live: round %d of %d, %s" % (turn + 1, count, name))
    return figures, cpu


def pair_ratio(ours, theirs):
    """The median of the ratios within each round."""
    pairs = [one / other for one, other in zip(ours, theirs) if one is not None and other]
    return report.median(pairs)


def compared(title, names, chosen, figures, note, count):
    """A row for each load: the medians of all, and the first one's ratios to the others."""
    result = report.Table(
        "live: %smedian of %d rounds by turns; ratios are culvert's to the peer's, median of the rounds" % (title, count),
        ["load", "unit", *names, *("/ " + name for name in names[1:])],
        " ".join(note),
    )
    for name, unit, _, _ in chosen:
        row = figures.get(name, {})
        ratios = [pair_ratio(row.get(names[0], []), row.get(other, [])) for other in names[1:]]
        result.add(name, unit, *(report.median(row.get(other, [])) for other in names), *ratios)
    return result


def tables(figures, cpu, note, count):
    names = [kind.name for kind in peers.ALL]
    result = compared("", names, loads.ALL, figures, note, count)
    used = report.Table("live: the forwarder's CPU per delivered datagram, ns, median", ["load", *names[:3], "/ bare, offload", "/ bare"])
    for name, _, _, _ in loads.ALL:
        processor = cpu.get(name, {})
        if report.median(processor.get("culvert", [])) is not None:
            ratios = [pair_ratio(processor["culvert"], processor.get(other, [])) for other in names[1:3]]
            used.add(name, *(report.median(processor.get(other, [])) for other in names[:3]), *ratios)
    return [result, used]


def always_table(figures, note, count):
    result = report.Table(
        "live: %s, medians of %d rounds" % (peers.CulvertAlways.name, count), ["load", "unit", "figure"], " ".join(note)
    )
    for name, unit, _, _ in loads.ROUND_TRIPS:
        result.add(name, unit, report.median(figures.get(name, {}).get(peers.CulvertAlways.name, [])))
    return result


def run(kinds, chosen, count, seconds, note):
    """Opens these peers, puts the loads on them, and removes them again."""
    work, opened = tempfile.mkdtemp(prefix="culvert-bench-"), []
    try:
        opened = open_peers(kinds, work, note)
        return rounds(opened, chosen, count, seconds, note) if opened else ({}, {})
    finally:
        close_all(opened)
        shutil.rmtree(work, ignore_errors=True)


def measure(options):
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        table = report.Table("live", ["cannot run here"])
        table.add("needs root and /dev/net/tun")
        return [table]
    report.build_culvert()
    count, seconds = (3, 1) if options.quick else (7, 2)
    note, note_of_workers, note_of_always = [], [], []
    figures, cpu = run(peers.ALL, loads.ALL, count, seconds, note)
    kinds = [peers.CulvertWorkers, peers.BareQueues, peers.BareOffload, peers.Nftables]
    workers, _ = run(kinds, loads.STREAMS, count, seconds, note_of_workers)
    always, _ = run([peers.CulvertAlways], loads.ROUND_TRIPS, count, seconds, note_of_always)
    return [
        *tables(figures, cpu, note, count),
        compared("two workers, ", [kind.name for kind in kinds], loads.STREAMS, workers, note_of_workers, count),
        always_table(always, note_of_always, count),
    ]
