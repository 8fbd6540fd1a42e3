internal import CTun
internal import Glibc

/// What keeps IPv6 off an interface.
package enum IPv6State: Equatable, Sendable {
    /// `disable_ipv6` is set: no address, nothing sent, nothing answered (Documentation/networking/ip-sysctl.rst).
    case disabled
    /// /proc/sys cannot be written (as in most containers), so only address generation is off: the interface has no
    /// link-local address and sends no router solicitation, but would take addresses that somebody adds.
    case withoutAddresses
    /// The kernel or this interface has no IPv6.
    case absent
}

/// Switches IPv6 off for an interface.
///
/// To be called before the interface goes up, because a link that comes up announces itself (RFC 4861 section 6.3.7).
/// Throws `SystemError` if neither way works.
package func disableIPv6(
    interface link: NetworkLink,
    in namespace: borrowing NetworkNamespace,
    over socket: inout RouteSocket
) throws(SystemError) -> IPv6State {
    let path = "/proc/sys/net/ipv6/conf/\(link.name)/disable_ipv6"
    do throws(SystemError) {
        // Safe: the path lives for the call.
        let file = unsafe ctun_open_file(namespace.number, path, O_WRONLY)
        let descriptor = try Descriptor(file, open: .open, object: path)
        var digit = UInt8(ascii: "1")
        // Safe: one byte is written, from a variable of one byte.
        let written = uninterrupted { unsafe Glibc.write(descriptor.number, &digit, 1) }
        guard written == 1 else {
            throw SystemError(call: .write, object: path, code: written < 0 ? Int32(-written) : EIO)
        }
        return .disabled
    } catch {
        guard [ENOENT, EROFS, EACCES, EPERM].contains(error.code), error.call != .setns else { throw error }
        // ENOENT may also mean that /proc/sys is not there, so the kernel is asked over the other way.
        do throws(SystemError) {
            try socket.disableIPv6AddressGeneration(of: link)
            return .withoutAddresses
        } catch let second {
            if [EAFNOSUPPORT, EOPNOTSUPP].contains(second.code) { return .absent }
            throw error.code == ENOENT ? second : error
        }
    }
}
