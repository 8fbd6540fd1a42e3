"""Differences that are meant or known: each is described in docs/differences.md under the same name."""

from compare import AS_RECEIVED, PUT_TOGETHER, TTL_LOWERED
from packets import ICMP, Packet


REFUSED = {"no_service", "no_endpoints", "no_local_endpoints"}


def documented(talk, step, packets, outputs, events, forms):
    """The names of the decisions that explain a difference; none if they do not."""
    kernel, culvert = forms["kernel"], forms["culvert"]
    reasons = {event["reason"] for event in events} - {None}
    if len(kernel) == 1 and is_made(kernel[0][1], 11) and reasons and reasons <= REFUSED | {"ct.nostate", "source_range"}:
        # The kernel looks at the TTL before its filters see the packet.
        return ["ttl-after-rules"] if all(Packet(data).ttl == 1 for data in packets["kernel"]) else []
    if len(kernel) == 1 and is_too_large(kernel[0][1]) and reasons and reasons <= REFUSED | {"ct.nostate", "source_range"}:
        return ["mtu-after-rules"] if not any(Packet(data).is_error and is_too_large(data) for _, data in culvert) else []
    if len(kernel) != 1:
        return []
    sent = Packet(kernel[0][1])
    if step.what.startswith("tcp R") and reasons == {"ttl.expired"} and is_made(sent.data, 11):
        return ["reset-unanswered"]
    # A TCP segment of no connection is INVALID to nf_conntrack: no rule for new connections sees it, and it passes as it is.
    if step.what.startswith("tcp") and step.what != "tcp S" and reasons and reasons <= REFUSED | {"ct.nostate", "source_range"}:
        return ["midstream"] if sent.destination == talk.service[0] else []
    if len(kernel) == len(culvert) == 1 and kernel[0][0] == culvert[0][0]:
        one, other = Packet(kernel[0][1]), Packet(culvert[0][1])
        if one.protocol != ICMP or other.protocol != ICMP:
            return []
        if step.origin == "router":
            return error_source(talk, one.data, other.data)
        return generated(talk, one.data, other.data)
    if culvert:
        return []
    ends = [(one.source, one.destination) for one in map(Packet, packets["culvert"])]
    if reasons == {"land"} and all(source == destination for source, destination in ends):
        return ["land"]
    return []


def is_made(data, kind):
    packet = Packet(data)
    return packet.is_error and packet.body[0] == kind


def is_too_large(data):
    return is_made(data, 3) and data[Packet(data).header + 1] == 4


def generated(talk, kernel, culvert):
    """A packet that the router made: its header, and what it quotes."""
    names = []
    kernel, culvert = bytearray(kernel), bytearray(culvert)
    if kernel[1] != culvert[1] or kernel[6:8] != culvert[6:8] or kernel[4:6] != culvert[4:6]:
        names.append("generated-header")
        kernel[1], kernel[4:8], kernel[10:12] = culvert[1], culvert[4:8], culvert[10:12]
    if kernel[12:16] != culvert[12:16] and Packet(bytes(kernel)).source in (talk.service[0], talk.client[0]):
        names.append("error-source")
        kernel[12:16] = culvert[12:16]
    if culvert[28:] == AS_RECEIVED and kernel[28:] in (TTL_LOWERED, PUT_TOGETHER):
        names.append("quote-as-received")
        kernel[28:] = culvert[28:]
    return names if kernel == culvert else []


def error_source(talk, kernel, culvert):
    """An error from a router behind the Service comes from the Service's address in the kernel, from the router here."""
    if Packet(kernel).source != talk.service[0]:
        return []
    return ["error-source"] if kernel[:10] + kernel[16:] == culvert[:10] + culvert[16:] else []
