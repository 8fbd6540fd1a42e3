"""service.go: traffic policies, endpoints that are not ready or about to end, and health check ports; per node."""
from conformance.expectations import becomes_health, dropped, reaches, refused, sees
from conformance.members import A1, A_CLIENT, B_CLIENT, NODE_A, NODE_B, OUTSIDE
from conformance.objects import changed, cluster_ip, endpoint, endpoint_slice, load_balancer, node_port, pod, tcp
from conformance.rows import row


@row("service.go", 1792, "should create endpoints for unready pods")
def unready(cluster):
    web = cluster.service("web", tcp())
    for state in ({"ready": False}, {"ready": False, "ending": True}):
        for publishes in (True, False, True):
            cluster.apply(changed(web, publishNotReadyAddresses=publishes), pod(A1, **state))
            reaches(A_CLIENT, cluster_ip(web), [A1] if publishes else [])


@row(
    "service.go", 1948,
    "should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true",
)
def published(cluster):
    web = cluster.service("web", tcp(name="http"), node_ports=True, publishNotReadyAddresses=True)
    ending = pod(A1, ready=False, ending=True)
    sliced = endpoint_slice(web, endpoint(A1, ready=True, serving=False, terminating=True), ports=[("http", 8080)])
    for objects in ([ending], [ending, sliced]):
        cluster.apply(web, *objects)
        for client in (A_CLIENT, B_CLIENT):
            for target in (cluster_ip(web), node_port(web, NODE_A), node_port(web, NODE_B)):
                reaches(client, target, [A1])


@row(
    "service.go", 2068,
    "should not be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is false",
)
def unpublished(cluster):
    web = cluster.service("web", tcp(), node_ports=True)
    cluster.apply(web, pod(A1, ready=False, ending=True))
    for client in (A_CLIENT, B_CLIENT):
        for target in (cluster_ip(web), node_port(web, NODE_A), node_port(web, NODE_B)):
            refused(client, target)


def _internal_local(cluster, where, clients, others):
    web = cluster.service("web", tcp(), internalTrafficPolicy="Local")
    cluster.apply(web, pod(where))
    for client in clients:
        reaches(client, cluster_ip(web), [where])
    for client in others:
        dropped(cluster, client, cluster_ip(web), NODE_B)


@row("service.go", 2528, "should respect internalTrafficPolicy=Local Pod to Pod")
def internal_pod_to_pod(cluster):
    _internal_local(cluster, A1, [A_CLIENT], [B_CLIENT])


@row("service.go", 2597, "should respect internalTrafficPolicy=Local Pod (hostNetwork: true) to Pod")
def internal_host_to_pod(cluster):
    _internal_local(cluster, A1, [NODE_A], [NODE_B])


@row("service.go", 2668, "should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)")
def internal_to_host(cluster):
    _internal_local(cluster, NODE_A, [A_CLIENT, NODE_A], [B_CLIENT, NODE_B])


@row("service.go", 2771, "should support externalTrafficPolicy=Local for type=NodePort")
def external_local(cluster):
    web = cluster.service("web", tcp(), node_ports=True, externalTrafficPolicy="Local")
    cluster.apply(web, pod(A1))
    sees(NODE_B, node_port(web, NODE_A), A1, NODE_B.address)
    sees(OUTSIDE, node_port(web, NODE_A), A1, OUTSIDE.address)


@row("service.go", 2823, "should fail health check node port if there are only terminating endpoints")
def health_of_ending(cluster):
    port = cluster.port()
    web = cluster.service(
        "web", tcp(node=cluster.port()), balanced=cluster.balanced(), externalTrafficPolicy="Local", healthCheckNodePort=port
    )
    for ending, status in ((False, 200), (True, 503)):
        cluster.apply(web, pod(A1, ending=ending))
        becomes_health(OUTSIDE, NODE_A, port, status)
        becomes_health(OUTSIDE, NODE_B, port, 503)
        reaches(OUTSIDE, node_port(web, NODE_A), [A1])


@row(
    "service.go", 2920,
    "should fallback to terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Cluster",
)
def ending_internal_cluster(cluster):
    web = cluster.service("web", tcp())
    cluster.apply(web, pod(A1, ending=True))
    for client in (A_CLIENT, B_CLIENT):
        reaches(client, cluster_ip(web), [A1])


@row(
    "service.go", 2994,
    "should fallback to local terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Local",
)
def ending_internal_local(cluster):
    web = cluster.service("web", tcp(), internalTrafficPolicy="Local")
    cluster.apply(web, pod(A1, ending=True))
    reaches(A_CLIENT, cluster_ip(web), [A1])
    dropped(cluster, B_CLIENT, cluster_ip(web), NODE_B)


@row(
    "service.go", 3073,
    "should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster",
)
def ending_external_cluster(cluster):
    web = cluster.service("web", tcp(), node_ports=True)
    cluster.apply(web, pod(A1, ending=True))
    for client in (A_CLIENT, B_CLIENT, OUTSIDE):
        for node in (NODE_A, NODE_B):
            reaches(client, node_port(web, node), [A1])


@row(
    "service.go", 3149,
    "should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local",
)
def ending_external_local(cluster):
    web = cluster.service("web", tcp(), node_ports=True, externalTrafficPolicy="Local")
    cluster.apply(web, pod(A1, ending=True))
    for client in (A_CLIENT, B_CLIENT, OUTSIDE):
        reaches(client, node_port(web, NODE_A), [A1])
    for client in (A_CLIENT, OUTSIDE):
        dropped(cluster, client, node_port(web, NODE_B), NODE_B)


@row(
    "service.go", 3833, "should implement NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes",
    "two nodes: to a client on node-a, node-b is the third one",
)
def policy_changes(cluster):
    port = cluster.port()
    web = cluster.service(
        "web", tcp(node=cluster.port()), balanced=cluster.balanced(), externalTrafficPolicy="Local", healthCheckNodePort=port
    )
    cluster.apply(web, pod(A1))
    for client in (A_CLIENT, B_CLIENT):
        becomes_health(client, NODE_A, port, 200)
        becomes_health(client, NODE_B, port, 503)
    for client in (A_CLIENT, B_CLIENT, OUTSIDE):
        reaches(client, node_port(web, NODE_A), [A1])
    # The client's own node takes a short cut; another one without an endpoint has none.
    reaches(B_CLIENT, node_port(web, NODE_B), [A1])
    dropped(cluster, A_CLIENT, node_port(web, NODE_B), NODE_B)
    cluster.apply(changed(web, externalTrafficPolicy="Cluster", healthCheckNodePort=None), pod(A1))
    for node in (NODE_A, NODE_B):
        becomes_health(OUTSIDE, node, port, None)
        for client in (A_CLIENT, B_CLIENT, OUTSIDE):
            reaches(client, node_port(web, node), [A1])
    reaches(OUTSIDE, load_balancer(web), [A1])
