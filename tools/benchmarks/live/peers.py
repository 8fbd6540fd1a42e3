"""The ways from a client to a server that are compared: each has namespaces of its own, made here and removed here."""
import os
import signal
import subprocess
import time

import report

CLIENT, SERVER, VIP, NODE = "10.244.0.5", "10.244.0.11", "10.96.0.10", "192.0.2.10"
PORT, BACKEND_PORT, IPERF_PORT = 80, 8080, 5201


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise report.Unavailable("ip %s: %s" % (" ".join(arguments), done.stderr.strip()))


class Peer:
    """A client and a server in namespaces, with something between them; ended and removed by `close`."""

    name = ""
    #: The address and port that the client uses for HTTP, and the address for iperf3.
    target, port = VIP, PORT
    members = ("client", "server")

    def __init__(self, work, prefix):
        self.work = os.path.join(work, self.name.replace(" ", "-"))
        os.mkdir(self.work)
        self.prefix, self.processes, self.namespaces, self.forwarder = prefix, [], [], None

    def space(self, member):
        return "%s-%s" % (self.prefix, member)

    def open(self):
        for member in self.members:
            ip("netns", "add", self.space(member))
            self.namespaces.append(self.space(member))
            ip("-n", self.space(member), "link", "set", "lo", "up")
            # Connections by the thousand must not run out of ports.
            self.inside(member, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65000", "net.ipv4.tcp_tw_reuse=1")
        self.connect()
        self.serve()

    def connect(self):
        raise NotImplementedError

    def serve(self):
        configuration = os.path.join(self.work, "nginx.conf")
        with open(os.path.join(report.TOP, "tools", "laboratory", "nginx.conf")) as file:
            text = file.read().replace("@DIR@", self.work).replace("@NAME@", "server")
        os.makedirs(os.path.join(self.work, "tmp"), exist_ok=True)
        with open(configuration, "w") as file:
            # A benchmark's connections are kept longer than those of the laboratory.
            file.write(text.replace("access_log off;", "access_log off;\n    keepalive_requests 10000000;"))
        self.spawn("server", "nginx", "-c", configuration, "-p", self.work, "-e", "stderr")
        self.spawn("server", "iperf3", "-s", "-p", str(IPERF_PORT))
        self.wait(lambda: self.inside("client", "curl", "-sf", "-m", "1", "-o", "/dev/null", self.url).returncode == 0)

    @property
    def url(self):
        return "http://%s:%d/" % (self.target, self.port)

    def inside(self, member, *command, limit=30):
        return subprocess.run(
            ["ip", "netns", "exec", self.space(member), *command], capture_output=True, text=True, timeout=limit
        )

    def spawn(self, member, *command):
        """Starts a process in a namespace, or in the machine's own for None; its output goes to a file."""
        inside = ["ip", "netns", "exec", self.space(member)] if member else []
        name = os.path.join(self.work, os.path.basename(command[0]) + ".log")
        with open(name, "wb") as log:
            process = subprocess.Popen(
                [*inside, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def wait(self, check):
        end = time.monotonic() + 20
        while not check():
            if self.forwarder and self.forwarder.poll() is not None:
                raise report.Unavailable("%s ended: %s" % (self.name, self.logs()[-300:]))
            if time.monotonic() > end:
                raise report.Unavailable("%s did not come up in 20 s: %s" % (self.name, self.logs()[-300:]))
            time.sleep(0.1)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.work)):
            if name.endswith(".log"):
                with open(os.path.join(self.work, name), errors="replace") as file:
                    text += file.read()
        return text

    def cpu(self):
        """Seconds of processor time that the forwarder has used; None where it is the kernel."""
        if self.forwarder is None:
            return None
        total = 0
        tasks = "/proc/%d/task" % self.forwarder.pid
        for task in os.listdir(tasks):
            with open("%s/%s/schedstat" % (tasks, task)) as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        self.namespaces = []


class Bare(Peer):
    """The C forwarder between two TUNs: no translation, so the client asks the server itself."""

    name, options = "bare", ()
    target, port = SERVER, BACKEND_PORT

    def connect(self):
        program = os.path.join(self.work, "forwarder")
        report.compile_c(os.path.join(report.HERE, "live", "forwarder.c"), program)
        self.forwarder = self.spawn(
            None, program, *self.options, self.space("client"), "eth0", self.space("server"), "eth0"
        )
        self.wait(lambda: "ready" in self.logs())
        for member, address in (("client", CLIENT), ("server", SERVER)):
            space = self.space(member)
            ip("-n", space, "address", "add", address + "/32", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "route", "add", "default", "dev", "eth0")


class BareOffload(Bare):
    name, options = "bare, offload", ("--offload",)


class BareQueues(Bare):
    """As many threads as Culvert with two workers, each with a queue of both TUNs."""

    name, options = "bare, offload, two queues", ("--offload", "--queues", "2")


class Nftables(Peer):
    """The kernel: a namespace between two veths that translates as kube-proxy would have it."""

    name = "nftables"
    members = ("client", "server", "node")

    def connect(self):
        for member, address, gateway in (("client", CLIENT, "169.254.1.1"), ("server", SERVER, "169.254.1.2")):
            space, node = self.space(member), self.space("node")
            ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", member, "netns", node)
            ip("-n", space, "address", "add", address + "/32", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", node, "address", "add", gateway + "/32", "dev", member)
            ip("-n", node, "link", "set", member, "up")
            ip("-n", node, "route", "add", address + "/32", "dev", member)
            ip("-n", space, "route", "add", gateway + "/32", "dev", "eth0")
            ip("-n", space, "route", "add", "default", "via", gateway, "dev", "eth0")
        self.inside("node", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = """table ip culvert_bench {
            chain prerouting { type nat hook prerouting priority dstnat;
                ip daddr %s tcp dport %d dnat to %s:%d
                ip daddr %s tcp dport %d dnat to %s:%d
                ip daddr %s udp dport %d dnat to %s:%d
            }
        }""" % (VIP, PORT, SERVER, BACKEND_PORT, *(VIP, IPERF_PORT, SERVER, IPERF_PORT) * 2)
        done = self.inside("node", "nft", rules)
        if done.returncode != 0:
            raise report.Unavailable("nft: " + done.stderr.strip())


class Culvert(Peer):
    name = "culvert"
    members = ("client", "server", "node")
    #: More lines of the configuration.
    more = ""

    def connect(self):
        configuration, manifests = os.path.join(self.work, "culvert.yaml"), os.path.join(self.work, "manifests.yaml")
        interface = "  - {label: %s, name: eth0, netns: %s, address: %s/32, routes: [0.0.0.0/0]}\n"
        with open(configuration, "w") as file:
            file.write("node: {name: node-a, addresses: [%s]}\n" % NODE)
            # Another daemon of this machine keeps its socket.
            file.write("socket: none\n" + self.more)
            file.write("cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16}\ninterfaces:\n")
            file.write(interface % ("client", self.space("client"), CLIENT))
            file.write(interface % ("server", self.space("server"), SERVER))
        with open(manifests, "w") as file:
            file.write(MANIFESTS % {"vip": VIP, "server": SERVER})
        self.forwarder = self.spawn("node", report.CULVERT, "run", "-c", configuration, "-f", manifests)


class CulvertAlways(Culvert):
    """With the least delay; it takes a whole processor, so it is not up beside the others."""

    name, more = "culvert, polling: always", "datapath: {polling: always}\n"


class CulvertWorkers(Culvert):
    """With a thread more than the peers of `ALL` have: so it is measured apart from them."""

    name, more = "culvert, workers: 2", "datapath: {workers: 2}\n"


MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: %(vip)s
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: iperf, port: 5201}
  - {name: iperf-udp, port: 5201, protocol: UDP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports:
- {name: http, port: 8080, protocol: TCP}
- {name: iperf, port: 5201, protocol: TCP}
- {name: iperf-udp, port: 5201, protocol: UDP}
endpoints:
- {addresses: [%(server)s], conditions: {ready: true}, nodeName: node-a}
"""

ALL = [Culvert, BareOffload, Bare, Nftables]
