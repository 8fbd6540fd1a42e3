"""Has very many UDP flows to an echo server of the laboratory at the same time, each with a socket of its own.

    udp_flows.py ADDRESS PORT COUNT CLIENT…

COUNT sockets on every client address, all addresses with the same ports, and a process for each address, since the files
that one may have open are limited. Each socket asks with a text of its own, and again when all sockets of all clients have
asked; none is closed before. Prints the flows, the answers that were right in both rounds, the flows that the same server
answered in both, and who answered how many flows.
"""
import collections
import multiprocessing
import resource
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clients = sys.argv[4:]
first = 20000
# What is on its way at a time: the buffer of the server takes 250 datagrams.
window = 50


def ask(sockets, client, turn):
    """Who answered, by socket; None where the right answer did not come."""
    names = []
    for begin in range(0, count, window):
        group = sockets[begin : begin + window]
        texts = [b"%s %d %d" % (client.encode(), begin + place, turn) for place in range(len(group))]
        for flow, text in zip(group, texts):
            flow.send(text)
        for flow, text in zip(group, texts):
            try:
                name, _, echoed = flow.recv(100).partition(b" ")
                names.append(name.decode() if echoed == text else None)
            except OSError:
                names.append(None)
    return names


def flows_of(client, everybody, results):
    sockets = []
    for number in range(count):
        flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flow.settimeout(3)
        flow.bind((client, first + number))
        flow.connect((address, port))
        sockets.append(flow)
    everybody.wait()
    before = ask(sockets, client, 1)
    everybody.wait()
    after = ask(sockets, client, 2)
    everybody.wait()
    right = sum(name is not None for name in before + after)
    same = sum(name is not None and name == other for name, other in zip(before, after))
    results.put((right, same, collections.Counter(name or "nobody" for name in after)))


_, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
everybody = multiprocessing.Barrier(len(clients), timeout=60)
results = multiprocessing.Queue()
processes = [multiprocessing.Process(target=flows_of, args=(client, everybody, results)) for client in clients]
for process in processes:
    process.start()
for process in processes:
    process.join()
    if process.exitcode:
        sys.exit("a client failed")
right, same, names = 0, 0, collections.Counter()
for _ in clients:
    result = results.get()
    right, same, names = right + result[0], same + result[1], names + result[2]
shares = " ".join("%s %d" % pair for pair in sorted(names.items()))
print("flows %d right %d same %d: %s" % (count * len(clients), right, same, shares))
