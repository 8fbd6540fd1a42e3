internal import Tables
internal import Wire

// Saved datagrams are in the order of their age, each with its pieces and the fragments that wait. A fragment that waits is saved as it
// came: what its headers say is found again by parsing it.

/// A fragment that waits, as far as its headers do not say it.
struct SavedFragment {
    var packet: Packet
    var bytes: ArraySlice<UInt8>

    static let size = 49

    func save(to encoder: inout StateEncoder) {
        encoder.put(packet.number)
        encoder.put(packet.now)
        encoder.put(packet.time)
        encoder.put(packet.wireLength)
        encoder.put(packet.ingress)
        encoder.put(packet.marks.rawValue)
        encoder.put(packet.arrivalSource.bits)
        encoder.put(packet.arrivalDestination.bits)
        encoder.putCount(bytes.count)
        for byte in bytes { encoder.put(byte) }
    }

    init(_ packet: Packet, _ bytes: [UInt8]) {
        self.packet = packet
        self.bytes = bytes[...]
    }

    init(from decoder: inout StateDecoder) {
        packet = Packet()
        packet.number = decoder.get()
        packet.now = decoder.get()
        packet.time = decoder.get()
        packet.wireLength = decoder.get()
        packet.ingress = decoder.get()
        packet.marks = PacketMarks(rawValue: decoder.get())
        let source = IPv4Address(bits: decoder.get())
        let destination = IPv4Address(bits: decoder.get())
        packet.arrivalAddresses =
            FlowTuple(source: source, sourcePort: 0, destination: destination, destinationPort: 0).addresses
        bytes = decoder.getBytes(decoder.getCount(limit: Int(UInt16.max), size: 1))
        packet.length = Int32(truncatingIfNeeded: bytes.count)
    }
}

extension FragmentTable {
    private static let savedSize = 40

    /// Writes all datagrams; `position` is the place of a flow's record among those that were written, nil when it is gone.
    func save(to encoder: inout StateEncoder, position: (Datagram) -> Int?) {
        var positions: [UInt32: Int] = [:]
        encoder.putCount(datagrams.count)
        var number = oldest
        while number != 0 {
            positions[number] = positions.count
            save(datagrams[number], number, to: &encoder, position)
            number = datagrams[number].newer
        }
        var settled: [Int] = []
        number = oldestSettled
        while number != 0 {
            settled.append(positions[number] ?? 0)
            number = datagrams[number].newerSettled
        }
        encoder.putCount(settled.count)
        for position in settled { encoder.putCount(position) }
    }

    private func save(
        _ datagram: Datagram,
        _ number: UInt32,
        to encoder: inout StateEncoder,
        _ position: (Datagram) -> Int?
    ) {
        encoder.put(datagram.key.source.bits)
        encoder.put(datagram.key.destination.bits)
        encoder.put(datagram.key.identification)
        encoder.put(datagram.key.transport.rawValue)
        encoder.put(datagram.fate.rawValue)
        encoder.put(datagram.reason.rawValue)
        encoder.put(datagram.deadline)
        encoder.put(UInt32(position(datagram).map { $0 + 1 } ?? 0))
        encoder.put(datagram.flow.direction.rawValue)
        encoder.put(datagram.identifier)
        encoder.put(datagram.sentIdentification)
        encoder.put(datagram.hasSentIdentification)
        encoder.put(datagram.isReconstructed)
        encoder.put(datagram.isSettled)
        let pieces = cover.pieces(of: datagram.cover)
        encoder.putCount(pieces.count)
        for piece in pieces {
            encoder.put(UInt16(truncatingIfNeeded: piece.first))
            encoder.put(UInt16(truncatingIfNeeded: piece.count))
            encoder.put(piece.moreFragments)
            encoder.put(piece.digest)
        }
        var waiting: [SavedFragment] = []
        var place = datagram.firstHeld
        while place != 0 {
            waiting.append(SavedFragment(held.packet(place), held.bytes(place)))
            place = held.next(place)
        }
        encoder.putCount(waiting.count)
        for fragment in waiting { fragment.save(to: &encoder) }
    }

