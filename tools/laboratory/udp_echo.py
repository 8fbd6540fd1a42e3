"""Sends every datagram back with the name of the pod before it: udp_echo.py PORT NAME"""
import socket
import sys

port, name = int(sys.argv[1]), sys.argv[2].encode()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", port))
    while True:
        data, sender = server.recvfrom(65535)
        server.sendto(name + b" " + data, sender)
