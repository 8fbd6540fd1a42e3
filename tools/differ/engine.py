"""Culvert's side: a replay of all packets so far, which gives the same for those before, and what came out for the new ones."""

import json
import os
import struct
import subprocess

OPTION_END, OPTION_NAME, OPTION_PACKET_ID = 0, 2, 5


class Engine:
    def __init__(self, culvert, directory, seed):
        self.culvert, self.directory, self.seed = culvert, directory, seed
        self.reloads = []
        self.capture = os.path.join(directory, "input.pcap")
        self.count = 0
        with open(self.capture, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101))

    def options(self, version):
        return ["-c", os.path.join(self.directory, "culvert.yaml"), "-f", self.manifests(version)]

    def manifests(self, version):
        return os.path.join(self.directory, f"manifests-{version}.yaml")

    def ruleset(self, version):
        """The exported rules."""
        command = [self.culvert, "export", "nftables", *self.options(version)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def reload(self, version):
        """Other manifests from the next packet on."""
        self.reloads += ["--reload-at", f"{self.count + 1}={self.manifests(version)}"]

    def inject(self, packets):
        """The event of each packet with `outputs`, pairs of interface and bytes."""
        with open(self.capture, "ab") as file:
            for data in packets:
                moment = 1_700_000_000_000_000_000 + self.count * 100_000
                file.write(struct.pack("<IIII", *divmod(moment, 1_000_000_000), len(data), len(data)) + data)
                self.count += 1
        first = self.count - len(packets) + 1
        trace = os.path.join(self.directory, "trace.pcapng")
        done = subprocess.run(
            [self.culvert, "replay", *self.options(0), *self.reloads, self.capture, "-w", trace, "-o", "json",
             "--seed", str(self.seed), "--replies", "as-is"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"differential: replay failed: {done.stderr}")
        events = [json.loads(line) for line in done.stdout.splitlines()[first - 1:]]
        for event in events:
            event["outputs"] = []
        for interface, number, data in sightings(trace):
            if number >= first and interface.endswith(":tx"):
                events[number - first]["outputs"].append((interface[:-3], data))
        return events


def sightings(path):
    """Interface, packet id and bytes of every packet of a trace (pcapng of this machine's byte order)."""
    with open(path, "rb") as file:
        data = file.read()
    names, place = [], 0
    while place + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, place)
        body = data[place + 8:place + length - 4]
        if kind == 1:
            names.append(dict(options_of(body, 8))[OPTION_NAME].decode())
        elif kind == 6:
            interface, _, _, size = struct.unpack_from("<IIII", body)
            options = dict(options_of(body, 20 + (size + 3) // 4 * 4))
            yield names[interface], struct.unpack("<Q", options[OPTION_PACKET_ID])[0], body[20:20 + size]
        place += length


def options_of(body, place):
    while place + 4 <= len(body):
        code, length = struct.unpack_from("<HH", body, place)
        if code == OPTION_END:
            return
        yield code, body[place + 4:place + 4 + length]
        place += 4 + (length + 3) // 4 * 4
