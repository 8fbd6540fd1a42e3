internal import Wire

/// `half-open`: connections that do not come about, captured at the node; the packets are those that enter it.
enum HalfOpenScenario {
    static func record() -> Recording {
        var recording = Recording(day: 20, second: 66600)
        let backend = Endpoint(Hosts.web1, 8080)

        // Nobody listens: the backend's host refuses, and the client's second try fares no better.
        let remote = Endpoint(Hosts.remoteWeb, 8080)
        for port in [50100, 50102] as [UInt16] {
            let client = Endpoint(Hosts.client, port)
            var refused = Conversation(
                from: client,
                to: Endpoint(Hosts.remoteVIP, 80),
                replies: (source: remote, destination: client)
            )
            refused.server.timeToLive = 62
            refused.send(.client, .syn, &recording)
            recording.wait(microseconds: 640)
            refused.send(.server, [.rst, .ack], &recording)
            recording.wait(milliseconds: 250)
        }

        // A Service without endpoints refuses at once; a RST that comes to it nevertheless is answered by nothing.
        var hopeless = Conversation(from: Endpoint(Hosts.client, 50200), to: Endpoint(Hosts.emptyVIP, 80))
        hopeless.send(.client, .syn, &recording)
        recording.wait(microseconds: 900)
        hopeless.send(.client, .rst, &recording)

        // The client gives up before the answer, and then uses its port anew.
        recording.wait(milliseconds: 40)
        let impatient = Endpoint(Hosts.client, 50300)
        var given = Conversation(
            from: impatient,
            to: Endpoint(Hosts.webVIP, 80),
            replies: (source: backend, destination: impatient)
        )
        given.send(.client, .syn, &recording)
        recording.wait(milliseconds: 15)
        given.send(.client, .rst, &recording)
        recording.wait(milliseconds: 5)
        given.send(.client, .syn, &recording)
        recording.wait(microseconds: 220)
        given.send(.server, [.syn, .ack], &recording)
        recording.wait(microseconds: 90)
        given.send(.client, .rst, &recording)

        // A SYN and its retransmissions, as Linux spaces them; the answer comes when the flow is long over.
        recording.wait(milliseconds: 300)
        let patient = Endpoint(Hosts.client, 50400)
        var silent = Conversation(
            from: patient,
            to: Endpoint(Hosts.webVIP, 80),
            replies: (source: backend, destination: patient)
        )
        silent.send(.client, .syn, &recording)
        for seconds in [1, 2, 4, 8, 16, 32] as [UInt64] {
            recording.wait(milliseconds: seconds * 1000 + 12)
            silent.repeatSYN(&recording)
        }
        recording.wait(milliseconds: 70_000)
        silent.send(.server, [.syn, .ack], &recording)
        return recording
    }
}
