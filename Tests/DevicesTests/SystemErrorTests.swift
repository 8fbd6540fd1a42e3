import Devices
import Glibc
import Testing

@Suite("System errors")
struct SystemErrorTests {
    @Test("names the object, the reason, the call and the errno")
    func description() {
        let error = SystemError(call: .setLink, object: "MTU 9 of interface eth0 in namespace web-1", code: EINVAL)
        #expect(
            "\(error)" == "MTU 9 of interface eth0 in namespace web-1: Invalid argument (RTM_SETLINK: EINVAL)"
        )
    }

    @Test("a summary replaces the reason, the kernel's words are added")
    func summary() {
        let error = SystemError(
            call: .tunSetInterface,
            object: "interface eth0",
            code: EBUSY,
            summary: "interface eth0 exists already",
            kernelMessage: "so it does"
        )
        #expect("\(error)" == "interface eth0 exists already (TUNSETIFF: EBUSY, kernel: so it does)")
    }

    @Test("errno numbers that do not exist have a text", arguments: [Int32(-1), 0, 9999, .min, .max])
    func unknown(code: Int32) {
        #expect(!SystemError.text(of: code).isEmpty)
        #expect(SystemError.name(of: code) == nil)
    }

    @Test("hints say what to do")
    func hints() {
        func hint(_ call: SystemError.Call, _ code: Int32) -> String {
            SystemError(call: call, object: "x", code: code).hint ?? ""
        }
        #expect(hint(.tunSetInterface, EPERM) == "TUN needs CAP_NET_ADMIN: run as root or inside `unshare -rn`")
        #expect(hint(.openTun, ENOENT).contains("modprobe tun"))
        #expect(hint(.setns, EPERM).contains("CAP_SYS_ADMIN"))
        #expect(hint(.addRoute, EPERM).contains("CAP_NET_ADMIN"))
        #expect(hint(.read, EIO).isEmpty)
    }

    @Test(
        "interface names",
        arguments: [
            ("eth0", true), ("culvert-0.1", true), ("fifteen-bytes-x", true), ("sixteen-bytes-xx", false), ("", false),
            (".", false), ("..", false), ("a/b", false), ("a b", false), ("a:1", false), ("tun%d", false),
            ("all", false), ("default", false), ("n\u{e4}me", false), ("a\0b", false), ("a\n", false),
        ]
    )
    func names(name: String, valid: Bool) {
        #expect(isValidInterfaceName(name) == valid)
    }
}
