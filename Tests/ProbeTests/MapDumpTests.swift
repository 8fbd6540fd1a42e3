import Control
import Foundation
import Testing

@Suite("Maps of the datapath")
struct MapDumpTests {
    private func dump(_ name: String) throws -> [[String: Any]] {
        let line = try MapDumps(try cluster()).dump(name).line
        let found = try object(line)
        #expect(Array(found.keys) == [name])
        return try #require(found[name] as? [[String: Any]])
    }

    @Test("services refer to backends by index")
    func services() throws {
        let services = try dump("services")
        let backends = try dump("backends")
        #expect(services.count == 7)
        for service in services {
            for index in try #require(service["cluster"] as? [Int]) + #require(service["local"] as? [Int]) {
                #expect(backends[index]["service"] as? String == service["service"] as? String)
                #expect(backends[index]["index"] as? Int == index)
            }
        }
        let node = try #require(services.first { $0["address"] as? String == "192.0.2.10:30053" })
        #expect(node["policy"] as? String == "Local")
        #expect(node["local"] as? [Int] == [])
        #expect(node["hasAny"] as? Bool == true)
    }

    @Test("routes are those of a replay, the uplink's the widest")
    func routes() throws {
        let routes = try dump("routes").map { "\($0["prefix"] ?? "") \($0["interface"] ?? "")" }
        #expect(routes == ["0.0.0.0/0 uplink", "10.96.0.53/32 host", "10.244.0.0/16 pods", "192.0.2.10/32 host"])
    }

    @Test("source ranges name their frontend")
    func sourceRanges() throws {
        let ranges = try dump("source-ranges")
        #expect(ranges.map { $0["prefix"] as? String } == ["203.0.113.0/25"])
        #expect(ranges.map { $0["address"] as? String } == ["198.51.100.1:80"])
    }

    @Test("the list has every map with its size")
    func listing() throws {
        let maps = try dump("maps")
        let sizes = Dictionary(
            try maps.map { (try #require($0["name"] as? String), try #require($0["entries"] as? Int)) },
            uniquingKeysWith: +
        )
        #expect(sizes["services"] == 7)
        #expect(sizes["routes"] == 4)
        #expect(sizes["names"] ?? 0 > 10)
        #expect(sizes["conntrack"] == 0)
        #expect(maps.allSatisfy { !(($0["type"] as? String) ?? "").isEmpty && $0["capacity"] is Int })
    }

    @Test("a map that there is not is an error with a hint")
    func unknown() throws {
        let dumps = MapDumps(try cluster())
        let error = #expect(throws: MapError.self) { try dumps.dump("backend") }
        #expect(error?.problem == "is no map")
        #expect(error?.hint == "did you mean backends?")
        #expect(throws: MapError.self) { try dumps.dump("") }
        #expect(throws: MapError.self) { try dumps.dump("conntrack") }
    }
}
