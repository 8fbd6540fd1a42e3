"""The laboratory of two nodes: namespaces, a daemon for each node, and the manifests that both follow.

Each daemon has a TUN into every pod of its node and an uplink into `outside`, whose kernel routes between the nodes. Everything
that is made is removed again by `close`, also after a failure half-way.
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

from conformance import members, objects, spaces
from conformance.members import ALL, NODES, OUTSIDE, PODS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROGRAM = os.environ.get("CULVERT", os.path.join(TOP, ".build", "release", "culvert"))


class Daemon:
    """`culvert run` as one node."""

    def __init__(self, node, folder):
        self.node = node
        self.path = os.path.join(folder, node.name)
        os.mkdir(self.path)
        self.manifests = os.path.join(self.path, "manifests")
        os.mkdir(self.manifests)
        self.process = None
        self.log = ""
        with open(os.path.join(self.path, "culvert.yaml"), "w") as file:
            json.dump(self._configuration(), file, indent=1)

    def _configuration(self):
        def pod(member):
            leg = {"label": member.name, "name": "eth0", "netns": spaces.name(member.name)}
            return dict(leg, address=member.address + "/32", routes=["0.0.0.0/0"])

        block = members.POD_BLOCKS[self.node.name]
        others = [node.address + "/32" for node in NODES if node != self.node]
        uplink = {
            "label": "outside", "name": self.uplink, "netns": spaces.name("outside"), "uplink": True,
            "address": OUTSIDE.address + "/32", "routes": [self.node.address + "/32", block],
        }
        host = {"name": "culvert0", "host": True, "routes": ["203.0.113.0/24", members.ALL_PODS, *others]}
        return {
            "node": {"name": self.node.name, "addresses": [self.node.address]},
            "cluster": {
                "podCIDR": block, "serviceCIDR": members.SERVICES, "dnsAddress": members.DNS,
                "loadBalancerCIDRs": [members.LOAD_BALANCERS],
            },
            "interfaces": [pod(member) for member in PODS if member.node == self.node.name] + [uplink, host],
            "socket": os.path.join(self.path, "socket"),
        }

    @property
    def uplink(self):
        """The name of the uplink's other end, in `outside`."""
        return "up-" + self.node.name

    def write(self, items):
        """Puts new manifests in the place of the old ones."""
        with open(os.path.join(self.path, "next"), "w") as file:
            json.dump({"apiVersion": "v1", "kind": "List", "items": items}, file)
        os.rename(file.name, os.path.join(self.manifests, "objects.json"))

    def start(self):
        """Starts the daemon and waits until it is ready."""
        self.log = os.path.join(self.path, "log")
        arguments = ["run", "-c", os.path.join(self.path, "culvert.yaml"), "-f", self.manifests]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", spaces.name(self.node.name), PROGRAM, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self._wait(lambda text: " ready" in text, "did not come up")

    def stop(self, number=signal.SIGTERM):
        """Ends the daemon."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def reload(self):
        """Makes the daemon take up manifests that differ; they are in force when this returns."""
        fault = self._reload()
        if fault:
            raise RuntimeError("%s: %s" % (self.node.name, fault))

    def refusal(self):
        """Why manifests that differ are refused; what was before is in force then. Nothing if they are taken up."""
        return self._reload()

    def _reload(self):
        before = self._read()
        self.process.send_signal(signal.SIGHUP)

        # The daemon may have noticed the change by itself before the signal came: on a busy machine it does.
        ends = (" reloaded: ", "manifests refused: ", "the manifests say what runs")

        def is_done(text):
            return any(text.count(words) > before.count(words) for words in ends)

        self._wait(is_done, "did not reload")
        last = self._read()[len(before):].strip().splitlines()[-1]
        return last.partition("manifests refused: ")[2] or None

    def _read(self):
        with open(self.log) as log:
            return log.read()

    def _wait(self, is_done, complaint, seconds=20):
        end = time.monotonic() + seconds
        while not is_done(text := self._read()):
            if self.process.poll() is not None or time.monotonic() > end:
                last = "; ".join(text.splitlines()[-3:])
                raise RuntimeError("the daemon of %s %s: %s" % (self.node.name, complaint, last))
            time.sleep(0.005)

    def get(self, path):
        """A list of the control socket."""
        connection = http.client.HTTPConnection("culvert")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(os.path.join(self.path, "socket"))
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())["items"]
        finally:
            connection.close()

    def drops(self, reason):
        """How many packets the datapath has dropped for a reason."""
        return next(item["packets"] for item in self.get("/v1/drops") if item["reason"] == reason)


class Cluster:
    """Both nodes, and what they were told last."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="culvert-conformance-")
        self._made = []
        self._generation = 0
        self._addresses = self._ports = self._balanced = 0
        self.daemons = {}

    def open(self):
        """Makes the namespaces and starts both daemons."""
        for member in ALL:
            spaces.ip("netns", "add", spaces.name(member.name))
            self._made.append(member)
            spaces.ip_in(member.name, "link", "set", "lo", "up")
        with spaces.inside("outside"):
            for path, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0")):
                with open("/proc/sys/net/ipv4/" + path, "w") as file:
                    file.write(value)
        for node in NODES:
            self.daemons[node] = Daemon(node, self._folder.name)
            self.daemons[node].write(self._nodes(("zone-a", "zone-b")))
            self.daemons[node].start()
        self.balance_to(NODES[0])

    def close(self):
        """Removes all that was made."""
        for daemon in self.daemons.values():
            daemon.stop()
        for member in self._made:
            subprocess.run(["ip", "netns", "delete", spaces.name(member.name)], stderr=subprocess.DEVNULL)
        self._folder.cleanup()

    @staticmethod
    def _nodes(zones):
        return [
            objects.node(node, zone, members.POD_BLOCKS[node.name]) for node, zone in zip(NODES, zones, strict=True)
        ]

    def apply(self, *items, zones=("zone-a", "zone-b")):
        """Makes these objects all there is, beside the Nodes; in force on both nodes when this returns."""
        self._write(items, zones)
        for daemon in self.daemons.values():
            daemon.reload()

    def refusal(self, *items):
        """Why these objects are refused by both nodes; nothing if one takes them."""
        self._write(items, ("zone-a", "zone-b"))
        reasons = [daemon.refusal() for daemon in self.daemons.values()]
        return reasons[0] if all(reasons) else None

    def _write(self, items, zones):
        self._generation += 1
        # Something differs each time, so that each daemon says that it has reloaded.
        marker = objects.external_name("generation", "g%d.example" % self._generation)
        for daemon in self.daemons.values():
            daemon.write([*self._nodes(zones), marker, *items])

    def restart(self, node, number=signal.SIGTERM):
        """Ends the daemon of a node with a signal and starts it again."""
        self.daemons[node].stop(number)
        self.daemons[node].start()
        # The route went with the interface.
        self.balance_to(node)

    def drops(self, node, reason):
        """How many packets a node has dropped for a reason."""
        return self.daemons[node].drops(reason)

    def balance_to(self, node):
        """Leads the load balancers' addresses from outside to a node, as a load balancer in front of the cluster would."""
        spaces.ip_in("outside", "route", "replace", members.LOAD_BALANCERS, "dev", self.daemons[node].uplink)

    # What no row has used yet, so that no row meets the flows of another.

    def address(self):
        """A ClusterIP."""
        self._addresses += 1
        return "10.96.1.%d" % self._addresses if self._addresses < 255 else "10.96.2.%d" % (self._addresses - 254)

    def port(self):
        """A NodePort, or a port for health checks."""
        self._ports += 1
        return 30099 + self._ports

    def balanced(self):
        """An address of a load balancer."""
        self._balanced += 1
        return "198.51.100.%d" % self._balanced

    def service(self, name, *ports, node_ports=False, **spec):
        """A Service with an address of its own, and where asked with NodePorts."""
        if node_ports:
            ports = [dict(port, nodePort=self.port()) for port in ports]
            spec = {"type": "NodePort", **spec}
        return objects.service(name, self.address(), *ports, **spec)
