"""hostport.go, no_snat.go, pod_lifecycle.go: pods by themselves, and deployments that take each other's place."""
from conformance.expectations import Load, reaches, sees, unreached
from conformance.members import A1, A2, A_CLIENT, B1, B_CLIENT, NODE_A, OUTSIDE
from conformance.objects import HTTP, UDP, Target, changed, cluster_ip, itself, pod, tcp
from conformance.rows import row


@row(
    "hostport.go", 63,
    "validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]",
    "but for 127.0.0.1 itself",
)
def host_ports(cluster):
    loopback = pod(A1, ports=[dict(HTTP, hostPort=54323, hostIP="127.0.0.1")])
    stream = pod(A2, ports=[dict(HTTP, hostPort=54323, hostIP=NODE_A.address)])
    datagram = pod(A_CLIENT, ports=[dict(UDP, hostPort=54323, hostIP=NODE_A.address)])
    cluster.apply(loopback, stream, datagram)
    for client in (OUTSIDE, B_CLIENT, A1):
        reaches(client, Target(NODE_A.address, 54323, "tcp"), [A2])
        reaches(client, Target(NODE_A.address, 54323, "udp"), [A_CLIENT])
    cluster.apply(loopback)
    unreached(OUTSIDE, Target(NODE_A.address, 54323, "tcp"))


@row("no_snat.go", 67, "Should be able to send traffic between Pods without SNAT")
def without_snat(cluster):
    cluster.apply()
    for protocol in ("tcp", "udp"):
        for client, server in ((A_CLIENT, A1), (A_CLIENT, B1), (B1, A1)):
            sees(client, itself(server, protocol), server, client.address)


@row("pod_lifecycle.go", 60, "should be able to connect from a Pod to a terminating Pod", client=A_CLIENT, server=A1)
@row("pod_lifecycle.go", 85, "should be able to connect to other Pod from a terminating Pod", client=A1, server=A_CLIENT)
def terminating(cluster, client, server):
    cluster.apply(pod(A1, ready=False, ending=True), pod(A_CLIENT, app="client"))
    for protocol in ("tcp", "udp"):
        reaches(client, itself(server, protocol), [server])


@row(
    "pod_lifecycle.go", 110,
    "should be able to have zero downtime on a Blue Green deployment using Services and Readiness Gates",
)
def blue_green(cluster):
    web = cluster.service("web", tcp())
    blue = [pod(A1, labels={"app": "web", "color": "blue"}), pod(B1, labels={"app": "web", "color": "blue"})]

    def green(ready):
        # A readiness gate holds the condition Ready back.
        return [pod(A2, ready=ready, labels={"app": "web", "color": "green"})]

    to_blue = changed(web, selector={"app": "web", "color": "blue"})
    to_green = changed(web, selector={"app": "web", "color": "green"})
    cluster.apply(to_blue, *blue)
    steps = (
        (to_blue, blue + green(False)),
        (web, blue + green(False)),
        (web, blue + green(True)),
        (to_green, blue + green(True)),
        (to_green, green(True)),
        (web, blue + green(True)),
        (to_blue, blue + green(True)),
    )
    with Load(A_CLIENT, cluster_ip(web)) as one, Load(B_CLIENT, cluster_ip(web)) as other:
        for service, pods in steps * 3:
            cluster.apply(service, *pods)
            one.wait(4)
            other.wait(4)
    reaches(A_CLIENT, cluster_ip(web), [A1, B1])
