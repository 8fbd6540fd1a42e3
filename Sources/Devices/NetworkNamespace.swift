internal import CTun
internal import Glibc

/// A network namespace (network_namespaces(7)), held open: it lives at least as long as this value.
///
/// Opening one never moves the calling thread into it. What is opened *in* it (a TUN queue, a socket, a file of
/// /proc/sys/net) is opened by a shim that moves the thread there and back; see ctun.c.
package struct NetworkNamespace: ~Copyable, Sendable {
    /// How messages name it: `namespace web-1`, `namespace /proc/7/ns/net`, `this namespace`.
    package let label: String
    /// The namespace's identity for as long as it exists; another one may get the number after it is gone.
    package let inode: UInt64
    private let descriptor: Descriptor

    /// The descriptor, for the shims; valid as long as this value lives.
    var number: Int32 { descriptor.number }

    /// Opens the namespace that `ip netns` knows by this name, under /run/netns (ip-netns(8)).
    ///
    /// Throws `SystemError` with ENOENT if there is none, EINVAL if the name or the file cannot be one.
    package init(named name: String) throws(SystemError) {
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0),
            ![".", ".."].contains(name)
        else {
            throw SystemError(
                call: .open,
                object: "network namespace \(name)",
                code: EINVAL,
                summary: "'\(name)' cannot be the name of a network namespace"
            )
        }
        try self.init(opening: "/run/netns/\(name)", object: "network namespace \(name)", label: "namespace \(name)")
    }

    /// Opens a namespace by a path such as /proc/7/ns/net.
    ///
    /// Throws `SystemError` with ENOENT if there is nothing, EINVAL if it is something else.
    package init(path: String) throws(SystemError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw SystemError(
                call: .open,
                object: "network namespace",
                code: EINVAL,
                summary: "the path of a network namespace is empty or contains a zero byte"
            )
        }
        try self.init(opening: path, object: "network namespace \(path)", label: "namespace \(path)")
    }

    /// Opens the namespace that the calling thread stands in.
    package init() throws(SystemError) {
        try self.init(
            opening: "/proc/thread-self/ns/net",
            object: "network namespace /proc/thread-self/ns/net",
            label: "this namespace"
        )
    }

    private init(opening path: String, object: String, label: String) throws(SystemError) {
        // O_NONBLOCK: a FIFO in the place of a namespace would block.
        // Safe: the path lives for the call and contains no zero byte.
        let number = uninterrupted { unsafe Int(Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) }
        guard number >= 0 else {
            let missing = number == -Int(ENOENT)
            throw SystemError(
                call: .open,
                object: object,
                code: Int32(-number),
                summary: missing ? "\(object) does not exist" : nil
            )
        }
        try self.init(taking: Descriptor(owning: Int32(number)), object: object, label: label)
    }

    private init(taking descriptor: consuming Descriptor, object: String, label: String) throws(SystemError) {
        // `ip netns add` leaves an empty file behind if its mount fails or is gone.
        guard ctun_is_netns(descriptor.number) == 1 else {
            throw SystemError(
                call: .networkNamespaceType,
                object: object,
                code: EINVAL,
                summary: "\(object) is not a network namespace"
            )
        }
        var status = stat()
        // Safe: fstat writes one `stat`, which `status` is.
        guard unsafe fstat(descriptor.number, &status) == 0 else {
            throw SystemError(call: .fstat, object: object, code: errno)
        }
        self.label = label
        self.inode = UInt64(status.st_ino)
        self.descriptor = descriptor
    }

    /// Makes a namespace without a name, which goes when nothing refers to it any more; needs CAP_SYS_ADMIN.
    ///
    /// For tests and demonstrations. The calling thread stays where it is.
    package static func anonymous(label: String) throws(SystemError) -> NetworkNamespace {
        let object = "new network namespace"
        let descriptor = try Descriptor(ctun_new_netns(), open: .open, object: object)
        return try NetworkNamespace(taking: descriptor, object: object, label: "namespace \(label)")
    }

    /// A path that names this namespace for as long as this value lives, within this process and its threads.
    package var path: String { "/proc/self/fd/\(descriptor.number)" }

    /// Opens a socket that belongs to this namespace (socket(2)); close-on-exec is implied.
    package func openSocket(domain: Int32, type: Int32, protocol: Int32 = 0) throws(SystemError) -> Descriptor {
        try Descriptor(
            ctun_open_socket(descriptor.number, domain, type, `protocol`),
            open: .socket,
            object: "socket in \(label)"
        )
    }
}
