"""Moves bytes over TCP and checks that they arrive: transfer.py serve PORT | put ADDRESS PORT BYTES | get ADDRESS PORT BYTES"""
import hashlib
import os
import socket
import sys


def exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        sys.exit("the connection ended after %d of %d bytes" % (len(data), count))
    return data


def serve(port):
    with socket.create_server(("0.0.0.0", port)) as server:
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(20)
                try:
                    order, count = stream.readline().split()
                    if order == b"put":
                        stream.write(hashlib.sha256(stream.read(int(count))).digest())
                    else:
                        data = os.urandom(int(count))
                        stream.write(data + hashlib.sha256(data).digest())
                    stream.flush()
                except (OSError, ValueError):
                    pass


def transfer(order, address, port, count):
    with socket.create_connection((address, port), timeout=20) as connection, connection.makefile("rwb") as stream:
        data = os.urandom(count) if order == "put" else b""
        stream.write(b"%s %d\n" % (order.encode(), count) + data)
        stream.flush()
        if order == "get":
            data = exactly(stream, count)
        if exactly(stream, 32) != hashlib.sha256(data).digest():
            sys.exit("what arrived is not what was sent")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    transfer(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
