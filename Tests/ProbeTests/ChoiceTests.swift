import Control
import Datapath
import Foundation
import Testing

@Suite("How a backend is chosen")
struct ChoiceTests {
    private static let service = """
        apiVersion: v1
        kind: Service
        metadata: {name: shop}
        spec: {clusterIP: 10.96.0.20, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
        """

    private static func slice(_ number: Int, _ hosts: [Int]) -> String {
        let endpoints = hosts.map { "{addresses: [10.244.1.\($0)]}" }.joined(separator: ", ")
        return """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: shop-\(number), labels: {kubernetes.io/service-name: shop}}
            addressType: IPv4
            ports: [{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}]
            endpoints: [\(endpoints)]
            """
    }

    /// The same set three times: in one order, in the other, and as a List.
    private static var orders: [[String]] {
        let texts = [service, slice(1, [1, 2, 3, 4]), slice(2, [5, 6, 7])]
        let mixed = [slice(2, [7, 5, 6]), slice(1, [3, 1, 4, 2]), service]
        let items = mixed.map { "- " + $0.replacing("\n", with: "\n  ") }
        return [texts, mixed, ["apiVersion: v1\nkind: List\nitems:\n" + items.joined(separator: "\n")]]
    }

    @Test("trace tells hash and slot of Maglev, and the table has the backend there", arguments: [251, 1021])
    func maglev(size: Int) throws {
        let loaded = try cluster(
            files: Self.orders[0],
            options: "proxy: {algorithm: maglev, maglevTableSize: \(size)}"
        )
        let dump = try object(try MapDumps(loaded).dump("maglev").line)
        let tables = try #require(dump["maglev"] as? [[String: Any]])
        let table = try #require(tables.first { $0["service"] as? String == "default/shop:http" })
        let entries = try #require(table["entries"] as? [Int])
        let backends = try #require(table["backends"] as? [String])
        var slots: Set<Int> = []
        for port in 40000..<40020 {
            let report = try probe("tcp", "10.244.0.9:\(port)", "10.96.0.20:80", in: loaded)
            let backend = try #require(try object(report.event)["backend"] as? String)
            let told = try #require(
                report.text.firstMatch(of: /by Maglev: hash 0x([0-9a-f]{8}) leads to slot (\d+) of (\d+)/)
            )
            let slot = try #require(Int(told.2))
            let hash = try #require(Int(told.1, radix: 16))
            #expect(Int(told.3) == size && hash % size == slot)
            #expect(backends[entries[slot]] == backend)
            let place = try #require(backends.firstIndex(of: backend))
            #expect(report.text.contains("\(backend), number \(place + 1) of the 7 endpoints of the cluster set"))
            slots.insert(slot)
        }
        #expect(slots.count > 10)
    }

    @Test("Maglev chooses for a client that is bound without its port, and trace says so")
    func affinity() throws {
        let bound = Self.service.replacing("spec: {", with: "spec: {sessionAffinity: ClientIP, ")
        let loaded = try cluster(files: [bound, Self.slice(1, [1, 2, 3])], options: "proxy: {algorithm: maglev}")
        let texts = try (1000..<1010).map { port in
            try probe("tcp", "10.244.0.9:\(port)", "10.96.0.20:80", in: loaded).text
        }
        let slots = texts.compactMap { $0.firstMatch(of: /leads to slot (\d+)/)?.1 }
        #expect(slots.count == 10 && Set(slots).count == 1)
        #expect(texts[0].contains("the client's next connections within 10800 s go there too"))
    }

    @Test(
        "the order of files, of Lists and of endpoints does not matter",
        arguments: ["random", "round-robin", "maglev"]
    )
    func order(algorithm: String) throws {
        let answers = try Self.orders.map { files in
            let loaded = try cluster(files: files, options: "proxy: {algorithm: \(algorithm)}")
            return try (40000..<40010).flatMap { port in
                [
                    try probe("tcp", "10.244.0.9:\(port)", "10.96.0.20:80", seed: UInt64(port), in: loaded).json.line,
                    try probe("udp", "10.244.0.9:\(port)", "10.96.0.20:53", seed: UInt64(port), in: loaded).json.line,
                ]
            }
        }
        #expect(answers[0] == answers[1])
        #expect(answers[0] == answers[2])
    }
}
