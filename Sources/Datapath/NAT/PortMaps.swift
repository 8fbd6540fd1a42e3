internal import Tables
internal import Wire

/// What the packets have in common whose source ports must differ: where they go, and the address they are sent from.
///
/// For ICMP queries, whose only number is the identifier, the destination port is 0.
struct OuterDestination: Hashable, BitwiseCopyable {
    var source: IPv4Address
    var destination: IPv4Address
    var destinationPort: UInt16
    var transport: TransportProtocol

    /// That of packets to which those with this tuple are the answers; nil for the tuple of an ICMP query.
    init?(answeredBy tuple: FlowTuple, _ transport: TransportProtocol) {
        if transport == .icmp && tuple.sourcePort != tuple.destinationPort &+ 1 { return nil }
        source = tuple.destination
        destination = tuple.source
        destinationPort = transport == .icmp ? 0 : tuple.sourcePort
        self.transport = transport
    }

    /// The tuple of answers to what is sent from a port.
    func answer(to port: UInt16) -> FlowTuple {
        FlowTuple(
            source: destination,
            sourcePort: transport == .icmp ? port &+ 1 : destinationPort,
            destination: source,
            destinationPort: port
        )
    }

    fileprivate func hash(_ seeded: SeededHash) -> UInt64 {
        seeded(
            UInt64(source.bits) << 32 | UInt64(destination.bits),
            UInt64(destinationPort) << 8 | UInt64(transport.rawValue)
        )
    }
}

/// The source ports in use towards the few outer destinations that are crowded.
///
/// Theory of operation: a reply tuple belongs to one flow, so the used ports of an outer destination are those tuples
/// in the conntrack index that its answers would have. While most ports are free, a few draws find one, and nothing
/// is kept here. Only when they fail the destination gets a map of its own, a bit for each of the 65,536 ports,
/// filled from the index once and kept right by whoever enters and removes flows. It goes when the destination has
/// half the ports in use that it had then. A map says nothing that the index does not say: it can be made anew from
/// it at any time. Flat memory, plain numbers.
/// Limits: a crowded destination takes half the ports at least, and a flow counts for two of them (one for each
/// direction), so that `capacity(flows:)` maps are enough unless nearly all ports are reserved; without a free map
/// the search walks all ports.
struct PortMaps: ~Copyable {
    struct Entry: SlabElement {
        var key: OuterDestination
        /// How many bits are set.
        var used: UInt32
        /// The map goes when fewer are.
        var closesBelow: UInt32
        var link: UInt32
    }

    private(set) var entries: Slab<Entry>
    private var words: FixedArray<UInt64>
    private var index: BucketIndex
    private let hash: SeededHash

    /// How many maps go with a conntrack table: 8 KiB for every 4,096 flows, of which memory is touched when one is
    /// crowded.
    static func capacity(flows: Int) -> Int { flows / 4096 + 2 }

    init(capacity: Int, seed: UInt64) {
        entries = Slab(capacity: capacity)
        words = FixedArray(count: (capacity + 1) * UsablePorts.wordCount)
        index = BucketIndex(capacity: capacity)
        hash = SeededHash(seed: seed)
    }

    /// The size in bytes, of which what no map uses is never touched.
    var byteCount: Int { entries.byteCount + words.byteCount + index.byteCount }
    /// How many destinations have a map.
    var count: Int { entries.count }
    /// How many can have one.
    var capacity: Int { entries.capacity }

    /// The map of a destination.
    func find(_ key: OuterDestination) -> UInt32? {
        if entries.count == 0 { return nil }
        return index.find(key.hash(hash)) { entries[$0].key == key }
    }

    /// An empty map for a destination that has none; nil when all are in use.
    mutating func open(_ key: OuterDestination) -> UInt32? {
        guard let number = entries.allocate() else { return nil }
        entries[number] = Entry(key: key, used: 0, closesBelow: 0, link: 0)
        for word in 0..<UsablePorts.wordCount { words[Self.place(number, word)] = 0 }
        let entered = index.insert(key.hash(hash), number)
        precondition(entered, "the index has room for every map")
        return number
    }

    /// Ends the filling of a map.
    mutating func settle(_ number: UInt32) { entries[number].closesBelow = entries[number].used / 2 }

    /// Sets when a map goes: when fewer ports are in use.
    mutating func setCloses(below count: UInt32, _ number: UInt32) { entries[number].closesBelow = count }

    /// Notes that answers with this tuple belong to a flow now.
    @inline(__always) mutating func insert(_ tuple: FlowTuple, _ transport: TransportProtocol) {
        if entries.count == 0 { return }
        guard let key = OuterDestination(answeredBy: tuple, transport), let number = find(key) else { return }
        insert(tuple.destinationPort, into: number)
    }

    mutating func insert(_ port: UInt16, into number: UInt32) {
        let place = Self.place(number, Int(port >> 6))
        let bit: UInt64 = 1 << UInt64(port & 63)
        if words[place] & bit != 0 { return }
        words[place] |= bit
        entries[number].used &+= 1
    }

    /// Notes that answers with this tuple belong to nobody any more.
    @inline(__always) mutating func remove(_ tuple: FlowTuple, _ transport: TransportProtocol) {
        if entries.count == 0 { return }
        guard let key = OuterDestination(answeredBy: tuple, transport), let number = find(key) else { return }
        let place = Self.place(number, Int(tuple.destinationPort >> 6))
        let bit: UInt64 = 1 << UInt64(tuple.destinationPort & 63)
        if words[place] & bit == 0 { return }
        words[place] &= ~bit
        entries[number].used &-= 1
        if entries[number].used < entries[number].closesBelow { close(number) }
    }

    private mutating func close(_ number: UInt32) {
        _ = index.remove(entries[number].key.hash(hash), number)
        entries.release(number)
    }

    /// Whether a port is in use.
    func contains(_ port: UInt16, in number: UInt32) -> Bool {
        words[Self.place(number, Int(port >> 6))] >> UInt64(port & 63) & 1 == 1
    }

    /// A usable port that is free, each as likely as the others; nil when there is none.
    func choose(from number: UInt32, _ usable: borrowing UsablePorts, _ generator: inout SplitMix64) -> UInt16? {
        for _ in 0..<16 where usable.count > 0 {
            let port = usable[generator.next(below: usable.count)]
            if !contains(port, in: number) { return port }
        }
        var free: UInt32 = 0
        for word in 0..<UsablePorts.wordCount { free &+= UInt32(freePorts(word, number, usable).nonzeroBitCount) }
        guard free > 0 else { return nil }
        var left = generator.next(below: free)
        for word in 0..<UsablePorts.wordCount {
            var bits = freePorts(word, number, usable)
            let here = UInt32(bits.nonzeroBitCount)
            if left >= here {
                left &-= here
                continue
            }
            for _ in 0..<left { bits &= bits &- 1 }
            return UInt16(truncatingIfNeeded: word << 6 | bits.trailingZeroBitCount)
        }
        return nil
    }

    private func freePorts(_ word: Int, _ number: UInt32, _ usable: borrowing UsablePorts) -> UInt64 {
        usable.mask[word] & ~words[Self.place(number, word)]
    }

    private static func place(_ number: UInt32, _ word: Int) -> Int { Int(number) &* UsablePorts.wordCount &+ word }
}
