"""Opens HTTP connections one after another, with three SYNs each: connects.py ADDRESS PORT COUNT INTERVAL

Prints how many were answered, how many of these needed one SYN only, and what became of the others. The interval is in
seconds; nobody waits for the connection before.
"""
import socket
import sys
import threading
import time

address, port = sys.argv[1], int(sys.argv[2])
count, interval = int(sys.argv[3]), float(sys.argv[4])
request = b"GET / HTTP/1.1\r\nHost: laboratory\r\nConnection: close\r\n\r\n"
took, failures = [], []


def visit():
    with socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2)  # repetitions, so that there are three
        client.settimeout(10)
        begin = time.monotonic()
        try:
            client.connect((address, port))
            connected = time.monotonic() - begin
            client.sendall(request)
            if client.recv(4096).startswith(b"HTTP/1.1 200"):
                took.append(connected)
            else:
                failures.append("closed")
        except OSError as error:
            failures.append("%s after %.1f s" % (error, time.monotonic() - begin))


begin = time.monotonic()
visitors = []
for number in range(count):
    time.sleep(max(0.0, begin + number * interval - time.monotonic()))
    visitors.append(threading.Thread(target=visit))
    visitors[-1].start()
for visitor in visitors:
    visitor.join()
# The second SYN leaves after a second.
print("opened %d answered %d at once %d" % (count, len(took), sum(time_taken < 0.95 for time_taken in took)))
for failure in failures:
    print(failure)
