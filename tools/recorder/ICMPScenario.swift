internal import Wire

/// `icmp`: pings and errors, captured at the node; the packets are those that enter it.
enum ICMPScenario {
    static func record() -> Recording {
        var recording = Recording(day: 21, second: 40500)
        ping(&recording)
        recording.wait(milliseconds: 200)
        datagramRefused(&recording)
        recording.wait(milliseconds: 200)
        pathTooNarrow(&recording)
        recording.wait(milliseconds: 200)
        traceroute(&recording)
        recording.wait(milliseconds: 200)
        withoutFlow(&recording)
        return recording
    }

    /// A pod pings a host outside; that host pings the node, and the pod a Service, which is nobody to ping.
    private static func ping(_ recording: inout Recording) {
        for sequence in [1, 2] as [UInt16] {
            var request = PacketBuilder(from: Hosts.client, to: Hosts.outside1)
            request.identification = 0x3b10 + sequence
            recording.add(ICMPMessages.echo(.echoRequest, request, identifier: 0x0b5e, sequence: sequence))
            recording.wait(microseconds: 8400)
            var reply = PacketBuilder(from: Hosts.outside1, to: Hosts.client)
            reply.identification = 0xc2f0 + sequence
            reply.flagsAndOffset = 0
            reply.timeToLive = 57
            recording.add(ICMPMessages.echo(.echoReply, reply, identifier: 0x0b5e, sequence: sequence))
            recording.wait(milliseconds: 990)
        }
        var request = PacketBuilder(from: Hosts.outside1, to: Hosts.node)
        request.timeToLive = 57
        request.identification = 0xc40a
        recording.add(ICMPMessages.echo(.echoRequest, request, identifier: 0x4d21, sequence: 1))
        recording.wait(milliseconds: 300)
        let toService = PacketBuilder(from: Hosts.client, to: Hosts.webVIP)
        recording.add(ICMPMessages.echo(.echoRequest, toService, identifier: 0x0b5f, sequence: 1))
    }

    /// The backend of a UDP Service has no such port open, and says so: the client must see the Service say it.
    private static func datagramRefused(_ recording: inout Recording) {
        let payload = Array("is anybody there?\n".utf8)
        var asked = PacketBuilder(from: Hosts.client, to: Hosts.echoVIP)
        asked.identification = 0x51c2
        recording.add(asked.udp(33445, 9000, payload: payload))
        recording.wait(microseconds: 60)
        // What the backend had received: the destination translated, the TTL one less.
        var received = PacketBuilder(from: Hosts.client, to: Hosts.web1)
        received.identification = 0x51c2
        received.timeToLive = 63
        let quoted = received.udp(33445, 9001, payload: payload)
        recording.add(
            ICMPMessages.error(
                .destinationUnreachable,
                code: UnreachableCode.port,
                from: Hosts.web1,
                to: Hosts.client,
                about: quoted
            )
        )
    }

    /// A tunnel on the way to the other node takes 1,400 bytes: its router says so, and the client sends less.
    ///
    /// Then a packet that is longer than the node's own interfaces take.
    private static func pathTooNarrow(_ recording: inout Recording) {
        let client = Endpoint(Hosts.client, 42730)
        let backend = Endpoint(Hosts.remoteWeb, 8080)
        var upload = Conversation(
            from: client,
            to: Endpoint(Hosts.remoteVIP, 80),
            replies: (source: backend, destination: client)
        )
        upload.server.timeToLive = 62
        upload.open(&recording, delay: 700)
        recording.wait(microseconds: 50)
        // The same segment as the router receives it: it is the client's, to the backend.
        var beyond = Conversation(from: client, to: backend)
        beyond.client = seen(upload.client, to: backend)
        beyond.server = upload.server
        let head = "POST /upload HTTP/1.1\r\nHost: remote.default.svc.cluster.local\r\nContent-Length: 1360\r\n\r\n"
        let body = Array((head + HTTP.lines(20)).utf8.prefix(Conversation.segmentSize))
        let quoted = beyond.segment(.client, [.psh, .ack], body, at: recording.milliseconds)
        upload.send(.client, [.psh, .ack], &recording, payload: body)
        recording.wait(microseconds: 350)
        recording.add(
            ICMPMessages.error(
                .destinationUnreachable,
                code: UnreachableCode.fragmentationNeeded,
                from: Hosts.router,
                to: Hosts.client,
                about: quoted,
                rest: 1400,
                timeToLive: 254
            )
        )
        recording.wait(microseconds: 120)
        upload.resend([Array(body.prefix(1348)), Array(body.dropFirst(1348))], &recording)
        recording.wait(microseconds: 800)
        upload.send(.server, .ack, &recording)
        recording.wait(microseconds: 300)
        upload.send(.client, .ack, &recording, payload: [UInt8](repeating: 0x2e, count: 1600))
    }

