"""Writes a capture of COUNT packets: TCP conversations and UDP exchanges of 1,000 clients with the Service of
captures/http-clusterip, 64 bytes each, checksums right: million.py FILE COUNT"""
import struct
import sys

path, count = sys.argv[1], int(sys.argv[2])
VIP = bytes([10, 96, 0, 10])


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(client, port, flags, sequence):
    source = bytes([10, 244, 128 + client // 250, 1 + client % 250])
    segment = struct.pack("!HHIIBBHHH", port, 80, sequence, 1 if flags & 16 else 0, 0x50, flags, 64240, 0, 0) + b"x" * 24
    pseudo = source + VIP + struct.pack("!BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0) + source + VIP
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


opening = [packet(client, 20000 + client, 2, 1) for client in range(1000)]
data = [packet(client, 20000 + client, 16, 2) for client in range(1000)]
with open(path, "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
    for number in range(count):
        one = opening[number] if number < 1000 else data[number % 1000]
        out.write(struct.pack("<IIII", 1767225600 + number // 100000, number % 100000 * 10, len(one), len(one)) + one)
