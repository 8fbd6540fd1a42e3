"""Sends numbered datagrams to a UDP echo server in one go: udp_burst.py ADDRESS PORT COUNT SIZE one|many

`one` hands them to the kernel in one call (UDP_SEGMENT of udp(7)), `many` in a call each. Each must come back once, whole,
and in order."""
import socket
import sys

UDP_SEGMENT = 103
address, port, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def datagram(number):
    # The last one is shorter, as it may be.
    length = size if number < count - 1 else size - 3
    return (b"%06d" % number).ljust(length, b"%d" % (number % 10))


wanted = [datagram(number) for number in range(count)]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(3)
    client.connect((address, port))
    if sys.argv[5] == "one":
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        client.send(b"".join(wanted))
    else:
        for payload in wanted:
            client.send(payload)
    for number, payload in enumerate(wanted):
        name, _, echoed = client.recv(65535).partition(b" ")
        if echoed != payload:
            sys.exit("datagram %d came back as %r…" % (number, echoed[:20]))
