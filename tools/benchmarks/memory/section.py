"""Section memory: ns per packet of the pipeline alone, beside the kernel's JIT-compiled eBPF with the same flows."""
import json
import os
import subprocess
import tempfile

import report

NEEDS = ["clang=clang", "cc=gcc", "/usr/include/bpf/libbpf.h=libbpf-dev", "/usr/include/linux/bpf.h=linux-libc-dev"]
CASES = ["established", "reply", "masquerade", "new", "direct", "malformed"]
NAMES = {
    "established": "established ClusterIP",
    "reply": "its reply",
    "masquerade": "NodePort, masqueraded",
    "new": "new flow",
    "direct": "not a Service",
    "malformed": "malformed",
}
FLOWS = [1, 1000, 100_000, 1_000_000]


def prepare():
    """Builds culvert-bench, and gives its path."""
    scratch = os.path.join(report.TOP, ".build-bench")
    report.build("--scratch-path", scratch, "--product", "culvert-bench", environment={"CULVERT_BENCH": "1"})
    return os.path.join(scratch, "release", "culvert-bench")


class Kernel:
    """The eBPF balancer: compiled once, run by a small C program."""

    def __init__(self, work):
        source = os.path.join(report.HERE, "ebpf")
        self.object, self.runner = os.path.join(work, "loop.o"), os.path.join(work, "runner")
        machine = "/usr/include/%s-linux-gnu" % os.uname().machine
        command = ["clang", "-O2", "-g", "-target", "bpf", "-I", machine, "-c", "loop.bpf.c", "-o", self.object]
        try:
            done = subprocess.run(command, cwd=source, capture_output=True, text=True)
        except FileNotFoundError:
            raise report.Unavailable("clang is missing") from None
        if done.returncode != 0:
            raise report.Unavailable("clang: " + done.stderr.strip()[:200])
        report.compile_c(os.path.join(source, "runner.c"), self.runner, "-lbpf")

    def run(self, case, flows, rounds):
        return call([self.runner, self.object, case, str(flows), "250000", str(rounds)])


def run(command):
    """What a program prints, which is one JSON object."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise report.Unavailable(done.stderr.strip()[-200:])
    return json.loads(done.stdout)


def call(command):
    figures = run(command)
    # The least of the filling, so that a slow round of it does not make the rest look fast.
    figures["net"] = [whole - min(figures["filling"]) for whole in figures["all"]]
    return figures


def measure_pair(culvert, kernel, case, flows, pairs, rounds):
    """Both by turns; net ns per packet of all rounds of each, or the reason why there are none."""
    ours, theirs = [], []
    for _ in range(pairs):
        run = call([culvert, "--case", case, "--flows", str(flows), "--rounds", str(rounds)])
        ours += run["net"]
        if isinstance(kernel, Kernel) and case != "masquerade":
            theirs += kernel.run(case, flows, rounds)["net"]
    return ours, theirs, run["capacity"]


def ports(culvert):
    """What a new masqueraded flow costs when its destination's ports run out."""
    figures = run([culvert, "ports"])
    table = report.Table("memory: ns per new masqueraded flow to one backend, each with a search for a port", ["ports in use", "ns"])
    for name, key in (("half", "half"), ("99.9 %", "nearly"), ("all", "exhausted")):
        table.add(name, figures[key])
    return table


def combinations(quick):
    for case in CASES:
        for flows in FLOWS if not quick or case == "established" else FLOWS[1:3]:
            # One new flow is no round, and a malformed packet touches no flow.
            if not (case == "new" and flows == 1) and not (case == "malformed" and flows != 1000):
                yield case, flows


def measure(options):
    culvert = prepare()
    fewer = " With --quick, 1 and 1,000,000 flows for established only." if options.quick else ""
    note = "Processor time, filling of frames subtracted, flows in shuffled order; the eBPF program does not masquerade."
    table = report.Table(
        "memory: ns per packet, one core, 64-byte TCP, batches of 64",
        ["case", "flows", "table", "culvert min", "culvert median", "eBPF min", "eBPF median", "ratio of min"],
        note + fewer,
    )
    with tempfile.TemporaryDirectory() as work:
        try:
            kernel = Kernel(work)
            kernel.run("established", 1, 1)
        except report.Unavailable as reason:
            kernel = None
            table.note += " eBPF cannot run here: %s" % reason
        for case, flows in combinations(options.quick):
            # Opening and forgetting a million flows takes long, and is done in each round.
            rounds = 3 if case == "new" and flows > 100_000 else 7 if options.quick else 15
            ours, theirs, capacity = measure_pair(culvert, kernel, case, flows, 2 if options.quick else 3, rounds)
            least = min(ours)
            theirs_least = min(theirs) if theirs else None
            full = "-" if case == "malformed" else "%d %% full" % (100 * flows // capacity)
            table.add(
                NAMES[case], flows, full, least, report.median(ours), theirs_least, report.median(theirs),
                report.ratio(least, theirs_least),
            )
            report.say("memory: %s, %d flows" % (case, flows))
    return [table, ports(culvert)]
