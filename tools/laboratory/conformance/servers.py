"""What every pod and node listens on: HTTP and UDP on the same ports. Answers say who answers, on which port, and whom it sees."""
import hashlib
import json
import selectors
import socket
import threading

from conformance import members, spaces

#: The ports that all members but outside listen on, TCP and UDP.
PORTS = (8080, 8081, 8082)


def answer(member, port, client, body):
    """The text that a server sends back."""
    facts = {"pod": member.name, "port": port, "client": client, "digest": hashlib.sha256(body).hexdigest()}
    return json.dumps(facts).encode()


def _request(stream):
    """The body of an HTTP request; None where there is no whole request."""
    if not stream.readline():
        return None
    length = 0
    while True:
        line = stream.readline()
        if line in (b"\r\n", b"\n"):
            break
        if not line:
            return None
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            length = int(value)
    body = stream.read(length)
    return body if len(body) == length else None


def _serve(member, port, connection, client):
    try:
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(20)
            while (body := _request(stream)) is not None:
                text = answer(member, port, client, body)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    except (OSError, ValueError):
        pass


def _loop(selector):
    while True:
        for key, _ in selector.select():
            member, port, is_stream = key.data
            try:
                if is_stream:
                    connection, (client, _) = key.fileobj.accept()
                    arguments = (member, port, connection, client)
                    threading.Thread(target=_serve, args=arguments, daemon=True).start()
                else:
                    data, sender = key.fileobj.recvfrom(65535)
                    key.fileobj.sendto(answer(member, port, sender[0], data), sender)
            except OSError:
                pass


def begin():
    """Opens all ports; they are served by threads that end with the process."""
    selector = selectors.DefaultSelector()
    for member in members.NODES + members.PODS:
        with spaces.inside(member.name):
            for port in PORTS:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    server = socket.socket(socket.AF_INET, kind)
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    # A pod's address is its own; a node answers from the address that it was asked at, its only one.
                    server.bind((member.address if member.is_host else "0.0.0.0", port))
                    is_stream = kind == socket.SOCK_STREAM
                    if is_stream:
                        server.listen(128)
                    server.setblocking(False)
                    selector.register(server, selectors.EVENT_READ, (member, port, is_stream))
    threading.Thread(target=_loop, args=(selector,), daemon=True).start()
