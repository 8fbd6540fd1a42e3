internal import Tables
internal import Wire

extension AffinityTable {
    /// Remembers what an earlier process did, as far as its records are whole; see `Pipeline.restore`.
    mutating func restore(
        from region: borrowing Region,
        servicePorts: Int,
        now: UInt64,
        _ result: inout Restoration
    ) {
        let size = PinnedMaps.affinitySize
        var offset = PinnedMaps.recordOffset + size
        while offset + size <= region.byteCount {
            // Safe: any bit pattern is a value of an entry, which has no enumerations, and it lies within the region.
            let entry = unsafe region.bytes.unsafeLoad(fromByteOffset: offset, as: Entry.self)
            offset += size
            if entry.deadline == 0 { continue }
            let service = UInt32(truncatingIfNeeded: entry.key >> 32)
            let client = IPv4Address(bits: UInt32(truncatingIfNeeded: entry.key))
            if entry.deadline <= now {
                result.expired += 1
            } else if service == 0 || Int(service) > servicePorts || entry.deadline > now &+ Self.longest {
                result.refused += 1
            } else {
                remember(client, service: service, backend: entry.backend, until: entry.deadline, now: now)
                result.clients += 1
            }
        }
    }
}
