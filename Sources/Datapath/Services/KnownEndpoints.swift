internal import Tables
internal import Wire

/// All endpoints of all ServicePorts, whatever their condition: whether one is there, serves, or is used for new flows.
///
/// Theory of operation: the endpoints of a port lie side by side, sorted, so that a question is a binary search. New flows
/// never look here.
struct KnownEndpoints: ~Copyable, Sendable {
    /// What is known of an endpoint.
    struct Condition: OptionSet {
        var rawValue: UInt8
        /// It is in the manifests.
        static let present = Condition(rawValue: 1)
        /// It answers: flows may stay with it.
        static let serving = Condition(rawValue: 2)
        /// Some policy gives it to new flows.
        static let chosen = Condition(rawValue: 4)
    }

    /// Where the endpoints of a port lie.
    struct Range: BitwiseCopyable {
        var first: UInt32
        var count: UInt32
    }

    /// An endpoint: address, port and condition in one word, so that it sorts by what it is looked up by.
    private let words: FixedArray<UInt64>
    private let ranges: FixedArray<Range>

    init(_ ports: [ServiceSpecification.ServicePort]) {
        var total = 0
        for number in ports.indices { total += ports[number].known.count }
        var words = FixedArray<UInt64>(count: total)
        var ranges = FixedArray<Range>(count: ports.count)
        var next: UInt32 = 0
        for number in ports.indices {
            let first = next
            Self.place(ports[number].known, &next, &words)
            ranges[number] = Range(first: first, count: next - first)
            for backend in ports[number].cluster { Self.mark(backend, ranges[number], &words) }
            if ports[number].sharesSets { continue }
            for backend in ports[number].local { Self.mark(backend, ranges[number], &words) }
        }
        self.words = words
        self.ranges = ranges
    }

    /// Lays down the endpoints of a port in their order, each once, from `next` on.
    private static func place(
        _ endpoints: [ServiceSpecification.KnownEndpoint],
        _ next: inout UInt32,
        _ words: inout FixedArray<UInt64>
    ) {
        let isSorted = zip(endpoints, endpoints.dropFirst()).allSatisfy { word($0) <= word($1) }
        let first = next
        for endpoint in isSorted ? endpoints : endpoints.sorted(by: { word($0) < word($1) }) {
            let word = word(endpoint)
            // Of one endpoint that is listed twice, what each listing says counts.
            if next > first, words[next &- 1] >> 8 == word >> 8 {
                words[next &- 1] |= word
            } else {
                words[next] = word
                next += 1
            }
        }
    }

    /// What is known of an endpoint of the port with this index; empty for one that is gone.
    func condition(_ endpoint: FlowEndpoint, ofPort port: UInt32) -> Condition {
        let key = Self.key(endpoint.address, endpoint.port)
        guard let place = Self.find(key, ranges[port], words) else { return [] }
        return Condition(rawValue: UInt8(truncatingIfNeeded: words[place]))
    }

    private static func key(_ address: IPv4Address, _ port: UInt16) -> UInt64 {
        UInt64(address.bits) << 16 | UInt64(port)
    }

    private static func word(_ endpoint: ServiceSpecification.KnownEndpoint) -> UInt64 {
        let condition: Condition = endpoint.isServing ? [.present, .serving] : .present
        return key(endpoint.address, endpoint.port) << 8 | UInt64(condition.rawValue)
    }

    private static func mark(_ backend: Backend, _ range: Range, _ words: inout FixedArray<UInt64>) {
        guard let place = find(key(backend.address, backend.port), range, words) else { return }
        words[place] |= UInt64(Condition.chosen.rawValue)
    }

    private static func find(_ key: UInt64, _ range: Range, _ words: borrowing FixedArray<UInt64>) -> UInt32? {
        var low = range.first
        var high = range.first &+ range.count
        while low < high {
            let middle = low &+ (high &- low) / 2
            let found = words[middle] >> 8
            if found == key { return middle }
            if found < key { low = middle &+ 1 } else { high = middle }
        }
        return nil
    }
}
