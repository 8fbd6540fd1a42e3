"""Whether both sides did the same with a step, once that is masked which may differ: the backend, the outer port, the
identification of generated packets and of masqueraded datagrams in fragments, and how much an ICMP error quotes."""

import struct
from collections import Counter

from world.configuration import NARROW, NODE
from packets import ICMP, TCP, UDP, Packet, reassemble


def interface_of(data):
    """Where a packet comes in: where its source lies."""
    source = Packet(data).source
    return "host" if source in NODE else "pods" if source.startswith("10.244.") else "uplink"


def kernel_outputs(talk, step, results):
    """What the kernel did; what its own stack says to what it was given is no part of it, but answers to pings are."""
    outputs, is_answer = [], step.what == "echo request" and talk.client[0] not in NODE
    for sent, delivered in results:
        if is_answer:
            outputs += sent
        else:
            outputs += [("host", data) for data in delivered] or sent
    return reassemble(outputs)


def culvert_outputs(events):
    """What Culvert did."""
    return reassemble([output for event in events for output in event["outputs"]])


def is_generated(data, step_packets):
    """Whether the router itself made a packet: an error that none of the packets that came in was."""
    packet = Packet(data)
    return packet.is_error and not any(Packet(sent).is_error for sent in step_packets)


def may_be_cut(packet):
    """Whether a narrow interface may have sent it on in fragments."""
    return len(packet.data) > NARROW and not packet.data[6] & 0x40


def learn(talk, step, side, outputs, packets):
    """Takes the mapping from what came out for a client's packet; says what is wrong with it."""
    cut = [packet for packet in map(Packet, packets) if packet.offset or packet.more or may_be_cut(packet)]
    for _, data in outputs:
        if cut and not is_generated(data, packets):
            side.identifications[step.origin == "client", Packet(data).ident] = cut[0].ident
    if step.opens:
        side.outer = side.backend = side.to_server = side.to_client = None
    for _, data in outputs:
        packet = Packet(data)
        if is_generated(data, packets):
            # A server may have the address of its client.
            if step.origin != "server" and packet.destination == talk.client[0]:
                side.to_client = None
            continue
        if step.origin == "server" and packet.protocol != ICMP:
            side.to_client = data
        if step.origin != "client" or "icmp" in step.what:
            continue
        side.to_server = data
        if packet.protocol not in (TCP, UDP):
            continue
        outer, backend = (packet.source, packet.sport), (packet.destination, packet.dport)
        if side.outer and (outer, backend) != (side.outer, side.backend):
            return f"the mapping changed from {side.outer}, {side.backend} to {outer}, {backend}"
        side.outer, side.backend = outer, backend
    return None


def masked(data, talk, step, side, packets):
    """The bytes that both sides must have in common."""
    result = bytearray(data)
    if is_generated(data, packets):
        # Identification, and length with the checksums that follow from it.
        after = Packet(data).header
        result[2:6] = bytes(4)
        result[10:12] = result[after + 2:after + 4] = bytes(2)
        # It goes to whoever sent the packet: on each side that side's server.
        if step.origin == "server" and Packet(data).destination in [Packet(sent).source for sent in packets]:
            result[16:20] = bytes(4)
        return bytes(result[:after + 8]) + quote_of(bytes(result[after + 8:]), packets)
    renumber(result, 0, side, step.origin == "client")
    # What a client gets is the same, whatever was chosen behind.
    if step.origin == "client":
        mask(result, 0, talk, side)
    return bytes(result)


AS_RECEIVED, TTL_LOWERED, PUT_TOGETHER = b"as received", b"TTL lowered", b"put together"


def quote_of(quote, packets):
    """How an error quotes a packet that came in; the quote itself when it is none of them."""
    def same(one, other, but):
        length = min(len(quote), len(one), len(other))
        return all(one[place] == other[place] for place in range(length) if place not in but)

    if len(quote) < 28:
        return quote
    for sent in packets:
        for but, form in (((), AS_RECEIVED), ((8, 10, 11), TTL_LOWERED)):
            if same(quote, sent, but):
                return form
    for _, whole in reassemble([("", sent) for sent in packets]):
        if same(quote, whole, (6, 7, 8, 10, 11)):
            return PUT_TOGETHER
    return quote


def is_hairpin(talk):
    """Whether a side has sent the client to itself: then it had to replace the source, and the other may have not."""
    return any(side.backend and side.backend[0] == talk.client[0] for side in talk.sides.values())


