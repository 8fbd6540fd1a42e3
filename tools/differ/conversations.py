"""Seeded conversations: what clients, servers and routers send. Each is continued on each side from what came out there.

A conversation is a list of steps. The client's packets are the same on both sides; what a server or router sends depends on the
backend and the outer port that a side has chosen, and so is built for each side alone.
"""

from dataclasses import dataclass, field

from packets import (ACK, FIN, ICMP, NUMBERS, PSH, RST, SYN, TCP, UDP, Packet, fragments, icmp, ipv4, tcp, udp)
from world.configuration import NODE
from world.manifests import frontends, is_passing

FRONTENDS = frontends()
CLIENTS = (
    ["10.244.0.%d" % last for last in (31, 32, 33)] + ["10.244.1.41", "10.244.1.42"]
    + ["203.0.113.%d" % last for last in (5, 17, 40, 200)]
    # Backends as clients: hairpin, when the choice falls on themselves.
    + ["10.244.0.11", "10.244.0.14", "10.244.0.21", "10.244.0.21", "10.244.1.13", "10.244.0.22"]
)
ROUTERS = ("203.0.113.254", "10.244.0.1")


@dataclass
class Side:
    """What a conversation has become on one side."""

    outer: tuple = None  # the source that the backend sees
    backend: tuple = None
    to_server: bytes = None  # the last packet that reached the backend
    to_client: bytes = None
    identifications: dict = field(default_factory=dict)  # of a direction's datagrams in fragments, as sent: as they came


@dataclass
class Step:
    origin: str  # client, server or router
    what: str
    build: object  # of a Side: the packets, or None where the side has nothing to build them from
    opens: bool = False  # a new connection: mappings before it are over
    needs_state: bool = False  # a client's step that is sent only while the conversation goes on


@dataclass
class Conversation:
    number: int
    protocol: str
    client: tuple
    service: tuple
    steps: list = field(default_factory=list)
    sides: dict = field(default_factory=lambda: {"kernel": Side(), "culvert": Side()})
    place: int = 0
    start: int = 0
    reloads: int = None  # how many there had been when it was opened
    is_parted: bool = False  # a reload has ended its flow on one side at least: the other may have something to answer alone

    @property
    def name(self):
        return "conversation %d, %s %s:%d to %s:%d" % (self.number, self.protocol, *self.client, *self.service)


def from_here(fields, source, talk):
    """What the node itself sends has not been routed before; and what it gets has a hop to go."""
    if source in NODE:
        return dict(fields, ttl=64)
    return dict(fields, ttl=max(fields["ttl"], 2)) if talk.client[0] in NODE else fields


