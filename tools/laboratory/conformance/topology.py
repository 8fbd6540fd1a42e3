"""traffic_distribution.go, topology_hints.go, endpointslice.go: which endpoints a node uses, and slices without a selector."""
from conformance.expectations import reaches
from conformance.members import A1, A2, A_CLIENT, B1, B_CLIENT, NODE_A
from conformance.objects import cluster_ip, endpoint, endpoint_slice, node, pod, tcp
from conformance.rows import row


def _zones(cluster, wish, pods, expected):
    web = cluster.service("web", tcp(), trafficDistribution=wish)
    cluster.apply(web, *map(pod, pods))
    for client, near in expected:
        reaches(client, cluster_ip(web), near)


@row(
    "traffic_distribution.go", 350, "should route traffic to an endpoint in the same zone when using PreferClose",
    wish="PreferClose",
)
@row(
    "traffic_distribution.go", 364, "should route traffic to an endpoint in the same zone when using PreferSameZone",
    wish="PreferSameZone",
)
def same_zone(cluster, wish):
    _zones(cluster, wish, [A1, B1], [(A_CLIENT, [A1]), (B_CLIENT, [B1])])
    # Without an endpoint in its zone a client reaches all.
    _zones(cluster, wish, [A1], [(A_CLIENT, [A1]), (B_CLIENT, [A1])])


@row(
    "traffic_distribution.go", 357, "should route traffic correctly between pods on multiple nodes when using PreferClose",
    wish="PreferClose",
)
@row(
    "traffic_distribution.go", 371, "should route traffic correctly between pods on multiple nodes when using PreferSameZone",
    wish="PreferSameZone",
)
def several_nodes(cluster, wish):
    _zones(cluster, wish, [A1, A2, B1], [(A_CLIENT, [A1, A2]), (B_CLIENT, [B1]), (A1, [A1, A2]), (B1, [B1])])


@row(
    "traffic_distribution.go", 378,
    "should route traffic to an endpoint on the same node or fall back to same zone when using PreferSameNode",
    "the third node, node-c, is there by its objects",
)
def same_node_or_zone(cluster):
    web = cluster.service("web", tcp(), trafficDistribution="PreferSameNode")
    third = node(NODE_A._replace(name="node-c", address="192.0.2.12"), "zone-a", "10.244.3.0/24")
    # node-c lies in the zone of node-a; its pod is where b-1 is.
    elsewhere = pod(B1, node="node-c")
    for pods, near in (
        ([pod(A1), elsewhere, pod(B_CLIENT)], [A1]),
        ([elsewhere, pod(B_CLIENT)], [B1]),
        ([pod(B_CLIENT)], [B_CLIENT]),
    ):
        cluster.apply(web, third, *pods)
        reaches(A_CLIENT, cluster_ip(web), near)
    cluster.apply(web, third, pod(A1), elsewhere)
    # node-b has neither a pod of its own nor one in its zone.
    reaches(B_CLIENT, cluster_ip(web), [A1, B1])


@row(
    "traffic_distribution.go", 430,
    "should route traffic to an endpoint on the same node when using PreferSameNode and fall back when the endpoint becomes unavailable",
)
def same_node_comes_back(cluster):
    web = cluster.service("web", tcp(), trafficDistribution="PreferSameNode")
    for ready, near in ((True, A1), (False, B1), (True, A1)):
        cluster.apply(web, pod(A1, ready=ready), pod(B1))
        reaches(A_CLIENT, cluster_ip(web), [near])
        reaches(B_CLIENT, cluster_ip(web), [B1])


@row("topology_hints.go", 55, "should distribute endpoints evenly", "the hints are in the slices, as the controller writes them")
def zone_hints(cluster):
    web = cluster.service("web", tcp(name="http"), app=None)
    near, far = endpoint(A1, hints=["zone-a"]), endpoint(B1, hints=["zone-b"])
    cluster.apply(web, endpoint_slice(web, near, endpoint(A2, hints=["zone-a"]), far, ports=[("http", 8080)]))
    reaches(A_CLIENT, cluster_ip(web), [A1, A2])
    reaches(B_CLIENT, cluster_ip(web), [B1])
    # One endpoint without hints, and none counts.
    cluster.apply(web, endpoint_slice(web, near, endpoint(A2), far, ports=[("http", 8080)]))
    reaches(A_CLIENT, cluster_ip(web), [A1, A2, B1])


@row("endpointslice.go", 458, "should support a Service with multiple ports specified in multiple EndpointSlices", second=A1)
@row(
    "endpointslice.go", 570, "should support a Service with multiple endpoint IPs specified in multiple EndpointSlices",
    second=B1,
)
def two_slices(cluster, second):
    web = cluster.service("web", tcp(80, name="one"), tcp(81, name="two"), app=None)
    cluster.apply(
        web,
        endpoint_slice(web, endpoint(A1), ports=[("one", 8080)], name="first"),
        endpoint_slice(web, endpoint(second), ports=[("two", 8081)], name="second"),
    )
    reaches(A_CLIENT, cluster_ip(web, 0), [A1])
    reaches(A_CLIENT, cluster_ip(web, 1), [second])
