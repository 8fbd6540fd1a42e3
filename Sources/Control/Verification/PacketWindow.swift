internal import Datapath
internal import Wire

/// A packet between its first sighting and its last.
struct OpenPacket {
    let received: Sighting
    /// The records of the packet itself or of what was generated for it, held ones that were released not included.
    var sent = 0
    var isDropped = false
    /// How far the fragments that it left in have come; nil if it was not cut.
    var fragmentation: Fragmentation?

    /// Whether it may have been held: it is a later fragment, and nothing else became of it.
    var mayBeHeld: Bool {
        guard sent == 0, !isDropped, let ip = received.ip, ip.fragment.offset > 0 else { return false }
        return received.comment.map { $0.verdict == .hold } ?? true
    }
}

/// The packets whose sightings are not complete.
///
/// Theory of operation: a replay records all of a packet before the next one, so one packet is open at a time; workers
/// of a live trace take turns, so the last 4,096 are. Fragments that were held leave later under their own number, and
/// wait in a list of their own, as many as 4,096 or 64 MiB. What is pushed out of a list was not complete, and is told to
/// the caller or, of the held ones, only counted: they may have been dropped when their time was over.
struct PacketWindow {
    private var open: [UInt64: OpenPacket] = [:]
    private var openOrder = ArrayQueue()
    private var held: [UInt64: OpenPacket] = [:]
    private var heldOrder = ArrayQueue()
    private var heldBytes = 0
    private let capacity: Int
    /// Whether held packets had to be forgotten.
    private(set) var hasForgotten = false

    private static let heldCapacity = 4096
    private static let heldByteCapacity = 64 << 20

    init(isSequential: Bool) { capacity = isSequential ? 1 : 4096 }

    subscript(number: UInt64) -> OpenPacket? {
        get { open[number] }
        set { open[number] = newValue }
    }

    /// Opens a packet; returns those that are closed by it.
    mutating func begin(_ sighting: Sighting) -> [OpenPacket] {
        var closed: [OpenPacket] = []
        while open.count >= capacity, let oldest = openOrder.removeFirst() {
            if let packet = open.removeValue(forKey: oldest) { closed.append(packet) }
        }
        open[sighting.packet] = OpenPacket(received: sighting)
        openOrder.append(sighting.packet)
        return closed
    }

    /// Closes all packets.
    mutating func closeAll() -> [OpenPacket] {
        var closed: [OpenPacket] = []
        while let oldest = openOrder.removeFirst() {
            if let packet = open.removeValue(forKey: oldest) { closed.append(packet) }
        }
        return closed
    }

    /// Keeps a closed packet until it is released.
    mutating func hold(_ packet: OpenPacket) {
        let number = packet.received.packet
        heldBytes += packet.received.bytes.count
        if let old = held.updateValue(packet, forKey: number) { heldBytes -= old.received.bytes.count }
        heldOrder.append(number)
        while held.count > Self.heldCapacity || heldBytes > Self.heldByteCapacity, let oldest = heldOrder.removeFirst()
        {
            guard let forgotten = held.removeValue(forKey: oldest) else { continue }
            heldBytes -= forgotten.received.bytes.count
            hasForgotten = true
        }
    }

    /// Takes out a packet that was held, or that is open and may have been.
    mutating func release(_ number: UInt64) -> Sighting? {
        guard let packet = held.removeValue(forKey: number) else { return nil }
        heldBytes -= packet.received.bytes.count
        return packet.received
    }
}

/// Numbers in the order in which they came.
struct ArrayQueue {
    private var numbers: [UInt64] = []
    private var first = 0

    mutating func append(_ number: UInt64) { numbers.append(number) }

    mutating func removeFirst() -> UInt64? {
        guard first < numbers.count else { return nil }
        defer {
            first += 1
            if first > 4096 && first * 2 > numbers.count {
                numbers.removeFirst(first)
                first = 0
            }
        }
        return numbers[first]
    }
}
