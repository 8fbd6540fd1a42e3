"""Makes seeds for a fuzzer from the captures of this repository: seeds.py TARGET FOLDER"""
import struct
import sys
from pathlib import Path

target, folder = sys.argv[1], Path(sys.argv[2])
captures = Path(__file__).resolve().parents[2] / "captures"


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


if target == "pipeline":
    for path in sorted(captures.glob("*/capture.pcap")):
        seed = b"".join(struct.pack("<HB", len(one), 1) + one for one in packets(path))
        (folder / ("seed-" + path.parent.name)).write_bytes(seed[:8192])
