internal import Tables
internal import Wire

/// The datagrams of which fragments have come: what became of the first one, and those that wait for it.
///
/// Theory of operation: only the first fragment has ports, so only it can be judged; it goes the way of any packet, and
/// what became of it is kept under (source, destination, protocol, identification), as the fragments carry it before
/// translation. Later fragments follow it. Those that come before it are held (`HeldFragments`), and leave right
/// behind it, each under its own packet number. What was seen of a datagram is in `FragmentCover`. A datagram that
/// was seen wholly, or was refused, is settled: it lingers, so that a fragment that comes again is known for what it
/// is, and does not wait for the next datagram with the same identification; but it gives way when room is needed.
/// What cannot be a repetition of a settled datagram begins another one. Entries live for a fixed time from the first
/// fragment seen, so they leave in the order in which they came.
/// Limits: those of `FragmentCapacity`; see the parts for how they use it, and for what one source may have (`FragmentSources`). What
/// finds no room is dropped, `frag.table_full`.
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
        var fate: Fate = .waiting
        var reason: DropReason = .none
        var deadline: UInt64
        /// The flow of the first fragment, and its identifier, so that a reused record is noticed.
        var flow: FlowReference = .none
        var identifier: UInt64 = 0
        var cover = FragmentCover.List()
        var firstHeld: UInt32 = 0
        var lastHeld: UInt32 = 0
        /// Who sent it, in `FragmentSources`; 0 once it is settled.
        var source: UInt32
        /// The identification that its fragments are sent with instead of their own.
        var sentIdentification: UInt16 = 0
        var hasSentIdentification = false
        /// Whether its fragments are replies that a client saw.
        var isReconstructed = false
        /// The neighbours in the order of age.
        var older: UInt32
        var newer: UInt32 = 0
        /// The neighbours among the settled ones.
        var olderSettled: UInt32 = 0
        var newerSettled: UInt32 = 0
        var link: UInt32 = 0

        var isSettled: Bool { source == 0 }
    }

    var datagrams: Slab<Datagram>
    var held: HeldFragments
    private(set) var cover: FragmentCover
    private var sources: FragmentSources
    private var index: BucketIndex
    private let hash: SeededHash
    let timeout: UInt64
    private(set) var oldest: UInt32 = 0
    private var newest: UInt32 = 0
    private(set) var oldestSettled: UInt32 = 0
    private var newestSettled: UInt32 = 0

    init(_ configuration: DatapathConfiguration, seed: UInt64) {
        let capacity = FragmentCapacity(datagrams: configuration.fragmentCapacity)
        hash = SeededHash(seed: seed)
        datagrams = Slab(capacity: capacity.datagrams)
        held = HeldFragments(capacity)
        cover = FragmentCover(capacity: capacity.pieces)
        index = BucketIndex(capacity: capacity.datagrams)
        sources = FragmentSources(capacity, hash)
        timeout = configuration.timeouts.fragment
    }

    /// The entry of a datagram.
    func find(_ key: Key) -> UInt32? { index.find(key.hash(hash)) { datagrams[$0].key == key } }

    /// The entry of the datagram that a fragment belongs to, made if there is none; nil when there is no room.
    mutating func entry(_ key: Key, _ piece: FragmentPiece, now: UInt64) -> UInt32? {
        if let number = find(key) {
            if !beginsAnother(piece, number) { return number }
            remove(number)
        }
        if datagrams.count == datagrams.capacity { removeOldestSettled() }
        return append(key, deadline: now &+ timeout)
    }

    /// A new entry, the youngest; nil when there is no room.
    mutating func append(_ key: Key, deadline: UInt64) -> UInt32? {
        guard datagrams.count < datagrams.capacity, let source = sources.addDatagram(key.source),
            let number = datagrams.allocate()
        else { return nil }
        datagrams[number] = Datagram(key: key, deadline: deadline, source: source, older: newest)
        if newest != 0 { datagrams[newest].newer = number } else { oldest = number }
        newest = number
        let entered = index.insert(key.hash(hash), number)
        precondition(entered, "the index has room for every datagram")
        return number
    }

    /// Whether a fragment cannot belong to the datagram that stands under its key, as that one is settled.
    ///
    /// After a refusal only a first fragment begins anew, and after an overlap none does.
    private func beginsAnother(_ piece: FragmentPiece, _ number: UInt32) -> Bool {
        guard datagrams[number].isSettled else { return false }
        if datagrams[number].fate == .refused {
            return piece.first == 0 && datagrams[number].reason != .fragmentOverlap
        }
        if case .repetition = cover.compare(piece, with: datagrams[number].cover) { return false }
        return true
    }

    /// Notes that a fragment was seen.
    mutating func insert(_ piece: FragmentPiece, into number: UInt32) -> FragmentCover.Result {
        let result = cover.compare(piece, with: datagrams[number].cover)
        guard case .new = result else { return result }
        let source = datagrams[number].source
        guard source != 0, sources.hasRoomForPiece(source) else { return .full }
        if !cover.hasRoom { removeOldestSettled() }
        guard cover.insert(piece, into: &datagrams[number].cover) else { return .full }
        sources.addPiece(source)
        return .new
    }

    /// Copies a fragment, to wait behind those of the same datagram; false when there is no room.
    mutating func hold(_ packet: Packet, _ frame: RawSpan, in number: UInt32) -> Bool {
        let chunks = HeldFragments.chunkCount(length: frame.byteCount)
        let source = datagrams[number].source
        guard source != 0, sources.hasRoom(chunks: chunks, source), let place = held.insert(packet, frame) else {
            return false
        }
        sources.addHeld(chunks: chunks, source)
        let last = datagrams[number].lastHeld
        if last != 0 { held.append(place, behind: last) } else { datagrams[number].firstHeld = place }
        datagrams[number].lastHeld = place
        return true
    }

    /// The fragment that has waited longest for a datagram.
    func firstHeld(_ number: UInt32) -> UInt32? { datagrams[number].firstHeld == 0 ? nil : datagrams[number].firstHeld }

    /// Forgets that fragment.
    mutating func removeFirstHeld(_ number: UInt32) {
        let place = datagrams[number].firstHeld
        guard place != 0 else { return }
        let chunks = HeldFragments.chunkCount(length: Int(held.packet(place).length))
        sources.removeHeld(chunks: chunks, datagrams[number].source)
        datagrams[number].firstHeld = held.next(place)
        if datagrams[number].firstHeld == 0 { datagrams[number].lastHeld = 0 }
        held.remove(place)
    }

    /// The oldest entry whose time is over.
    func expired(now: UInt64) -> UInt32? {
        oldest != 0 && datagrams[oldest].deadline <= now ? oldest : nil
    }

    /// Settles a datagram that nothing waits for any more, if all of it was seen or it was refused.
    mutating func settle(_ number: UInt32) {
        guard !datagrams[number].isSettled, datagrams[number].firstHeld == 0 else { return }
        let isRefused = datagrams[number].fate == .refused
        guard isRefused || (datagrams[number].fate != .waiting && datagrams[number].cover.isComplete) else { return }
        leaveSource(number)
        // What was seen of it does not matter any more.
        if isRefused { cover.removeAll(&datagrams[number].cover) }
        linkSettled(number)
    }

    /// Puts a datagram that has left its source behind all that are settled.
    mutating func linkSettled(_ number: UInt32) {
        datagrams[number].olderSettled = newestSettled
        datagrams[number].newerSettled = 0
        if newestSettled != 0 { datagrams[newestSettled].newerSettled = number } else { oldestSettled = number }
        newestSettled = number
    }

    /// Counts a datagram as its source's no more.
    mutating func leaveSource(_ number: UInt32) {
        sources.removeDatagram(pieces: datagrams[number].cover.count, datagrams[number].source)
        datagrams[number].source = 0
    }

    /// Forgets a datagram that nothing waits for any more.
    mutating func remove(_ number: UInt32) {
        let (older, newer) = (datagrams[number].older, datagrams[number].newer)
        if older != 0 { datagrams[older].newer = newer } else { oldest = newer }
        if newer != 0 { datagrams[newer].older = older } else { newest = older }
        if datagrams[number].isSettled {
            let (older, newer) = (datagrams[number].olderSettled, datagrams[number].newerSettled)
            if older != 0 { datagrams[older].newerSettled = newer } else { oldestSettled = newer }
            if newer != 0 { datagrams[newer].olderSettled = older } else { newestSettled = older }
        } else {
            leaveSource(number)
        }
        cover.removeAll(&datagrams[number].cover)
        _ = index.remove(datagrams[number].key.hash(hash), number)
        datagrams.release(number)
    }

    private mutating func removeOldestSettled() {
        if oldestSettled != 0 { remove(oldestSettled) }
    }

    /// A digest of what a fragment carries.
    func digest(_ bytes: RawSpan) -> UInt32 {
        var state = UInt64(bytes.byteCount)
        var at = 0
        while bytes.byteCount &- at >= 8 {
            state = hash(state, bytes.loadNative64(at))
            at &+= 8
        }
        var rest: UInt64 = 0
        while at < bytes.byteCount {
            rest = rest << 8 | UInt64(bytes.load8(at))
            at &+= 1
        }
        return UInt32(truncatingIfNeeded: hash(state, rest) >> 32)
    }
}
