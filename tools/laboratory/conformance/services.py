"""service.go: how Services come, change and go, and what reaches them."""
import signal

from conformance.clients import resolve
from conformance.expectations import answers_at, dropped, expect, reaches, refused, sees, unreached
from conformance.members import A1, A2, A_CLIENT, B1, B_CLIENT, NODE_A, NODE_B, OUTSIDE
from conformance.objects import (
    UDP, changed, cluster_ip, endpoint, endpoint_slice, external_ip, external_name, node_port, pod, tcp, udp
)
from conformance.rows import row


@row("service.go", 733, "should serve a basic endpoint from pods")
def basic_endpoint(cluster):
    web = cluster.service("web", tcp())
    for pods in ([A1], [A1, B1], [B1], []):
        cluster.apply(web, *map(pod, pods))
        reaches(A_CLIENT, cluster_ip(web), pods)


@row("service.go", 803, "should serve multiport endpoints from pods")
def multiport(cluster):
    web = cluster.service("web", tcp(80, "first"), tcp(81, "second"))
    one = pod(A1, ports=[{"name": "first", "containerPort": 8080}])
    two = pod(B1, ports=[{"name": "second", "containerPort": 8081}])
    for pods, first, second in (([one], [A1], []), ([one, two], [A1], [B1]), ([two], [], [B1]), ([], [], [])):
        cluster.apply(web, *pods)
        reaches(A_CLIENT, cluster_ip(web, 0), first)
        reaches(A_CLIENT, cluster_ip(web, 1), second)


@row("service.go", 906, "should be updated after adding or deleting ports")
def ports_change(cluster):
    web = cluster.service("web", tcp(80))
    both = changed(web, ports=[tcp(80), tcp(81, 8081)])
    second = changed(web, ports=[tcp(81, 8081)])
    cluster.apply(web, pod(A1))
    reaches(A_CLIENT, cluster_ip(both, 0), [A1])
    unreached(A_CLIENT, cluster_ip(both, 1))
    cluster.apply(both, pod(A1))
    reaches(A_CLIENT, cluster_ip(both, 0), [A1])
    reaches(A_CLIENT, cluster_ip(both, 1), [A1])
    cluster.apply(second, pod(A1))
    unreached(A_CLIENT, cluster_ip(both, 0))
    reaches(A_CLIENT, cluster_ip(both, 1), [A1])


@row("service.go", 1020, "should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]")
def source_stays(cluster):
    web = cluster.service("web", tcp())
    for member in (A1, B1):
        cluster.apply(web, pod(member))
        sees(A_CLIENT, cluster_ip(web), member, A_CLIENT.address)


@row("service.go", 1095, "should allow pods to hairpin back to themselves through services")
def hairpin(cluster):
    web = cluster.service("web", tcp(), udp())
    cluster.apply(web, pod(A1))
    reaches(A1, cluster_ip(web, 0), [A1])
    reaches(A1, cluster_ip(web, 1), [A1])


@row("service.go", 1125, "should be able to up and down services")
def up_and_down(cluster):
    pods = [pod(A1), pod(B1)]
    one, two, three = (cluster.service("web-%d" % number, tcp()) for number in (1, 2, 3))
    cluster.apply(one, two, *pods)
    reaches(A_CLIENT, cluster_ip(one), [A1, B1])
    reaches(A_CLIENT, cluster_ip(two), [A1, B1])
    cluster.apply(two, *pods)
    unreached(A_CLIENT, cluster_ip(one))
    reaches(A_CLIENT, cluster_ip(two), [A1, B1])
    cluster.apply(two, three, *pods)
    reaches(A_CLIENT, cluster_ip(two), [A1, B1])
    reaches(A_CLIENT, cluster_ip(three), [A1, B1])


@row("service.go", 1171, "should work after the service has been recreated")
def recreated(cluster):
    web = cluster.service("web", tcp())
    for services in ([web], [], [web]):
        cluster.apply(*services, pod(A1), pod(B1))
        reaches(A_CLIENT, cluster_ip(web), [A1, B1] if services else [])