class Maker:
    """Makes conversations from a seeded generator."""

    def __init__(self, generator, has_reloads, clients):
        self.random, self.has_reloads, self.clients = generator, has_reloads, clients
        self.ident = 1
        self.taken = set()

    def make(self, number):
        roll = self.random
        while True:
            address, protocol, port = roll.choice(FRONTENDS)
            client = (roll.choice(self.clients), roll.choice((roll.randint(1024, 29999), roll.randint(33000, 65535), 40000, 500)))
            key = (client, address, port, protocol)
            if self.has_reloads and address in NODE and is_passing(address, protocol, port):
                continue  # the node's own stack would have the rest
            if client[0] in NODE and address in NODE:
                continue
            if client[0] != address and key not in self.taken:
                self.taken.add(key)
                break
        talk = Conversation(number, protocol, client, (address, port), start=roll.randint(0, 12))
        if roll.random() < 0.05:
            talk.protocol = "ICMP"
            self.ping(talk)
        elif protocol == "TCP":
            self.stream(talk)
        else:
            self.datagrams(talk)
        return talk

    def fields(self):
        """The fields of an IPv4 header that NAT leaves alone."""
        self.ident = self.ident % 65535 + 1
        roll = self.random
        ttl = roll.choice((64, 64, 64, 128, 255, 3, 2))
        if roll.random() < 0.02:
            ttl = 1
        return {"ident": self.ident, "ttl": ttl, "tos": roll.choice((0, 0, 0, 0x10, 0xB8, 2)), "flags": roll.choice((0, 2))}

    def between(self, talk, origin, body):
        """A builder of packets; `body` makes the transport part of two ends."""
        head = self.fields()
        number = NUMBERS[talk.protocol]

        def build(side):
            if origin == "client":
                ends = (*talk.client, *talk.service)
            elif side.outer:
                ends = (*side.backend, *side.outer)
            else:
                return None
            return [ipv4(ends[0], ends[2], number, body(*ends), **from_here(head, ends[0], talk))]

        return build

    def stream(self, talk):
        """TCP: handshake, data both ways with losses, repetitions and changes of order, an end, and perhaps the port again."""
        roll = self.random
        if roll.random() < 0.03:
            # A connection that nobody opened.
            flags = roll.choice((ACK, PSH | ACK, FIN | ACK, RST, SYN | ACK))
            talk.steps.append(self.segment(talk, "client", flags, 1, 1, b"middle"))
            return
        for _ in range(roll.choice((1, 1, 1, 2))):
            mine, yours = roll.getrandbits(32), roll.getrandbits(32)
            opening = self.segment(talk, "client", SYN, mine, 0, options=b"\x02\x04\x05\xb4")
            opening.opens = True
            steps = [self.segment(talk, "server", SYN | ACK, yours, mine + 1, options=b"\x02\x04\x05\xb4"),
                     self.segment(talk, "client", ACK, mine + 1, yours + 1)]
            if roll.random() < 0.1:
                steps.insert(0, self.segment(talk, "client", SYN, mine, 0, options=b"\x02\x04\x05\xb4"))
            mine, yours = mine + 1, yours + 1
            data = []
            for _ in range(roll.randint(0, 6)):
                payload = roll.randbytes(roll.choice((1, 40, 536, 1400)))
                if roll.random() < 0.5:
                    data.append(self.segment(talk, "client", PSH | ACK, mine, yours, payload))
                    mine += len(payload)
                else:
                    data.append(self.segment(talk, "server", PSH | ACK, yours, mine, payload))
                    yours += len(payload)
            steps += self.disturb(data)
            if roll.random() < 0.15:
                steps.insert(roll.randint(1, len(steps)), self.error(talk))
            ends = roll.choice(("client", "server", "reset", "reset-server", "none"))
            first, second = ("client", "server") if ends == "client" else ("server", "client")
            if ends in ("client", "server"):
                a, b = (mine, yours) if first == "client" else (yours, mine)
                steps += [self.segment(talk, first, FIN | ACK, a, b), self.segment(talk, second, ACK, b, a + 1),
                          self.segment(talk, second, FIN | ACK, b, a + 1), self.segment(talk, first, ACK, a + 1, b + 1)]
            elif ends == "reset":
                steps.append(self.segment(talk, "client", RST | ACK, mine, yours))
            elif ends == "reset-server":
                steps.append(self.segment(talk, "server", RST | ACK, yours, mine))
            talk.steps += [opening] + steps
            if ends == "none":
                break

    def disturb(self, steps):
        """Repetitions, losses and changes of order."""
        roll, result = self.random, []
        for step in steps:
            fate = roll.random()
            if fate < 0.06:
                continue  # lost before it came here
            result.append(step)
            if fate < 0.15:
                result.append(step)
        for place in range(len(result) - 1):
            if roll.random() < 0.1:
                result[place], result[place + 1] = result[place + 1], result[place]
        return result

    def segment(self, talk, origin, flags, sequence, acknowledged, payload=b"", options=b""):
        def body(source, sport, destination, dport):
            return tcp(source, sport, destination, dport, flags, sequence, acknowledged, payload, options)

        names = "".join(letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (ACK, ".")) if flags & bit)
        return Step(origin, f"tcp {names}", self.between(talk, origin, body), needs_state=flags != SYN)

    def datagrams(self, talk):
        """UDP both ways, some in fragments, some without a checksum, and errors about them."""
        roll = self.random
        for number in range(roll.randint(1, 8)):
            origin = "client" if number == 0 else roll.choice(("client", "server"))
            size = roll.choice((0, 12, 300, 1400, 1400, 3000, 4100))
            step = self.datagram(talk, origin, size)
            step.opens = number == 0
            talk.steps.append(step)
            if roll.random() < 0.12:
                talk.steps.append(self.error(talk))

    def datagram(self, talk, origin, size):
        payload, checked = self.random.randbytes(size), self.random.random() > 0.1

        def body(source, sport, destination, dport):
            return udp(source, sport, destination, dport, payload, checked)

        whole = self.between(talk, origin, body)
        if size <= 1400:
            return Step(origin, "udp", whole)
        order = self.random.choice(("forward", "forward", "reverse", "shuffle"))
        places = list(range((size + 8 + 1479) // 1480))
        if order == "reverse":
            places.reverse()
        elif order == "shuffle":
            self.random.shuffle(places)

        def build(side):
            packets = whole(side)
            if packets is None:
                return None
            head = bytearray(packets[0])
            head[6] = 0  # what may be cut up has no DF
            pieces = fragments(bytes(head), 1480)
            return [pieces[place] for place in places]

        return Step(origin, f"udp in fragments, {order}", build)

    def error(self, talk):
        """An ICMP error about what was seen last: from a router or the server about the client's, or the other way round."""
        roll = self.random
        kind, code, rest = roll.choice(((3, 1, 0), (3, 3, 0), (3, 4, 1400), (11, 0, 0), (3, 13, 0), (12, 0, 0)))
        origin = roll.choice(("server", "router", "client"))
        router, head, length = roll.choice(ROUTERS), self.fields(), roll.choice((28, 48, 128, 548))

        def build(side):
            about = side.to_client if origin == "client" else side.to_server
            if about is None:
                return None
            seen = Packet(about)
            source = router if origin == "router" else seen.destination
            return [ipv4(source, seen.source, ICMP, icmp(kind, code, rest, about[:length]), **from_here(head, source, talk))]

        return Step(origin, f"icmp {kind}/{code} about a packet to the {'client' if origin == 'client' else 'server'}", build)

    def ping(self, talk):
        """Echo requests: to addresses of Services, of the node and of others."""
        for number in range(self.random.randint(1, 3)):
            rest, payload = talk.client[1] << 16 | number, self.random.randbytes(self.random.choice((0, 56, 1000)))
            head = self.fields()

            def build(side, rest=rest, payload=payload, head=head):
                fields = from_here(head, talk.client[0], talk)
                return [ipv4(talk.client[0], talk.service[0], ICMP, icmp(8, 0, rest, payload), **fields)]

            talk.steps.append(Step("client", "echo request", build, opens=number == 0))

            def answer(side, rest=rest, payload=payload, head=head):
                if side.to_server is None:
                    return None
                seen = Packet(side.to_server)
                fields = from_here(head, seen.destination, talk)
                return [ipv4(seen.destination, seen.source, ICMP, icmp(0, 0, rest, payload), **fields)]

            talk.steps.append(Step("server", "echo reply", answer))
