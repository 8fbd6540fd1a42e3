"""Puts seeds for a fuzzer into a folder: seeds.py NAME FOLDER

They are the files of corpus/NAME, and what the captures of this repository give.
"""
import shutil
import struct
import sys
from pathlib import Path

name, folder = sys.argv[1], Path(sys.argv[2])
here = Path(__file__).resolve().parent
captures = here.parents[1] / "captures"
LIMIT = 8192


def packets(path):
    """The IPv4 packets of a classic pcap file of link type RAW or Ethernet."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link, at = struct.unpack(order + "I", data[20:24])[0], 24
    while at + 16 <= len(data):
        kept = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        frame = data[at + 16 : at + 16 + kept]
        yield frame[14:] if link == 1 else frame
        at += 16 + kept


def trace(path):
    """The whole blocks at the beginning of a trace that fit into an input."""
    data, at = path.read_bytes(), 0
    while at + 12 <= len(data):
        length = struct.unpack("<I", data[at + 4 : at + 8])[0]
        if at + length > LIMIT:
            break
        at += length
    return data[:at]


def names():
    """The DNS messages of the captures."""
    for path in sorted(captures.glob("*/capture.pcap")):
        for packet in packets(path):
            header = (packet[0] & 15) * 4
            if packet[9] == 17 and len(packet) >= header + 8 and 53 in struct.unpack("!HH", packet[header : header + 4]):
                yield packet[header + 8 :]


def seeds():
    if name == "pipeline":
        for path in sorted(captures.glob("*/capture.pcap")):
            yield b"".join(struct.pack("<HB", len(one), 1) + one for one in packets(path))[:LIMIT]
    elif name == "offload":
        for path in sorted(captures.glob("*/capture.pcap")):
            for size in (0, 8, 100):
                yield b"".join(struct.pack("<HH", len(one), size) + one for one in packets(path))[:LIMIT]
    elif name == "captures":
        for path in sorted(captures.glob("*/capture.pcap")):
            yield path.read_bytes()[:LIMIT]
        for path in sorted(captures.glob("*/trace.pcapng")):
            yield trace(path)
    elif name == "traces":
        for path in sorted(captures.glob("*/trace.pcapng")):
            yield trace(path)
    elif name == "manifests":
        for path in sorted(captures.glob("*/manifests.yaml")):
            yield path.read_bytes()[:LIMIT]
    elif name == "configuration":
        for path in sorted(captures.glob("*/culvert.yaml")):
            yield path.read_bytes()
    elif name == "names":
        yield from names()


for number, seed in enumerate(seeds()):
    (folder / f"seed-{number}").write_bytes(seed)
for path in sorted((here / "corpus" / name).glob("*")):
    shutil.copy(path, folder / path.name)
