// Sends UDP datagrams to the addresses of many Services, as fast as one thread can, and tells what each costs.
//
//     sender SOURCE FIRST-VIP SERVICES FLOWS ROUNDS
//
// Run it in the client's namespace, behind a veth: sending, the way through the other namespace and the rules there all
// happen within the call that sends. A flow is a source port and a Service (port 80); each round has flows of its own, in a
// shuffled order, and sends one datagram of each (`new`), then another one (`established`). Prints one JSON object: nanoseconds
// per datagram, for each round.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 18, FIRST_PORT = 1024, STEP = 7919 };

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char payload[PAYLOAD];
};

static void die(const char *what)
{
	fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

// One datagram of each flow; nanoseconds for each.
static double pass(int handle, struct datagram *datagram, uint32_t first, unsigned services, unsigned flows, unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	double begin = now();
	for (unsigned turn = 0; turn < flows; turn++) {
		// A prime step visits every flow once, far from the last one.
		unsigned flow = (unsigned)((uint64_t)turn * STEP % flows);
		to.sin_addr.s_addr = datagram->ip.daddr = htonl(first + flow % services);
		datagram->udp.source = htons((uint16_t)(port + flow / services));
		if (sendto(handle, datagram, sizeof *datagram, 0, (struct sockaddr *)&to, sizeof to) < 0 && errno != ENOBUFS)
			die("sendto");
	}
	return (now() - begin) / flows;
}

int main(int count, char **arguments)
{
	struct in_addr source, vip;
	if (count != 6 || !inet_aton(arguments[1], &source) || !inet_aton(arguments[2], &vip)) {
		fprintf(stderr, "usage: sender SOURCE FIRST-VIP SERVICES FLOWS ROUNDS\n");
		return 2;
	}
	unsigned services = strtoul(arguments[3], NULL, 10), flows = strtoul(arguments[4], NULL, 10);
	unsigned rounds = strtoul(arguments[5], NULL, 10), ports = services ? (flows + services - 1) / services : 0;
	if (!services || !flows || flows % STEP == 0 || !rounds || FIRST_PORT + (uint64_t)rounds * ports > 65536) {
		fprintf(stderr, "sender: there are not as many ports\n");
		return 2;
	}
	int handle = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (handle < 0) die("socket");
	struct datagram datagram = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .saddr = source.s_addr },
		.udp = { .dest = htons(80), .len = htons(sizeof(struct udphdr) + PAYLOAD) },
	};
	double new[rounds], established[rounds];
	for (unsigned round = 0; round < rounds; round++) {
		unsigned port = FIRST_PORT + round * ports;
		new[round] = pass(handle, &datagram, ntohl(vip.s_addr), services, flows, port);
		established[round] = pass(handle, &datagram, ntohl(vip.s_addr), services, flows, port);
	}
	printf("{\"new\": [");
	for (unsigned round = 0; round < rounds; round++) printf("%s%.1f", round ? ", " : "", new[round]);
	printf("], \"established\": [");
	for (unsigned round = 0; round < rounds; round++) printf("%s%.1f", round ? ", " : "", established[round]);
	printf("]}\n");
	return 0;
}
