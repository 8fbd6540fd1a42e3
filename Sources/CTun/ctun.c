/*
 * DOC: Theory of Operation
 *
 * A network namespace belongs to a thread, and a socket or a TUN descriptor
 * belongs to the namespace its thread stood in when it was opened.  So Culvert
 * never lives in another namespace: it opens a window (setns(2) there), opens
 * one descriptor, and closes the window (setns(2) back) in the same C function.
 * Swift code must not stand in the window, because its concurrency runtime may
 * resume a task on another thread.
 *
 * A window that does not close leaves a thread in a foreign namespace, where
 * everything it opens later would be wrong without a sign of it.  Nothing can be
 * saved then, and the process aborts.  So that missing privilege cannot be the
 * cause, the way back is tried before the thread leaves: it enters the namespace
 * it is in.  (In `unshare -r`, without -n, a thread may enter namespaces of its
 * own making, but not the one it came from.)
 *
 * Where the namespace asked for is the thread's own, there is no window: this
 * spares setns(2), and with it the need for CAP_SYS_ADMIN.
 *
 * Errors are values (struct ctun_result, or -errno): errno does not survive the
 * way back through setns(2) and close(2).
 */
#define _GNU_SOURCE
#include "ctun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* How long the kernel may take for an answer over rtnetlink. */
#define RTNETLINK_TIMEOUT_SECONDS 5

/*
 * struct window - A thread's stay in another network namespace
 * @home:	The namespace to return to; -1 if the thread never left
 */
struct window {
	int home;
};

/*
 * failed() - The result of a step that failed
 * @step:	The step
 * @error:	Its errno
 *
 * Return: a result without a descriptor
 */
static struct ctun_result failed(enum ctun_step step, int error)
{
	return (struct ctun_result){ .fd = -1, .error = error, .step = step };
}

/*
 * finished() - The result of opening a descriptor
 * @fd:		The descriptor, or -1 with errno set
 * @step:	What made it
 *
 * Return: the descriptor, or the step's failure
 */
static struct ctun_result finished(int fd, enum ctun_step step)
{
	if (fd < 0)
		return failed(step, errno);
	return (struct ctun_result){ .fd = fd, .step = CTUN_STEP_DONE };
}

/*
 * open_home() - Open the calling thread's own network namespace
 *
 * Return: a descriptor, or -1 with errno set
 */