    /// Enters the datagrams that were saved at a time, into a table without any.
    ///
    /// They come in the order of their age, and none may wait longer than one that was seen just then.
    /// `flows` is how many flows there are, with the numbers 1 and up. `parse` fills in what the headers of a fragment say; nil when it
    /// cannot be one that waits for a datagram of this key. Returns how many fragments wait.
    mutating func restore(
        from decoder: inout StateDecoder,
        flows: Int,
        now: UInt64,
        parse: (SavedFragment, Key) -> Packet?
    ) -> Int {
        var earliest: UInt64 = 0
        var numbers: [UInt32] = []
        var settled: [Bool] = []
        for _ in 0..<decoder.getCount(limit: datagrams.capacity, size: Self.savedSize) {
            guard let (number, isSettled) = restoreDatagram(from: &decoder, flows: flows, parse),
                earliest...now &+ timeout ~= datagrams[number].deadline
            else {
                decoder.refuse()
                return 0
            }
            earliest = datagrams[number].deadline
            numbers.append(number)
            settled.append(isSettled)
        }
        var left = settled.count { $0 }
        for _ in 0..<decoder.getCount(limit: left, size: 4) {
            let position = Int(decoder.get(UInt32.self))
            guard decoder.isWhole, position < numbers.count, settled[position] else {
                decoder.refuse()
                return 0
            }
            settled[position] = false
            left -= 1
            linkSettled(numbers[position])
        }
        decoder.require(left == 0)
        return held.count
    }

    private mutating func restoreDatagram(
        from decoder: inout StateDecoder,
        flows: Int,
        _ parse: (SavedFragment, Key) -> Packet?
    ) -> (number: UInt32, isSettled: Bool)? {
        let key = Key(
            source: IPv4Address(bits: decoder.get()),
            destination: IPv4Address(bits: decoder.get()),
            identification: decoder.get(),
            transport: TransportProtocol(rawValue: decoder.get())
        )
        let fate = Fate(rawValue: decoder.get())
        let reason = DropReason(rawValue: decoder.get())
        let deadline: UInt64 = decoder.get()
        let flow = Int(decoder.get(UInt32.self))
        let direction = FlowDirection(rawValue: decoder.get())
        guard decoder.isWhole, let fate, let reason, let direction, flow <= flows, find(key) == nil,
            let number = append(key, deadline: deadline)
        else { return nil }
        datagrams[number].fate = fate
        datagrams[number].reason = reason
        datagrams[number].flow = flow == 0 ? .none : FlowReference(UInt32(flow), direction)
        datagrams[number].identifier = decoder.get()
        datagrams[number].sentIdentification = decoder.get()
        datagrams[number].hasSentIdentification = decoder.getBool()
        datagrams[number].isReconstructed = decoder.getBool()
        let isSettled = decoder.getBool()
        for _ in 0..<decoder.getCount(limit: Int(FragmentCover.pieceLimit), size: 9) {
            let piece = FragmentPiece(
                first: UInt32(decoder.get(UInt16.self)),
                count: UInt32(decoder.get(UInt16.self)),
                moreFragments: decoder.getBool(),
                digest: decoder.get()
            )
            guard decoder.isWhole, case .new = insert(piece, into: number) else { return nil }
        }
        for _ in 0..<decoder.getCount(limit: held.capacity, size: SavedFragment.size - 10) {
            let fragment = SavedFragment(from: &decoder)
            guard decoder.isWhole, fate == .waiting, !isSettled, var packet = parse(fragment, key) else { return nil }
            packet.datagram = number
            guard
                // Safe: any byte is a byte.
                hold(packet, unsafe fragment.bytes.span.bytes, in: number)
            else { return nil }
        }
        if isSettled {
            guard fate == .refused || fate != .waiting && datagrams[number].cover.isComplete else { return nil }
            leaveSource(number)
        }
        return (number, isSettled)
    }
}
