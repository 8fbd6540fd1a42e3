package import Tables
internal import Wire

/// The unit of work: up to 64 frames that go through the stages together, and what leaves because of them.
///
/// Theory of operation: a reader fills frames and the first fields of their packets, `Pipeline.process` decides, a
/// writer sends the emissions in their order, and `clear` makes room for the next batch. A forwarded frame is emitted
/// from where it was read; what the datapath makes itself (ICMP errors, answers, fragments, released fragments) is
/// built in a scratch area that is reset with the batch.
package struct Batch: ~Copyable {
    /// The buffers that packets are read into: packet N is in frame N.
    package var frames: FramePool
    /// The packets; the first `count` are in use.
    package var packets: FixedArray<Packet>
    /// What leaves, in its order; the first `emissionCount` are in use.
    package var emissions: FixedArray<Emission>
    /// How many packets the batch has.
    package private(set) var count = 0
    /// How many emissions the batch has.
    package private(set) var emissionCount = 0
    /// What a packet begins as: to copy it costs less than to put it together and then to copy that.
    private let blank = Packet()
    var scratch: FramePool
    /// In steps of 64 bytes: what is used of it, and how far the packet that is being decided may go.
    private var scratchUsed = 0
    private var scratchLimit = 0
    /// The first bytes of each packet as it came in, kept when something records them.
    package var preimages: FramePool
    /// Whether preimages are kept.
    package var keepsPreimages: Bool
    /// Whether packets say afterwards more of their flows than which they are, for events and traces; nothing else looks at it.
    package let describesFlows: Bool

    /// How many bytes of a packet translation may change: the headers, and those quoted in an ICMP error.
    package static let preimageLength = 192
    /// The most frames that a batch takes.
    package static let maximumCount = 64
    /// The bytes of scratch that one packet can have, whatever the others of its batch have taken.
    ///
    /// Enough for a packet of 65,535 bytes that leaves in the smallest fragments, after all of it was held.
    static let scratchPerPacket = 512 * 1024
    /// How many packets can leave because of one: none takes less than 128 bytes of scratch.
    static let emissionsPerPacket = scratchPerPacket / 128 + 1

    /// `frameCapacity` is the longest packet that can be read, 65,535 bytes unless a test needs less.
    package init(frameCapacity: Int = 65535, keepsPreimages: Bool = false, describesFlows: Bool = true) {
        self.describesFlows = describesFlows
        frames = FramePool(count: Self.maximumCount, capacity: frameCapacity)
        packets = FixedArray(count: Self.maximumCount)
        scratch = FramePool(arena: Self.maximumCount * Self.scratchPerPacket, capacity: 65535)
        emissions = FixedArray(count: Self.maximumCount * Self.emissionsPerPacket)
        preimages = FramePool(count: keepsPreimages ? Self.maximumCount : 1, capacity: Self.preimageLength)
        self.keepsPreimages = keepsPreimages
    }

    /// Adds a packet whose frame, with the number that is returned, was or will be filled by the caller.
    @inline(__always) package mutating func append(_ packet: Packet) -> Int {
        let number = count
        packets[number] = packet
        count &+= 1
        return number
    }

    /// Adds an empty packet, to be filled in where it is; the frame with its number was or will be filled by the caller.
    @inline(__always) package mutating func appendEmpty() -> Int {
        let number = count
        packets[number] = blank
        count &+= 1
        return number
    }

    /// Forgets all packets and emissions.
    package mutating func clear() {
        count = 0
        emissionCount = 0
        scratchUsed = 0
        scratchLimit = 0
    }

    /// The bytes of an emission.
    @_lifetime(&self)
    @inline(__always) package mutating func bytes(of emission: Emission) -> MutableRawSpan {
        if emission.isScratch { return scratch.frame(Int(emission.buffer), length: Int(emission.length)) }
        return frames.frame(Int(emission.buffer), length: Int(emission.length))
    }

    /// The bytes of an emission, to be read.
    @_lifetime(borrow self)
    package func sentBytes(of emission: Emission) -> RawSpan {
        if emission.isScratch { return scratch.bytes(Int(emission.buffer), length: Int(emission.length)) }
        return frames.bytes(Int(emission.buffer), length: Int(emission.length))
    }

    /// Begins a packet's share of the scratch area.
    mutating func beginPacket() { scratchLimit = scratchUsed &+ Self.scratchPerPacket / 64 }

    /// Whether the packet being decided can have `count` buffers for `length` bytes.
    func hasScratch(for count: Int, of length: Int) -> Bool {
        count * FramePool.lines(for: length) <= scratchLimit &- scratchUsed
    }

    /// Takes a scratch buffer for a packet of up to `length` bytes; nil when the share of the packet being decided is
    /// used up.
    mutating func takeScratch(_ length: Int = 65535) -> Int? {
        let lines = FramePool.lines(for: length)
        guard length <= scratch.capacity, lines <= scratchLimit &- scratchUsed else { return nil }
        scratchUsed &+= lines
        return scratchUsed &- lines
    }

    /// Gives back what of the scratch buffer that was taken last goes beyond `length` bytes.
    mutating func shrinkScratch(_ buffer: Int, to length: Int) {
        scratchUsed = min(scratchUsed, buffer &+ FramePool.lines(for: length))
    }

    /// Takes back the emissions from `count` on.
    mutating func takeBack(to count: Int) { emissionCount = min(emissionCount, count) }

    /// Sends a packet on from the frame it was read into.
    @inline(__always) mutating func emitFrame(_ number: Int) {
        packets[number].firstEmission = UInt32(truncatingIfNeeded: emissionCount)
        packets[number].emissions = 1
        emit(
            Emission(
                buffer: UInt32(truncatingIfNeeded: number),
                length: packets[number].length,
                egress: packets[number].egress,
                isScratch: false,
                isGenerated: false,
                cause: UInt32(truncatingIfNeeded: number),
                packetNumber: packets[number].number
            )
        )
    }

    @inline(__always) mutating func emit(_ emission: Emission) {
        emissions[emissionCount] = emission
        emissionCount &+= 1
    }
}

/// Something to be sent: a buffer of the batch, its length, and where it goes.
package struct Emission: Sendable, BitwiseCopyable {
    /// The number of the buffer.
    package var buffer: UInt32
    /// The length in bytes, from the IPv4 header on.
    package var length: Int32
    /// The number of the interface it leaves by.
    package var egress: UInt16
    /// Whether the buffer is one of the scratch area, and not a frame.
    package var isScratch: Bool
    /// Whether the datapath made the packet itself.
    package var isGenerated: Bool
    /// Whether it is a fragment that was held, and leaves because its first one came.
    package var isReleased = false
    /// The packet that it belongs to or that caused it: index in the batch.
    package var cause: UInt32
    /// Its number in the input: that of the cause, or of a fragment that was held earlier.
    package var packetNumber: UInt64
}
