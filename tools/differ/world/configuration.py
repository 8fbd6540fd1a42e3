"""Culvert's configuration for the comparison: the node of the services in manifests.py."""

NARROW = 1400  # the MTU of the interface that is narrower than the others

NODE = ("192.0.2.10", "192.0.2.11")

CLUSTER = """node:
  name: node-a
  addresses: [192.0.2.10, 192.0.2.11]
cluster:
  podCIDR: 10.244.0.0/16
  serviceCIDR: 10.96.0.0/16
  loadBalancerCIDRs: [198.51.100.0/24]
"""

# Named only where they are not as they would be without: then a node address may be a source anywhere.
INTERFACES = """interfaces:
- {{label: pods, name: eth0, netns: pods, address: 10.244.0.1/32, reaches: [10.244.0.0/16], mtu: {pods}, antiSpoof: false}}
- {{label: uplink, name: eth0, netns: outside, address: 203.0.113.254/32, mtu: {uplink}, uplink: true}}
- {{label: host, name: culvert0, host: true}}
"""


def configuration(mtu):
    """The configuration as YAML, for the MTU of each interface."""
    return CLUSTER + (INTERFACES.format(**mtu) if set(mtu.values()) != {1500} else "")
