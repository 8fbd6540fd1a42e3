internal import Tables
internal import Wire

/// The datagrams of which fragments have come: what became of the first one, and those that wait for it.
///
/// Theory of operation: only the first fragment has ports, so only it can be judged; it goes the way of any packet, and
/// what became of it is kept under (source, destination, protocol, identification), as the fragments carry it before
/// translation. Later fragments follow it. Those that come before it are held, copied into buffers of their own, and
/// leave right behind it, each under its own packet number. Bit maps of the eight-byte units seen, and of those that a
/// fragment began with, find overlaps, which end a datagram (RFC 5722 says so for IPv6; for IPv4 it is the defence
/// against RFC 1858's attacks); a fragment that comes twice is no overlap.
/// Entries live for a fixed time from the first fragment seen, so they leave in the order in which they came.
/// Limits: `capacity` datagrams, `heldCapacity` held fragments; what finds no room is dropped, `frag.table_full`.
struct FragmentTable: ~Copyable {
    enum Fate: UInt8, BitwiseCopyable {
        /// The first fragment has not come.
        case waiting
        /// It was sent on along a flow.
        case flow
        /// It was sent on unchanged, without a flow.
        case untracked
        /// It was left to the node.
        case local
        /// It was refused or dropped, and so is the rest.
        case refused
    }

    /// What the fragments of one datagram have in common.
    struct Key: Equatable, BitwiseCopyable {
        var source: IPv4Address
        var destination: IPv4Address
        var identification: UInt16
        var transport: TransportProtocol

        func hash(_ seeded: SeededHash) -> UInt64 {
            seeded(
                UInt64(source.bits) << 32 | UInt64(destination.bits),
                UInt64(identification) << 8 | UInt64(transport.rawValue)
            )
        }
    }

    struct Datagram: SlabElement {
        var key: Key
        var fate: Fate
        var reason: DropReason
        var deadline: UInt64
        /// The flow of the first fragment, and its identifier, so that a reused record is noticed.
        var flow: FlowReference
        var identifier: UInt64
        var firstHeld: UInt32
        var lastHeld: UInt32
        /// In units of eight bytes: those seen, and the length of the datagram once the last fragment came (0 before).
        var unitsSeen: UInt32
        var unitsInAll: UInt32
        /// Whether its fragments are replies that a client saw.
        var isReconstructed: Bool
        /// The neighbours in the order of age.
        var older: UInt32
        var newer: UInt32
        var link: UInt32
    }

    /// A fragment that waits.
    struct Held: SlabElement {
        var packet: Packet
        var next: UInt32
        var link: UInt32
    }

    static let capacity = 8192
    static let heldCapacity = 1024
    /// The units of the longest datagram: 65,535 bytes.
    static let unitWords = 128

    var datagrams = Slab<Datagram>(capacity: FragmentTable.capacity)
    var held = Slab<Held>(capacity: FragmentTable.heldCapacity)
    /// The bytes of the held fragments, by their number.
    var bytes = FramePool(count: FragmentTable.heldCapacity + 1, capacity: 65535, isSparse: true)
    private var units = FixedArray<UInt64>(count: (FragmentTable.capacity + 1) * FragmentTable.unitWords)
    private var starts = FixedArray<UInt64>(count: (FragmentTable.capacity + 1) * FragmentTable.unitWords)
    private var index = BucketIndex(capacity: FragmentTable.capacity)
    private let hash: SeededHash
    private let timeout: UInt64
    private var oldest: UInt32 = 0
    private var newest: UInt32 = 0

    init(seed: UInt64, timeout: UInt64) {
        hash = SeededHash(seed: seed)
        self.timeout = timeout
    }

    /// The entry of a datagram.
    func find(_ key: Key) -> UInt32? { index.find(key.hash(hash)) { datagrams[$0].key == key } }

