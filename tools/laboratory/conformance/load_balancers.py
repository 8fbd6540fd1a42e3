"""loadbalancer.go: types and ports that change, source ranges, policies, and updates under load."""
from conformance.expectations import Load, becomes_health, dropped, expect, reaches, sees, unreached
from conformance.members import A1, A2, A_CLIENT, B1, B_CLIENT, NODE_A, NODE_B, OUTSIDE
from conformance.objects import changed, cluster_ip, load_balancer, node_port, pod, port_of, tcp
from conformance.rows import row


@row("loadbalancer.go", 132, "should be able to change the type and ports of a TCP service", protocol="tcp")
@row("loadbalancer.go", 270, "should be able to change the type and ports of a UDP service", protocol="udp")
def type_changes(cluster, protocol):
    port = port_of(protocol)
    first, second = cluster.port(), cluster.port()
    web = cluster.service("web", port(80, node=first), balanced=cluster.balanced())
    moved = changed(web, ports=[port(80, node=second)])
    both = changed(web, ports=[port(81, node=second)])

    def check(*at, old):
        """Reached there, and no more where it was."""
        for target in at:
            reaches(A_CLIENT, target, [A1])
            reaches(OUTSIDE if target.address != cluster_ip(web).address else B_CLIENT, target, [A1])
        for target in old:
            unreached(A_CLIENT, target)
            if target.address != cluster_ip(web).address:
                unreached(OUTSIDE, target)

    for service, at, old in (
        (changed(web, type="ClusterIP", ports=[port(80)]), [cluster_ip(web)], [node_port(web, NODE_A), load_balancer(web)]),
        (changed(web, type="NodePort"), [cluster_ip(web), node_port(web, NODE_A)], [load_balancer(web)]),
        (web, [cluster_ip(web), node_port(web, NODE_A), load_balancer(web)], []),
        (moved, [cluster_ip(web), node_port(moved, NODE_A), load_balancer(web)], [node_port(web, NODE_A)]),
        (both, [cluster_ip(both), node_port(both, NODE_A), load_balancer(both)], [cluster_ip(web), load_balancer(web)]),
        (
            changed(both, type="ClusterIP", ports=[port(81)]), [cluster_ip(both)],
            [node_port(both, NODE_A), load_balancer(both)],
        ),
    ):
        cluster.apply(service, pod(A1))
        check(*at, old=old)


@row("loadbalancer.go", 422, "should only allow access from service loadbalancer source ranges")
def source_ranges(cluster):
    web = cluster.service("web", tcp(), balanced=cluster.balanced())
    everyone = [A_CLIENT, B_CLIENT, OUTSIDE]
    one = ["%s/32" % member.address for member in (A_CLIENT, NODE_A)]
    where = {A_CLIENT: NODE_A, B_CLIENT: NODE_B, OUTSIDE: NODE_A}
    for ranges, admitted in (
        (None, everyone), (one, [A_CLIENT]), (["0.0.0.0/1", "128.0.0.0/1"], everyone), (["192.0.2.200/32"], []),
        (None, everyone),
    ):
        cluster.apply(changed(web, loadBalancerSourceRanges=ranges), pod(A1))
        for client in everyone:
            if client in admitted:
                reaches(client, load_balancer(web), [A1])
            else:
                dropped(cluster, client, load_balancer(web), where[client], "source_range")


@row("loadbalancer.go", 642, "should be able to create LoadBalancer Service without NodePort and change it")
def without_node_port(cluster):
    web = cluster.service("web", tcp(), balanced=cluster.balanced(), allocateLoadBalancerNodePorts=False)
    cluster.apply(web, pod(A1))
    services = cluster.daemons[NODE_A].get("/v1/services")
    found = [port["nodePort"] for item in services if item["name"] == "web" for port in item["ports"]]
    expect(found == [None], "its NodePorts are %s" % found)
    reaches(OUTSIDE, load_balancer(web), [A1])
    web = changed(web, allocateLoadBalancerNodePorts=True, ports=[tcp(node=cluster.port())])
    cluster.apply(web, pod(A1))
    reaches(OUTSIDE, load_balancer(web), [A1])
    reaches(OUTSIDE, node_port(web, NODE_A), [A1])


@row(
    "loadbalancer.go", 975, "should not have connectivity disruption during rolling update with externalTrafficPolicy=Cluster",
    policy="Cluster",
)
@row(
    "loadbalancer.go", 984, "should not have connectivity disruption during rolling update with externalTrafficPolicy=Local",
    policy="Local",
)
def rolling_update(cluster, policy):
    web = cluster.service("web", tcp(), balanced=cluster.balanced(), externalTrafficPolicy=policy)
    steps = (
        [pod(A1), pod(B1)],
        [pod(A1), pod(B1), pod(A2, ready=False)],
        [pod(A1), pod(B1), pod(A2)],
        [pod(A1, ending=True), pod(B1), pod(A2)],
        [pod(A1, ending=True, ready=False), pod(B1, ending=True), pod(A2)],
        [pod(A2, ending=True), pod(B1, ending=True)],
        [pod(A2, ending=True), pod(A1, ready=False)],
        [pod(A2, ending=True), pod(A1)],
        [pod(A1), pod(B1)],
    )
    cluster.apply(web, *steps[0])
    with Load(OUTSIDE, load_balancer(web)) as load:
        for pods in steps * 3:
            cluster.apply(web, *pods)
            load.wait(8)


@row("loadbalancer.go", 1016, "should work for type=LoadBalancer")
def source_stays(cluster):
    web = cluster.service("web", tcp(), balanced=cluster.balanced(), externalTrafficPolicy="Local")
    cluster.apply(web, pod(A1))
    sees(OUTSIDE, load_balancer(web), A1, OUTSIDE.address)


def _healthy(cluster, pods, healthy):
    port = cluster.port()
    web = cluster.service(
        "web", tcp(), balanced=cluster.balanced(), externalTrafficPolicy="Local", healthCheckNodePort=port
    )
    cluster.apply(web, *map(pod, pods))
    for node in (NODE_A, NODE_B):
        becomes_health(OUTSIDE, node, port, 200 if node in healthy else 503)
        cluster.balance_to(node)
        # A load balancer would send nothing to the others; what comes all the same is dropped.
        if node in healthy:
            reaches(OUTSIDE, load_balancer(web), [member for member in pods if member.node == node.name])
        else:
            dropped(cluster, OUTSIDE, load_balancer(web), node)
    cluster.balance_to(NODE_A)


@row("loadbalancer.go", 1081, "should only target nodes with endpoints")
def some_nodes(cluster):
    _healthy(cluster, [A1], [NODE_A])
    _healthy(cluster, [B1], [NODE_B])


@row("loadbalancer.go", 1174, "should target all nodes with endpoints")
def all_nodes(cluster):
    _healthy(cluster, [A1, A2, B1], [NODE_A, NODE_B])


@row("loadbalancer.go", 1221, "should work from pods")
def from_pods(cluster):
    web = cluster.service("web", tcp(), balanced=cluster.balanced(), externalTrafficPolicy="Local")
    cluster.apply(web, pod(A1))
    reaches(A_CLIENT, load_balancer(web), [A1])
    # node-b has no endpoint.
    reaches(B_CLIENT, load_balancer(web), [A1])
