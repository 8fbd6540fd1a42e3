internal import Tables
internal import Wire

/// What each source has of the fragment table, so that none takes all of it: a quarter of the datagrams, half of the
/// rest.
struct FragmentSources: ~Copyable {
    struct Source: SlabElement {
        var address: IPv4Address
        /// Datagrams that are not settled.
        var datagrams: UInt32
        /// Their pieces, how many fragments of theirs wait, and the chunks of memory in which they do.
        var pieces: UInt32
        var held: UInt32
        var chunks: UInt32
        var link: UInt32
    }

    private let datagramLimit: UInt32
    private let pieceLimit: UInt32
    private let heldLimit: UInt32
    private let chunkLimit: UInt32

    private(set) var sources: Slab<Source>
    private var index: BucketIndex
    private let hash: SeededHash

    /// Shares of a table of that capacity.
    init(_ capacity: FragmentCapacity, _ hash: SeededHash) {
        datagramLimit = UInt32(capacity.datagrams / 4)
        pieceLimit = UInt32(capacity.pieces / 2)
        heldLimit = UInt32(capacity.held / 2)
        chunkLimit = UInt32(capacity.chunks / 2)
        sources = Slab(capacity: capacity.datagrams)
        index = BucketIndex(capacity: capacity.datagrams)
        self.hash = hash
    }

    /// Counts another datagram of a source, and returns the source's number; nil when it has as many as it may have.
    mutating func addDatagram(_ address: IPv4Address) -> UInt32? {
        let hashed = hash(UInt64(address.bits), 1)
        if let number = index.find(hashed, where: { sources[$0].address == address }) {
            guard sources[number].datagrams < datagramLimit else { return nil }
            sources[number].datagrams &+= 1
            return number
        }
        guard let number = sources.allocate() else { return nil }
        sources[number] = Source(address: address, datagrams: 1, pieces: 0, held: 0, chunks: 0, link: 0)
        let entered = index.insert(hashed, number)
        precondition(entered, "the index has room for every source")
        return number
    }

    /// Whether a source may have another piece.
    func hasRoomForPiece(_ number: UInt32) -> Bool { sources[number].pieces < pieceLimit }

    /// Whether another fragment of a source may wait, in that many chunks.
    func hasRoom(chunks: Int, _ number: UInt32) -> Bool {
        sources[number].held < heldLimit && Int(sources[number].chunks) + chunks <= Int(chunkLimit)
    }

    mutating func addPiece(_ number: UInt32) { sources[number].pieces &+= 1 }

    mutating func addHeld(chunks: Int, _ number: UInt32) {
        sources[number].held &+= 1
        sources[number].chunks &+= UInt32(truncatingIfNeeded: chunks)
    }

    mutating func removeHeld(chunks: Int, _ number: UInt32) {
        sources[number].held &-= 1
        sources[number].chunks &-= UInt32(truncatingIfNeeded: chunks)
    }

    /// Counts a datagram with its pieces down.
    mutating func removeDatagram(pieces: UInt32, _ number: UInt32) {
        sources[number].pieces &-= pieces
        sources[number].datagrams &-= 1
        guard sources[number].datagrams == 0 else { return }
        _ = index.remove(hash(UInt64(sources[number].address.bits), 1), number)
        sources.release(number)
    }
}