@row("service.go", 1207, "should work after restarting kube-proxy", "the daemon is the proxy")
def restarted(cluster):
    one, two = cluster.service("web-1", tcp()), cluster.service("web-2", tcp(), node_ports=True)
    cluster.apply(one, two, pod(A1), pod(B1))
    reaches(A_CLIENT, cluster_ip(one), [A1, B1])
    for number in (signal.SIGTERM, signal.SIGKILL):
        cluster.restart(NODE_A, number)
        reaches(A_CLIENT, cluster_ip(one), [A1, B1])
        reaches(A_CLIENT, cluster_ip(two), [A1, B1])
        reaches(OUTSIDE, node_port(two, NODE_A), [A1, B1])
    cluster.restart(NODE_A)
    # It follows its manifests from its first moment.
    cluster.apply(one, two, pod(A1))
    reaches(A_CLIENT, cluster_ip(one), [A1])


@row("service.go", 1313, "should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node")
def external(cluster):
    web = cluster.service("web", tcp(), externalIPs=["203.0.113.250"])
    cluster.apply(web, pod(A1), pod(B1))
    reaches(A_CLIENT, external_ip(web), [A1, B1])


@row("service.go", 1423, "should be able to change the type from ExternalName to ClusterIP", node_ports=False)
@row("service.go", 1462, "should be able to change the type from ExternalName to NodePort", node_ports=True)
def from_external_name(cluster, node_ports):
    web = cluster.service("web", tcp(), node_ports=node_ports)
    name = "web.default.svc.cluster.local"
    cluster.apply(external_name("web", "www.example.com"), pod(A1))
    unreached(A_CLIENT, cluster_ip(web))
    expect(resolve(A_CLIENT, name) is None, "the external name has an address")
    cluster.apply(web, pod(A1))
    expect(resolve(A_CLIENT, name) == cluster_ip(web).address, "the name is not that of the ClusterIP")
    reaches(A_CLIENT, cluster_ip(web), [A1])
    if node_ports:
        reaches(A_CLIENT, node_port(web, NODE_A), [A1])
        reaches(A_CLIENT, node_port(web, NODE_B), [A1])


@row("service.go", 1500, "should be able to change the type from ClusterIP to ExternalName", node_ports=False)
@row("service.go", 1540, "should be able to change the type from NodePort to ExternalName", node_ports=True)
def to_external_name(cluster, node_ports):
    web = cluster.service("web", tcp(), node_ports=node_ports)
    places = [cluster_ip(web)] + ([node_port(web, NODE_A), node_port(web, NODE_B)] if node_ports else [])
    cluster.apply(web, pod(A1))
    for place in places:
        reaches(A_CLIENT, place, [A1])
    cluster.apply(external_name("web", "www.example.com"), pod(A1))
    expect(resolve(A_CLIENT, "web.default.svc.cluster.local") is None, "the external name has an address")
    for place in places:
        unreached(A_CLIENT, place)


@row("service.go", 2294, "should implement service.kubernetes.io/service-proxy-name")
def other_proxy(cluster):
    label = {"service.kubernetes.io/service-proxy-name": "another"}
    one, two = cluster.service("web-1", tcp()), cluster.service("web-2", tcp())
    labelled = dict(two, metadata=dict(two["metadata"], labels=label))
    for second, pods in ((labelled, []), (two, [A1, B1]), (labelled, [])):
        cluster.apply(one, second, pod(A1), pod(B1))
        reaches(A_CLIENT, cluster_ip(one), [A1, B1])
        reaches(A_CLIENT, cluster_ip(two), pods)


@row("service.go", 2345, "should implement service.kubernetes.io/headless")
def headless_label(cluster):
    one, two = cluster.service("web-1", tcp()), cluster.service("web-2", tcp(name="http"), app=None)
    for labels, pods in (({}, [A1, B1]), ({"service.kubernetes.io/headless": ""}, []), ({}, [A1, B1])):
        part = endpoint_slice(two, endpoint(A1), endpoint(B1), ports=[("http", 8080)], labels=labels)
        cluster.apply(one, two, part, pod(A1), pod(B1))
        reaches(A_CLIENT, cluster_ip(one), [A1, B1])
        reaches(A_CLIENT, cluster_ip(two), pods)


