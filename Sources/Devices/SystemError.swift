internal import CTun
internal import Glibc

/// A system call that failed: which one, on what, and why.
///
/// The description is one sentence fit for `culvert: WHAT: WHY`; `hint` says what to do about it, where that is known.
package struct SystemError: Error, Equatable, Sendable {
    /// The system calls, `ioctl` requests and rtnetlink requests that can fail; the raw value is what the user reads.
    package enum Call: String, Sendable {
        case open, read, write, close, fstat, socket, setsockopt, connect, send, recv
        case setns, unshare, eventfd
        case openTun = "open /dev/net/tun"
        case tunSetInterface = "TUNSETIFF"
        case tunSetPersistent = "TUNSETPERSIST"
        case tunSetHeaderSize = "TUNSETVNETHDRSZ"
        case tunSetOffload = "TUNSETOFFLOAD"
        case networkNamespaceType = "NS_GET_NSTYPE"
        case epollCreate = "epoll_create1"
        case epollControl = "epoll_ctl"
        case epollWait = "epoll_wait"
        case timerCreate = "timerfd_create"
        case timerSet = "timerfd_settime"
        case inotifyInit = "inotify_init1"
        case inotifyAdd = "inotify_add_watch"
        case getLink = "RTM_GETLINK"
        case setLink = "RTM_SETLINK"
        case deleteLink = "RTM_DELLINK"
        case getAddress = "RTM_GETADDR"
        case addAddress = "RTM_NEWADDR"
        case deleteAddress = "RTM_DELADDR"
        case getRoute = "RTM_GETROUTE"
        case addRoute = "RTM_NEWROUTE"
        case deleteRoute = "RTM_DELROUTE"
    }

    /// What failed.
    package let call: Call
    /// What it was done to: `interface eth0 in namespace web-1`.
    package let object: String
    /// The errno, as in errno(3).
    package let code: Int32
    /// A sentence that says more than the errno does; nil if there is none.
    package let summary: String?
    /// What the kernel said beyond the errno (netlink extended acknowledgement); nil if nothing.
    package let kernelMessage: String?

    /// Describes a failure; the parameters are the properties of the same names.
    package init(
        call: Call,
        object: String,
        code: Int32,
        summary: String? = nil,
        kernelMessage: String? = nil
    ) {
        self.call = call
        self.object = object
        self.code = code
        self.summary = summary
        self.kernelMessage = kernelMessage
    }

    /// The meaning of an errno in English, whatever the locale; safe with threads.
    package static func text(of code: Int32) -> String {
        // Safe: the function returns null or a constant, terminated string.
        guard let text = unsafe ctun_error_text(code) else { return "unknown error \(code)" }
        return unsafe String(cString: text)
    }

    /// The name of an errno, such as `EPERM`; nil for a number that is none.
    package static func name(of code: Int32) -> String? {
        // Safe: the function returns null or a constant, terminated string.
        guard code != 0, let name = unsafe ctun_error_name(code) else { return nil }
        return unsafe String(cString: name)
    }
}

extension SystemError: CustomStringConvertible {
    /// What failed and why, in one sentence: with the summary, or else the object and the meaning of the errno.
    package var description: String {
        let name = Self.name(of: code) ?? "errno \(code)"
        let said = kernelMessage.map { ", kernel: \($0)" } ?? ""
        if let summary { return "\(summary) (\(call.rawValue): \(name)\(said))" }
        return "\(object): \(Self.text(of: code)) (\(call.rawValue): \(name)\(said))"
    }

    /// How errors about a namespace begin; its name or path follows.
    static let namespacePrefix = "network namespace "

    /// What the user can do about it; nil where nothing general helps.
    package var hint: String? {
        switch (call, code) {
        case (.openTun, ENOENT), (.openTun, ENODEV), (.openTun, ENXIO):
            "load the TUN driver with `modprobe tun`; in a container, pass the device in (`--device /dev/net/tun`)"
        case (.inotifyInit, EMFILE), (.inotifyAdd, ENOSPC):
            "raise fs.inotify.max_user_instances or fs.inotify.max_user_watches; until then changes are noticed by polling"
        case (.openTun, EACCES), (.openTun, EPERM), (.tunSetInterface, EPERM):
            "TUN needs CAP_NET_ADMIN: run as root or inside `unshare -rn`"
        case (.setns, EPERM), (.unshare, EPERM):
            "another network namespace needs CAP_SYS_ADMIN: run as root"
        case (.setLink, EPERM), (.deleteLink, EPERM), (.addAddress, EPERM), (.deleteAddress, EPERM),
            (.addRoute, EPERM), (.deleteRoute, EPERM):
            "configuring an interface needs CAP_NET_ADMIN: run as root or inside `unshare -rn`"
        case (.tunSetInterface, EINVAL) where summary == nil:
            "an existing interface can be attached to only if it is a TUN with the same queue and header settings"
        case (.open, EROFS):
            "/proc/sys is read-only here: mount it writable"
        case (.open, ENOENT) where object.hasPrefix(Self.namespacePrefix) && !object.utf8.contains(UInt8(ascii: "/")):
            "create it with `ip netns add \(object.dropFirst(Self.namespacePrefix.count))`"
        default: nil
        }
    }
}