static int open_home(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/*
 * is_same() - Tell whether two descriptors are of one file
 * @a:	A descriptor
 * @b:	Another one
 *
 * Return: 1 if device and inode agree, 0 if not or if either is unreadable
 */
static int is_same(int a, int b)
{
	struct stat left, right;

	if (fstat(a, &left) < 0 || fstat(b, &right) < 0)
		return 0;
	return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/*
 * window_open() - Move the calling thread into a network namespace
 * @window:	Filled in, for window_close()
 * @netns:	Descriptor of the namespace
 *
 * Return: a result whose step is CTUN_STEP_DONE, or the failure; then the thread
 *	   has not moved and window_close() must not be called
 */
static struct ctun_result window_open(struct window *window, int netns)
{
	window->home = open_home();
	if (window->home < 0)
		return failed(CTUN_STEP_HOME, errno);

	if (is_same(window->home, netns)) {
		close(window->home);
		window->home = -1;
	} else if (setns(window->home, CLONE_NEWNET) < 0 ||
		   setns(netns, CLONE_NEWNET) < 0) {
		int error = errno;

		close(window->home);
		return failed(CTUN_STEP_SETNS, error);
	}
	return (struct ctun_result){ .fd = -1, .step = CTUN_STEP_DONE };
}

/*
 * window_close() - Move the calling thread back, or abort the process
 * @window:	What window_open() filled in
 */
static void window_close(const struct window *window)
{
	if (window->home < 0)
		return;
	if (setns(window->home, CLONE_NEWNET) < 0) {
		dprintf(STDERR_FILENO,
			"culvert: cannot return to the own network namespace: "
			"%s\n", strerrordesc_np(errno));
		abort();
	}
	close(window->home);
}

/*
 * attach() - Make a descriptor of /dev/net/tun a queue of an interface
 * @fd:		The descriptor
 * @name:	Interface name, shorter than IFNAMSIZ (the caller checks it)
 * @flags:	IFF_* of <linux/if_tun.h>
 *
 * Return: 0, or -1 with errno set
 */
static int attach(int fd, const char *name, int flags)
{
	struct ifreq request = { 0 };

	request.ifr_flags = (short)flags;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(fd, TUNSETIFF, &request);
}

/*
 * ctun_open_queue() - Open a queue of a TUN interface in a network namespace
 * @netns:	Descriptor of the namespace
 * @name:	Interface name, shorter than IFNAMSIZ (the caller checks it)
 * @flags:	IFF_* of <linux/if_tun.h>; IFF_TUN and IFF_NO_PI are implied
 *
 * In C because Swift does not import TUNSETIFF (an _IOW() macro), because struct
 * ifreq is made of unions, and because of the window (see above).
 *
 * Return: a non-blocking descriptor, closed on exec, or the failure
 */
struct ctun_result ctun_open_queue(int netns, const char *name, int flags)
{
	struct ctun_result result;
	struct window window;

	result = window_open(&window, netns);
	if (result.step != CTUN_STEP_DONE)
		return result;

	result = finished(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK),
			  CTUN_STEP_OPEN);
	if (result.fd >= 0 &&
	    attach(result.fd, name, IFF_TUN | IFF_NO_PI | flags) < 0) {
		int error = errno;

		close(result.fd);
		result = failed(CTUN_STEP_TUNSETIFF, error);
	}
	window_close(&window);
	return result;
}

/*
 * ctun_open_file() - Open a file as a network namespace shows it
 * @netns:	Descriptor of the namespace
 * @path:	The file: /proc/sys/net depends on the thread's namespace
 * @flags:	As open(2); O_CLOEXEC is implied
 *
 * In C because of the window (see above).
 *
 * Return: a descriptor, or the failure
 */
struct ctun_result ctun_open_file(int netns, const char *path, int flags)
{
	struct ctun_result result;
	struct window window;

	result = window_open(&window, netns);
	if (result.step != CTUN_STEP_DONE)
		return result;
	result = finished(open(path, flags | O_CLOEXEC), CTUN_STEP_OPEN);
	window_close(&window);
	return result;
}

/*
 * ctun_open_socket() - Open a socket that belongs to a network namespace
 * @netns:	Descriptor of the namespace
 * @domain:	As socket(2)
 * @type:	As socket(2); SOCK_CLOEXEC is implied
 * @protocol:	As socket(2)
 *
 * In C because of the window (see above).
 *
 * Return: a descriptor, or the failure
 */
struct ctun_result ctun_open_socket(int netns, int domain, int type,
				    int protocol)
{
	struct ctun_result result;
	struct window window;

	result = window_open(&window, netns);
	if (result.step != CTUN_STEP_DONE)
		return result;
	result = finished(socket(domain, type | SOCK_CLOEXEC, protocol),
			  CTUN_STEP_SOCKET);
	window_close(&window);
	return result;
}

/*
 * ctun_open_rtnetlink() - Open an rtnetlink socket of a network namespace
 * @netns:	Descriptor of the namespace
 *
 * The socket is connected to the kernel (port 0), so that nothing a process
 * sends to it is ever queued; it asks for the kernel's error texts and for
 * errors that do not quote the request; a read gives up after five seconds.
 *
 * In C because of the window (see above) and because Swift does not see struct
 * sockaddr_nl as a socket address.
 *
 * Return: a blocking descriptor, or the failure
 */
struct ctun_result ctun_open_rtnetlink(int netns)
{
	struct timeval patience = { .tv_sec = RTNETLINK_TIMEOUT_SECONDS };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	enum ctun_step step = CTUN_STEP_SOCKOPT;
	struct ctun_result result;
	int on = 1, error;

	result = ctun_open_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (result.fd < 0)
		return result;

	/* Both are only a comfort: kernels before 4.12 do without. */
	(void)setsockopt(result.fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(result.fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));

	if (setsockopt(result.fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0)
		goto fail;
	step = CTUN_STEP_CONNECT;
	if (connect(result.fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		goto fail;
	return result;

fail:
	error = errno;
	close(result.fd);
	return failed(step, error);
}

/*
 * ctun_new_netns() - Make a network namespace that has no name
 *
 * It lives as long as something refers to it: the descriptor, an interface's
 * queue, a socket.
 *
 * In C because Swift's Glibc module has no unshare(2), and because of the window
 * (see above).
 *
 * Return: a descriptor of the namespace, or the failure
 */
struct ctun_result ctun_new_netns(void)
{
	struct window window = { .home = open_home() };
	struct ctun_result result;

	if (window.home < 0)
		return failed(CTUN_STEP_HOME, errno);
	if (setns(window.home, CLONE_NEWNET) < 0 || unshare(CLONE_NEWNET) < 0) {
		int error = errno;

		close(window.home);
		return failed(CTUN_STEP_UNSHARE, error);
	}
	result = finished(open_home(), CTUN_STEP_OPEN);
	window_close(&window);
	return result;
}

/*
 * ctun_is_netns() - Tell whether a descriptor is of a network namespace
 * @fd:		A descriptor
 *
 * In C because Swift does not import NS_GET_NSTYPE (an _IO() macro).
 *
 * Return: 1 or 0
 */
int ctun_is_netns(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/*
 * ctun_set_persistent() - Let an interface outlive its last queue, or not
 * @fd:		A queue of the interface
 * @on:		1 to keep it, 0 to let it go with its last queue
 *
 * In C because Swift does not import TUNSETPERSIST (an _IOW() macro).
 *
 * Return: 0, or -errno
 */
int ctun_set_persistent(int fd, int on)
{
	return ioctl(fd, TUNSETPERSIST, (unsigned long)(on != 0)) < 0 ? -errno : 0;
}

/*
 * ctun_set_header_size() - Set the size of the virtio-net header
 * @fd:		A queue of the interface, opened with IFF_VNET_HDR
 * @bytes:	10 (struct virtio_net_hdr) or more
 *
 * In C because Swift does not import TUNSETVNETHDRSZ (an _IOW() macro).
 *
 * Return: 0, or -errno
 */
int ctun_set_header_size(int fd, int bytes)
{
	return ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0 ? -errno : 0;
}

/*
 * ctun_set_offloads() - Say what the reader of an interface can take unfinished
 * @fd:		A queue of the interface, opened with IFF_VNET_HDR
 * @bits:	TUN_F_*
 *
 * In C because Swift does not import TUNSETOFFLOAD (an _IOW() macro).
 *
 * Return: 0, or -errno; EINVAL if the kernel does not know one of @bits
 */
int ctun_set_offloads(int fd, unsigned int bits)
{
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)bits) < 0 ? -errno : 0;
}

/*
 * ctun_name_thread() - Name the calling thread, as ps and top show it
 * @name:	At most 15 bytes; what is longer changes nothing
 *
 * In C because it is a GNU function that Swift's Glibc module hides.
 */
void ctun_name_thread(const char *name)
{
	(void)pthread_setname_np(pthread_self(), name);
}

/*
 * ctun_error_name() - The name of an error number, such as "EPERM"
 * @error:	An errno
 *
 * In C because it is a GNU function that Swift's Glibc module hides.
 *
 * Return: a constant string, or NULL for numbers that are none
 */
const char *ctun_error_name(int error)
{
	return strerrorname_np(error);
}

/*
 * ctun_error_text() - The meaning of an error number, in English
 * @error:	An errno
 *
 * Unlike strerror(3) this is safe with threads and the same in every locale.
 * In C because it is a GNU function that Swift's Glibc module hides.
 *
 * Return: a constant string, or NULL for numbers that are none
 */
const char *ctun_error_text(int error)
{
	return strerrordesc_np(error);
}
