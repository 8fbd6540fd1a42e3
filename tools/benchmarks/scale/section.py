"""Section scale: what many Services and many flows do to the pipeline in memory."""
import tempfile
from concurrent.futures import ThreadPoolExecutor

import report
from memory import section as memory
from scale import iptables

NEEDS = ["ip=iproute2", "cc=gcc", "iptables-legacy-restore=iptables", "conntrack=conntrack", "sysctl=procps"]
SERVICES = [10, 1000, 10_000]
FLOWS = [1, 1000, 100_000, 1_000_000, 4_000_000]


def rounds(culvert, pairs, *arguments):
    """Net ns per packet of each set of arguments, measured by turns."""
    results = {argument: [] for argument in arguments}
    for _ in range(pairs):
        for argument in arguments:
            results[argument] += memory.call([culvert, *argument])["net"]
    return results


def by_services(culvert, pairs):
    table = report.Table(
        "scale: ns per packet by number of Services (10 endpoints each), 100,000 flows over all of them",
        ["case", "services", "min", "median", "ratio to 10"],
    )
    for case in ["established", "new"]:
        sets = {n: ("--case", case, "--flows", "100000", "--services", str(n)) for n in SERVICES}
        results = rounds(culvert, pairs, *sets.values())
        base = min(results[sets[SERVICES[0]]])
        for number, arguments in sets.items():
            least = min(results[arguments])
            table.add(memory.NAMES[case], number, least, report.median(results[arguments]), least / base)
    return table


def by_flows(culvert, pairs):
    table = report.Table(
        "scale: ns per packet by number of flows, established ClusterIP, one worker",
        ["flows", "min", "median"],
    )
    sets = {n: ("--flows", str(n)) for n in FLOWS}
    results = rounds(culvert, pairs, *sets.values())
    for number, arguments in sets.items():
        table.add(number, min(results[arguments]), report.median(results[arguments]))
    return table


def by_maps(culvert, pairs):
    table = report.Table(
        "scale: ns per packet with the records in a file on tmpfs, as with a state directory, established ClusterIP",
        ["flows", "anonymous min", "on tmpfs min", "ratio"],
    )
    for flows in FLOWS[1:4]:
        anonymous, pinned = ("--flows", str(flows)), ("--flows", str(flows), "--pinned", "1")
        results = rounds(culvert, pairs, anonymous, pinned)
        least = min(results[anonymous]), min(results[pinned])
        table.add(flows, *least, least[1] / least[0])
    return table


def by_workers(culvert, pairs):
    """Each worker measures its own processor time: what they do together is their number over the mean of it."""
    table = report.Table(
        "scale: ns per packet of each of several workers at one pipeline, established ClusterIP",
        [
            "flows", "one worker", "two, flows of their own", "together", "two, common flows", "together",
            "two processes of one", "together",
        ],
        "The least round; together: packets in a second, one worker being 1. Needs two idle processors. Two processes share "
        "nothing but the machine: more than they do together it does not give.",
    )
    for flows in FLOWS[1:3]:
        sets = {"one": ["1"], "own": ["2"], "common": ["2", "--shared", "1"], "apart": ["1"]}
        results = {name: [] for name in sets}
        for _ in range(pairs):
            for name, workers in sets.items():
                size = ["--flows", str(flows), "--packets", "1000000", "--rounds", "7"]
                command = [culvert, "workers", *size, "--workers", *workers]
                with ThreadPoolExecutor() as pool:
                    done = pool.map(memory.run, [command] * (2 if name == "apart" else 1))
                    net = [rounds for one in done for rounds in one["net"]]
                results[name] += [sum(each) / len(each) for each in zip(*net)]
        one, *others = (min(results[name]) for name in sets)
        table.add(flows, one, *(figure for other in others for figure in (other, 2 * one / other)))
    return table


def measure(options):
    culvert = memory.prepare()
    pairs = 2 if options.quick else 3
    with tempfile.TemporaryDirectory(prefix="culvert-scale-") as work:
        kernel = iptables.table(work, SERVICES, pairs)
    return [
        by_services(culvert, pairs), kernel, by_flows(culvert, pairs), by_maps(culvert, pairs), by_workers(culvert, pairs)
    ]
