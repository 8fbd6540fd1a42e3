import Control
import Testing

/// Traces that were damaged by one byte.
@Suite("verify: damage of one byte")
struct VerifyDamageTests {
    private static let trace = Result { try VerifyCluster.trace(VerifyScenario.packets) }

    /// What a refusal does not quote of the one packet of the scenario that is longer.
    private static func refused(_ trace: [UInt8]) -> Range<Int> {
        let header: [UInt8] = [0x45, 0, 0x06, 0xc0]
        let start = trace.indices.dropLast(4).first { trace[$0..<$0 + 4].elementsEqual(header) } ?? 0
        return start + 548..<start + 1728
    }

    private func damaged(_ trace: [UInt8], _ place: Int, _ mask: UInt8) -> [UInt8] {
        var bytes = trace
        bytes[place] ^= mask
        return bytes
    }

    @Test("every kind of byte that says something, damaged at random places", arguments: TraceRegion.allCases)
    func regions(_ region: TraceRegion) throws {
        let trace = try Self.trace.get()
        var places = TraceRegions(trace).places[region] ?? []
        var numbers = SeededNumbers(state: 11)
        places.shuffle(using: &numbers)
        for place in places.prefix(region == .data ? 400 : 120) {
            let mask = UInt8.random(in: 1...255, using: &numbers)
            // A wire length that falls below the captured one is not read.
            if region == .wireLength && trace[place] ^ mask < trace[place] { continue }
            // An Enhanced Packet Block reads the same under the number of its predecessor.
            if region == .blockType && trace[place] == 6 && trace[place] ^ mask == 2 { continue }
            let isGood = try passes(damaged(trace, place, mask))
            if !region.isBlind { #expect(!isGood, "byte \(place) ^ \(mask) in \(region)") }
        }
    }

    @Test("every single bit of the headers and options of some records")
    func bits() throws {
        let trace = try Self.trace.get()
        let regions = TraceRegions(trace).places
        for region in [TraceRegion.flags, .packetID, .verdict, .interface, .capturedLength] {
            for place in (regions[region] ?? []).prefix(24) {
                for bit in 0..<8 {
                    let isGood = try passes(damaged(trace, place, 1 << UInt8(bit)))
                    #expect(!isGood, "bit \(bit) of byte \(place) in \(region)")
                }
            }
        }
    }

    @Test("packet bytes without comments and verdict options", arguments: [TraceComments.none, .all])
    func data(_ comments: TraceComments) throws {
        let trace = try VerifyCluster.trace(VerifyScenario.packets, comments: comments, verdicts: comments == .all)
        #expect(try passes(trace))
        var numbers = SeededNumbers(state: 5)
        let places = (TraceRegions(trace).places[.data] ?? []).shuffled(using: &numbers)
        // Without comments nothing tells that checksums are verified; a quote has 548 bytes of the 1,728.
        let refused = comments == .none ? Self.refused(trace) : 0..<0
        for place in places.prefix(300) where !refused.contains(place) {
            let mask = UInt8.random(in: 1...255, using: &numbers)
            let isGood = try passes(damaged(trace, place, mask))
            #expect(!isGood, "byte \(place) ^ \(mask)")
        }
    }

    @Test("a trace that is cut anywhere is read without a trap")
    func cut() throws {
        let trace = try Self.trace.get()
        for length in stride(from: 0, to: trace.count, by: 311) {
            _ = try passes(Array(trace.prefix(length)))
        }
    }

    @Test("noise in many places is read without a trap", arguments: 0..<60)
    func noise(_ seed: Int) throws {
        var trace = try Self.trace.get()
        var numbers = SeededNumbers(state: UInt64(seed))
        let data = TraceRegions(trace).places[.data] ?? []
        for _ in 0..<200 {
            guard let place = data.randomElement(using: &numbers) else { return }
            trace[place] = UInt8.random(in: 0...255, using: &numbers)
        }
        #expect(try !passes(trace))
    }
}
