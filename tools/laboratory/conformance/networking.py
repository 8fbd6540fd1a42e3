"""networking.go: granular checks, from pods, nodes and endpoints, over HTTP and UDP."""
import os

from conformance.clients import ask
from conformance.expectations import expect, reaches, unreached
from conformance.members import A1, A2, A_CLIENT, B1, NODE_A, NODE_B, OUTSIDE
from conformance.objects import cluster_ip, endpoint, endpoint_slice, node_port, pod, port_of
from conformance.rows import row

OWN_NODE_PORT = "but for the node's own NodePort"
PODS = [A1, A2, B1]


def _web(cluster, protocol):
    return cluster.service("web", port_of(protocol)(), node_ports=True)


def _reaches_all(client, web, pods, own_node=True):
    """At the ClusterIP and at the NodePort of both nodes."""
    reaches(client, cluster_ip(web), pods)
    for node in (NODE_A, NODE_B):
        if own_node or node != client:
            reaches(client, node_port(web, node), pods)


@row("networking.go", 147, "should function for pod-Service: http", protocol="tcp")
@row("networking.go", 162, "should function for pod-Service: udp", protocol="udp")
def from_pod(cluster, protocol):
    web = _web(cluster, protocol)
    cluster.apply(web, *map(pod, PODS))
    _reaches_all(A_CLIENT, web, PODS)


@row("networking.go", 191, "should function for node-Service: http", OWN_NODE_PORT, protocol="tcp")
@row("networking.go", 205, "should function for node-Service: udp", OWN_NODE_PORT, protocol="udp")
def from_node(cluster, protocol):
    web = _web(cluster, protocol)
    cluster.apply(web, *map(pod, PODS))
    for node in (NODE_A, NODE_B):
        _reaches_all(node, web, PODS, own_node=False)


@row("networking.go", 234, "should function for endpoint-Service: http", protocol="tcp")
@row("networking.go", 248, "should function for endpoint-Service: udp", protocol="udp")
def from_endpoint(cluster, protocol):
    web = _web(cluster, protocol)
    cluster.apply(web, *map(pod, PODS))
    for client in (A1, B1):
        _reaches_all(client, web, PODS)


@row("networking.go", 280, "should function for multiple endpoint-Services with same selector")
def same_selector(cluster):
    one, two = _web(cluster, "tcp"), _web(cluster, "tcp")
    two["metadata"]["name"] = "second"
    cluster.apply(one, two, *map(pod, PODS))
    for web in (one, two):
        _reaches_all(A_CLIENT, web, PODS)
    cluster.apply(two, *map(pod, PODS))
    unreached(A_CLIENT, cluster_ip(one))
    _reaches_all(A_CLIENT, two, PODS)


@row("networking.go", 325, "should update endpoints: http", protocol="tcp")
@row("networking.go", 342, "should update endpoints: udp", protocol="udp")
def endpoints_change(cluster, protocol):
    web = _web(cluster, protocol)
    for pods in (PODS, PODS[1:]):
        cluster.apply(web, *map(pod, pods))
        reaches(A_CLIENT, cluster_ip(web), pods)


@row("networking.go", 360, "should update nodePort: http", protocol="tcp")
@row("networking.go", 391, "should update nodePort: udp", protocol="udp")
def node_port_goes(cluster, protocol):
    web = _web(cluster, protocol)
    for services, pods in (([web], PODS), ([], [])):
        cluster.apply(*services, *map(pod, PODS))
        for client in (A_CLIENT, OUTSIDE):
            for node in (NODE_A, NODE_B):
                reaches(client, node_port(web, node), pods)


@row("networking.go", 381, "should support basic nodePort: udp functionality")
def node_port_udp(cluster):
    web = _web(cluster, "udp")
    cluster.apply(web, *map(pod, PODS))
    for client in (A_CLIENT, OUTSIDE):
        reaches(client, node_port(web, NODE_A), PODS)


@row("networking.go", 448, "should be able to handle large requests: http", protocol="tcp", size=300_000)
@row("networking.go", 458, "should be able to handle large requests: udp", protocol="udp", size=10_000)
def large(cluster, protocol, size):
    web = _web(cluster, protocol)
    cluster.apply(web, *map(pod, PODS))
    for client, target in ((A_CLIENT, cluster_ip(web)), (OUTSIDE, node_port(web, NODE_B))):
        # What arrived is compared with what was sent.
        seen = {ask(client, target, body=os.urandom(size)).pod for _ in range(24)}
        expect(seen == {member.name for member in PODS}, "only %s were reached" % sorted(seen))


@row("networking.go", 471, "should function for service endpoints using hostNetwork", OWN_NODE_PORT)
def host_endpoints(cluster):
    nodes = [NODE_A, NODE_B]
    for protocol in ("tcp", "udp"):
        web = _web(cluster, protocol)
        cluster.apply(web, *map(pod, nodes))
        _reaches_all(A_CLIENT, web, nodes)
        reaches(OUTSIDE, node_port(web, NODE_A), nodes)
        for node in nodes:
            _reaches_all(node, web, nodes, own_node=False)
        cluster.apply(web, pod(NODE_A))
        _reaches_all(A_CLIENT, web, [NODE_A])
        reaches(NODE_A, cluster_ip(web), [NODE_A])
    # The API server's own Service: an endpoint at the node's address, in a slice without a selector.
    web = cluster.service("kubernetes", port_of("tcp")(443, name="https"), app=None)
    cluster.apply(web, endpoint_slice(web, dict(endpoint(NODE_A), nodeName=None), ports=[("https", 8080)]))
    for client in (A_CLIENT, NODE_A, NODE_B):
        reaches(client, cluster_ip(web), [NODE_A])
