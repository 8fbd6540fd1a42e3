"""Section services: loading 10,000 Services with 10 endpoints each, and loading them again after a change."""
import json
import os
import subprocess
import tempfile

import report

NEEDS = []


def prepare():
    """Builds culvert-bench-services, and gives its path."""
    scratch = os.path.join(report.TOP, ".build-bench")
    report.build("--scratch-path", scratch, "--product", "culvert-bench-services", environment={"CULVERT_BENCH": "1"})
    return os.path.join(scratch, "release", "culvert-bench-services")


def run(program, services, algorithm, rounds):
    # In memory: Foundation waits for the disk with each of 20,000 files.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as work:
        command = [program, work, "--services", str(services), "--algorithm", algorithm, "--rounds", str(rounds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise report.Unavailable(done.stderr.strip()[-200:])
    return json.loads(done.stdout)


def measure(options):
    program = prepare()
    table = report.Table(
        "services: ms of processor time, 10 endpoints per Service, a file for each Service and each EndpointSlice",
        ["Services", "algorithm", "read all", "compile", "lay out", "MB", "one endpoint", "and its read", "one Service"],
        "One endpoint, one Service: least of all rounds, from the changed file's text to the table of the datapath; "
        "the read looks at all files.",
    )
    cases = [(1000, "random"), (10_000, "random"), (1000, "maglev")] + ([] if options.quick else [(10_000, "maglev")])
    for services, algorithm in cases:
        found = run(program, services, algorithm, 3 if options.quick else 9)
        cells = [found["parse"], found["compile"], found["layout"]]
        changes = [min(found["endpoint"]), min(found["endpointRead"]), min(found["service"])]
        milliseconds = [round(1000 * value, 2) for value in cells + changes]
        table.add(services, algorithm, *milliseconds[:3], found["megabytes"], *milliseconds[3:])
    return [table]
