"""Keeps many HTTP connections open, and asks on every one of them again whenever told.

    keepalive.py ADDRESS PORT COUNT

Opens COUNT connections, asks on each, and prints a line. Then, for every line that it reads, it asks again on each and prints
how many were answered, and how many of these by who had answered before. A connection that fails stays failed.
"""
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
request = b"GET / HTTP/1.1\r\nHost: laboratory\r\n\r\n"


def answer(connection):
    """Who answers a request, by the first word of the body; None when nobody does in three seconds."""
    try:
        data = b""
        while b"\n" not in data.partition(b"\r\n\r\n")[2]:
            more = connection.recv(4096)
            if not more:
                return None
            data += more
        return data.partition(b"\r\n\r\n")[2].split()[0]
    except OSError:
        return None


def ask(connections):
    for connection in connections:
        try:
            connection.sendall(request)
        except OSError:
            pass
    return [answer(connection) for connection in connections]


connections = [socket.create_connection((address, port), timeout=3) for _ in range(count)]
first = ask(connections)
print("answered %d same %d" % (sum(name is not None for name in first), count), flush=True)
for _ in sys.stdin:
    names = ask(connections)
    answered = sum(name is not None for name in names)
    same = sum(name is not None and name == before for name, before in zip(names, first))
    print("answered %d same %d" % (answered, same), flush=True)
