"""conntrack.go, loadbalancer.go, kube_proxy.go: what becomes of flows while endpoints come and go."""
import os
import socket
import struct
import time

from conformance import spaces
from conformance.clients import Stream, connect
from conformance.expectations import expect
from conformance.members import A1, A2, A_CLIENT, B1, NODE_A, OUTSIDE
from conformance.objects import changed, cluster_ip, itself, load_balancer, node_port, pod, tcp, udp
from conformance.rows import row


def _cycle(cluster, web, client, target, first, second):
    """One client asks all the time, while a pod takes the place of another."""
    cluster.apply(web)
    with Stream(client, target) as stream:
        expect(stream.ask() is None, "somebody answers where there is nobody")
        cluster.apply(web, pod(first))
        stream.follows(first)
        cluster.apply(web, pod(first), pod(second))
        stream.follows(first, second)
        cluster.apply(web, pod(second))
        stream.follows(second)
        cluster.apply(web)
        expect(stream.ask() is None, "a pod that is gone answers")


@row("conntrack.go", 140, "should be able to preserve UDP traffic when server pod cycles for a NodePort service")
def cycle_node_port(cluster):
    web = cluster.service("web", udp(), node_ports=True)
    _cycle(cluster, web, A_CLIENT, node_port(web, NODE_A), A1, A2)
    _cycle(cluster, web, OUTSIDE, node_port(web, NODE_A), A1, B1)


@row("conntrack.go", 218, "should be able to preserve UDP traffic when server pod cycles for a ClusterIP service")
def cycle_cluster_ip(cluster):
    web = cluster.service("web", udp())
    _cycle(cluster, web, A_CLIENT, cluster_ip(web), A1, A2)


@row(
    "conntrack.go", 297,
    "should be able to preserve UDP traffic when server pod cycles for a ClusterIP service with InternalTrafficPolicy set to Local",
)
def cycle_local(cluster):
    web = cluster.service("web", udp(), internalTrafficPolicy="Local")
    _cycle(cluster, web, A_CLIENT, cluster_ip(web), A1, A2)


@row(
    "conntrack.go", 391,
    "should be able to preserve UDP traffic when server pod cycles for a ClusterIP service and client is hostNetwork",
)
def cycle_from_host(cluster):
    web = cluster.service("web", udp())
    _cycle(cluster, web, NODE_A, cluster_ip(web), A1, A2)


@row("conntrack.go", 481, "should be able to preserve UDP traffic when initial unready endpoints get ready")
def becomes_ready(cluster):
    web = cluster.service("web", udp(), node_ports=True)
    for target in (cluster_ip(web), node_port(web, NODE_A)):
        cluster.apply(web, pod(A1, ready=False))
        with Stream(A_CLIENT, target) as stream:
            expect(stream.ask() is None, "an unready pod answers")
            cluster.apply(web, pod(A1))
            stream.follows(A1)


@row(
    "conntrack.go", 673, "should be able to cleanup conntrack entries when UDP service target port changes for a NodePort service"
)
def target_port_changes(cluster):
    web = cluster.service("web", udp(), node_ports=True)
    cluster.apply(web, pod(A1))
    with Stream(A_CLIENT, node_port(web, NODE_A)) as stream:
        stream.follows(A1, port=8080)
        cluster.apply(changed(web, ports=[dict(web["spec"]["ports"][0], targetPort=8081)]), pod(A1))
        stream.follows(A1, port=8081)


@row(
    "loadbalancer.go", 707,
    "should be able to preserve UDP traffic when server pod cycles for a LoadBalancer service on different nodes", second=B1,
)
@row(
    "loadbalancer.go", 841,
    "should be able to preserve UDP traffic when server pod cycles for a LoadBalancer service on the same nodes", second=A2,
)
def cycle_load_balancer(cluster, second):
    web = cluster.service("web", udp(), balanced=cluster.balanced())
    _cycle(cluster, web, OUTSIDE, load_balancer(web), A1, second)


def _checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _segment(source, destination, payload):
    """A TCP segment with ACK and with numbers that nobody expects; the kernel adds the IP header's checksum."""
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    numbers = os.urandom(8)
    header = struct.pack("!HH8sBBHHH", source[1], destination[1], numbers, 5 << 4, 0x18, 1024, 0, 0)
    pseudo = addresses + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(header) + len(payload))
    header = header[:16] + struct.pack("!H", _checksum(pseudo + header + payload)) + header[18:]
    length = 20 + len(header) + len(payload)
    return struct.pack("!BBHHHBBH8s", 0x45, 0, length, 0, 0, 64, socket.IPPROTO_TCP, 0, addresses) + header + payload


#: A source port below those that kernels choose by themselves. The stray segment is for the flow of this port to this pod, and
#: an earlier row's connection, still in TIME_WAIT behind another ClusterIP, would get it in the place of the one tested.
LONE_PORT = 20552


@row(
    "conntrack.go", 552, "proxy implementation should not be vulnerable to the invalid conntrack state bug [Privileged]"
)
def out_of_window(cluster):
    web = cluster.service("web", tcp())
    target = cluster_ip(web)
    cluster.apply(web, pod(A1))
    with spaces.inside(A_CLIENT.name):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        tap.bind(("eth0", 0x0800))
    with spaces.inside(A1.name):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with tap, raw, connect(A_CLIENT, target, 3, source_port=LONE_PORT) as client:
        raw.sendto(_segment((A1.address, 8080), (A_CLIENT.address, LONE_PORT), b"stray!"), (A_CLIENT.address, 0))
        time.sleep(0.2)
        # The connection is alive still.
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        expect(b"a-1" in client.recv(4096), "the connection is dead")
        tap.settimeout(0.1)
        packets = []
        try:
            while True:
                packets.append(tap.recv(65535))
        except TimeoutError:
            pass
    expect(len(packets) > 3, "no packets were seen")
    for packet in packets:
        expect(packet[12:16] != socket.inet_aton(A1.address), "a segment came untranslated")
        expect(not packet[20 + 13] & 4, "a RST was sent: " + packet.hex())


def _becomes_close_wait(daemon, port, target):
    """The flow of the client from a port to a target comes to CLOSE_WAIT, with an hour left."""
    place = "%s:%d" % (target.address, target.port)
    end = time.monotonic() + 3
    while True:
        flows = daemon.get("/v1/conntrack?protocol=tcp&sport=%d&src=%s" % (port, A_CLIENT.address))
        found = [(flow["state"].upper(), flow["expiresSeconds"]) for flow in flows if flow["destination"] == place]
        if len(found) == 1 and found[0][0] == "CLOSE_WAIT" and 3540 <= found[0][1] <= 3600:
            return
        expect(time.monotonic() < end, "half-closed flows are %s" % found)
        time.sleep(0.02)


@row("kube_proxy.go", 74, "should set TCP CLOSE_WAIT timeout [Privileged]")
def close_wait(cluster):
    web = cluster.service("web", tcp(80, 8085))
    with spaces.inside(A1.name):
        server = socket.create_server((A1.address, 8085))
    with server:
        for target in (cluster_ip(web), itself(A1, port=8085)):
            cluster.apply(web, pod(A1))
            with connect(A_CLIENT, target, 3) as client, server.accept()[0]:
                port = client.getsockname()[1]
                client.shutdown(socket.SHUT_WR)
                _becomes_close_wait(cluster.daemons[NODE_A], port, target)
