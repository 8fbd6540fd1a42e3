import Datapath
import Glibc
import Tables
import TestSupport
import Testing

/// Two maps in files without a name, which a pipeline writes and a later one reads.
///
/// Safe: the descriptors belong to this value alone.
final class MapFiles {
    let conntrack: Int32
    let affinity: Int32
    let conntrackSize: Int

    struct CannotMap: Error {}

    init(capacity: Int = 4096) {
        conntrackSize = PinnedMaps.conntrackByteCount(capacity: capacity)
        conntrack = Self.file(conntrackSize)
        affinity = Self.file(PinnedMaps.affinityByteCount)
    }

    deinit {
        close(conntrack)
        close(affinity)
    }

    private static func file(_ byteCount: Int) -> Int32 {
        var path = Array("/tmp/culvert-map-XXXXXX".utf8CString)
        // Safe: the path is a terminated string that lives for both calls.
        let descriptor = unsafe path.withUnsafeMutableBufferPointer {
            unsafe $0.baseAddress.map { unsafe mkstemp($0) } ?? -1
        }
        unsafe unlink(path)
        #expect(descriptor >= 0 && ftruncate(descriptor, off_t(byteCount)) == 0)
        return descriptor
    }

    /// The maps for a pipeline.
    func maps() -> PinnedMaps {
        let flows = Region(descriptor: conntrack, byteCount: conntrackSize)
        let clients = Region(descriptor: affinity, byteCount: PinnedMaps.affinityByteCount)
        return PinnedMaps(conntrack: flows, affinity: clients)
    }

    /// Gives a pipeline what is there, after `damage` to a private copy.
    func restore(
        into harness: DatapathHarness,
        at seconds: Double = 1,
        servicePorts: Int = 100,
        damage: (inout MutableRawSpan) -> Void = { _ in }
    ) throws -> Restoration {
        let now = DatapathHarness.epoch + UInt64(seconds * 1e9)
        guard var flows = Region(descriptor: conntrack, byteCount: conntrackSize, isPrivate: true),
            var clients = Region(descriptor: affinity, byteCount: PinnedMaps.affinityByteCount, isPrivate: true)
        else { throw CannotMap() }
        do {
            var bytes = flows.mutableBytes
            damage(&bytes)
        }
        do {
            var bytes = clients.mutableBytes
            damage(&bytes)
        }
        var result = harness.pipeline.restore(conntrack: flows, servicePorts: servicePorts, now: now)
        let others = harness.pipeline.restore(affinity: clients, servicePorts: servicePorts, now: now)
        while harness.pipeline.isReconciling { harness.pipeline.reconcile() }
        result.clients = others.clients
        result.refused += others.refused
        result.expired += others.expired
        return result
    }
}
