internal import Tables

/// Which parts of its datagram a fragment is.
struct FragmentPiece: BitwiseCopyable {
    /// Where it begins and how long it is, in units of eight bytes.
    var first: UInt32
    var count: UInt32
    /// Whether it says that more fragments follow.
    var moreFragments: Bool
    /// A seeded digest of what it carries.
    var digest: UInt32

    var end: UInt32 { first &+ count }
}

/// The pieces of datagrams that were seen, in the order of their offsets.
///
/// Theory of operation: each datagram has a list. A piece that has something in common with another one is an
/// overlap, which ends a datagram (RFC 5722 says so for IPv6; for IPv4 it is the defence against RFC 1858's attacks),
/// unless it is the very same one, down to what it carries. Pieces mostly come in order or in reverse order, so the
/// list is looked at from both ends.
struct FragmentCover: ~Copyable {
    struct Element: SlabElement {
        var first: UInt16
        var count: UInt16
        var digest: UInt32
        var link: UInt32
    }

    /// The pieces of one datagram.
    struct List: BitwiseCopyable {
        var head: UInt32 = 0
        var tail: UInt32 = 0
        var count: UInt32 = 0
        /// In units of eight bytes: those seen, and the length of the datagram once the last piece came (0 before).
        var unitsSeen: UInt32 = 0
        var unitsInAll: UInt32 = 0

        var isComplete: Bool { unitsInAll != 0 && unitsSeen == unitsInAll }
    }

    enum Result {
        /// Seen for the first time.
        case new
        /// Seen before, exactly so.
        case repetition
        /// In the way of what was seen before.
        case overlap
        /// There is no room for another piece.
        case full
    }

    /// The most pieces of a datagram: more than 65,535 bytes have at the smallest MTU, 68.
    static let pieceLimit: UInt32 = 1536

    private var pieces: Slab<Element>

    /// Room for `capacity` pieces of all datagrams together.
    init(capacity: Int) { pieces = Slab(capacity: capacity) }

    /// Whether there is room for another piece.
    var hasRoom: Bool { pieces.count < pieces.capacity }

    /// Enters a piece that is new to its datagram; false when there is no room.
    mutating func insert(_ piece: FragmentPiece, into list: inout List) -> Bool {
        guard list.count < Self.pieceLimit, let number = pieces.allocate() else { return false }
        let previous = lastPiece(before: piece, list)
        let next = previous == 0 ? list.head : pieces[previous].link
        pieces[number] = Element(
            first: UInt16(truncatingIfNeeded: piece.first),
            count: UInt16(truncatingIfNeeded: piece.count),
            digest: piece.digest,
            link: next
        )
        if previous == 0 { list.head = number } else { pieces[previous].link = number }
        if next == 0 { list.tail = number }
        list.count &+= 1
        list.unitsSeen &+= piece.count
        if !piece.moreFragments { list.unitsInAll = piece.end }
        return true
    }

    /// The pieces of a datagram, in the order of their offsets.
    func pieces(of list: List) -> [FragmentPiece] {
        var found: [FragmentPiece] = []
        var number = list.head
        while number != 0 {
            let piece = pieces[number]
            let end = UInt32(piece.first) + UInt32(piece.count)
            found.append(
                FragmentPiece(
                    first: UInt32(piece.first),
                    count: UInt32(piece.count),
                    moreFragments: end != list.unitsInAll,
                    digest: piece.digest
                )
            )
            number = piece.link
        }
        return found
    }

    /// Forgets the pieces of a datagram.
    mutating func removeAll(_ list: inout List) {
        while list.head != 0 {
            let next = pieces[list.head].link
            pieces.release(list.head)
            list.head = next
        }
        list = List()
    }

    /// The last piece that begins before this one, 0 for none.
    private func lastPiece(before piece: FragmentPiece, _ list: List) -> UInt32 {
        if list.tail != 0 && UInt32(pieces[list.tail].first) < piece.first { return list.tail }
        var previous: UInt32 = 0
        var number = list.head
        while number != 0 && UInt32(pieces[number].first) < piece.first {
            previous = number
            number = pieces[number].link
        }
        return previous
    }

    /// How a piece stands to those of a datagram.
    func compare(_ piece: FragmentPiece, with list: List) -> Result {
        let previous = lastPiece(before: piece, list)
        if previous != 0 && UInt32(pieces[previous].first) + UInt32(pieces[previous].count) > piece.first {
            return .overlap
        }
        let next = previous == 0 ? list.head : pieces[previous].link
        if next != 0 && UInt32(pieces[next].first) < piece.end {
            let isSame =
                UInt32(pieces[next].first) == piece.first && UInt32(pieces[next].count) == piece.count
                && pieces[next].digest == piece.digest && (piece.end == list.unitsInAll) == !piece.moreFragments
            return isSame ? .repetition : .overlap
        }
        // Nothing lies behind the end, and there is one end.
        if list.unitsInAll != 0 { return piece.end > list.unitsInAll || !piece.moreFragments ? .overlap : .new }
        return !piece.moreFragments && next != 0 ? .overlap : .new
    }
}
