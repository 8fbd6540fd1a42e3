"""service.go, loadbalancer.go, networking.go: session affinity, at every kind of address."""
import time

from conformance.clients import ask
from conformance.expectations import expect, spreads, sticks
from conformance.members import A1, A2, A_CLIENT, B1, NODE_A, OUTSIDE
from conformance.objects import cluster_ip, changed, load_balancer, node_port, pod, port_of
from conformance.rows import row

TIMEOUT = 2.0  # seconds


def _places(cluster, kind, protocol="tcp"):
    """A Service with affinity, who asks it, and where."""
    port = port_of(protocol)()
    affinity = {"sessionAffinity": "ClientIP"}
    if kind == "ClusterIP":
        web = cluster.service("web", port, **affinity)
        return web, A_CLIENT, cluster_ip(web)
    if kind == "NodePort":
        web = cluster.service("web", port, node_ports=True, **affinity)
        return web, OUTSIDE, node_port(web, NODE_A)
    web = cluster.service("web", port, balanced=cluster.balanced(), externalTrafficPolicy=kind, **affinity)
    return web, OUTSIDE, load_balancer(web)


def _apply(cluster, web):
    cluster.apply(web, pod(A1), pod(A2), pod(B1))


@row("service.go", 2229, "should have session affinity work for service with type clusterIP [LinuxOnly]", kind="ClusterIP")
@row("service.go", 2266, "should have session affinity work for NodePort service [LinuxOnly]", kind="NodePort")
@row(
    "loadbalancer.go", 565, "should have session affinity work for LoadBalancer service with Local traffic policy", kind="Local"
)
@row(
    "loadbalancer.go", 585, "should have session affinity work for LoadBalancer service with Cluster traffic policy",
    kind="Cluster",
)
@row(
    "networking.go", 413, "should function for client IP based session affinity: http [LinuxOnly]", kind="ClusterIP"
)
@row(
    "networking.go", 431, "should function for client IP based session affinity: udp [LinuxOnly]", kind="ClusterIP",
    protocol="udp",
)
def works(cluster, kind, protocol="tcp"):
    web, client, target = _places(cluster, kind, protocol)
    _apply(cluster, web)
    sticks(client, target, 20)


@row(
    "service.go", 2235, "should have session affinity timeout work for service with type clusterIP [LinuxOnly]",
    kind="ClusterIP",
)
@row("service.go", 2272, "should have session affinity timeout work for NodePort service [LinuxOnly]", kind="NodePort")
def times_out(cluster, kind):
    web, client, target = _places(cluster, kind)
    web = changed(web, sessionAffinityConfig={"clientIP": {"timeoutSeconds": int(TIMEOUT)}})
    _apply(cluster, web)
    first = sticks(client, target)
    # Each connection begins the time anew.
    for _ in range(3):
        time.sleep(TIMEOUT / 2)
        expect(ask(client, target).pod == first, "it moved before its time")
    for _ in range(15):
        time.sleep(TIMEOUT + 0.2)
        if ask(client, target).pod != first:
            return
    expect(False, "it never moved")


@row("service.go", 2251, "should be able to switch session affinity for service with type clusterIP [LinuxOnly]", kind="ClusterIP")
@row("service.go", 2288, "should be able to switch session affinity for NodePort service [LinuxOnly]", kind="NodePort")
@row(
    "loadbalancer.go", 575, "should be able to switch session affinity for LoadBalancer service with Local traffic policy",
    kind="Local",
)
@row(
    "loadbalancer.go", 595, "should be able to switch session affinity for LoadBalancer service with Cluster traffic policy",
    kind="Cluster",
)
def switches(cluster, kind):
    web, client, target = _places(cluster, kind)
    _apply(cluster, web)
    sticks(client, target)
    _apply(cluster, changed(web, sessionAffinity="None"))
    spreads(client, target)
    _apply(cluster, web)
    sticks(client, target)
