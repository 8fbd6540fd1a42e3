import Control
import Foundation
import Services
import Testing
import Wire

@Suite("The file of allocations")
struct AllocationFileTests {
    private static var state: AllocationState {
        let name = ServiceName(namespace: "default", name: "web")
        var state = AllocationState()
        state.clusterIPs[name] = IPv4Address(10, 96, 1, 2)
        state.loadBalancers[name] = IPv4Address(198, 51, 100, 3)
        state.nodePorts[.init(service: name, name: "http", transport: "TCP")] = 30123
        state.nodePorts[.init(service: name, name: "", transport: "UDP")] = 30123
        state.healthCheckNodePorts[ServiceName(namespace: "x", name: "y")] = 31000
        return state
    }

    @Test("holds what it was given, and nothing else lies beside it")
    func roundTrip() throws {
        let folder = try ManifestFolder()
        let file = AllocationFile(directory: folder.path + "/state")
        #expect(file.load().state == AllocationState() && file.load().problem == nil)
        try file.save(Self.state)
        #expect(file.load().state == Self.state && file.load().problem == nil)
        try file.save(AllocationState())
        #expect(file.load().state.count == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/state") == ["allocations.json"])
    }

    @Test(
        "is set aside when it is damaged",
        arguments: [
            "", "{", "[]", "{\"version\":1}", "{\"version\":2}", "\u{0}\u{1}",
            #"{"version":1,"clusterIPs":{"web":"10.96.0.1"},"loadBalancers":{},"nodePorts":{},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{"a/web":"10.96.0.256"},"loadBalancers":{},"nodePorts":{},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{"a/b":"10.9.0.1","a/c":"10.9.0.1"},"loadBalancers":{},"nodePorts":{},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{},"loadBalancers":{},"nodePorts":{"a/b:x/TCP":70000},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{},"loadBalancers":{},"nodePorts":{"a/b:x/TCP":0},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{},"loadBalancers":{},"nodePorts":{"a/b":1},"healthCheckNodePorts":{}}"#,
            #"{"version":1,"clusterIPs":{},"loadBalancers":{},"nodePorts":{"a/b:x/TCP":1},"healthCheckNodePorts":{"a/c":1}}"#,
        ]
    )
    func damage(_ text: String) throws {
        let folder = try ManifestFolder()
        try folder.write("allocations.json", text)
        let file = AllocationFile(directory: folder.path)
        let (state, problem) = file.load()
        #expect(state == AllocationState())
        #expect(problem?.hasPrefix("\(file.path): ") == true && problem?.contains("allocations.json.damaged") == true)
        let aside = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path + ".damaged")).readToEnd() ?? Data()
        #expect(String(decoding: aside, as: UTF8.self) == text)
        #expect(file.load().problem == nil)
    }

    @Test("says why it cannot be written")
    func unwritable() throws {
        let folder = try ManifestFolder()
        try folder.write("state", "a file")
        let file = AllocationFile(directory: folder.path + "/state")
        #expect(throws: StateError.self) { try file.save(Self.state) }
    }
}
