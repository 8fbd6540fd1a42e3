"""Network namespaces of the laboratory, entered by one thread at a time: a socket stays in the namespace it was made in."""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

#: The first part of the names of all namespaces.
prefix = os.environ.get("CULVERT_LAB_PREFIX") or "culvert-conformance-%d" % os.getpid()


def name(member):
    """The full name of a member's namespace."""
    return "%s-%s" % (prefix, member)


def _enter(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(member):
    """Runs the body in a member's namespace, in this thread only."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        space = os.open("/run/netns/" + name(member), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(space)
        finally:
            os.close(space)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def ip(*arguments):
    """The program `ip`."""
    subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL)


def ip_in(member, *arguments):
    """The program `ip` about a member's namespace."""
    ip("-n", name(member), *arguments)