    /// A connection's end as it is seen behind the translation of its destination.
    private static func seen(_ end: Conversation.End, to destination: Endpoint) -> Conversation.End {
        var copy = end
        copy.destination = destination
        copy.timeToLive = end.timeToLive - 1
        return copy
    }

    /// A traceroute out of a pod: the first datagram ends here, the second at the next router, the third at its goal.
    private static func traceroute(_ recording: inout Recording) {
        for hop in [1, 2, 3] as [UInt8] {
            var probe = PacketBuilder(from: Hosts.client, to: Hosts.outside2)
            probe.flagsAndOffset = 0
            probe.identification = 0x6100 + UInt16(hop)
            probe.timeToLive = hop
            let payload = Array(0x40...0x5f) as [UInt8]
            recording.add(probe.udp(45000, 33433 + UInt16(hop), payload: payload))
            recording.wait(milliseconds: 4)
            guard hop > 1 else { continue }
            probe.timeToLive = 1
            let quoted = probe.udp(45000, 33433 + UInt16(hop), payload: payload)
            recording.add(
                hop == 2
                    ? ICMPMessages.error(
                        .timeExceeded,
                        code: 0,
                        from: Hosts.router,
                        to: Hosts.client,
                        about: quoted,
                        timeToLive: 254,
                        quoting: 28
                    )
                    : ICMPMessages.error(
                        .destinationUnreachable,
                        code: UnreachableCode.port,
                        from: Hosts.outside2,
                        to: Hosts.client,
                        about: quoted,
                        timeToLive: 61
                    )
            )
            recording.wait(milliseconds: 2)
        }
    }

    /// Errors that belong to nothing, or that nobody may send on.
    private static func withoutFlow(_ recording: inout Recording) {
        let stray = PacketBuilder(from: Hosts.client, to: Hosts.stranger).udp(5353, 5353, payload: Array("?".utf8))
        let fromService = PacketBuilder(from: Hosts.echoVIP, to: Hosts.stranger).udp(9000, 50000)
        var damaged = stray
        damaged[10] ^= 0xff
        let aboutError = ICMPMessages.error(
            .timeExceeded,
            code: 0,
            from: Hosts.client,
            to: Hosts.stranger,
            about: stray,
            quoting: 28
        )
        let errors: [(to: IPv4Address, type: ICMPv4Type, code: UInt8, about: [UInt8], rest: UInt32)] = [
            (Hosts.client, .destinationUnreachable, UnreachableCode.port, stray, 0),
            (Hosts.echoVIP, .destinationUnreachable, UnreachableCode.port, fromService, 0),
            (Hosts.client, .redirect, 1, stray, Hosts.router.bits),
            (Hosts.client, .destinationUnreachable, UnreachableCode.port, Array(stray.prefix(24)), 0),
            (Hosts.client, .destinationUnreachable, UnreachableCode.port, damaged, 0),
            (Hosts.client, .destinationUnreachable, 1, aboutError, 0),
        ]
        for error in errors {
            recording.add(
                ICMPMessages.error(
                    error.type,
                    code: error.code,
                    from: Hosts.stranger,
                    to: error.to,
                    about: error.about,
                    rest: error.rest,
                    timeToLive: 52
                )
            )
            recording.wait(milliseconds: 7)
        }
    }
}
