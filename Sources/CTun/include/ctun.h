/*
 * What Culvert needs of Linux and Swift cannot reach: ioctl numbers made by
 * _IOW(), GNU functions that Swift's Glibc module hides, and the windows in
 * which a thread stands in another network namespace.
 *
 * This header must not include <linux/if.h> (nor <linux/tcp.h>): its structures
 * clash with those of Swift's Glibc module.  ctun.c includes it.
 */
#ifndef CTUN_H
#define CTUN_H

#include <stdint.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

/* Not in Swift's Glibc module; used by Devices as they are. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* Since Linux 6.2, not yet in the headers of Debian 12. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#endif
#ifndef TUN_F_USO6
#define TUN_F_USO6 0x40
#endif

/* The step at which a function below failed. */
enum ctun_step {
	CTUN_STEP_DONE,		/* nothing failed */
	CTUN_STEP_HOME,		/* open(/proc/thread-self/ns/net) */
	CTUN_STEP_SETNS,	/* setns(2) into the namespace */
	CTUN_STEP_UNSHARE,	/* unshare(2) of a new namespace */
	CTUN_STEP_OPEN,		/* open(2) of the file asked for */
	CTUN_STEP_TUNSETIFF,	/* ioctl(TUNSETIFF) */
	CTUN_STEP_SOCKET,	/* socket(2) */
	CTUN_STEP_SOCKOPT,	/* setsockopt(2) */
	CTUN_STEP_CONNECT,	/* connect(2) */
};

/*
 * struct ctun_result - A new descriptor, or why there is none
 * @fd:		The descriptor, owned by the caller; -1 on failure
 * @error:	0, or the errno of @step
 * @step:	What failed
 */
struct ctun_result {
	int fd;
	int error;
	enum ctun_step step;
};

struct ctun_result ctun_open_queue(int netns, const char *name, int flags);
struct ctun_result ctun_open_file(int netns, const char *path, int flags);
struct ctun_result ctun_open_socket(int netns, int domain, int type,
				    int protocol);
struct ctun_result ctun_open_rtnetlink(int netns);
struct ctun_result ctun_new_netns(void);

int ctun_is_netns(int fd);
int ctun_set_persistent(int fd, int on);
int ctun_set_header_size(int fd, int bytes);
int ctun_set_offloads(int fd, unsigned int bits);

void ctun_name_thread(const char *name);

const char *ctun_error_name(int error);
const char *ctun_error_text(int error);

#endif
