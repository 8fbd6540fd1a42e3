// The least that a forwarder between two TUNs can do: read one, write the other. What it reaches is the limit of TUN.
//
//     forwarder [--offload] [--queues N] NETNS NAME NETNS NAME
//
// Makes a TUN in each of the two named namespaces, and copies packets both ways until it is ended. With --offload the
// TUNs have virtio-net headers and take super-packets (TSO, and USO where the kernel has it), handed on as they come. With
// --queues each TUN has so many, and each queue a thread that reads it and writes to its like.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Newer than some headers: linux/if_tun.h of Linux 6.2.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { HEADER = 10, LONGEST = 65535 + HEADER, MOST_QUEUES = 16 };

static void die(const char *what)
{
	fprintf(stderr, "forwarder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_queue(const char *namespace, const char *name, int offload, int queues)
{
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", namespace);
	int inside = open(path, O_RDONLY | O_CLOEXEC);
	if (inside < 0 || setns(inside, CLONE_NEWNET)) die(path);
	close(inside);
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0) | (queues > 1 ? IFF_MULTI_QUEUE : 0);
	struct ifreq request = { .ifr_flags = flags };
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request)) die("TUNSETIFF");
	if (offload) {
		unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
		if (ioctl(tun, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) && ioctl(tun, TUNSETOFFLOAD, tso))
			die("TUNSETOFFLOAD");
	}
	return tun;
}

// A queue of each of the two TUNs.
struct pair {
	int one, other;
};

// Copies until there is nothing to be read; at most 64 packets, so that the other way gets its turn.
static void copy(int from, int to, char *packet)
{
	for (int turn = 0; turn < 64; turn++) {
		ssize_t length = read(from, packet, LONGEST);
		if (length <= 0) return;
		// A full queue or a packet that is refused is lost, as on any wire.
		if (write(to, packet, length) < 0 && errno == EBADFD) die("write");
	}
}

static void *forward(void *argument)
{
	struct pair *pair = argument;
	char packet[LONGEST];
	struct pollfd wait[2] = { { .fd = pair->one, .events = POLLIN }, { .fd = pair->other, .events = POLLIN } };
	for (;;) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR) die("poll");
		if (wait[0].revents & POLLIN) copy(pair->one, pair->other, packet);
		if (wait[1].revents & POLLIN) copy(pair->other, pair->one, packet);
		if ((wait[0].revents | wait[1].revents) & (POLLERR | POLLNVAL)) exit(0);
	}
}

int main(int count, char **arguments)
{
	int offload = 0, queues = 1, next = 1;
	if (next < count && !strcmp(arguments[next], "--offload")) {
		offload = 1;
		next += 1;
	}
	if (next + 1 < count && !strcmp(arguments[next], "--queues")) {
		queues = atoi(arguments[next + 1]);
		next += 2;
	}
	if (count - next != 4 || queues < 1 || queues > MOST_QUEUES) {
		fprintf(stderr, "usage: forwarder [--offload] [--queues N] NETNS NAME NETNS NAME\n");
		return 2;
	}
	char **ends = arguments + next;
	struct pair pairs[MOST_QUEUES];
	for (int queue = 0; queue < queues; queue++) {
		pairs[queue].one = open_queue(ends[0], ends[1], offload, queues);
		pairs[queue].other = open_queue(ends[2], ends[3], offload, queues);
	}
	puts("ready");
	fflush(stdout);
	for (int queue = 1; queue < queues; queue++) {
		pthread_t thread;
		if ((errno = pthread_create(&thread, NULL, forward, &pairs[queue]))) die("pthread_create");
	}
	forward(&pairs[0]);
}
