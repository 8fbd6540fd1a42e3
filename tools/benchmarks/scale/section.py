"""Section scale: what many Services and many flows do to the pipeline in memory."""
import report
from memory import section as memory

NEEDS = []
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
        "iptables in the kernel for the same Services is not measured.",
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
        "Two workers are not measured: culvert-bench runs one pipeline.",
    )
    sets = {n: ("--flows", str(n)) for n in FLOWS}
    results = rounds(culvert, pairs, *sets.values())
    for number, arguments in sets.items():
        table.add(number, min(results[arguments]), report.median(results[arguments]))
    return table


def measure(options):
    culvert = memory.prepare()
    pairs = 2 if options.quick else 3
    return [by_services(culvert, pairs), by_flows(culvert, pairs)]
