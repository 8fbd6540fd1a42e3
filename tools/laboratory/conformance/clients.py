"""Asking from a member of the laboratory: one question at a time, and streams that keep their source port."""
import hashlib
import http.client
import json
import os
import socket
import struct
import time
from typing import NamedTuple

from conformance import members, spaces


class Answer(NamedTuple):
    """Who answered, at which of its own ports, and which address it saw as its client."""

    pod: str
    port: int
    client: str


class NoAnswer(Exception):
    """Nothing came back; `is_refusal`: somebody said no."""

    def __init__(self, text, is_refusal):
        super().__init__(text)
        self.is_refusal = is_refusal


def connect(member, target, seconds, source_port=0):
    """A socket in a member's namespace, connected to a target."""
    with spaces.inside(member.name):
        kind = socket.SOCK_STREAM if target.protocol == "tcp" else socket.SOCK_DGRAM
        client = socket.socket(socket.AF_INET, kind)
    try:
        client.settimeout(seconds)
        if source_port:
            client.bind(("", source_port))
        client.connect((target.address, target.port))
    except OSError:
        client.close()
        raise
    return client


def _exchange(client, target, body):
    if target.protocol == "udp":
        client.send(body)
        return client.recv(65535)
    connection = http.client.HTTPConnection(target.address, target.port)
    connection.sock = client
    connection.request("POST" if body else "GET", "/", body=body, headers={"Connection": "close"})
    return connection.getresponse().read()


def ask(member, target, seconds=4, body=b"?"):
    """What is answered to a question over a new connection, or from a new port."""
    try:
        with connect(member, target, seconds) as client:
            text = _exchange(client, target, body)
    except TimeoutError:
        raise NoAnswer("%s gets no answer from %s in %g s" % (member.name, target, seconds), False) from None
    except (OSError, http.client.HTTPException) as fault:
        raise NoAnswer("%s gets no answer from %s: %r" % (member.name, target, fault), True) from None
    facts = json.loads(text)
    if facts.pop("digest") != hashlib.sha256(body).hexdigest():
        raise NoAnswer("%s: what arrived from %s is not what was sent" % (target, member.name), False)
    return Answer(**facts)


class Stream:
    """A UDP client that keeps its source port, as a client with conntrack entries behind it does."""

    def __init__(self, member, target):
        self._where = "%s to %s" % (member.name, target)
        self._client = connect(member, target, 0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def ask(self):
        """The answer to a datagram; nothing where none comes."""
        number = os.urandom(8)
        try:
            self._client.send(number)
            while True:
                facts = json.loads(self._client.recv(65535))
                if facts.pop("digest") == hashlib.sha256(number).hexdigest():
                    return Answer(**facts)
        except OSError:
            return None

    def follows(self, *pods, seconds=3, port=None):
        """Asks until one of these pods answers (at that port); complains if none does in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = self.ask()
            if answer and answer.pod in [pod.name for pod in pods] and port in (None, answer.port):
                return
            time.sleep(0.02)
        raise NoAnswer("the flow of %s does not come to %s" % (self._where, ", ".join(pod.name for pod in pods)), False)


def resolve(member, name):
    """The address of a name, from the cluster's DNS; nothing for a name without one, or with several."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
    with spaces.inside(member.name):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(3)
        client.connect((members.DNS, 53))
        client.send(query)
        reply = client.recv(4096)
    code, answers = reply[3] & 15, struct.unpack_from("!H", reply, 6)[0]
    # An answer of one address ends with it, behind the type, the class, the TTL and the length.
    is_address = code == 0 and answers == 1 and reply[-14:-10] == b"\0\1\0\1" and reply[-6:-4] == b"\0\4"
    return socket.inet_ntoa(reply[-4:]) if is_address else None
