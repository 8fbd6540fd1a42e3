"""Damage to what came out of Culvert, one kind at a time: what says that two sides do the same must be seen to say when they do not.

Each is a function of the session, the conversation, its step and one packet that came out, with its place. It gives what comes out
instead, or None where it has nothing to damage. Checksums are right again afterwards, but where they are the damage.
"""

import struct

from packets import ICMP, NUMBERS, TCP, UDP, Packet, checksum, icmp, ipv4, pseudo
from world.configuration import NODE
from world.manifests import owner

DAMAGES = {}


def damage(function):
    DAMAGES[function.__name__.replace("_", " ")] = function
    return function


def mended(data):
    """The packet with its checksums made right; a UDP checksum of zero stays."""
    result, packet = bytearray(data), Packet(bytes(data))
    after = packet.header
    result[10:12] = b"\0\0"
    struct.pack_into("!H", result, 10, checksum(bytes(result[:after])))
    place = {ICMP: 2, TCP: 16, UDP: 6}[packet.protocol] + after
    if packet.offset or packet.more or packet.protocol == UDP and result[place:place + 2] == b"\0\0":
        return bytes(result)
    result[place:place + 2] = b"\0\0"
    head = b"" if packet.protocol == ICMP else pseudo(packet.source, packet.destination, packet.protocol, len(result) - after)
    total = checksum(head + bytes(result[after:]))
    struct.pack_into("!H", result, place, total or (0xFFFF if packet.protocol == UDP else 0))
    return bytes(result)


def changed(place, data, at, bits):
    """The packet with these bits of one byte turned, and right checksums."""
    result = bytearray(data)
    result[at] ^= bits
    return [(place, mended(result))]


def with_ports(data, source=None, destination=None):
    """The packet from and to other addresses and ports."""
    result, packet = bytearray(data), Packet(data)
    for at, end in ((0, source), (1, destination)):
        if end:
            result[12 + 4 * at:16 + 4 * at] = bytes(map(int, end[0].split(".")))
            struct.pack_into("!H", result, packet.header + 2 * at, end[1])
    return mended(result)


def is_whole(packet, *protocols):
    return packet.protocol in protocols and not packet.offset and not packet.more


def is_translated(talk):
    side = talk.sides["culvert"]
    return side.backend is not None and side.backend[0] != talk.service[0]


@damage
def lost(session, talk, step, place, data):
    return []


@damage
def doubled(session, talk, step, place, data):
    return [(place, data)] * 2


@damage
def astray(session, talk, step, place, data):
    return [("uplink" if place == "pods" else "pods", data)]


@damage
def invented(session, talk, step, place, data):
    if step.origin == "client" and is_whole(Packet(data), TCP, UDP):
        return [(place, data), (place, ipv4(NODE[0], talk.client[0], ICMP, icmp(3, 3, 0, data[:28])))]
    return None


@damage
def one_fragment_lost(session, talk, step, place, data):
    return [] if Packet(data).offset else None


@damage
def service_class(session, talk, step, place, data):
    return changed(place, data, 1, 0x20) if is_whole(Packet(data), TCP, UDP) else None


@damage
def identification(session, talk, step, place, data):
    return changed(place, data, 5, 1) if is_whole(Packet(data), TCP) else None


@damage
def may_be_fragmented(session, talk, step, place, data):
    return changed(place, data, 6, 0x40) if is_whole(Packet(data), TCP, UDP) else None


@damage
def time_to_live(session, talk, step, place, data):
    return changed(place, data, 8, 1) if is_whole(Packet(data), TCP, UDP) else None


@damage
def header_checksum(session, talk, step, place, data):
    return [(place, data[:10] + bytes([data[10] ^ 1]) + data[11:])]


@damage
def tcp_checksum(session, talk, step, place, data):
    at = Packet(data).header + 16
    return [(place, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])] if is_whole(Packet(data), TCP) else None


@damage
def udp_checksum(session, talk, step, place, data):
    at = Packet(data).header + 6
    if is_whole(Packet(data), UDP) and data[at:at + 2] != b"\0\0":
        return [(place, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])]
    return None


@damage
def udp_checksum_where_there_was_none(session, talk, step, place, data):
    at = Packet(data).header + 6
    if is_whole(Packet(data), UDP) and data[at:at + 2] == b"\0\0":
        return [(place, mended(data[:at] + b"\1\1" + data[at + 2:]))]
    return None


@damage
def sequence_number(session, talk, step, place, data):
    packet = Packet(data)
    return changed(place, data, packet.header + 7, 1) if is_whole(packet, TCP) else None


@damage
def tcp_flags(session, talk, step, place, data):
    packet = Packet(data)
    return changed(place, data, packet.header + 13, 8) if is_whole(packet, TCP) else None


@damage
def tcp_window(session, talk, step, place, data):
    packet = Packet(data)
    return changed(place, data, packet.header + 14, 1) if is_whole(packet, TCP) else None


@damage
def payload(session, talk, step, place, data):
    return changed(place, data, len(data) - 1, 1) if is_whole(Packet(data), UDP) and len(data) > 28 else None


@damage
def cut_short(session, talk, step, place, data):
    if is_whole(Packet(data), UDP) and len(data) > 40:
        length, at = len(data) - 1, Packet(data).header + 4
        result = bytearray(data[:-1])
        struct.pack_into("!H", result, 2, length)
        struct.pack_into("!H", result, at, length - Packet(data).header)
        return [(place, mended(result))]
    return None


