/// Whether Linux takes `name` for a network interface, and Culvert for one it creates.
///
/// 1 to 15 bytes, none of them white space, `/` or `:`, not `.` or `..` (dev_valid_name() in net/core/dev.c); beyond
/// that no `%`, which the kernel would expand to a number, no control or non-ASCII byte, and neither `all` nor
/// `default`, which name something else under /proc/sys/net.
package func isValidInterfaceName(_ name: String) -> Bool {
    let refused: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%")]
    return (1...15).contains(name.utf8.count)
        && name.utf8.allSatisfy { (0x21...0x7e).contains($0) && !refused.contains($0) }
        && ![".", "..", "all", "default"].contains(name)
}
