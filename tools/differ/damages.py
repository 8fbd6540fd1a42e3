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
    """A kind of damage, under the name of its function."""
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
def udp_checksum_where_there_was_none(session, talk, step, place, data):
    at = Packet(data).header + 6
    if is_whole(Packet(data), UDP) and data[at:at + 2] == b"\0\0":
        return [(place, mended(data[:at] + b"\1\1" + data[at + 2:]))]
    return None


@damage
def payload(session, talk, step, place, data):
    if is_whole(Packet(data), UDP) and len(data) > 28:
        return [(place, mended(data[:-1] + bytes([data[-1] ^ 1])))]
    return None


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


def turn(name, at, bits, *protocols, in_transport=False, is_mended=True):
    """Damage that turns bits of one byte, of the IPv4 header or of the one behind.

    TCP and UDP are damaged where the comparison masks most: on the way from a client to a backend."""
    def function(session, talk, step, place, data):
        packet = Packet(data)
        if not is_whole(packet, *protocols) or protocols == (ICMP,) and packet.body[0] not in (0, 8):
            return None
        if packet.protocol != ICMP and (step.origin != "client" or not is_translated(talk)):
            return None
        where = at + packet.header * in_transport
        # None in UDP's checksum cannot be wrong.
        if not is_mended and protocols == (UDP,) and data[where:where + 2] == b"\0\0":
            return None
        result = data[:where] + bytes([data[where] ^ bits]) + data[where + 1:]
        return [(place, mended(result) if is_mended else result)]

    DAMAGES[name] = function


turn("service class", 1, 0x20, TCP, UDP)
turn("identification", 5, 1, TCP)
turn("may be fragmented", 6, 0x40, TCP, UDP)
turn("time to live", 8, 1, TCP, UDP)
turn("header checksum", 10, 1, TCP, UDP, is_mended=False)
turn("sequence number", 7, 1, TCP, in_transport=True)
turn("tcp flags", 13, 8, TCP, in_transport=True)
turn("tcp window", 14, 1, TCP, in_transport=True)
turn("tcp checksum", 16, 1, TCP, in_transport=True, is_mended=False)
turn("udp checksum", 6, 1, UDP, in_transport=True, is_mended=False)
turn("icmp identifier", 5, 1, ICMP, in_transport=True)


def turn_in_error(name, origins, at, in_transport=False, is_udp_checksum=False):
    """Damage that turns a bit in an ICMP error that one of `origins` has sent, or that was made here; `at` counts from its quote on."""
    def function(session, talk, step, place, data):
        packet = Packet(data)
        if not packet.is_error or len(packet.body) < 36 or (step.origin if "icmp" in step.what else "here") not in origins:
            return None
        if is_udp_checksum and (packet.quoted.protocol != UDP or packet.quoted.body[6:8] == b"\0\0"):
            return None
        # Only what is translated is masked for the comparison.
        if "client" in origins and not is_translated(talk):
            return None
        where = packet.header + 8 + at + packet.quoted.header * in_transport
        return [(place, mended(data[:where] + bytes([data[where] ^ 1]) + data[where + 1:]))]

    DAMAGES[name] = function


turn_in_error("code of an error", ("here",), -7)
turn_in_error("quote in an error made here", ("here",), 19)
turn_in_error("source in a quote", ("server", "router"), 15)
turn_in_error("destination in a quote", ("server", "router"), 19)
turn_in_error("port in a quote", ("server", "router"), 1, in_transport=True)
turn_in_error("header checksum in a quote", ("server", "router"), 10)
turn_in_error("udp checksum in a quote", ("server", "router"), 6, in_transport=True, is_udp_checksum=True)
turn_in_error("source in a quote of the client", ("client",), 15)
turn_in_error("destination in a quote of the client", ("client",), 19)
turn_in_error("header checksum in a quote of the client", ("client",), 10)
turn_in_error("udp checksum in a quote of the client", ("client",), 6, in_transport=True, is_udp_checksum=True)
