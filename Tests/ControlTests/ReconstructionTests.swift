import Control
import Foundation
import TestSupport
import Testing
import Wire

/// Replies that a client saw, turned back into what their backend had sent: what leaves is the capture, byte by byte.
@Suite("Reconstruction")
struct ReconstructionTests {
    private static let echoVIP = IPv4Address(10, 96, 0, 20)

    /// Replays a request, and replies to it that the client saw; checks all that holds for each reply.
    private func check(_ request: [UInt8], _ replies: [[UInt8]], _ checkSent: (Dissection) -> Void = { _ in }) throws {
        for batch in [1, 7, 64] {
            let replayed = try ReplayRun(batch: batch)([request] + replies)
            let events = try events(replayed.events)
            let traced = try packets(ofTrace: replayed.trace)
            try #require(events.count == replies.count + 1)
            #expect(events[0].summary == "forward -")
            for (index, seen) in replies.enumerated() {
                let event = events[index + 1]
                #expect(event.summary == "forward -" && event.flag("reconstructed") ?? false, "\(event.line)")
                #expect(event.followsTheContract)
                let sightings = traced.filter { $0.number == UInt64(index + 2) }
                try #require(
                    sightings.map(\.point) == ["pods:rx", "pods:tx"]
                        || sightings.map(\.point) == ["uplink:rx", "pods:tx"]
                )
                #expect(sightings[1].bytes == seen)
                let sent = try #require(Dissection(sightings[0].bytes))
                let captured = try #require(Dissection(seen))
                #expect(sent.timeToLive == captured.timeToLive + 1)
                #expect(sent.identification == captured.identification)
                #expect(sent.flagsAndOffset == captured.flagsAndOffset)
                #expect(sent.isHeaderChecksumValid && sent.isTransportChecksumValid)
                checkSent(sent)
            }
        }
    }

    private let question = udp(Host.pod, 5000, to: echoVIP, 9000)

    @Test func datagrams() throws {
        let replies = [true, false].map { udp(Self.echoVIP, 9000, to: Host.pod, 5000, payload: [4, 5], checksum: $0) }
        try check(question, replies) { sent in
            #expect(sent.source == Host.echo && sent.sourcePort == 9001)
            #expect(sent.destination == Host.pod && sent.destinationPort == 5000)
            #expect(sent.payload == [4, 5])
        }
    }

    @Test func segments() throws {
        let opening = tcp(Host.pod, 41000, to: Host.web, 80)
        let reply = tcp(Host.web, 80, to: Host.pod, 41000, [.syn, .ack]) { $0.timeToLive = 61 }
        let data = tcp(Host.web, 80, to: Host.pod, 41000, [.ack, .psh], payload: Array(0...250)) { $0.timeToLive = 1 }
        try check(opening, [reply, data]) { sent in
            #expect(sent.source == Host.backend && sent.sourcePort == 8080)
            #expect(sent.destination == Host.pod && sent.destinationPort == 41000)
        }
    }

    /// Any contents: among them checksums that are 0 or all ones, before and after translation.
    @Test func anyContentsComeOutAsTheyWere() throws {
        var generator = TestGenerator(seed: 20)
        var replies: [[UInt8]] = []
        for number in 0..<3000 {
            let payload = generator.bytes(number % 40)
            replies.append(
                udp(Self.echoVIP, 9000, to: Host.pod, 5000, payload: payload, checksum: number % 9 != 0) {
                    $0.identification = UInt16(truncatingIfNeeded: generator.next())
                    $0.timeToLive = UInt8(generator.pick(1..<255))
                    $0.typeOfService = UInt8(truncatingIfNeeded: generator.next())
                }
            )
        }
        // Words that make the checksums 0, 1 and all ones, those of the client's packet and those of the backend's.
        for (source, port) in [(Self.echoVIP, UInt16(9000)), (Host.echo, 9001)] {
            let plain = try #require(
                Dissection(udp(source, port, to: Host.pod, 5000, payload: [0, 0]) { $0.identification = 0 })
            )
            for missing in [UInt16(0), 1, 2, 0xffff, 0xfffe] {
                let word = plain.transportChecksum &- missing
                let reply = udp(Self.echoVIP, 9000, to: Host.pod, 5000, payload: [UInt8(word >> 8), UInt8(word & 255)])
                {
                    $0.identification = plain.word(10) &- missing
                }
                replies.append(reply)
            }
        }
        let replayed = try ReplayRun()([question] + replies)
        let traced = try packets(ofTrace: replayed.trace)
        #expect(traced.filter { $0.point == "pods:tx" && $0.number > 1 }.map(\.bytes) == replies)
        let received = traced.filter { $0.point == "pods:rx" && $0.number > 1 }.compactMap { Dissection($0.bytes) }
        #expect(received.count == replies.count)
        #expect(received.allSatisfy { $0.isHeaderChecksumValid && $0.isTransportChecksumValid })
        #expect(received.allSatisfy { $0.source == Host.echo && $0.sourcePort == 9001 })
    }

    /// Errors of the far end and of a router, about the packet that the client had sent; quoted short and whole.
    @Test(arguments: [28, 36, 1000])
    func errorsAboutDatagrams(_ quoted: Int) throws {
        let asked = udp(Host.pod, 5000, to: Self.echoVIP, 9000, payload: Array(0..<90)) { $0.timeToLive = 58 }
        let unreachable = icmpError(Self.echoVIP, to: Host.pod, code: 3, about: asked, count: quoted) {
            $0.timeToLive = 62
        }
        try check(question, [unreachable]) { sent in
            #expect(sent.source == Host.echo && sent.destination == Host.pod)
            expectQuote(sent.quote, from: Host.pod, 5000, to: Host.echo, 9001, count: min(quoted, asked.count))
        }
        let tooLong = icmpError(Host.router, to: Host.pod, code: 4, rest: 1400, about: asked, count: quoted)
        try check(question, [tooLong, unreachable]) { sent in
            #expect(sent.source == Host.router || sent.source == Host.echo)
            #expect(sent.icmpRest == (sent.icmpCode == 4 ? 1400 : 0))
            expectQuote(sent.quote, from: Host.pod, 5000, to: Host.echo, 9001, count: min(quoted, asked.count))
        }
    }

    @Test(arguments: [28, 40, 1000])
    func errorsAboutSegments(_ quoted: Int) throws {
        let opening = tcp(Host.pod, 41000, to: Host.web, 80)
        let data = tcp(Host.pod, 41000, to: Host.web, 80, [.ack], payload: Array(repeating: 7, count: 301))
        let errors = [
            icmpError(Host.router, to: Host.pod, code: 4, rest: 576, about: data, count: quoted) {
                $0.timeToLive = 254
            },
            icmpError(Host.web, to: Host.pod, code: 1, about: data, count: quoted),
            icmpError(Host.router, to: Host.pod, .timeExceeded, code: 0, about: data, count: quoted) {
                $0.timeToLive = 1
            },
        ]
        try check(opening, errors) { sent in
            expectQuote(sent.quote, from: Host.pod, 41000, to: Host.backend, 8080, count: min(quoted, data.count))
        }
    }

    /// A quoted packet has the addresses and ports that the datapath had sent, and a good header.
    private func expectQuote(
        _ quote: [UInt8],
        from source: IPv4Address,
        _ port: UInt16,
        to destination: IPv4Address,
        _ toPort: UInt16,
        count: Int
    ) {
        #expect(quote.count == count)
        func word(_ place: Int) -> UInt16 { UInt16(quote[place]) << 8 | UInt16(quote[place + 1]) }
        guard quote.count >= 24 else { return }
        #expect(IPv4Address(quote[12], quote[13], quote[14], quote[15]) == source)
        #expect(IPv4Address(quote[16], quote[17], quote[18], quote[19]) == destination)
        #expect(word(20) == port && word(22) == toPort)
        #expect(NaiveChecksum.sum(quote.prefix(20)) == 0xffff)
        if let whole = Dissection(quote) { #expect(whole.isTransportChecksumValid) }
    }

    @Test func fragments() throws {
        let payload = (0..<700).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let parts = udpFragments(Self.echoVIP, 9000, to: Host.pod, 5000, payload: payload, size: 256) {
            $0.timeToLive = 60
        }
        #expect(parts.count == 3)
        try check(question, parts) { sent in
            #expect(sent.source == Host.echo && sent.destination == Host.pod)
        }
        let replayed = try ReplayRun()([question] + parts)
        let received = try packets(ofTrace: replayed.trace).filter { $0.point == "pods:rx" && $0.number > 1 }
        let whole = try #require(reassemble(received.map(\.bytes)).flatMap { Dissection($0) })
        #expect(whole.isTransportChecksumValid && whole.payload == payload)
        #expect(whole.sourcePort == 9001 && whole.destinationPort == 5000)
        let read = try events(replayed.events)
        #expect(read[1].text("source") == "10.244.1.20:9001")
        #expect(read[2].text("source") == "10.244.1.20" && read[2].text("translatedSource") == "10.96.0.20")
    }

    /// The last fragment before the middle one; one after the other as they were captured.
    @Test func fragmentsOutOfOrderAfterTheFirst() throws {
        let payload = [UInt8](repeating: 3, count: 700)
        let parts = udpFragments(Self.echoVIP, 9000, to: Host.pod, 5000, payload: payload, size: 256)
        try check(question, [parts[0], parts[2], parts[1]])
    }

    /// Two datagrams at once, told apart by their identification; the second comes again later with the same one.
    @Test func fragmentsOfSeveralDatagrams() throws {
        let one = udpFragments(
            Self.echoVIP,
            9000,
            to: Host.pod,
            5000,
            payload: [UInt8](repeating: 1, count: 500),
            size: 256
        )
        let two = udpFragments(
            Self.echoVIP,
            9000,
            to: Host.pod,
            5000,
            payload: [UInt8](repeating: 2, count: 600),
            size: 256,
            identification: 8
        )
        try check(question, [one[0], two[0], one[1], two[1], two[2]] + two)
    }

    /// The documented limit: a later fragment that comes first cannot be told to be a reply.
    @Test func aLaterFragmentThatComesFirstIsAForgery() throws {
        let parts = udpFragments(
            Self.echoVIP,
            9000,
            to: Host.pod,
            5000,
            payload: [UInt8](repeating: 1, count: 300),
            size: 256
        )
        let read = try events(try ReplayRun()([question, parts[1], parts[0]]).events)
        #expect(read.map(\.summary) == ["forward -", "drop spoof.vip", "forward -"])
        #expect(read.map { $0.flag("reconstructed") } == [nil, nil, true])
    }

    /// Packets that are no reply to anything, and would be forgeries in a capture that was taken at the node.
    @Test func whatBelongsToNoFlowIsNotReconstructed() throws {
        let about = udp(Host.pod, 5001, to: Self.echoVIP, 9000)
        let strangers = [
            udp(Self.echoVIP, 9000, to: Host.pod, 5001), udp(Self.echoVIP, 9001, to: Host.pod, 5000),
            tcp(Host.web, 80, to: Host.pod, 5000, [.syn, .ack]),
            icmpError(Self.echoVIP, to: Host.pod, code: 3, about: about),
        ]
        let read = try events(try ReplayRun()([question] + strangers).events)
        #expect(read.dropFirst().allSatisfy { $0.flag("reconstructed") == nil && $0.text("verdict") == "drop" })
        let plain = try events(
            try ReplayRun(reconstructs: false)([question, udp(Self.echoVIP, 9000, to: Host.pod, 5000)]).events
        )
        #expect(plain.map(\.summary) == ["forward -", "drop spoof.vip"])
    }
}
