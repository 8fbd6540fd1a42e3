import Devices
import Glibc
import Testing

@Suite("Network namespaces")
struct NetworkNamespaceTests {
    /// The error of opening something that cannot be opened.
    private func failure(_ open: () throws(SystemError) -> NetworkNamespace) throws -> SystemError {
        do throws(SystemError) {
            _ = try open()
        } catch {
            return error
        }
        throw NotThrown()
    }

    private struct NotThrown: Error {}

    @Test("a missing one is named")
    func missing() throws {
        let error = try failure { () throws(SystemError) in try NetworkNamespace(named: "culvert-web-9") }
        #expect(error.code == ENOENT)
        #expect("\(error)" == "network namespace culvert-web-9 does not exist (open: ENOENT)")
        #expect(error.hint == "create it with `ip netns add culvert-web-9`")
        let path = try failure { () throws(SystemError) in try NetworkNamespace(path: "/nowhere/net") }
        #expect("\(path)" == "network namespace /nowhere/net does not exist (open: ENOENT)")
        #expect(path.hint == nil)
    }

    @Test(
        "what is no network namespace is refused",
        arguments: ["/dev/null", "/proc/self/ns/uts", "/proc", "/etc/passwd"]
    )
    func wrong(path: String) throws {
        let error = try failure { () throws(SystemError) in try NetworkNamespace(path: path) }
        #expect(error.code == EINVAL)
        #expect("\(error)".contains("\(path) is not a network namespace"))
    }

    @Test("names that lead elsewhere are refused", arguments: ["", ".", "..", "../self", "a/b", "a\0b"])
    func names(name: String) throws {
        let error = try failure { () throws(SystemError) in try NetworkNamespace(named: name) }
        #expect(error.code == EINVAL)
    }

    @Test("the current one has the identity that /proc shows, and needs no privilege")
    func current() throws {
        var status = stat()
        try #require(unsafe stat("/proc/thread-self/ns/net", &status) == 0)
        let namespace = try NetworkNamespace()
        let inode = namespace.inode
        #expect(inode == UInt64(status.st_ino))
        var socket = try RouteSocket(in: namespace)
        let loopback = try socket.link(named: "lo")
        #expect(loopback?.kind == "" && loopback?.index == 1)
    }

    @Test("a named one is found, with the identity it has by path", .enabled(if: Live.isPossible, Live.reason))
    func named() throws {
        let own = try NetworkNamespace().inode
        try Live.withNamedNamespace { name in
            let namespace = try NetworkNamespace(named: name)
            let byPath = try NetworkNamespace(path: "/run/netns/\(name)")
            let (inode, other, label) = (namespace.inode, byPath.inode, namespace.label)
            #expect(inode == other)
            #expect(inode != own)
            #expect(label == "namespace \(name)")
        }
    }

    @Test("the thread stays where it is", .enabled(if: Live.isPossible, Live.reason))
    func staying() throws {
        let before = try NetworkNamespace().inode
        let namespace = try Live.namespace()
        _ = try namespace.openSocket(domain: AF_INET, type: Int32(SOCK_DGRAM.rawValue))
        _ = try TunQueue(.creating, name: "stay0", in: namespace)
        #expect(throws: SystemError.self) { _ = try TunQueue(.creating, name: "lo", in: namespace) }
        let after = try NetworkNamespace().inode
        #expect(before == after)
    }
}
