"""What the kernel's iptables makes of the same Services: rules as kube-proxy lays them out, in a namespace of their own.

A client's namespace sends datagrams over a veth to the addresses of Services; the node's namespace translates them and sends
them on to one that swallows everything. All of that happens within the client's call, and is what is measured; the same without
Services shows the part that is not theirs.
"""
import json
import os
import subprocess

import report

CLIENT, NODE, FIRST_VIP, ENDPOINTS = "10.244.0.5", "192.0.2.10", "10.96.0.1", 10
FLOWS, ROUNDS = 20_000, 5


def address(first, number):
    """The address that is so many behind another one."""
    parts = [int(part) for part in first.split(".")]
    value = (parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]) + number
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def rules(services):
    """The table nat for so many Services, as proxier.go of kube-proxy's iptables mode writes it."""
    chains = ["KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING"]
    lines = [
        "-A PREROUTING -j KUBE-SERVICES",
        "-A POSTROUTING -j KUBE-POSTROUTING",
        "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    ]
    for number in range(services):
        service = "KUBE-SVC-%d" % number
        chains.append(service)
        lines.append(
            "-A KUBE-SERVICES -d %s/32 -p udp -m udp --dport 80 -j %s" % (address(FIRST_VIP, number), service)
        )
        for place in range(ENDPOINTS):
            endpoint, pod = "KUBE-SEP-%d-%d" % (number, place), address("10.245.0.0", number * ENDPOINTS + place)
            chains.append(endpoint)
            left = ENDPOINTS - place
            choice = " -m statistic --mode random --probability %.10f" % (1 / left) if left > 1 else ""
            lines.append("-A %s%s -j %s" % (service, choice, endpoint))
            lines.append("-A %s -s %s/32 -j KUBE-MARK-MASQ" % (endpoint, pod))
            lines.append("-A %s -p udp -m udp -j DNAT --to-destination %s:8080" % (endpoint, pod))
    head = ["*nat", *(":%s - [0:0]" % chain for chain in chains)]
    return "\n".join([*head, *lines, "COMMIT", ""])


class Node:
    """Client, node and what is behind it, each a namespace; removed by `close`."""

    def __init__(self, work):
        self.work, self.prefix, self.made = work, "culvert-scale-%d" % os.getpid(), []
        self.sender = os.path.join(work, "sender")
        report.compile_c(os.path.join(report.HERE, "scale", "sender.c"), self.sender)

    def run(self, *command, limit=300, **options):
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, **options)
        if done.returncode != 0:
            raise report.Unavailable("%s: %s" % (command[0], (done.stderr or done.stdout).strip()[-200:]))
        return done.stdout

    def space(self, member):
        return "%s-%s" % (self.prefix, member)

    def inside(self, member, *command, **options):
        return self.run("ip", "netns", "exec", self.space(member), *command, **options)

    def open(self):
        for member in ("client", "node", "sink"):
            self.run("ip", "netns", "add", self.space(member))
            self.made.append(self.space(member))
        self.inside("client", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.space("node"))
        for member, own in (("client", CLIENT), ("node", NODE)):
            self.inside(member, "ip", "address", "add", own + "/32", "dev", "eth0")
            self.inside(member, "ip", "link", "set", "eth0", "up")
        self.inside("client", "ip", "route", "add", NODE + "/32", "dev", "eth0")
        self.inside("client", "ip", "route", "add", "default", "via", NODE, "dev", "eth0")
        self.inside("node", "ip", "route", "add", CLIENT + "/32", "dev", "eth0")
        # What is sent on is swallowed, after all hooks, by a namespace that has no use for it.
        self.inside("node", "ip", "link", "add", "out", "type", "veth", "peer", "name", "in", "netns", self.space("sink"))
        self.inside("sink", "ip", "link", "set", "in", "up")
        self.inside("node", "ip", "link", "set", "out", "arp", "off", "up")
        self.inside("node", "ip", "route", "add", "default", "dev", "out")
        self.inside("node", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.eth0.rp_filter=0")

    def measure(self, services):
        """ns per datagram of new and of established flows over so many Services; over 10 addresses without any for 0."""
        program = "iptables-legacy-restore"
        self.inside("node", program, input=rules(services))
        output = self.inside(
            "client", self.sender, CLIENT, FIRST_VIP, str(services or 10), str(FLOWS), str(ROUNDS)
        )
        # The next set begins without flows: entries outlive their rules.
        self.inside("node", "conntrack", "-F")
        return json.loads(output)

    def close(self):
        for space in self.made:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)
        self.made = []


def table(work, services, pairs):
    """ns per datagram through iptables, by number of Services."""
    result = report.Table(
        "scale: the kernel's iptables with the same Services, ns per datagram with sending it over a veth, least of %d rounds"
        % (pairs * ROUNDS),
        ["services", "new", "ratio to 10", "established", "ratio to 10"],
        "Rules as kube-proxy's iptables mode lays them out; none: connection tracking, and no Service.",
    )
    node = Node(work)
    figures = {number: {"new": [], "established": []} for number in [0, *services]}
    try:
        node.open()
        for _ in range(pairs):
            for number, found in figures.items():
                for case, values in node.measure(number).items():
                    found[case] += values
    except (report.Unavailable, OSError, subprocess.TimeoutExpired) as reason:
        result.note = "iptables cannot run here: %s." % reason
        return result
    finally:
        node.close()
    least = {number: {case: min(values) for case, values in found.items()} for number, found in figures.items()}
    base = least[services[0]]
    for number, found in least.items():
        cells = [cell for case in ("new", "established") for cell in (found[case], report.ratio(found[case], base[case]))]
        result.add(number or "none", *cells)
    return result
