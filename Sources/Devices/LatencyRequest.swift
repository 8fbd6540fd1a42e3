internal import Glibc

/// Asks the kernel that idle processors wake up at once, for as long as the value lives.
///
/// A processor that sleeps is woken by another one through an interrupt, which costs some microseconds, and in a virtual
/// machine a turn through its host besides. With a latency of zero the idle loop asks for work instead of halting
/// (Documentation/power/pm_qos_interface.rst; drivers/cpuidle/governors). This holds for all processors and costs
/// energy, and the host of a virtual machine their time.
package struct LatencyRequest: ~Copyable, Sendable {
    /// The request ends when this is closed.
    private let descriptor: Descriptor
    private static let path = "/dev/cpu_dma_latency"

    /// Makes the request; needs root.
    package init() throws(SystemError) {
        // Safe: a terminated string goes in.
        let number = uninterrupted { unsafe Int(open(Self.path, O_WRONLY | O_CLOEXEC)) }
        guard number >= 0 else { throw SystemError(call: .open, object: Self.path, code: Int32(-number)) }
        let descriptor = Descriptor(owning: Int32(number))
        var microseconds: Int32 = 0
        let file = descriptor.number
        // Safe: four bytes are there.
        let written = uninterrupted { unsafe write(file, &microseconds, 4) }
        guard written >= 0 else { throw SystemError(call: .write, object: Self.path, code: Int32(-written)) }
        self.descriptor = descriptor
    }
}
