"""What must be true of a Service, as the tests of Kubernetes look at it: who is reached, by whom, and what is refused."""
import http.client
import threading
import time

from conformance.clients import NoAnswer, ask, connect
from conformance.objects import Target


class Failure(Exception):
    """Something is not as it must be."""


def expect(is_true, text):
    """Complains unless something is true."""
    if not is_true:
        raise Failure(text)


#: Enough questions to miss one of three endpoints in one of a million cases.
MOST, LEAST = 48, 8


def reaches(client, target, pods):
    """A client reaches exactly these pods: each of them, and nobody else; without any it is left alone."""
    if not pods:
        unreached(client, target)
        return
    wanted, seen = {pod.name for pod in pods}, set()
    for count in range(MOST):
        if count >= LEAST and seen == wanted:
            break
        seen.add(ask(client, target).pod)
    expect(seen == wanted, "%s to %s: reached %s instead of %s" % (client.name, target, sorted(seen), sorted(wanted)))


def sees(client, target, pod, address):
    """A pod is reached, and sees this address as its client."""
    for _ in range(3):
        answer = ask(client, target)
        expect(
            (answer.pod, answer.client) == (pod.name, address),
            "%s to %s: %s sees %s instead of %s" % (client.name, target, answer.pod, answer.client, address),
        )


def _fails(client, target, seconds):
    try:
        answer = ask(client, target, seconds)
    except NoAnswer as fault:
        return fault
    raise Failure("%s to %s: is answered by %s" % (client.name, target, answer.pod))


def unreached(client, target):
    """A client gets no answer, refused or not."""
    for _ in range(2):
        _fails(client, target, 0.4)


def refused(client, target):
    """A client is refused at once."""
    begin = time.monotonic()
    fault = _fails(client, target, 3.5)
    expect(fault.is_refusal, "%s: is not refused" % fault)
    # A refusal that is rate-limited away comes after the SYN that is sent again, a second later.
    expect(time.monotonic() - begin < 2.5, "%s: is refused late" % fault)


def dropped(cluster, client, target, node, reason="no_local_endpoints"):
    """A client's packets come to nothing, without a word: this node drops them, for this reason."""
    before = cluster.drops(node, reason)
    fault = _fails(client, target, 0.5)
    expect(not fault.is_refusal, "%s: is refused" % fault)
    expect(cluster.drops(node, reason) > before, "%s: %s has not dropped it for %s" % (fault, node.name, reason))


def sticks(client, target, count=12):
    """A client comes to the same endpoint each time; the name of that."""
    seen = [ask(client, target).pod for _ in range(count)]
    expect(len(set(seen)) == 1, "%s to %s: is not sticky: %s" % (client.name, target, " ".join(seen)))
    return seen[0]


def answers_at(client, target, wanted):
    """Exactly these answer, each at its port: pairs of a pod's name and a number."""
    seen = set()
    for count in range(MOST):
        if count >= LEAST and seen == wanted:
            break
        answer = ask(client, target)
        seen.add((answer.pod, answer.port))
    expect(seen == wanted, "%s to %s: %s instead of %s" % (client.name, target, sorted(seen), sorted(wanted)))


def spreads(client, target):
    """A client comes to more than one endpoint."""
    seen = set()
    for _ in range(MOST):
        seen.add(ask(client, target).pod)
        if len(seen) > 1:
            return
    raise Failure("%s to %s: is sticky" % (client.name, target))


def health(client, node, port):
    """The status that a health check port answers with; nothing where nobody listens."""
    try:
        connection = http.client.HTTPConnection(node.address, port)
        connection.sock = connect(client, Target(node.address, port, "tcp"), 3)
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except OSError:
        return None


def becomes_health(client, node, port, status):
    """A health check port comes to answer with a status: it is opened and closed beside the datapath."""
    end = time.monotonic() + 3
    while (found := health(client, node, port)) != status:
        expect(time.monotonic() < end, "health check of %s: %s instead of %s" % (node.name, found, status))
        time.sleep(0.02)


class Load:
    """Asks all the time, over new connections, while the body runs: nothing may fail."""

    def __init__(self, client, target):
        self._client, self._target = client, target
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.faults, self.count = [], 0

    def wait(self, count):
        """Waits until so many more questions were asked; none takes longer than a second."""
        goal = self.count + count
        while self.count < goal:
            time.sleep(0.002)

    def _run(self):
        while not self._is_over.is_set():
            self.count += 1
            try:
                # A SYN that is lost is sent again after a second: that is a failure here.
                ask(self._client, self._target, 0.9)
            except NoAnswer as fault:
                self.faults.append(str(fault))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._is_over.set()
        self._thread.join()
        if kind is None:
            expect(not self.faults, "%d of %d requests failed: %s" % (len(self.faults), self.count, self.faults[:1]))
