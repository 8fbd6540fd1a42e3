"""The services that the comparison runs over: every type and policy, with endpoints on this node, elsewhere, and nowhere.

There are two versions of them, which a reload changes between.
"""

# name, address, fields of spec, ports, endpoints (`*` on this node), load balancer address
SERVICES = [
    ("web", "10.96.0.10", "type: NodePort", [("http", "TCP", 80, 8080, 30080), ("quic", "UDP", 80, 8080, 30080)],
     "10.244.0.11* 10.244.0.12* 10.244.1.13", None),
    ("edge", "10.96.0.11", "type: LoadBalancer, externalTrafficPolicy: Local",
     [("http", "TCP", 80, 8080, 30081), ("game", "UDP", 7000, 7001, 30082)], "10.244.0.14* 10.244.1.14", "198.51.100.11"),
    ("ranges", "10.96.0.12", "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/25, 203.0.113.16/28, 10.244.0.0/24]",
     [("http", "TCP", 443, 8443, 30083), ("quic", "UDP", 443, 8443, 30083)], "10.244.0.15* 10.244.1.15", "198.51.100.12"),
    ("far", "10.96.0.13", "type: LoadBalancer, externalTrafficPolicy: Local, internalTrafficPolicy: Local",
     [("http", "TCP", 80, 8080, 30084), ("log", "UDP", 514, 5514, 30085)], "10.244.1.16", "198.51.100.13"),
    ("empty", "10.96.0.14", "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/25]",
     [("http", "TCP", 80, 8080, 30086), ("log", "UDP", 514, 5514, 30086)], "", "198.51.100.14"),
    ("near", "10.96.0.15", "internalTrafficPolicy: Local, externalIPs: [198.51.100.80, 192.0.2.11]",
     [("http", "TCP", 80, 8080, None), ("log", "UDP", 514, 5514, None)], "10.244.0.17* 10.244.1.17", None),
    ("sticky", "10.96.0.16", "type: NodePort, sessionAffinity: ClientIP",
     [("http", "TCP", 80, 8080, 30087), ("log", "UDP", 514, 5514, 30087)],
     "10.244.0.18* 10.244.0.19* 10.244.1.18 10.244.1.19", None),
    ("mirror", "10.96.0.17", "type: NodePort", [("http", "TCP", 80, 8080, 30088), ("log", "UDP", 514, 5514, 30088)],
     "10.244.0.21*", None),
]

# In version 1 some endpoints are others, a Service has gone, and another one has come.
ENDPOINTS = {
    "web": "10.244.0.11* 10.244.1.13 10.244.1.20",
    "edge": "10.244.1.14",
    "far": "10.244.0.16* 10.244.1.16",
    "empty": "10.244.0.23*",
    "near": "10.244.1.17",
    "sticky": "10.244.0.18* 10.244.1.18 10.244.1.19",
}
GONE = "mirror"
COME = ("late", "10.96.0.18", "type: NodePort", [("http", "TCP", 80, 8080, 30089), ("log", "UDP", 514, 5514, 30089)],
        "10.244.0.24* 10.244.1.24", None)

SERVICE = """---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: {address}, {fields}, ports: [{ports}]}}
status: {status}
"""

SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{ports}]
endpoints: [{endpoints}]
"""

POD = """---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  nodeName: node-a
  containers:
  - {name: c, ports: [{containerPort: 9100, hostPort: 9100}, {containerPort: 9100, hostPort: 9100, protocol: UDP}]}
status: {phase: Running, podIP: 10.244.0.22, conditions: [{type: Ready, status: "True"}]}
"""


def services(version):
    """The rows of a version."""
    if version == 0:
        return SERVICES
    return [(*row[:4], ENDPOINTS.get(row[0], row[4]), row[5]) for row in SERVICES if row[0] != GONE] + [COME]


def manifests(version):
    """All objects as one YAML text."""
    text = POD
    for name, address, fields, ports, endpoints, balancer in services(version):
        text += SERVICE.format(
            name=name, address=address, fields=fields,
            ports=", ".join("{name: %s, protocol: %s, port: %d, targetPort: %d%s}" % (
                *port, service_port, target, f", nodePort: {node}" if node else "")
                for *port, service_port, target, node in ports),
            status="{loadBalancer: {ingress: [{ip: %s}]}}" % balancer if balancer else "{}",
        )
        text += SLICE.format(
            name=name,
            ports=", ".join("{name: %s, protocol: %s, port: %d}" % (*port, target) for *port, _, target, _ in ports),
            endpoints=", ".join("{addresses: [%s], nodeName: %s}" % (
                one.rstrip("*"), "node-a" if one.endswith("*") else "node-b") for one in endpoints.split()),
        )
    return text


def owner(address, protocol, port, version):
    """The Service behind a frontend, and what its endpoints are; None where there is none."""
    for name, cluster, fields, ports, endpoints, balancer in services(version):
        external = ["198.51.100.80", "192.0.2.11"] if "externalIPs" in fields else []
        for _, kind, number, _, node in ports:
            if kind == protocol and ((address in [cluster, balancer] + external and port == number)
                                     or (address == "192.0.2.10" and port == node)):
                return name, [one.rstrip("*") for one in endpoints.split()]
    if address in ("192.0.2.10", "192.0.2.11") and port == 9100:
        return "agent", ["10.244.0.22"]
    return None


def is_passing(address, protocol, port):
    """Whether only one of the versions has a Service there."""
    return (owner(address, protocol, port, 0) is None) != (owner(address, protocol, port, 1) is None)


def frontends():
    """All (address, protocol, port) that a client may try, services' and others'."""
    found = []
    for _, address, fields, ports, _, balancer in SERVICES + [COME]:
        for _, protocol, port, _, node in ports:
            found.append((address, protocol, port))
            if balancer:
                found.append((balancer, protocol, port))
            if node:
                found.append(("192.0.2.10", protocol, node))
            if "externalIPs" in fields:
                found += [("198.51.100.80", protocol, port), ("192.0.2.11", protocol, port)]
    for protocol in ("TCP", "UDP"):
        found += [("192.0.2.10", protocol, 9100), ("192.0.2.11", protocol, 9100)]  # host port
        found += [("10.96.0.10", protocol, 81), ("10.96.200.1", protocol, 80)]  # unknown port, unallocated address
        found += [("198.51.100.11", protocol, 81), ("192.0.2.11", protocol, 30080)]  # unknown ports
        found += [("10.244.0.11", protocol, 8080), ("203.0.113.9", protocol, 80)]  # no service at all
    return found