@damage
def reply_from_the_backend(session, talk, step, place, data):
    """Not translated, that is."""
    if step.origin == "server" and is_whole(Packet(data), TCP, UDP) and is_translated(talk):
        return [(place, with_ports(data, source=talk.sides["culvert"].backend))]
    return None


@damage
def reply_from_another_port(session, talk, step, place, data):
    if step.origin == "server" and is_whole(Packet(data), TCP, UDP):
        return [(place, with_ports(data, source=(Packet(data).source, Packet(data).sport ^ 1)))]
    return None


@damage
def reply_to_another_port(session, talk, step, place, data):
    if step.origin == "server" and is_whole(Packet(data), TCP, UDP):
        return [(place, with_ports(data, destination=(Packet(data).destination, Packet(data).dport ^ 1)))]
    return None


@damage
def another_port_of_the_backend(session, talk, step, place, data):
    packet = Packet(data)
    if step.opens and is_whole(packet, TCP, UDP) and packet.destination != talk.service[0]:
        return [(place, with_ports(data, destination=(packet.destination, packet.dport ^ 1)))]
    return None


@damage
def another_backend_in_the_middle(session, talk, step, place, data):
    packet = Packet(data)
    if step.origin == "client" and not step.opens and is_whole(packet, TCP) and is_translated(talk):
        return [(place, with_ports(data, destination=("10.244.0.99", packet.dport)))]
    return None


@damage
def no_endpoint_of_the_service(session, talk, step, place, data):
    packet = Packet(data)
    if step.opens and is_whole(packet, TCP) and packet.destination != talk.service[0]:
        return [(place, with_ports(data, destination=("10.244.0.99", packet.dport)))]
    return None


@damage
def another_endpoint_despite_affinity(session, talk, step, place, data):
    packet, found = Packet(data), owner(talk.service[0], talk.protocol, talk.service[1], session.version)
    kept = session.clients.get(("culvert", talk.protocol, talk.client[0]))
    if step.opens and kept and found and found[0] == "sticky" and is_whole(packet, TCP, UDP):
        others = [address for address in found[1] if address != kept[0]]
        return [(place, with_ports(data, destination=(others[0], packet.dport)))] if others else None
    return None


@damage
def the_outer_port_of_another_flow(session, talk, step, place, data):
    packet = Packet(data)
    if not step.opens or not is_whole(packet, TCP, UDP) or packet.source == talk.client[0]:
        return None
    for (name, protocol, outer, backend), number in session.tuples.items():
        if (name, NUMBERS[protocol], outer and outer[0], backend) == (
                "culvert", packet.protocol, packet.source, (packet.destination, packet.dport)) and number != talk.number:
            return [(place, with_ports(data, source=outer))]
    return None


def error(data, step, *origins):
    """The packet, if it is an error that came from one of these and was passed on; without any, one that was made here."""
    packet = Packet(data)
    if not packet.is_error or len(packet.body) < 36 or ("icmp" in step.what) != bool(origins):
        return None
    return packet if not origins or step.origin in origins else None


@damage
def code_of_an_error(session, talk, step, place, data):
    packet = error(data, step)
    return changed(place, data, packet.header + 1, 1) if packet else None


@damage
def source_in_a_quote(session, talk, step, place, data):
    packet = error(data, step, "client", "server", "router")
    return changed(place, data, packet.header + 8 + 15, 1) if packet else None


@damage
def destination_in_a_quote(session, talk, step, place, data):
    packet = error(data, step, "client", "server", "router")
    return changed(place, data, packet.header + 8 + 19, 1) if packet else None


@damage
def port_in_a_quote(session, talk, step, place, data):
    packet = error(data, step, "client", "server", "router")
    return changed(place, data, packet.header + 8 + 21, 1) if packet else None


@damage
def header_checksum_in_a_quote(session, talk, step, place, data):
    packet = error(data, step, "server", "router")
    return changed(place, data, packet.header + 8 + 10, 1) if packet else None


@damage
def header_checksum_in_a_quote_of_the_client(session, talk, step, place, data):
    packet = error(data, step, "client") if is_translated(talk) else None
    return changed(place, data, packet.header + 8 + 10, 1) if packet else None


@damage
def udp_checksum_in_a_quote(session, talk, step, place, data):
    packet = error(data, step, "server", "router")
    return udp_checksum_of_the_quote(packet, place) if packet else None


@damage
def udp_checksum_in_a_quote_of_the_client(session, talk, step, place, data):
    packet = error(data, step, "client") if is_translated(talk) else None
    return udp_checksum_of_the_quote(packet, place) if packet else None


def udp_checksum_of_the_quote(packet, place):
    quoted = packet.quoted
    if quoted.protocol != UDP or quoted.body[6:8] == b"\0\0":
        return None
    return changed(place, packet.data, packet.header + 8 + quoted.header + 6, 1)


@damage
def quote_in_an_error_made_here(session, talk, step, place, data):
    packet = error(data, step)
    return changed(place, data, packet.header + 8 + 19, 1) if packet else None


@damage
def icmp_identifier(session, talk, step, place, data):
    packet = Packet(data)
    if packet.protocol == ICMP and not packet.offset and packet.body[0] in (0, 8):
        return changed(place, data, packet.header + 5, 1)
    return None
