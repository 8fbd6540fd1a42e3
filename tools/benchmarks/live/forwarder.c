// The least that a forwarder between two TUNs can do: read one, write the other. What it reaches is the limit of TUN.
//
//     forwarder [--offload] NETNS NAME NETNS NAME
//
// Makes a TUN in each of the two named namespaces, and copies packets both ways until it is ended. With --offload the
// TUNs have virtio-net headers and take super-packets (TSO, and USO where the kernel has it), handed on as they come.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
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

enum { HEADER = 10, LONGEST = 65535 + HEADER };

static void die(const char *what)
{
	fprintf(stderr, "forwarder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_tun(const char *namespace, const char *name, int offload)
{
	char path[256];
	snprintf(path, sizeof path, "/run/netns/%s", namespace);
	int inside = open(path, O_RDONLY | O_CLOEXEC);
	if (inside < 0 || setns(inside, CLONE_NEWNET)) die(path);
	close(inside);
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0) };
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request)) die("TUNSETIFF");
	if (offload) {
		unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
		if (ioctl(tun, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) && ioctl(tun, TUNSETOFFLOAD, tso))
			die("TUNSETOFFLOAD");
	}
	return tun;
}

// Copies until there is nothing to be read; at most 64 packets, so that the other way gets its turn.
static void copy(int from, int to)
{
	static char packet[LONGEST];
	for (int turn = 0; turn < 64; turn++) {
		ssize_t length = read(from, packet, sizeof packet);
		if (length <= 0) return;
		// A full queue or a packet that is refused is lost, as on any wire.
		if (write(to, packet, length) < 0 && errno == EBADFD) die("write");
	}
}

int main(int count, char **arguments)
{
	int offload = count > 1 && !strcmp(arguments[1], "--offload");
	if (count != 5 + offload) {
		fprintf(stderr, "usage: forwarder [--offload] NETNS NAME NETNS NAME\n");
		return 2;
	}
	char **ends = arguments + 1 + offload;
	int one = open_tun(ends[0], ends[1], offload), other = open_tun(ends[2], ends[3], offload);
	struct pollfd wait[2] = { { .fd = one, .events = POLLIN }, { .fd = other, .events = POLLIN } };
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR) die("poll");
		if (wait[0].revents & POLLIN) copy(one, other);
		if (wait[1].revents & POLLIN) copy(other, one);
		if ((wait[0].revents | wait[1].revents) & (POLLERR | POLLNVAL)) return 0;
	}
}