    /// The entry of a datagram, made if there is none; nil when there is no room.
    mutating func entry(_ key: Key, now: UInt64) -> UInt32? {
        let hashed = key.hash(hash)
        if let number = find(key) { return number }
        guard let number = datagrams.allocate() else { return nil }
        datagrams[number] = Datagram(
            key: key,
            fate: .waiting,
            reason: .none,
            deadline: now &+ timeout,
            flow: .none,
            identifier: 0,
            firstHeld: 0,
            lastHeld: 0,
            unitsSeen: 0,
            unitsInAll: 0,
            isReconstructed: false,
            older: newest,
            newer: 0,
            link: 0
        )
        for word in 0..<Self.unitWords {
            units[Int(number) &* Self.unitWords &+ word] = 0
            starts[Int(number) &* Self.unitWords &+ word] = 0
        }
        if newest != 0 { datagrams[newest].newer = number } else { oldest = number }
        newest = number
        let entered = index.insert(hashed, number)
        precondition(entered, "the index has room for every datagram")
        return number
    }

    /// Marks the units of a fragment; false when one of them was seen before, but not in the same fragment again.
    mutating func cover(_ number: UInt32, offset: Int, length: Int) -> Bool {
        let first = offset >> 3
        let count = (length + 7) >> 3
        let seen = (first..<first + count).count { Self.bit($0, of: number, in: units) }
        if seen > 0 { return seen == count && isRepetition(number, first, count) }
        for unit in first..<first + count { Self.set(unit, of: number, in: &units) }
        Self.set(first, of: number, in: &starts)
        datagrams[number].unitsSeen += UInt32(count)
        return true
    }

    /// Whether units that were all seen are those of one fragment.
    private func isRepetition(_ number: UInt32, _ first: Int, _ count: Int) -> Bool {
        let next = first + count
        let endsThere =
            next >= Self.unitWords * 64 || !Self.bit(next, of: number, in: units)
            || Self.bit(next, of: number, in: starts)
        return endsThere && Self.bit(first, of: number, in: starts)
            && !(first + 1..<next).contains { Self.bit($0, of: number, in: starts) }
    }

    private static func bit(_ unit: Int, of number: UInt32, in map: borrowing FixedArray<UInt64>) -> Bool {
        map[Int(number) &* unitWords &+ unit >> 6] >> UInt64(unit & 63) & 1 == 1
    }

    private static func set(_ unit: Int, of number: UInt32, in map: inout FixedArray<UInt64>) {
        map[Int(number) &* unitWords &+ unit >> 6] |= 1 << UInt64(unit & 63)
    }

    /// Copies a fragment into a buffer of its own, behind those that wait for the same datagram.
    mutating func hold(_ packet: Packet, _ frame: RawSpan, in number: UInt32) -> Bool {
        guard let place = held.allocate() else { return false }
        held[place] = Held(packet: packet, next: 0, link: 0)
        var target = bytes.frame(Int(place), length: frame.byteCount)
        copyBytes(frame, into: &target)
        let last = datagrams[number].lastHeld
        if last != 0 { held[last].next = place } else { datagrams[number].firstHeld = place }
        datagrams[number].lastHeld = place
        return true
    }

    /// Takes the first fragment that waits out of its datagram; its buffer stays as it is until the next `hold`.
    mutating func popHeld(_ number: UInt32) -> UInt32? {
        let place = datagrams[number].firstHeld
        guard place != 0 else { return nil }
        datagrams[number].firstHeld = held[place].next
        if datagrams[number].firstHeld == 0 { datagrams[number].lastHeld = 0 }
        held.release(place)
        return place
    }

    /// The oldest entry whose time is over.
    func expired(now: UInt64) -> UInt32? {
        oldest != 0 && datagrams[oldest].deadline <= now ? oldest : nil
    }

    /// Whether all of a datagram has been seen and sent.
    func isComplete(_ number: UInt32) -> Bool {
        datagrams[number].unitsInAll != 0 && datagrams[number].unitsSeen == datagrams[number].unitsInAll
            && datagrams[number].fate != .waiting
    }

    /// Forgets a datagram that holds nothing any more.
    mutating func remove(_ number: UInt32) {
        let older = datagrams[number].older
        let newer = datagrams[number].newer
        if older != 0 { datagrams[older].newer = newer } else { oldest = newer }
        if newer != 0 { datagrams[newer].older = older } else { newest = older }
        _ = index.remove(datagrams[number].key.hash(hash), number)
        datagrams.release(number)
    }
}
