import Control
import Testing
import Wire

@Suite("What the control socket tells")
struct ResourceTests {
    @Test("flows are listed with their translation, in the words of events")
    func conntrack() async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let flows = try await daemon.items("conntrack")
            #expect(flows.count == 5)
            let node = try #require(flows.first { $0["frontend"].string == "NodePort" })
            #expect(node["protocol"].string == "tcp")
            #expect(node["state"].string == "SYN_SENT")
            #expect(node["source"].string == "203.0.113.2:40001")
            #expect(node["destination"].string == "192.0.2.10:30080")
            #expect(node["translatedSource"].string == "192.0.2.10:40001")
            #expect(node["translatedDestination"].string == node["backend"].string)
            #expect(node["service"].string == "default/web:http")
            #expect(node["masquerade"].isTrue)
            #expect(node["interface"].string == "uplink")
            #expect(node["egress"].string == "pods")
            #expect((3000...3600).contains(node["expiresSeconds"].number ?? 0))
            let ping = try #require(flows.first { $0["protocol"].string == "icmp" })
            #expect(ping["source"].string == "10.244.0.5")
            #expect(ping["identifier"].number == 77)
            #expect(ping["service"].string == nil)
        }
    }

    @Test(
        "filters choose flows: of one kind any, of all kinds each",
        arguments: [
            ([("protocol", "tcp")], 2), ([("protocol", "tcp"), ("protocol", "udp")], 4),
            ([("src", "203.0.113.0/24")], 1),
            ([("src", "10.244.0.5"), ("protocol", "udp")], 2), ([("dst", "10.96.0.10")], 1),
            ([("ip", "192.0.2.10")], 1),
            ([("ip", "203.0.113.2")], 3), ([("port", "8080")], 2), ([("dport", "8080")], 0), ([("sport", "40002")], 1),
            ([("service", "default/web")], 2), ([("service", "default/web:http")], 2), ([("service", "default/we")], 0),
            ([("backend", "10.244.0.13")], 1), ([("backend", "10.244.0.13:54")], 0), ([("node-port", "30080")], 1),
            ([("frontend", "clusterip")], 2), ([("state", "unreplied")], 2),
            ([("state", "SYN_SENT"), ("state", "ICMP")], 3),
        ]
    )
    func filters(query: [(String, String)], count: Int) async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let flows = try await daemon.items("conntrack", Query(query.map { .init($0.0, $0.1) }))
            #expect(flows.count == count)
        }
    }

    @Test("flush removes what the filter means, and nothing else")
    func flush() async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let udp = Query([.init("protocol", "udp")])
            #expect(try await daemon.ask("DELETE", "conntrack", udp) == Array("{\"deleted\":2}\n".utf8))
            #expect(try await daemon.ask("DELETE", "conntrack", udp) == Array("{\"deleted\":0}\n".utf8))
            #expect(try await daemon.items("conntrack").count == 3)
            let all = Query([.init("all", "true")])
            #expect(try await daemon.ask("DELETE", "conntrack", all) == Array("{\"deleted\":3}\n".utf8))
            #expect(try await daemon.items("conntrack").isEmpty)
            let counters = try await daemon.items("counters")
            #expect(counters.first { $0["counter"].string == "flows.flushed" }?["value"].number == 5)
            #expect(counters.first { $0["counter"].string == "flows.current" }?["value"].number == 0)
            let names = Set(counters.compactMap { $0["counter"].string })
            for word in ["halfOpen", "closed", "closing", "unreplied", "replied", "established"] {
                #expect(names.contains("flows.current.\(word)") && names.contains("flows.expired.\(word)"))
            }
            #expect(names.contains("flows.evicted.halfOpen") && !names.contains("flows.evicted.established"))
            #expect(names.isSuperset(of: ["flows.replaced", "flows.insertFailed", "flows.halfOpenRefused"]))
        }
    }

    @Test("a table of more than one slice is listed, counted and flushed completely, each flow once")
    func slices() async throws {
        try await withDaemon(after: TestTraffic.flows(10_000)) { daemon in
            let flows = try await daemon.items("conntrack")
            #expect(Set(flows.compactMap { $0["flow"].number }).count == 10_000)
            #expect(flows.count == 10_000)
            let top = try await daemon.document("conntrack/top", Query([.init("n", "1")]))
            #expect(top["flows"].number == 10_000)
            // 1024 to 65535 without the 2,768 NodePorts.
            #expect(top["masqueradePorts"].number == 61_744)
            #expect(top["clients"].elements.count == 1)
            #expect(top["destinations"].elements.first?["destination"].string == "203.0.113.2:53")
            let half = Query([.init("src", "10.244.16.0")])
            #expect(try await daemon.ask("DELETE", "conntrack", half) == Array("{\"deleted\":10000}\n".utf8))
        }
    }

    @Test("Services and endpoints are those that were compiled")
    func services() async throws {
        try await withDaemon { daemon in
            let services = try await daemon.items("services")
            #expect(services.compactMap { $0["name"].string } == ["dns", "empty", "web"])
            let web = services[2]
            #expect(web["clusterIP"].string == "10.96.0.10")
            #expect(web["ports"].elements[0]["nodePort"].number == 30080)
            #expect(web["ports"].elements[0]["backends"].number == 2)
            #expect(web["ports"].elements[0]["localBackends"].number == 1)
            #expect(services[0]["affinitySeconds"].number == 10800)
            #expect(services.map { $0["healthCheckNodePort"].number } == [nil, 32100, nil])
            let endpoints = try await daemon.items("endpoints")
            #expect(endpoints.map { $0["endpoints"].elements.count } == [1, 0, 2])
            let first = endpoints[2]["endpoints"].elements[0]
            #expect(first["backend"].string == "10.244.0.11:8080")
            #expect(first["local"].isTrue && first["ready"].isTrue && first["inUse"].isTrue)
        }
    }

    @Test("counters, drops, affinity, programs and maps say what happened")
    func tables() async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let counters = try await daemon.items("counters")
            func value(_ name: String) -> Int? { counters.first { $0["counter"].string == name }?["value"].number }
            #expect(value("received") == 6)
            #expect(value("flows.created") == 5)
            #expect(value("verdict.reject.packets") == 1)
            #expect(value("reason.no_endpoints.packets") == 1)
            #expect(value("affinity.current") == 1)
            #expect(value("ports.changed") == 0 && value("flows.reconciled") == 0)
            #expect(value("reloads.done") == 3 && value("reloads.failed") == 2 && value("reloads.current") == 0)
            #expect(value("reloads.lastSuccess") == 1_767_225_600)
            let drops = try await daemon.items("drops")
            let empty = try #require(drops.first { $0["reason"].string == "no_endpoints" })
            #expect(empty["packets"].number == 1)
            #expect(empty["bytes"].number == 40)
            #expect(empty["meaning"].string?.isEmpty == false)
            let affinity = try await daemon.items("affinity")
            #expect(affinity.count == 1)
            #expect(affinity[0]["client"].string == "10.244.0.5")
            #expect(affinity[0]["service"].string == "default/dns:dns")
            #expect(affinity[0]["backend"].string == "10.244.0.13:53")
            let programs = try await daemon.items("programs")
            #expect(programs.first { $0["program"].string == "balance" }?["runs"].number == 6)
            let maps = try await daemon.items("maps")
            #expect(maps.first { $0["name"].string == "conntrack" }?["entries"].number == 5)
            #expect(try await daemon.items("maps/backends").count == 4)
            #expect(try await daemon.items("maps/conntrack").count == 5)
            #expect(
                try await daemon.items("routes").compactMap { $0["interface"].string } == ["uplink", "pods", "host"]
            )
        }
    }

    @Test("version and health are documents")
    func documents() async throws {
        try await withDaemon { daemon in
            let health = try await daemon.document("health")
            #expect(health["status"].string == "ok")
            let version = try await daemon.document("version")
            #expect(version["version"].string == "test")
            let index = try await daemon.document("")
            #expect(index["paths"].elements.count > 10)
        }
    }

    @Test(
        "what cannot be understood is refused with a status and a reason",
        arguments: [
            ("GET", "nothing", "", 404), ("GET", "maps/nothing", "", 404), ("GET", "maps/fragments", "", 404),
            ("GET", "maps/", "", 404), ("POST", "conntrack", "", 405), ("DELETE", "services", "", 405),
            ("HEAD", "services", "", 405), ("GET", "conntrack", "src=nowhere", 400),
            ("GET", "conntrack", "color=red", 400),
            ("GET", "conntrack", "src=%zz", 400), ("GET", "conntrack", "src=%ff", 400), ("GET", "services", "a=b", 400),
            ("DELETE", "conntrack", "", 400), ("DELETE", "conntrack", "all=yes", 400),
            ("DELETE", "conntrack", "all=true&protocol=tcp", 400), ("GET", "conntrack/top", "n=0", 400),
            ("GET", "conntrack/top", "n=99999999999999999999", 400), ("GET", "conntrack", "port=65536", 400),
        ]
    )
    func refusals(method: String, path: String, query: String, status: Int) async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let client = try RawClient(daemon.path)
            client.send(request("\(method) /v1/\(path)\(query.isEmpty ? "" : "?")\(query)"))
            let answer = try #require(await client.receive())
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            if method != "HEAD" { #expect(answer.contains("\r\n\r\n{\"error\":\"")) }
            if status == 405 { #expect(answer.lowercased().contains("\r\nallow: get")) }
            #expect(try await daemon.items("conntrack").count == 5)
        }
    }

    @Test("without its worker the daemon says that it is ending")
    func ending() async throws {
        let daemon = try TestDaemon(after: TestTraffic.packets)
        _ = try await daemon.items("conntrack")
        daemon.endWorker()
        while await daemon.refusal("GET", "counters") == nil {}
        #expect(await daemon.refusal("GET", "conntrack") == .refused(status: 503, "the daemon is ending"))
        #expect(try await daemon.items("services").count == 3)
        try await daemon.end()
    }
}
