internal import Wire

/// `http-clusterip`: two HTTP connections of a pod to a ClusterIP, captured at the pod.
///
/// The replies come from the Service's address, as the client sees them, with the TTL of a packet that was routed once.
enum ClusterIPScenario {
    static func record() -> Recording {
        var recording = Recording(day: 15, second: 34200)
        let service = Endpoint(Hosts.webVIP, 80)
        let host = "web.default.svc.cluster.local"

        // A response of several segments, most of which fill the MTU; the client closes.
        var first = Conversation(from: Endpoint(Hosts.client, 49152), to: service)
        first.server.timeToLive = 63
        first.open(&recording)
        first.request(HTTP.get("/water.txt", host: host), &recording)
        first.respond(
            HTTP.response("200 OK", date: "Thu, 15 Jan 2026 09:30:00 GMT", body: HTTP.lines(60)),
            &recording
        )
        first.close(.client, &recording)

        // A second connection, with a choice of its own; the server closes.
        recording.wait(milliseconds: 900)
        var second = Conversation(from: Endpoint(Hosts.client, 49154), to: service)
        second.server.timeToLive = 63
        second.open(&recording)
        second.request(HTTP.get("/favicon.ico", host: host), &recording)
        second.respond(
            HTTP.response("404 Not Found", date: "Thu, 15 Jan 2026 09:30:00 GMT", body: "not here\n", closes: true),
            &recording
        )
        second.close(.server, &recording)
        return recording
    }
}