@row("service.go", 2419, "should be rejected when no endpoints exist")
def no_endpoints(cluster):
    web = cluster.service("web", tcp(), udp(), node_ports=True)
    cluster.apply(web)
    for index in (0, 1):
        refused(A_CLIENT, cluster_ip(web, index))
        refused(A_CLIENT, node_port(web, NODE_A, index))
        refused(NODE_A, cluster_ip(web, index))
        refused(OUTSIDE, node_port(web, NODE_A, index))


@row("service.go", 2464, "should be rejected for evicted pods (no endpoints exist)")
def evicted(cluster):
    web = cluster.service("web", tcp())
    cluster.apply(web, pod(A1))
    reaches(A_CLIENT, cluster_ip(web), [A1])
    cluster.apply(web, pod(A1, phase="Failed", ready=False))
    refused(A_CLIENT, cluster_ip(web))


def _one_protocol_each(cluster, **balanced):
    web = cluster.service("web", tcp(), udp(), **balanced)
    ports = web["spec"]["ports"]
    for kept in (ports, ports[:1], ports[1:]):
        cluster.apply(changed(web, ports=kept), pod(A1), pod(B1))
        for index, port in enumerate(ports):
            for client in (A_CLIENT, B_CLIENT):
                reaches(client, cluster_ip(web, index), [A1, B1] if port in kept else [])


@row("service.go", 3579, "should serve endpoints on same port and different protocols")
def same_port(cluster):
    _one_protocol_each(cluster)


@row(
    "service.go", 3701, "should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer"
)
def same_port_balanced(cluster):
    _one_protocol_each(cluster, balanced=cluster.balanced())


@row("service.go", 4044, "should connect to the ports exposed by restartable init containers", target=8082)
@row("service.go", 4080, "should connect to the named ports exposed by restartable init containers", target="side")
def sidecar(cluster, target):
    web = cluster.service("web", tcp(80, target))
    cluster.apply(web, pod(A1, sidecar=[{"name": "side", "containerPort": 8082}]))
    answers_at(A_CLIENT, cluster_ip(web), {(A1.name, 8082)})


@row("service.go", 4116, "should support named targetPorts that resolve to different ports on different endpoints")
def named_ports_differ(cluster):
    web = cluster.service("web", tcp(80, "http"))

    def named(member, number):
        return pod(member, ports=[{"name": "http", "containerPort": number}, UDP])

    cluster.apply(web, named(A1, 8080), named(B1, 8081))
    answers_at(A_CLIENT, cluster_ip(web), {(A1.name, 8080), (B1.name, 8081)})
    cluster.apply(web, named(A1, 8080))
    answers_at(A_CLIENT, cluster_ip(web), {(A1.name, 8080)})
    cluster.apply(web, named(A1, 8080), named(A2, 8082))
    answers_at(A_CLIENT, cluster_ip(web), {(A1.name, 8080), (A2.name, 8082)})


@row("service_cidrs.go", 69, "should create Services and serve on different Service CIDRs")
def other_service_cidr(cluster):
    web = changed(cluster.service("web", tcp(), node_ports=True), clusterIP="10.99.0.7")
    block = {
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"},
        "spec": {"cidrs": ["10.99.0.0/24"]},
    }
    cluster.apply(block, web, pod(A1), pod(B1))
    for client in (A_CLIENT, B_CLIENT):
        reaches(client, cluster_ip(web), [A1, B1])
        reaches(client, node_port(web, NODE_A), [A1, B1])
    # What is nobody's in the block is dropped, as in the first one.
    dropped(cluster, A_CLIENT, cluster_ip(web)._replace(address="10.99.0.8"), NODE_A, "no_service")
