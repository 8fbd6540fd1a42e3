"""The rows of Kubernetes' end-to-end tests that have a test here, by file and line of test/e2e/network of Kubernetes 1.36.1."""
from typing import Callable, NamedTuple

#: All rows, as the files were read.
ALL = []

#: The files, in the order of the table.
FILES = (
    "service.go", "conntrack.go", "networking.go", "loadbalancer.go", "endpointslice.go", "traffic_distribution.go",
    "topology_hints.go", "hostport.go", "kube_proxy.go", "no_snat.go", "service_cidrs.go", "pod_lifecycle.go",
)


class Row(NamedTuple):
    """A behaviour, and the function that tests it."""

    file: str
    line: int
    title: str
    test: Callable
    #: What of it a TUN makes impossible, or how the row is read here.
    note: str

    @property
    def id(self):
        """What a row is found by."""
        return "%s:%d" % (self.file, self.line)


def row(file, line, title, note="", **arguments):
    """Makes a function the test of a row; it gets the cluster, and these arguments."""

    def add(test):
        def run(cluster):
            test(cluster, **arguments)

        run.place = test.__module__
        ALL.append(Row(file, line, title, run, note))
        return test

    return add


def ordered():
    """All rows in the order of files and lines."""
    return sorted(ALL, key=lambda row: (FILES.index(row.file), row.line))
