"""Sends numbered datagrams from one socket to a UDP echo server of the laboratory, and says what came back.

    udp_stream.py ADDRESS PORT SECONDS INTERVAL

Prints a line: datagrams sent and answered, the names of those who answered in their order, and the longest time in
milliseconds from sending a datagram that was not answered to the next answer.
"""
import select
import socket
import sys
import time

address, port = sys.argv[1], int(sys.argv[2])
seconds, interval = float(sys.argv[3]), float(sys.argv[4])
sent, answered, names, silent_since, longest = 0, set(), [], None, 0.0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.bind(("", 0))
    client.connect((address, port))
    begin = time.monotonic()
    while True:
        now = time.monotonic()
        sending = now - begin < seconds
        if not sending and now - begin > seconds + 1:
            break
        if sending and now - begin >= sent * interval:
            if silent_since is None:
                silent_since = now
            try:
                client.send(b"%d" % sent)
            except OSError:
                pass  # an ICMP error about an earlier one, or an interface that nobody reads
            sent += 1
        wait = max(0.0, begin + sent * interval - time.monotonic()) if sending else 0.1
        if not select.select([client], [], [], wait)[0]:
            continue
        try:
            name, _, number = client.recv(65535).partition(b" ")
        except ConnectionRefusedError:
            continue
        answered.add(int(number))
        if not names or names[-1] != name.decode():
            names.append(name.decode())
        if silent_since is not None:
            longest = max(longest, time.monotonic() - silent_since)
            silent_since = None
print("sent %d answered %d by %s longest %d" % (sent, len(answered), ",".join(names), longest * 1000))
