"""Kubernetes objects as they are written into manifests, and the places at which a Service is reached."""
import copy
from typing import NamedTuple


class Target(NamedTuple):
    """An address, a port and a protocol (tcp, udp) that somebody asks."""

    address: str
    port: int
    protocol: str


def _port(protocol, number, target, node, name):
    result = {"name": name or "%s-%d" % (protocol.lower(), number), "port": number, "protocol": protocol, "targetPort": target}
    return result if node is None else dict(result, nodePort=node)


def tcp(number=80, target=8080, node=None, name=None):
    """A TCP port of a Service."""
    return _port("TCP", number, target, node, name)


def udp(number=80, target=8080, node=None, name=None):
    """A UDP port of a Service."""
    return _port("UDP", number, target, node, name)


def port_of(protocol):
    """The one of both that a protocol's word names."""
    return {"tcp": tcp, "udp": udp}[protocol]


def service(name, address, *ports, app="web", labels=None, balanced=None, **spec):
    """A Service of the pods of an app; without one (None) it has no selector. `balanced` is a load balancer's address."""
    spec = {"clusterIP": address, "ports": list(ports), **spec}
    if app:
        spec["selector"] = {"app": app}
    result = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}
    if balanced:
        spec["type"] = "LoadBalancer"
        result["status"] = {"loadBalancer": {"ingress": [{"ip": balanced}]}}
    return result


def changed(service, **spec):
    """The same Service with other fields in its `spec`; what is None is taken out."""
    result = copy.deepcopy(service)
    result["spec"].update(spec)
    result["spec"] = {key: value for key, value in result["spec"].items() if value is not None}
    if result["spec"].get("type") != "LoadBalancer":
        result.pop("status", None)
    return result


def external_name(name, target):
    """A Service that is nothing but another name."""
    spec = {"type": "ExternalName", "externalName": target}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


HTTP = {"name": "http", "containerPort": 8080}
UDP = {"name": "udp", "containerPort": 8080, "protocol": "UDP"}


def pod(member, app="web", *, ready=True, ending=False, phase="Running", ports=(HTTP, UDP), sidecar=(), node=None, labels=None):
    """A Pod of an app, where a member is: on a node itself one of the host network. `ending`: it has been deleted, and still runs."""
    metadata = {"name": "%s-%s" % (app, member.name), "labels": labels or {"app": app}}
    if ending:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec = {"nodeName": node or member.node, "containers": [{"name": "main", "ports": list(ports)}]}
    if member.is_host:
        spec["hostNetwork"] = True
    if sidecar:
        spec["initContainers"] = [{"name": "side", "restartPolicy": "Always", "ports": list(sidecar)}]
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"phase": phase, "podIP": member.address, "conditions": conditions}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def endpoint(member, hints=None, **conditions):
    """An endpoint of a slice; `hints` are zones."""
    result = {"addresses": [member.address], "nodeName": member.node, "conditions": conditions}
    return result if hints is None else dict(result, hints={"forZones": [{"name": zone} for zone in hints]})


def endpoint_slice(service, *endpoints, ports, name="1", labels=None):
    """An EndpointSlice of a Service; `ports` are pairs of a name and a number, of TCP."""
    owner = service["metadata"]["name"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "%s-%s" % (owner, name), "labels": {"kubernetes.io/service-name": owner, **(labels or {})}
        },
        "addressType": "IPv4",
        "ports": [{"name": port, "port": number, "protocol": "TCP"} for port, number in ports],
        "endpoints": list(endpoints),
    }


def node(member, zone, block):
    """A Node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": member.name, "labels": {"topology.kubernetes.io/zone": zone}},
        "spec": {"podCIDR": block, "podCIDRs": [block]},
        "status": {"addresses": [{"type": "InternalIP", "address": member.address}]},
    }


def _target(address, port, number):
    return Target(address, number, port["protocol"].lower())


def cluster_ip(service, index=0):
    """A port of a Service at its ClusterIP."""
    port = service["spec"]["ports"][index]
    return _target(service["spec"]["clusterIP"], port, port["port"])


def node_port(service, node, index=0):
    """The NodePort of a port of a Service at a node."""
    port = service["spec"]["ports"][index]
    return _target(node.address, port, port["nodePort"])


def load_balancer(service, index=0):
    """A port of a Service at its load balancer's address."""
    port = service["spec"]["ports"][index]
    return _target(service["status"]["loadBalancer"]["ingress"][0]["ip"], port, port["port"])


def external_ip(service, index=0):
    """A port of a Service at its external address."""
    port = service["spec"]["ports"][index]
    return _target(service["spec"]["externalIPs"][0], port, port["port"])


def itself(member, protocol="tcp", port=8080):
    """A member without any Service between."""
    return Target(member.address, port, protocol)
