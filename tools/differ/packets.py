"""IPv4 packets for the comparison: built, taken apart, checked and shown. Addresses are text, ports are integers."""

import socket
import struct
from dataclasses import dataclass

ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
NUMBERS = {"ICMP": ICMP, "TCP": TCP, "UDP": UDP}
# ICMP errors, that quote a packet (RFC 792).
ERRORS = (3, 4, 5, 11, 12)


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, destination, protocol, length):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, protocol, length)


def ipv4(source, destination, protocol, body, ident=0, ttl=64, tos=0, flags=0, offset=0, options=b""):
    """A packet; `flags` are DF 2 and MF 1, `offset` counts bytes."""
    header = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + len(body), ident,
                         flags << 13 | offset >> 3, ttl, protocol, 0)
    header += socket.inet_aton(source) + socket.inet_aton(destination) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def with_ttl(packet, ttl):
    """The packet with another TTL."""
    header = (packet[0] & 15) * 4
    head = packet[:8] + bytes([ttl, packet[9], 0, 0]) + packet[12:header]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + packet[header:]


def tcp(source, sport, destination, dport, flags, sequence, acknowledgement, payload=b"", options=b""):
    body = struct.pack("!HHIIBBHHH", sport, dport, sequence & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF,
                       (20 + len(options)) << 2, flags, 64000, 0, 0) + options + payload
    total = checksum(pseudo(source, destination, TCP, len(body)) + body)
    return body[:16] + struct.pack("!H", total) + body[18:]


def udp(source, sport, destination, dport, payload, checked=True):
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    total = (checksum(pseudo(source, destination, UDP, len(body)) + body) or 0xFFFF) if checked else 0
    return body[:6] + struct.pack("!H", total) + body[8:]


def icmp(kind, code, rest, payload):
    body = struct.pack("!BBHI", kind, code, 0, rest) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def fragments(packet, size):
    """The packet in pieces of at most `size` bytes of payload, a multiple of eight."""
    header, body = packet[:20], packet[20:]
    pieces = []
    for offset in range(0, len(body), size):
        piece = body[offset:offset + size]
        more = offset + size < len(body)
        head = header[:2] + struct.pack("!H", 20 + len(piece)) + header[4:6]
        head += struct.pack("!H", more << 13 | offset >> 3) + header[8:10] + b"\0\0" + header[12:]
        pieces.append(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + piece)
    return pieces


@dataclass
class Packet:
    """A packet taken apart."""

    data: bytes
    source: str = ""
    destination: str = ""
    protocol: int = 0
    ttl: int = 0
    ident: int = 0
    offset: int = 0
    more: bool = False
    header: int = 20
    sport: int = 0
    dport: int = 0

    def __post_init__(self):
        data = self.data
        self.header = (data[0] & 15) * 4
        self.ident, fragment = struct.unpack("!HH", data[4:8])
        self.offset, self.more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
        self.ttl, self.protocol = data[8], data[9]
        self.source, self.destination = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        if self.protocol in (TCP, UDP) and not self.offset and len(data) >= self.header + 4:
            self.sport, self.dport = struct.unpack("!HH", data[self.header:self.header + 4])

    @property
    def body(self):
        return self.data[self.header:]

    @property
    def is_error(self):
        return self.protocol == ICMP and not self.offset and len(self.body) >= 8 and self.body[0] in ERRORS

    @property
    def quoted(self):
        return Packet(self.body[8:])

    def checksum_problem(self):
        """What is wrong with the checksums, or None."""
        if checksum(self.data[:self.header]):
            return "bad IPv4 header checksum"
        if self.offset or self.more:
            return None
        body = self.body
        if self.protocol == ICMP and checksum(body):
            return "bad ICMP checksum"
        if self.protocol == UDP and body[6:8] == b"\0\0":
            return None
        if self.protocol in (TCP, UDP) and checksum(pseudo(self.source, self.destination, self.protocol, len(body)) + body):
            return "bad checksum"
        return None

    def show(self):
        """One line for people."""
        name = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}.get(self.protocol, str(self.protocol))
        text = f"{name} {self.source}:{self.sport} > {self.destination}:{self.dport}"
        text += f" ttl {self.ttl} id {self.ident} length {len(self.data)}"
        if self.offset or self.more:
            text += f" fragment {self.offset}{'+' if self.more else ''}"
        if self.protocol == TCP and not self.offset and len(self.body) >= 14:
            sequence, acknowledged, _, flags = struct.unpack("!IIBB", self.body[4:14])
            names = "".join(letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, ".")) if flags & bit)
            text += f" [{names}] seq {sequence} ack {acknowledged}"
        if self.protocol == ICMP and not self.offset and len(self.body) >= 2:
            text += f" type {self.body[0]} code {self.body[1]}"
            if self.is_error and len(self.body) >= 28:
                text += f" about ({self.quoted.show()})" if len(self.quoted.data) >= 28 else ""
        return text + f"\n      {self.data.hex()}"


def reassemble(packets):
    """Packets with those fragments put together whose datagram is complete; the place is that of the last one."""
    whole, parts = [], {}
    for where, data in packets:
        packet = Packet(data)
        if not packet.offset and not packet.more:
            whole.append((where, data))
            continue
        key = (where, packet.source, packet.destination, packet.ident, packet.protocol)
        pieces = parts.setdefault(key, {})
        pieces[packet.offset] = packet
        body, last = b"", False
        while len(body) in pieces and not last:
            piece = pieces[len(body)]
            last = not piece.more
            body += piece.body
        if last:
            head = bytearray(pieces[0].data[:pieces[0].header])
            struct.pack_into("!H", head, 2, len(head) + len(body))
            struct.pack_into("!HH", head, 6, 0, struct.unpack("!H", head[8:10])[0])
            struct.pack_into("!H", head, 10, 0)
            struct.pack_into("!H", head, 10, checksum(bytes(head)))
            whole.append((where, bytes(head) + body))
            del parts[key]
    for key, pieces in parts.items():
        whole += [(key[0], piece.data) for piece in pieces.values()]
    return whole
