"""Writes a capture of COUNT packets: TCP conversations of 1,000 clients with the Service of captures/http-clusterip,
checksums right, of 64 bytes each or of the simple Internet mix (64, 576 and 1,500 bytes as 7 to 4 to 1).

    capture.py FILE COUNT 64|mix

Each conversation is opened by a handshake. The sizes are those of the IP packets behind it; each has an Ethernet header
before it, as tcprewrite changes no others."""
import struct
import sys

ETHERNET = bytes.fromhex("0200000000020200000000010800")
VIP = bytes([10, 96, 0, 10])
MIX = [64] * 7 + [576] * 4 + [1500]
CLIENTS = 1000


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(client, flags, sequence, length, is_reply=False):
    """A segment with its Ethernet header; a reply is from the Service, as its client sees it."""
    ends = [(bytes([10, 244, 128 + client // 250, 1 + client % 250]), 20000 + client), (VIP, 80)]
    (source, source_port), (destination, destination_port) = reversed(ends) if is_reply else ends
    acknowledgment = (2 if is_reply else 1001) if flags & 16 else 0
    segment = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledgment, 0x50, flags, 64240, 0, 0)
    segment += b"x" * (length - 40)
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, length, 1, 0x4000, 64, 6, 0) + source + destination
    return ETHERNET + header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


def main(path, count, kind):
    sizes = MIX if kind == "mix" else [64]
    # SYN, its answer and the answer to that have no data.
    opening = [packet(client, 2, 1, 40) for client in range(CLIENTS)]
    opening += [packet(client, 18, 1000, 40, is_reply=True) for client in range(CLIENTS)]
    opening += [packet(client, 16, 2, 40) for client in range(CLIENTS)]
    data = {size: [packet(client, 24, 2, size) for client in range(CLIENTS)] for size in set(sizes)}
    with open(path, "wb", buffering=1 << 20) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number in range(count):
            client = number % CLIENTS
            one = opening[number] if number < len(opening) else data[sizes[number % len(sizes)]][client]
            time = (1767225600 + number // 100000, number % 100000 * 10)
            out.write(struct.pack("<IIII", *time, len(one), len(one)) + one)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
