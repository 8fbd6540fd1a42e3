/// Puts the fragments of one datagram together again, as its receiver would (RFC 791 section 3.2).
///
/// Returns the whole datagram without a fragment field, or nil when a part is missing, overlaps, or does not fit.
package func reassemble(_ fragments: [[UInt8]]) -> [UInt8]? {
    let parts = fragments.compactMap { Dissection($0) }.sorted { $0.fragmentOffset < $1.fragmentOffset }
    guard parts.count == fragments.count, let first = parts.first, let last = parts.last, !last.moreFragments else {
        return nil
    }
    var carried: [UInt8] = []
    for part in parts {
        guard part.fragmentOffset == carried.count, part.identification == first.identification,
            part.source == first.source, part.destination == first.destination, part.transport == first.transport,
            part.moreFragments || part == last
        else { return nil }
        carried += part.carried
    }
    var whole = Array(first.bytes[0..<first.headerLength]) + carried
    let total = whole.count
    whole[2] = UInt8(total / 256)
    whole[3] = UInt8(total % 256)
    whole[6] &= 0xc0
    whole[7] = 0
    return withHeaderChecksum(whole)
}

/// A packet with a header checksum that fits, whatever was changed in it.
package func withHeaderChecksum(_ bytes: [UInt8]) -> [UInt8] {
    let header = Int(bytes[0] % 16) * 4
    guard header >= 20, header <= bytes.count else { return bytes }
    var fixed = bytes
    fixed[10] = 0
    fixed[11] = 0
    let check = ~NaiveChecksum.sum(fixed[0..<header])
    fixed[10] = UInt8(check / 256)
    fixed[11] = UInt8(check % 256)
    return fixed
}

/// A packet with some bytes replaced and the header checksum made right again.
package func changed(_ bytes: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
    var copy = bytes
    change(&copy)
    return withHeaderChecksum(copy)
}
