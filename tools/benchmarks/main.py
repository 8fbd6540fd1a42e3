"""tools/bench [--json] [--quick] [SECTION …]: measures Culvert beside its peers on this machine.

Sections, each alone or together; without one, all:

    memory    ns per packet of the pipeline alone, beside the kernel's JIT-compiled eBPF
    scale     the same with 10 to 10,000 Services, and with up to 4,000,000 flows
    services  loading and reloading 10,000 Services with 10 endpoints each
    replay    processor and wall time per packet of a capture, beside tcpdump and tcprewrite
    live      throughput and round trips, beside a bare forwarder between TUNs and nftables between veths

--quick measures fewer and shorter rounds. --json prints one object in place of the tables.
Peers are measured by turns within one run, so that their ratio counts more than the digits."""
import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys

import report

SECTIONS = ["memory", "scale", "services", "replay", "live"]


def need(entries):
    """Installs what is missing, by tools/packages; what cannot be installed shows as a peer that cannot run."""
    missing = [entry for entry in entries if not entry.startswith("/") or not os.path.exists(entry.split("=")[0])]
    script = '. tools/packages; need "$@"'
    if subprocess.run(["bash", "-c", script, "need", *missing], cwd=report.TOP, stdout=sys.stderr).returncode != 0:
        report.say("some packages could not be installed")


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/loadavg") as file:
        load = file.read().split()[0]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "loadAtStart": float(load),
    }


def main():
    parser = argparse.ArgumentParser(
        prog="tools/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error("there is no section %s; there are %s" % (name, ", ".join(SECTIONS)))
    # Ended from outside, sections still remove what they have made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    here = machine()
    result = {"machine": here, "sections": {}}
    if not options.json:
        print("%(processor)s, %(cores)d cores, Linux %(kernel)s, load %(loadAtStart).1f\n" % here)
    for name in options.sections or SECTIONS:
        section = importlib.import_module(name + ".section")
        need(section.NEEDS)
        tables = section.measure(options)
        result["sections"][name] = [table.plain() for table in tables]
        if not options.json:
            print("\n".join(table.text() for table in tables), flush=True)
    if options.json:
        print(json.dumps(result, indent=1))


main()
