"""The kernel's side: this process' own network namespace with a TUN for each interface, and the exported rules loaded.

A write to a TUN takes the packet all the way through the namespace before it returns, so that whatever stands in the queues of
the TUNs afterwards is what became of it. Raw sockets see what is delivered to the node itself.
"""

import fcntl
import os
import re
import socket
import struct
import subprocess

from packets import with_ttl

TUPLE = r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

SETTINGS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_msgs_per_sec": 1000000,
    "net/ipv4/icmp_msgs_burst": 1000000,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/accept_local": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    # What routers tell of the path is for the clients; the node's own stack is not to send less because of it.
    "net/ipv4/ip_no_pmtu_disc": 2,
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
    # As kube-proxy and Culvert have it: no window checks, no connection to a Service that begins in the middle.
    "net/netfilter/nf_conntrack_tcp_be_liberal": 1,
    "net/netfilter/nf_conntrack_tcp_loose": 0,
    # On Culvert's side nearly no time passes, whatever a session takes here.
    "net/ipv4/ipfrag_time": 3600,
    "net/netfilter/nf_conntrack_icmp_timeout": 3600,
    "net/netfilter/nf_conntrack_udp_timeout": 3600,
    "net/netfilter/nf_conntrack_udp_timeout_stream": 3600,
} | {f"net/netfilter/nf_conntrack_tcp_timeout_{name}": 3600 for name in (
    "close", "close_wait", "established", "fin_wait", "last_ack", "max_retrans", "syn_recv", "syn_sent", "time_wait",
    "unacknowledged")}


# Nothing listens here: what the stack says to segments would end the connections that are played. What is sent as the node's has
# the mark.
SILENCE = """table ip differential {
    chain output { type filter hook output priority raw; ip protocol tcp meta mark and 1 != 1 drop; }
}"""


class Kernel:
    def __init__(self, ruleset, mtu):
        run("ip", "link", "set", "lo", "up")
        for name, value in SETTINGS.items():
            try:
                with open(f"/proc/sys/{name}", "w") as file:
                    file.write(str(value))
            except OSError as error:
                if "icmp_msgs" not in name:  # belongs to the first namespace in some kernels
                    raise SystemExit(f"differential: cannot set {name}: {error}")
        self.tuns, self.is_narrow = {}, min(mtu.values()) < max(mtu.values())
        for name in ("pods", "uplink"):
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            self.tuns[name] = descriptor
            for address in ("192.0.2.10/32", "192.0.2.11/32"):
                run("ip", "address", "add", address, "dev", name)
            run("ip", "link", "set", name, "up", "mtu", str(mtu[name]), "txqueuelen", "10000")
        run("ip", "route", "add", "10.244.0.0/16", "dev", "pods", "src", "192.0.2.10")
        run("ip", "route", "add", "default", "dev", "uplink", "src", "192.0.2.10")
        self.load(ruleset)
        subprocess.run(["nft", "-f", "-"], input=SILENCE.encode(), check=True)
        self.own = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.own.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)
        self.local = []
        for protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
            raw.setblocking(False)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.local.append(raw)
        self.drain()

    @staticmethod
    def load(ruleset):
        """Takes other rules in one step; a ruleset begins with removing the one before."""
        subprocess.run(["nft", "-f", "-"], input=ruleset.encode(), check=True)

    @staticmethod
    def forget(is_stale):
        """Removes UDP flows after a change, as kube-proxy does: those of which `is_stale` says so, by where the client sent to
        and where the answers come from."""
        listed = subprocess.run(["conntrack", "-L", "-p", "udp"], check=True, capture_output=True, text=True).stdout
        for line in listed.splitlines():
            (source, target, sport, dport), (backend, _, port, _) = re.findall(TUPLE, line)
            if is_stale((target, int(dport)), (backend, int(port))):
                run("conntrack", "-D", "-p", "udp", "-s", source, "-d", target, "--sport", sport, "--dport", dport,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def drain(self):
        outputs = []
        for name, descriptor in self.tuns.items():
            while True:
                try:
                    data = os.read(descriptor, 65536)
                except BlockingIOError:
                    break
                if data and data[0] >> 4 == 4:
                    outputs.append((name, data))
        delivered = []
        for raw in self.local:
            while True:
                try:
                    delivered.append(raw.recv(65536))
                except BlockingIOError:
                    break
        return outputs, delivered

    def inject(self, interface, data, is_hop):
        """What comes out for a packet: pairs of interface and bytes, and what the node itself got.

        With `is_hop` it comes with its TTL lowered, as by a router."""
        if interface == "host" and self.is_narrow:
            # The node's stack would send nothing larger than the interface takes: here such packets come from outside.
            interface, is_hop = "uplink", False
        if is_hop:
            data = with_ttl(data, data[8] - 1)
        try:
            if interface == "host":
                self.own.sendto(data, (socket.inet_ntoa(data[16:20]), 0))
            else:
                os.write(self.tuns[interface], data)
        except PermissionError:
            pass  # a filter has dropped or refused what the node sends
        except OSError as error:
            raise SystemExit(f"differential: the kernel does not take {data.hex()}: {error}")
        return self.drain()


def run(*command, **options):
    subprocess.run(command, check=True, **options)
