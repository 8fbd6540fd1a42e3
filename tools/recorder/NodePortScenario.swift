internal import Wire

/// `nodeport-masquerade`: two clients with the same source port at one NodePort, captured at the node.
///
/// The packets are those that enter the datapath: the clients' to the node's address, the backend's to the masqueraded
/// tuples. The first client keeps its port; the second one's is taken by then, so Culvert draws another.
enum NodePortScenario {
    static func record(secondPort: UInt16) -> Recording {
        var recording = Recording(day: 16, second: 52320)
        let nodePort = Endpoint(Hosts.node, 30080)
        let backend = Endpoint(Hosts.web1, 8080)
        var first = Conversation(
            from: Endpoint(Hosts.outside1, 40000),
            to: nodePort,
            replies: (source: backend, destination: Endpoint(Hosts.node, 40000))
        )
        var second = Conversation(
            from: Endpoint(Hosts.outside2, 40000),
            to: nodePort,
            replies: (source: backend, destination: Endpoint(Hosts.node, secondPort))
        )
        first.client.timeToLive = 58
        second.client.timeToLive = 51

        first.open(&recording, delay: 4200)
        recording.wait(microseconds: 300)
        second.open(&recording, delay: 7900)
        first.request(HTTP.get("/first", host: "192.0.2.10:30080"), &recording)
        second.request(HTTP.get("/second", host: "192.0.2.10:30080"), &recording)
        let date = "Fri, 16 Jan 2026 14:32:00 GMT"
        first.respond(HTTP.response("200 OK", date: date, body: "hello, first\n"), &recording, delay: 4200)
        second.respond(HTTP.response("200 OK", date: date, body: "hello, second\n"), &recording, delay: 7900)

        // A third host sends to the port that the first client's connection has at the node: that is the node's affair.
        recording.wait(milliseconds: 3)
        var stranger = Conversation(from: Endpoint(Hosts.stranger, 40001), to: Endpoint(Hosts.node, 40000))
        stranger.client.timeToLive = 49
        stranger.send(.client, .syn, &recording)

        first.close(.client, &recording, delay: 4200)
        second.close(.server, &recording, delay: 7900)
        return recording
    }
}
