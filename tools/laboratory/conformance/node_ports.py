"""service.go: NodePorts, and what an API server would refuse about them."""
from conformance.clients import resolve
from conformance.expectations import expect, reaches, unreached
from conformance.members import A1, A_CLIENT, B1, B_CLIENT, NODE_A, NODE_B
from conformance.objects import changed, cluster_ip, node_port, pod, tcp, udp
from conformance.rows import row


@row("service.go", 1287, "should be able to create a functioning NodePort service")
def functioning_node_port(cluster):
    web = cluster.service("web", tcp(), node_ports=True)
    cluster.apply(web, pod(A1), pod(B1))
    address = resolve(A_CLIENT, "web.default.svc.cluster.local")
    expect(address == cluster_ip(web).address, "the name resolves to %s" % address)
    for target in (cluster_ip(web), node_port(web, NODE_A), node_port(web, NODE_B)):
        reaches(A_CLIENT, target, [A1, B1])
        reaches(B_CLIENT, target, [A1, B1])


@row(
    "service.go", 1350, "should be able to update service type to NodePort listening on same port number but different protocols"
)
def two_protocols(cluster):
    web = cluster.service("web", tcp())
    number = cluster.port()
    both = changed(web, type="NodePort", ports=[tcp(node=number), udp(node=number)])
    cluster.apply(web, pod(A1), pod(B1))
    reaches(A_CLIENT, cluster_ip(web), [A1, B1])
    cluster.apply(both, pod(A1), pod(B1))
    for index in (0, 1):
        for target in (cluster_ip(both, index), node_port(both, NODE_A, index), node_port(both, NODE_B, index)):
            reaches(A_CLIENT, target, [A1, B1])


def _refused(cluster, words, *items):
    reason = cluster.refusal(*items)
    expect(reason and all(word in reason for word in words), "it is refused with: %s" % reason)


@row("service.go", 1575, "should prevent NodePort collisions")
def collision(cluster):
    one, two = cluster.service("web-1", tcp(), node_ports=True), cluster.service("web-2", tcp())
    number = one["spec"]["ports"][0]["nodePort"]
    two = changed(two, type="NodePort", ports=[tcp(node=number)])
    cluster.apply(one, pod(A1))
    _refused(cluster, ["%d/TCP is also a NodePort" % number, "default/web-1", "default/web-2"], one, two, pod(A1))
    # What was before goes on, and the port may be had when it is free.
    reaches(A_CLIENT, cluster_ip(one), [A1])
    unreached(A_CLIENT, cluster_ip(two))
    cluster.apply(two, pod(A1))
    reaches(A_CLIENT, node_port(two, NODE_A), [A1])


@row("service.go", 1629, "should check NodePort out-of-range")
def out_of_range(cluster):
    web = cluster.service("web", tcp(), node_ports=True)
    cluster.apply(web, pod(A1))
    for number in (29999, 32768):
        words = ["spec.ports[0].nodePort: %d is outside 30000-32767" % number]
        _refused(cluster, words, changed(web, ports=[tcp(node=number)]), pod(A1))
    reaches(A_CLIENT, node_port(web, NODE_A), [A1])


@row("service.go", 1696, "should release NodePorts on delete", "by its allocation: on the node itself nothing is bound")
def released(cluster):
    one = cluster.service("web-1", tcp(), node_ports=True)
    two = changed(cluster.service("web-2", tcp()), type="NodePort")
    number = one["spec"]["ports"][0]["nodePort"]
    cluster.apply(one, pod(A1))
    reaches(A_CLIENT, node_port(one, NODE_A), [A1])
    cluster.apply(pod(A1))
    unreached(A_CLIENT, node_port(one, NODE_A))
    two = changed(two, ports=[tcp(node=number)])
    cluster.apply(two, pod(B1))
    reaches(A_CLIENT, node_port(two, NODE_A), [B1])
