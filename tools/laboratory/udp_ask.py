"""Asks a UDP echo server, each time from a new port, and prints who answered: udp_ask.py ADDRESS PORT COUNT [SIZE]"""
import os
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
size = int(sys.argv[4]) if len(sys.argv) > 4 else 16
for number in range(count):
    payload = os.urandom(size)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect((address, port))
        client.send(payload)
        name, _, echoed = client.recv(65535).partition(b" ")
        if echoed != payload:
            sys.exit("question %d: the answer is not what was sent" % number)
        print(name.decode())
