import Datapath
import Kubernetes
import Services
import Testing

@Suite("Where endpoints are read")
struct EndpointSourceTests {
    private static let endpoints = """
        apiVersion: v1
        kind: Endpoints
        metadata: {name: web}
        subsets: [{addresses: [{ip: 10.244.2.1, nodeName: node-a}], notReadyAddresses: [{ip: 10.244.2.2}], ports: [{port: 8080}]}]
        """
    private static let selecting = service("selector: {app: web}")

    private func cluster(_ texts: String...) throws -> [String] {
        try #require(compile(texts).servicePorts.first).cluster.map(\.text)
    }

    @Test("EndpointSlices win over Endpoints, these over the selector")
    func precedence() throws {
        let sliced = slice("[{addresses: [10.244.1.1]}]")
        let selected = pod("web-0", "10.244.3.1")
        #expect(try cluster(Self.selecting, sliced, Self.endpoints, selected) == ["10.244.1.1:8080"])
        #expect(try cluster(Self.selecting, Self.endpoints, selected) == ["10.244.2.1:8080*"])
        #expect(try cluster(Self.selecting, selected) == ["10.244.3.1:8080*"])
        #expect(try cluster(Self.selecting) == [])
    }

    @Test("A slice without endpoints still wins")
    func emptySlice() throws {
        #expect(try cluster(Self.selecting, slice("[]"), pod("web-0", "10.244.3.1")) == [])
    }

    @Test("Of one endpoint in two slices, one that does not terminate counts, in any order")
    func duplicates() throws {
        let ending = "[{addresses: [10.244.1.1], conditions: {ready: false, serving: true, terminating: true}}]"
        let ready = "[{addresses: [10.244.1.1]}]"
        #expect(try cluster(service(), slice(ending), slice(ready, name: "web-2")) == ["10.244.1.1:8080"])
        #expect(try cluster(service(), slice(ready), slice(ending, name: "web-2")) == ["10.244.1.1:8080"])
    }

    @Test("A slice port feeds the port of its name and protocol, with the slice's own number")
    func ports() throws {
        let ported = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {clusterIP: 10.96.0.10, ports: [{name: a, port: 80}, {name: b, port: 81, protocol: UDP}]}
            """
        let first = slice("[{addresses: [10.244.1.1]}]", ports: "[{name: a, port: 1}, {name: b, port: 2}]")
        let second = slice(
            "[{addresses: [10.244.1.2]}]",
            name: "web-2",
            ports: "[{name: a, port: 3}, {name: b, port: 4, protocol: UDP}]"
        )
        let rules = try compile(ported, first, second)
        #expect(rules.servicePorts.map(\.name) == ["default/web:a", "default/web:b"])
        #expect(
            rules.servicePorts.map { $0.cluster.map(\.text) } == [["10.244.1.1:1", "10.244.1.2:3"], ["10.244.1.2:4"]]
        )
    }

    @Test("Pods count while they run; a named target port is the pod's own")
    func selectors() throws {
        let named = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {clusterIP: 10.96.0.10, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
            """
        let running = pod("web-0", "10.244.3.1", node: "node-b")
        let ended = pod("web-1", "10.244.3.2", phase: "Succeeded")
        #expect(try cluster(named, running, ended) == ["10.244.3.1:8080"])
    }
}
