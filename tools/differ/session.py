"""One session: a namespace of its own, a seed, a number of packets. Prints what differs, and a summary in JSON as the last line.

Run by tools/differential, inside `unshare --net`: session.py CULVERT SEED PACKETS [DAMAGE]
"""

import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter

from compare import Backends, culvert_outputs, fields_of, interface_of, is_generated, kernel_outputs, learn, masked
from conversations import CLIENTS, Maker
from damages import DAMAGES
from decisions import documented
from engine import Engine
from kernel import Kernel
from packets import Packet
from world.configuration import NARROW, NODE, configuration
from world.manifests import manifests, owner

RELOAD = 6  # rounds between two reloads
SHOWN = int(os.environ.get("SHOWN", 5))
HERE = os.path.dirname(os.path.abspath(__file__))


class Session:
    def __init__(self, culvert, seed, count, damage=None):
        self.seed, self.count = seed, count
        self.damage, self.damaged = DAMAGES.get(damage), 0
        self.directory = tempfile.mkdtemp(prefix="culvert-differential-")
        self.version, self.reloads = 0, 0
        # Seeds take turns: a narrow interface towards the pods, or towards the others, or none; every other one has reloads.
        mtu = {"pods": NARROW if seed % 6 in (2, 3) else 1500, "uplink": NARROW if seed % 6 in (4, 5) else 1500}
        self.has_reloads = seed % 2 == 1
        with open(os.path.join(self.directory, "culvert.yaml"), "w") as file:
            file.write(configuration(mtu))
        for version in (0, 1):
            with open(os.path.join(self.directory, f"manifests-{version}.yaml"), "w") as file:
                file.write(manifests(version))
        self.random = random.Random(seed)
        # Where no interface is named the node is a client, too.
        clients = CLIENTS + [NODE[0]] * 3 if set(mtu.values()) == {1500} else CLIENTS
        self.maker = Maker(self.random, self.has_reloads, clients)
        self.engine = Engine(culvert, self.directory, seed)
        self.kernel = Kernel(self.engine.ruleset(0), mtu)
        self.backends = Backends()
        self.tuples, self.clients = {}, {}
        self.compared, self.differences, self.decided = 0, Counter(), Counter()

    def run(self):
        talks, planned = [], 0
        while planned < self.count:
            talk = self.maker.make(len(talks) + 1)
            planned += len(talk.steps)
            talks.append(talk)
        turn = 0
        while any(talk.place < len(talk.steps) for talk in talks):
            if self.has_reloads and turn and turn % RELOAD == 0:
                self.reload(talks)
            due = [talk for talk in talks if talk.start <= turn and talk.place < len(talk.steps)]
            self.random.shuffle(due)
            self.round(due)
            turn += 1
            if self.damaged and self.differences:
                return

    def reload(self, talks):
        """Other rules on both sides. Flows of UDP whose endpoint is gone are over; those of TCP stay."""
        self.version, self.reloads = 1 - self.version, self.reloads + 1
        self.kernel.load(self.engine.ruleset(self.version))
        self.kernel.forget(self.is_stale)
        self.engine.reload(self.version)
        # The rules that were loaded know no client yet; a client of Culvert's keeps its backend if that is still there.
        self.clients = {key: backend for key, backend in self.clients.items()
                        if key[0] == "culvert" and not self.is_stale(("10.96.0.16", 514 if key[1] == "UDP" else 80), backend)}
        for talk in talks:
            for name, side in talk.sides.items():
                if talk.protocol == "UDP" and side.backend and self.is_stale(talk.service, side.backend):
                    self.tuples.pop((name, talk.protocol, side.outer, side.backend), None)
                    side.outer = side.backend = side.to_server = side.to_client = None
                    talk.is_parted = True

    def is_stale(self, target, backend):
        """Whether a flow of UDP ends with the rules of this version."""
        found = owner(target[0], "UDP", target[1], self.version)
        return backend != target if found is None else backend == target or backend[0] not in found[1]

    def round(self, due):
        """The next step of each conversation, first through the kernel, then through Culvert, then compared."""
        work, inputs = [], []
        for talk in due:
            step = talk.steps[talk.place]
            talk.place += 1
            packets = {name: step.build(side) for name, side in talk.sides.items()}
            if step.needs_state and step.origin == "client" and len(talk.steps) > 1 and not all(
                    side.outer for side in talk.sides.values()):
                continue
            if None in packets.values():
                if any(packets.values()) and not talk.is_parted:
                    self.differ(talk, step, "one side alone has something to answer", packets, {})
                continue
            results = [self.kernel.inject(interface_of(data), data, self.is_hop(talk, step, data)) for data in packets["kernel"]]
            work.append((talk, step, packets, results, len(inputs)))
            inputs += packets["culvert"]
        events = self.engine.inject(inputs) if inputs else []
        for talk, step, packets, results, first in work:
            mine = events[first:first + len(packets["culvert"])]
            if self.damage and not self.damaged:
                self.do_damage(talk, step, mine)
            outputs = {"kernel": kernel_outputs(talk, step, results), "culvert": culvert_outputs(mine)}
            self.compared += len(mine)
            self.judge(talk, step, packets, outputs, mine)

    def do_damage(self, talk, step, events):
        """Damages the first packet that came out and can be damaged in this way."""
        for event in events:
            for place, output in enumerate(event["outputs"]):
                instead = self.damage(self, talk, step, *output)
                if instead is not None:
                    event["outputs"][place:place + 1] = instead
                    self.damaged += 1
                    return

    @staticmethod
    def is_hop(talk, step, data):
        """Whether Culvert is a hop where the kernel is none: behind the node's stack, and before it for what is translated."""
        if interface_of(data) == "host":
            return True
        side = talk.sides["culvert"]
        is_translated = side.outer is not None and (side.outer, side.backend) != (talk.client, talk.service)
        return talk.client[0] in NODE and step.origin != "client" and is_translated

    def judge(self, talk, step, packets, outputs, events):
        problems, before = [], {}
        for name, side in talk.sides.items():
            for _, data in outputs[name]:
                problem = Packet(data).checksum_problem()
                if problem:
                    problems.append(f"{name}: {problem}")
            before[name] = (side.outer, side.backend)
            if step.opens and side.outer:
                self.tuples.pop((name, talk.protocol, side.outer, side.backend), None)
            problem = learn(talk, step, side, outputs[name], packets[name])
            if problem:
                problems.append(f"{name}: {problem}")
            elif side.backend and side.backend[0] == talk.client[0] and side.outer[0] == talk.client[0]:
                if talk.client[0].startswith("10.244.0."):
                    problems.append(f"{name}: a pod of this node is its own backend, and sees itself as the client")
            if side.outer and any(one.opens for one in talk.steps):
                # Two conversations with one reply tuple could not be told apart; a segment of none is no conversation.
                owner = self.tuples.setdefault((name, talk.protocol, side.outer, side.backend), talk.number)
                if owner != talk.number:
                    problems.append(f"{name}: two conversations share a reply tuple")
        if step.opens:
            opened, talk.reloads = talk.reloads, self.reloads
            reused = [side.outer and (side.outer, side.backend) == before[name] for name, side in talk.sides.items()]
            if opened not in (None, self.reloads) and any(reused):
                # A side has taken the entry of the connection before, and its endpoint, whatever the rules say now.
                self.decided["reopened"] += 1
                talk.place = len(talk.steps)
                return
        for name, side in talk.sides.items():
            if side.backend and (step.opens or talk.protocol == "UDP" and before[name] == (None, None)):
                problems += [f"{name}: {problem}" for problem in self.choice_problems(name, talk, side.backend)]
        forms = {
            name: sorted((place, masked(data, talk, step, side, packets[name])) for place, data in outputs[name])
            for name, side in talk.sides.items()
        }
        if forms["kernel"] != forms["culvert"]:
            decisions = documented(talk, step, packets, outputs, events, forms)
            self.decided.update(decisions)
            if "land" in decisions:
                # From here on the two ends have seen different packets.
                talk.place = len(talk.steps)
            if not decisions:
                problems.append(self.signature(step, packets, outputs, events))
        for problem in problems:
            self.differ(talk, step, problem, packets, outputs, events)

    def choice_problems(self, name, talk, backend):
        """What is wrong with the backend that a side chose."""
        found = owner(talk.service[0], talk.protocol, talk.service[1], self.version)
        if found is None:
            return ["translated, and is no Service's"] if backend != talk.service else []
        service, endpoints = found
        if backend[0] not in endpoints:
            return [f"{backend[0]} is no endpoint of {service}"]
        if service == "sticky":
            # A client keeps its backend, by whichever address it comes.
            kept = self.clients.setdefault((name, talk.protocol, talk.client[0]), backend)
            return [] if kept == backend else ["a client with affinity got another backend"]
        self.backends.add(name, talk, service, backend)
        return []

    @staticmethod
    def signature(step, packets, outputs, events):
        """What the difference is, without addresses."""
        def words(name):
            return ", ".join(sorted(
                f"{place} {'makes ' if is_generated(data, packets[name]) else ''}{fields_of(data)}" for place, data in outputs[name]
            )) or "nothing"

        reasons = sorted({event["verdict"] + (f" {event['reason']}" if event["reason"] else "") for event in events})
        return f"{step.origin}'s {step.what}: kernel {words('kernel')}; Culvert {words('culvert')} ({', '.join(reasons)})"

    def differ(self, talk, step, problem, packets, outputs, events=()):
        self.differences[problem] += 1
        if self.differences[problem] > 1 or len(self.differences) > SHOWN:
            return
        print(f"\nDIFFERENCE, seed {self.seed}, {talk.name}, step {talk.place} of {len(talk.steps)}: {problem}")
        for event in events:
            print(f"  event {event['packet']}: {event['verdict']} {event['reason']} {event['conntrack']} {event['service']}")
        for name in ("kernel", "culvert"):
            for data in packets.get(name) or []:
                print(f"  {name} in    {Packet(data).show()}")
            for place, data in outputs.get(name) or []:
                print(f"  {name} out   {place} {Packet(data).show()}")


def main():
    culvert, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    session = Session(culvert, seed, count, *sys.argv[4:])
    try:
        session.run()
    finally:
        if os.environ.get("KEEP"):
            print(f"kept: {session.directory}")
        else:
            shutil.rmtree(session.directory)
    chosen = {side: [[list(key), [[list(one), number] for one, number in counts.items()]] for key, counts in keys.items()]
              for side, keys in session.backends.chosen.items()}
    print(json.dumps({"compared": session.compared, "differences": session.differences, "decided": session.decided,
                      "chosen": chosen, "damaged": session.damaged}))


main()
