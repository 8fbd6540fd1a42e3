import Datapath
import Services
import Testing
import Wire

/// Endpoints in shorthand, and the sets that must come of them.
struct CategoryCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// `NUMBER` and marks: `L` on this node, `n` not ready, `t` terminating and serving, `x` terminating and not
    /// serving, `a`/`b` a hint for zone-a/zone-b, `A`/`B` a hint for node-a/node-b.
    var endpoints: String
    var cluster: [UInt8]
    var local: [UInt8]
    var hasAny: Bool
    var zone: String?

    init(
        _ description: String,
        _ endpoints: String,
        cluster: [UInt8],
        local: [UInt8] = [],
        hasAny: Bool = true,
        zone: String? = "zone-a"
    ) {
        testDescription = description
        self.endpoints = endpoints
        self.cluster = cluster
        self.local = local
        self.hasAny = hasAny
        self.zone = zone
    }

    /// The endpoints as a slice.
    var slice: String {
        let entries = endpoints.split(separator: " ").map { word in
            let number = word.prefix { $0.isNumber }
            let marks = word.drop { $0.isNumber }
            let isEnding = marks.contains("t") || marks.contains("x")
            let isServing = !marks.contains("n") && !marks.contains("x")
            var fields = [
                "addresses: [10.244.0.\(number)]", "nodeName: \(marks.contains("L") ? "node-a" : "node-b")",
                "conditions: {ready: \(isServing && !isEnding), serving: \(isServing), terminating: \(isEnding)}",
            ]
            var hints: [String] = []
            for (mark, hint) in [("a", "forZones: [{name: zone-a}]"), ("b", "forZones: [{name: zone-b}]")]
            where marks.contains(mark) { hints.append(hint) }
            for (mark, hint) in [("A", "forNodes: [{name: node-a}]"), ("B", "forNodes: [{name: node-b}]")]
            where marks.contains(mark) { hints.append(hint) }
            if !hints.isEmpty { fields.append("hints: {\(hints.joined(separator: ", "))}") }
            return "{\(fields.joined(separator: ", "))}"
        }
        return ServicesTests.slice("[\(entries.joined(separator: ", "))]")
    }
}

@Suite("The endpoints that each policy may use")
struct EndpointCategoriesTests {
    static let cases = [
        CategoryCase("ready ones, here and elsewhere", "1L 2", cluster: [1, 2], local: [1]),
        CategoryCase("none at all", "", cluster: [], hasAny: false),
        CategoryCase("none that is ready", "1n 2Ln", cluster: [], hasAny: false),
        CategoryCase("terminating ones where none is ready", "1t 2Lt", cluster: [1, 2], local: [2]),
        CategoryCase("terminating ones that serve no more", "1x 2Lx", cluster: [], hasAny: false),
        CategoryCase("a terminating one here, a ready one elsewhere", "1Lt 2", cluster: [2], local: [1]),
        CategoryCase("a ready one here, a terminating one elsewhere", "1L 2t", cluster: [1], local: [1]),
        CategoryCase("hints of our zone", "1a 2b 3La", cluster: [1, 3], local: [3]),
        CategoryCase("hints never touch the local set", "1Lb 2a", cluster: [2], local: [1]),
        CategoryCase("one hint is missing", "1a 2b 3", cluster: [1, 2, 3]),
        CategoryCase("no hint for our zone", "1b 2b", cluster: [1, 2]),
        CategoryCase("the node has no zone", "1a 2b", cluster: [1, 2], zone: nil),
        CategoryCase("an unready one without a hint spoils nothing", "1a 2b 3n", cluster: [1]),
        CategoryCase("hints for nodes go before those for zones", "1bA 2aB", cluster: [1]),
        CategoryCase("hints for other nodes, then those for zones", "1aB 2bB", cluster: [1]),
        CategoryCase("hints for some nodes only", "1A 2", cluster: [1, 2]),
        CategoryCase("hints are ignored among terminating ones", "1ta 2tb", cluster: [1, 2]),
    ]

    @Test("are those of kube-proxy", arguments: cases)
    func categories(_ row: CategoryCase) throws {
        var node = testNode
        node.zone = row.zone
        let port = try #require(try compile(service(), row.slice, node: node).servicePorts.first)
        #expect(port.cluster.map { UInt8(truncatingIfNeeded: $0.address.bits) } == row.cluster)
        #expect(port.local.map { UInt8(truncatingIfNeeded: $0.address.bits) } == row.local)
        #expect(port.hasAny == row.hasAny)
    }
}
