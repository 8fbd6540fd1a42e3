"""What is sent through a peer, and the figure that comes of it."""
import json
import re
import subprocess
import time

import report
from live import peers


def iperf(peer, seconds, *options):
    """The end of an iperf3 run as it reports it."""
    command = ["iperf3", "-c", peer.target, "-p", str(peers.IPERF_PORT), "-t", str(seconds), "-J", *options]
    for attempt in range(3):
        done = peer.inside("client", *command, limit=seconds + 20)
        result = json.loads(done.stdout or "{}")
        if "error" not in result and "end" in result:
            return result["end"]
        # A server that still ends its last test says that it is busy.
        time.sleep(0.5 * (attempt + 1))
    raise report.Unavailable("iperf3: " + result.get("error", done.stderr.strip()[-200:]))


def tcp(streams):
    def load(peer, seconds):
        return {"figure": iperf(peer, seconds, "-P", str(streams))["sum_received"]["bits_per_second"] / 1e9}

    return load


def udp(length, streams=1):
    """Datagrams delivered per second, in thousands, and the forwarder's processor time for each, in ns."""

    def load(peer, seconds):
        before = peer.cpu()
        total = iperf(peer, seconds, "-u", "-b", "0", "-l", str(length), "-P", str(streams))["sum"]
        delivered = total["packets"] - total["lost_packets"]
        if delivered <= 0:
            raise report.Unavailable("no datagram was delivered")
        cpu = None if before is None else 1e9 * (peer.cpu() - before) / delivered
        return {"figure": delivered / total["seconds"] / 1e3, "cpu": cpu}

    return load


def ping(*options):
    """The average round trip in microseconds, to the server itself: a ClusterIP answers no ping."""

    def load(peer, seconds):
        done = peer.inside("client", "ping", "-q", "-w", str(seconds + 5), *options, peers.SERVER, limit=seconds + 20)
        found = re.search(r"= [\d.]+/([\d.]+)/", done.stdout)
        if not found:
            raise report.Unavailable("ping: no answer")
        return {"figure": 1e3 * float(found[1])}

    return load


def ping_under_load(peer, seconds):
    """The same while one TCP stream runs as fast as it can."""
    command = ["ip", "netns", "exec", peer.space("client"), "iperf3", "-c", peer.target, "-t", str(seconds + 1)]
    other = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        return ping("-i", "0.005", "-c", str(int(seconds * 150)))(peer, seconds)
    finally:
        try:
            other.wait(timeout=seconds + 10)
        except subprocess.TimeoutExpired:
            other.kill()
            other.wait()


def wrk(*options):
    """Thousands of requests a second."""

    def load(peer, seconds):
        done = peer.inside("client", "wrk", "-t1", "-c32", "-d%ds" % seconds, *options, peer.url, limit=seconds + 20)
        found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        if not found:
            raise report.Unavailable("wrk: " + (done.stderr or done.stdout).strip()[-200:])
        return {"figure": float(found[1]) / 1e3}

    return load


def rest(peer, seconds):
    """The forwarder's share of a core when there is nothing to do, in percent."""
    before = peer.cpu()
    if before is None:
        return {"figure": None}
    time.sleep(seconds)
    return {"figure": 100 * (peer.cpu() - before) / seconds}


#: What a row is called, its unit, whether less is better, and how it is measured.
ROUND_TRIPS = [
    ("ping -i 0.001", "µs", True, ping("-i", "0.001", "-c", "500")),
    ("ping -f", "µs", True, ping("-f", "-c", "5000")),
]
STREAMS = [
    ("TCP, 1 stream", "Gb/s", False, tcp(1)),
    ("TCP, 4 streams", "Gb/s", False, tcp(4)),
]
ALL = [
    *STREAMS,
    ("UDP, 64 bytes, 1 flow", "k/s", False, udp(64)),
    ("UDP, 64 bytes, 32 flows", "k/s", False, udp(64, 32)),
    ("UDP, 1,400 bytes, 1 flow", "k/s", False, udp(1400)),
    *ROUND_TRIPS,
    ("ping -i 0.005 under TCP", "µs", True, ping_under_load),
    ("wrk, keep-alive", "k/s", False, wrk()),
    ("wrk, a connection each", "k/s", False, wrk("-H", "Connection: close")),
    ("processor at rest", "%", True, rest),
]
