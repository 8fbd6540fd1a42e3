"""Who is there: two nodes with their pods, and a host beyond the uplinks of both, which routes between them.

    node-a 192.0.2.10    a-client 10.244.1.5   a-1 10.244.1.11   a-2 10.244.1.12
    node-b 192.0.2.11    b-client 10.244.2.5   b-1 10.244.2.11
    outside 203.0.113.2
"""
from typing import NamedTuple, Optional


class Member(NamedTuple):
    """A namespace of the laboratory, with what Kubernetes calls it."""

    name: str
    address: str
    #: The node it runs on; nothing outside of the cluster.
    node: Optional[str]

    @property
    def is_host(self):
        """Whether it is a node itself, so that a pod there is one of the host network."""
        return self.name == self.node


NODE_A, NODE_B = Member("node-a", "192.0.2.10", "node-a"), Member("node-b", "192.0.2.11", "node-b")
A_CLIENT, A1, A2 = (
    Member(name, "10.244.1.%d" % last, "node-a") for name, last in (("a-client", 5), ("a-1", 11), ("a-2", 12))
)
B_CLIENT, B1 = (Member(name, "10.244.2.%d" % last, "node-b") for name, last in (("b-client", 5), ("b-1", 11)))
OUTSIDE = Member("outside", "203.0.113.2", None)

NODES = [NODE_A, NODE_B]
PODS = [A_CLIENT, A1, A2, B_CLIENT, B1]
ALL = NODES + PODS + [OUTSIDE]

#: The pods of each node, as its `spec.podCIDR`; what a node takes for its own pods.
POD_BLOCKS = {"node-a": "10.244.1.0/24", "node-b": "10.244.2.0/24"}
ALL_PODS, SERVICES, LOAD_BALANCERS, DNS = "10.244.0.0/16", "10.96.0.0/16", "198.51.100.0/24", "10.96.0.53"