def neutral(result, place, removed, added):
    """Puts a checksum right for bytes that were replaced (RFC 1624, equation 3); zero has one form, which is not that of none."""
    total = ~struct.unpack_from("!H", result, place)[0] & 0xFFFF
    total += sum(~word & 0xFFFF for word in words(removed)) + sum(words(added))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", result, place, ~total & 0xFFFF or 0xFFFF)


def words(data):
    return struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1])


def mask(result, start, talk, side):
    """Masks an IPv4 packet from `start` on, and the one that it quotes.

    Checksums follow, so that a wrong one stays as wrong as it was, in a quote as well."""
    if len(result) < start + 20:
        return
    packet = Packet(bytes(result[start:]))
    after = start + packet.header
    if side.backend and side.backend[0] != talk.service[0]:
        hidden = [side.backend[0]] + ([side.outer[0]] if is_hairpin(talk) else [])
        for place, address in ((start + 12, packet.source), (start + 16, packet.destination)):
            if address in hidden:
                result[place:place + 4] = b"\0\0\0\0"
    addresses = packet.data[12:20], bytes(result[start + 12:start + 20])
    neutral(result, start + 10, *addresses)
    if packet.is_error:
        mask(result, after + 8, talk, side)
        neutral(result, after + 2, packet.body[8:], result[after + 8:])
    if packet.offset or packet.protocol not in (TCP, UDP) or len(result) < after + 8:
        return
    ports = bytes(result[after:after + 4])
    if any(one.outer and one.outer[1] != talk.client[1] for one in talk.sides.values()) and side.outer:
        # By address and port: an outer port that was drawn may be that of the server.
        ends = (after, packet.source, packet.sport), (after + 2, packet.destination, packet.dport)
        for place, address, port in ends:
            if (address, port) in (side.outer, talk.client):
                result[place:place + 2] = b"\0\0"
    place = after + (16 if packet.protocol == TCP else 6)
    # A UDP checksum of zero is none, and stays so.
    if len(result) >= place + 2 and (packet.protocol == TCP or result[place:place + 2] != b"\0\0"):
        neutral(result, place, addresses[0] + ports, addresses[1] + bytes(result[after:after + 4]))


def renumber(result, start, side, is_clients):
    """Gives a datagram that was in fragments, or the quote of one, the identification that it came with.

    Culvert gives masqueraded ones another (RFC 6864), those of both directions perhaps the same."""
    if len(result) < start + 20:
        return
    packet = Packet(bytes(result[start:]))
    after = start + packet.header
    if (is_clients, packet.ident) in side.identifications:
        struct.pack_into("!H", result, start + 4, side.identifications[is_clients, packet.ident])
        neutral(result, start + 10, packet.data[4:6], bytes(result[start + 4:start + 6]))
    if packet.is_error:
        renumber(result, after + 8, side, not is_clients)
        neutral(result, after + 2, packet.body[8:], result[after + 8:])


def fields_of(data):
    """A short name for what a packet is, to group differences by."""
    packet = Packet(data)
    name = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}.get(packet.protocol, "?")
    if packet.protocol == ICMP and not packet.offset:
        name += " %d/%d" % struct.unpack("!BB", packet.body[:2])
    return name


class Backends:
    """Which backends each side chose, by service and kind of client: over many flows both sides must have chosen all."""

    def __init__(self):
        self.chosen = {"kernel": {}, "culvert": {}}

    @staticmethod
    def kind(address):
        """Clients that the rules treat alike."""
        if address.startswith("10.244."):
            return "pods"
        return "outside the range" if address == "203.0.113.200" else "outside"

    def add(self, side, talk, service, backend):
        policy = "internal" if talk.service[0].startswith("10.96.") else "external"
        key = (service, talk.protocol, policy, self.kind(talk.client[0]))
        self.chosen[side].setdefault(key, Counter())[backend] += 1

    def merge(self, other):
        for side, keys in other.chosen.items():
            for key, counts in keys.items():
                self.chosen[side].setdefault(key, Counter()).update(counts)

    def problems(self):
        """Sets that differ where enough flows came together for chance not to matter."""
        for key in sorted(set(self.chosen["kernel"]) | set(self.chosen["culvert"])):
            kernel, culvert = (self.chosen[side].get(key, Counter()) for side in ("kernel", "culvert"))
            size = len(set(kernel) | set(culvert))
            if set(kernel) != set(culvert) and min(sum(kernel.values()), sum(culvert.values())) >= 15 * size:
                yield f"backends of {key}: kernel {sorted(kernel)}, Culvert {sorted(culvert)}"
