internal import Tables
internal import Wire

/// The fragments that wait for the first one of their datagram.
///
/// Theory of operation: a fragment is copied into chunks of 512 bytes that are linked to each other, so that the
/// memory is bounded by what is held and not by how long a fragment may be. Fragments of one datagram are linked in
/// the order in which they came.
/// Limits: those of `FragmentCapacity`; memory is taken only as far as it is used.
struct HeldFragments: ~Copyable {
    private struct Held: SlabElement {
        var packet: Packet
        var firstChunk: UInt32
        var next: UInt32
        var link: UInt32
    }

    /// A chunk's successor, or the next free one.
    private struct Chunk: SlabElement {
        var link: UInt32
    }

    static let chunkLength = 512

    private var held: Slab<Held>
    private var chunks: Slab<Chunk>
    private var bytes: FramePool

    init(_ capacity: FragmentCapacity) {
        held = Slab(capacity: capacity.held)
        chunks = Slab(capacity: capacity.chunks)
        bytes = FramePool(count: capacity.chunks + 1, capacity: Self.chunkLength, isSparse: true)
    }

    /// How many fragments wait.
    var count: Int { held.count }
    /// How many may.
    var capacity: Int { held.capacity }

    /// How many chunks a fragment takes.
    static func chunkCount(length: Int) -> Int { max((length + chunkLength - 1) / chunkLength, 1) }

    /// Copies a fragment; nil when there is no room for it.
    mutating func insert(_ packet: Packet, _ frame: RawSpan) -> UInt32? {
        let count = Self.chunkCount(length: frame.byteCount)
        guard count <= chunks.capacity - chunks.count, let place = held.allocate() else { return nil }
        held[place] = Held(packet: packet, firstChunk: 0, next: 0, link: 0)
        // From the end on, so that each chunk is linked to the one after it.
        for part in stride(from: count - 1, through: 0, by: -1) {
            guard let chunk = chunks.allocate() else { return nil }
            let range = part * Self.chunkLength..<min((part + 1) * Self.chunkLength, frame.byteCount)
            var target = bytes.frame(Int(chunk), length: range.count)
            copyBytes(frame.extracting(range), into: &target)
            chunks[chunk].link = held[place].firstChunk
            held[place].firstChunk = chunk
        }
        return place
    }

    /// A fragment that waits, as it was when it came.
    func packet(_ place: UInt32) -> Packet { held[place].packet }

    /// The fragment behind another one of the same datagram, 0 for none.
    func next(_ place: UInt32) -> UInt32 { held[place].next }

    /// Puts a fragment behind another one of the same datagram.
    mutating func append(_ place: UInt32, behind last: UInt32) { held[last].next = place }

    /// Copies the bytes of a fragment to the beginning of a buffer.
    func copy(_ place: UInt32, into pool: inout FramePool, _ buffer: Int) {
        var left = Int(held[place].packet.length)
        var chunk = held[place].firstChunk
        var at = 0
        while chunk != 0 && left > 0 {
            let part = min(left, Self.chunkLength)
            pool.copy(from: bytes, Int(chunk), 0..<part, to: buffer, at: at)
            at += part
            left -= part
            chunk = chunks[chunk].link
        }
    }

    /// The bytes of a fragment.
    func bytes(_ place: UInt32) -> [UInt8] {
        var left = Int(held[place].packet.length)
        var chunk = held[place].firstChunk
        var found: [UInt8] = []
        while chunk != 0 && left > 0 {
            let part = bytes.bytes(Int(chunk), length: min(left, Self.chunkLength))
            for offset in 0..<part.byteCount { found.append(part.load8(offset)) }
            left -= part.byteCount
            chunk = chunks[chunk].link
        }
        return found
    }

    /// Forgets a fragment.
    mutating func remove(_ place: UInt32) {
        var chunk = held[place].firstChunk
        while chunk != 0 {
            let next = chunks[chunk].link
            chunks.release(chunk)
            chunk = next
        }
        held.release(place)
    }
}
