import TestSupport
import Testing
import Wire

@Suite("The packet builder")
struct PacketBuilderTests {
    private static let from = IPv4Address(10, 1, 2, 3)
    private static let to = IPv4Address(192, 0, 2, 4)

    private func builder(_ generator: inout TestGenerator) -> PacketBuilder {
        var builder = PacketBuilder(from: generator.address(), to: generator.address())
        builder.timeToLive = UInt8(generator.pick(0..<256))
        builder.typeOfService = UInt8(generator.pick(0..<256))
        builder.identification = generator.port()
        builder.options = [UInt8](repeating: 1, count: generator.pick(0..<41))
        return builder
    }

    @Test("what is put in is found in the packet, with right checksums", arguments: 0..<20)
    func roundTrip(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<50 {
            let builder = builder(&generator)
            let payload = generator.bytes(generator.pick(0..<100))
            let (source, destination) = (generator.port(), generator.port())
            let tcpOptions = [UInt8](repeating: 1, count: generator.pick(0..<11) * 4)
            let flags = TCPFlags(rawValue: UInt8(generator.pick(0..<256)))
            let sequence = generator.word()
            let tcp = builder.tcp(
                source,
                destination,
                flags: flags,
                sequence: sequence,
                acknowledgment: 7,
                tcpOptions: tcpOptions,
                payload: payload
            )
            let packets = [
                tcp, builder.udp(source, destination, payload: payload),
                builder.icmp(.echoRequest, rest: UInt32(source) << 16, payload: payload),
            ]
            for (packet, transport) in zip(packets, [TransportProtocol.tcp, .udp, .icmp]) {
                let found = issues(
                    in: packet,
                    .from(builder.source),
                    .to(builder.destination),
                    .timeToLive(builder.timeToLive),
                    .typeOfService(builder.typeOfService),
                    .identification(builder.identification),
                    .flagsAndOffset(0x4000),
                    .transport(transport),
                    .payload(payload),
                    .validChecksums
                )
                #expect(found == [])
            }
            #expect(Dissection(tcp)?.tcpFlags == flags.rawValue)
            #expect(Dissection(tcp)?.sequence == sequence)
            #expect(Dissection(tcp)?.sourcePort == source && Dissection(tcp)?.destinationPort == destination)
        }
    }

    @Test("a UDP datagram without a checksum has zero, one with a sum of zero has all ones")
    func udpChecksum() {
        let builder = PacketBuilder(from: Self.from, to: Self.to)
        #expect(issues(in: builder.udp(1, 2, payload: [1], checksum: false), .transportChecksum(0)) == [])
        // Of all values of one payload word, exactly those that make the checksum zero must show as all ones.
        var allOnes = 0
        for value in UInt16.min...UInt16.max {
            let packet = builder.udp(1, 2, payload: [UInt8(value >> 8), UInt8(value & 255)])
            let check = UInt16(packet[26]) << 8 | UInt16(packet[27])
            if check == 0 { Issue.record("payload \(value) has a checksum of zero") }
            allOnes += check == 0xffff ? 1 : 0
        }
        #expect(allOnes >= 1)
    }

    @Test("fragments put together again are the datagram", arguments: [8, 16, 64, 1480])
    func fragments(size: Int) {
        var generator = TestGenerator(seed: size)
        var builder = PacketBuilder(from: Self.from, to: Self.to)
        builder.identification = 99
        builder.flagsAndOffset = 0
        for length in [0, 1, 7, 8, 9, 100, 3000] {
            let datagram = builder.udpDatagram(1000, 2000, payload: generator.bytes(length))
            let parts = builder.fragments(.udp, payload: datagram, size: size)
            #expect(parts.count == (datagram.count + size - 1) / size)
            for part in parts { #expect(issues(in: part, .validChecksums) == []) }
            for part in parts.dropLast() { #expect(Dissection(part)?.carried.count == size) }
            let whole = reassemble(parts)
            #expect(whole == builder.packet(.udp, payload: datagram))
            #expect(whole.map { issues(in: $0, .validChecksums) } == [])
        }
    }

    @Test("big-endian stores and appends agree")
    func bigEndian() {
        var appended: [UInt8] = []
        appended.append(big: UInt16(0x0102))
        appended.append(big: UInt32(0x0304_0506))
        #expect(appended == [1, 2, 3, 4, 5, 6])
        appended.store(big: 0xa1a2, at: 1)
        #expect(appended == [1, 0xa1, 0xa2, 4, 5, 6])
    }

    @Test("loads and stores of spans are in network order at any offset", arguments: 0..<9)
    func spans(offset: Int) {
        var bytes = [UInt8](repeating: 0xa5, count: 20)
        let read = withMutableBytes(of: &bytes) { span -> [UInt64] in
            span.storeBE(UInt32(0x0102_0304), at: offset)
            span.storeBE(UInt16(0x0506), at: offset + 4)
            span.store8(7, at: offset + 6)
            let immutable = span.bytes
            return [
                UInt64(span.loadBE32(offset)), UInt64(span.loadBE16(offset + 4)), UInt64(span.load8(offset + 6)),
                UInt64(immutable.loadBE32(offset)), UInt64(immutable.loadBE16(offset + 4)),
                UInt64(immutable.load8(offset + 6)), UInt64(immutable.loadNative32(offset).bigEndian),
                immutable.loadNative64(offset).bigEndian,
            ]
        }
        #expect(Array(bytes[offset..<offset + 7]) == [1, 2, 3, 4, 5, 6, 7])
        #expect(bytes.count { $0 == 0xa5 } == 13)
        #expect(
            read == [0x0102_0304, 0x0506, 7, 0x0102_0304, 0x0506, 7, 0x0102_0304, 0x0102_0304_0506_07a5]
        )
    }

    @Test("protocols are written by name, or by number")
    func protocolNames() {
        #expect(TransportProtocol.tcp.description == "tcp")
        #expect(TransportProtocol.udp.description == "udp")
        #expect(TransportProtocol.icmp.description == "icmp")
        #expect(TransportProtocol(rawValue: 132).description == "ip-132")
    }
}
