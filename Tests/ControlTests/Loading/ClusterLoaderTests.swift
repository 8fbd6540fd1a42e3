import Control
import Datapath
import Foundation
import Kubernetes
import Services
import Testing
import Wire

private let settings = """
    node: {name: node-a, zone: zone-1, addresses: [192.0.2.10]}
    cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16, loadBalancerCIDRs: [198.51.100.0/24], dnsAddress: 10.96.0.10}
    """

@Suite("Loading again")
struct ClusterLoaderTests {
    @Test("comes to what loading from nothing comes to, whatever changes", arguments: 0..<16)
    func equivalence(_ seed: Int) throws {
        let configuration = try configuration(settings)
        let folder = try ManifestFolder()
        var world = RandomCluster(seed: seed)
        var loader = ClusterLoader(configuration)
        var allocations = AllocationState()
        var partial = 0
        for _ in 0..<40 {
            try world.change(folder)
            let fresh = LoadOutcome { try Cluster(configuration, manifests: [folder.path], allocations: allocations) }
            let again = LoadOutcome { try loader.load([folder.path]) }
            #expect(again.faults == fresh.faults)
            guard let fresh = fresh.cluster, let again = again.cluster else { continue }
            #expect(again.rules.text == fresh.rules.text)
            #expect(again.allocations == fresh.allocations)
            #expect(again.manifests.services == fresh.manifests.services)
            #expect(again.manifests.endpointSlices == fresh.manifests.endpointSlices)
            #expect(again.manifests.endpoints == fresh.manifests.endpoints)
            #expect(again.manifests.nodes == fresh.manifests.nodes)
            #expect(again.manifests.pods == fresh.manifests.pods)
            #expect(Set(again.manifests.warnings) == Set(fresh.manifests.warnings))
            let names = (again.serviceTable(seed: 1).names.digest, fresh.serviceTable(seed: 1).names.digest)
            #expect(names.0 == names.1)
            allocations = again.allocations
            if loader.servicesCompiled < again.manifests.services.count { partial += 1 }
        }
        // A set that is refused may stay so; before that most changes concern a part of the Services.
        #expect(partial > 0)
    }

    @Test("reads a file only when it has changed, and compiles only what that concerns")
    func counts() throws {
        let folder = try ManifestFolder()
        func slice(_ number: Int, _ address: String) -> String {
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: svc-\(number)-1, labels: {kubernetes.io/service-name: svc-\(number)}}
            addressType: IPv4
            ports: [{port: 8080}]
            endpoints: [{addresses: [\(address)], nodeName: node-a}]
            """
        }
        for number in 0..<20 {
            let service =
                "apiVersion: v1\nkind: Service\nmetadata: {name: svc-\(number)}\nspec: {ports: [{port: 80}]}\n"
            try folder.write("svc-\(number).yaml", service)
            try folder.write("slice-\(number).yaml", slice(number, "10.244.0.\(number + 1)"))
        }
        Thread.sleep(forTimeInterval: 0.15)
        var loader = ClusterLoader(try configuration(settings))
        let first = try loader.load([folder.path])
        #expect(loader.filesRead == 40 && loader.servicesCompiled == 20)
        try folder.write("slice-7.yaml", slice(7, "10.244.0.200"))
        let second = try loader.load([folder.path])
        #expect(loader.filesRead == 1 && loader.servicesCompiled == 1)
        #expect(first.rules.text != second.rules.text)
        #expect(second.rules.servicePorts.contains { $0.cluster.map(\.address) == [IPv4Address(10, 244, 0, 200)] })
        let changed = "apiVersion: v1\nkind: Service\nmetadata: {name: svc-3}\nspec: {ports: [{port: 81}]}\n"
        try folder.write("svc-3.yaml", changed)
        _ = try loader.load([folder.path])
        #expect(loader.servicesCompiled == 1)
        // What was written a moment ago is read once more, as a second change might not show.
        #expect(loader.filesRead <= 2)
    }

    @Test("a ServiceCIDR that comes and goes makes room for ClusterIPs, and takes it back")
    func serviceCIDR() throws {
        let folder = try ManifestFolder()
        let service =
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.99.0.7, ports: [{port: 80}]}\n"
        let block =
            "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: more}\nspec: {cidrs: [10.99.0.0/24]}\n"
        try folder.write("other.yaml", service.replacing("web", with: "other").replacing("99.0.7", with: "96.0.7"))
        var loader = ClusterLoader(try configuration(settings))
        #expect(try loader.load([folder.path]).rules.serviceBlocks.isEmpty)
        try folder.write("block.yaml", block)
        let blocks = [IPv4Prefix("10.99.0.0/24")].compactMap(\.self)
        #expect(try loader.load([folder.path]).rules.serviceBlocks == blocks)
        try folder.write("web.yaml", service)
        let cluster = try loader.load([folder.path])
        #expect(cluster.rules.clusterIPs.contains(IPv4Address(10, 99, 0, 7)) && cluster.rules.serviceBlocks == blocks)
        try folder.write("block.yaml", nil)
        let faults = LoadOutcome { try loader.load([folder.path]) }.faults
        #expect(faults.count == 1 && faults.first?.contains("10.99.0.7 is outside the Service addresses") == true)
        try folder.write("web.yaml", nil)
        #expect(try loader.load([folder.path]).rules.serviceBlocks.isEmpty)
    }

    @Test("a load that fails changes nothing, and the next good one catches up")
    func failure() throws {
        let folder = try ManifestFolder()
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
        try folder.write("web.yaml", service)
        let configuration = try configuration(settings)
        var loader = ClusterLoader(configuration)
        let first = try loader.load([folder.path])
        try folder.write("broken.yaml", "kind: [")
        try folder.write("other.yaml", service.replacing("web", with: "other"))
        #expect(LoadOutcome { try loader.load([folder.path]) }.faults.count == 1)
        #expect(loader.allocations == first.allocations)
        try folder.write("broken.yaml", nil)
        let second = try loader.load([folder.path])
        #expect(second.manifests.services.map(\.metadata.name) == ["other", "web"])
        let fresh = try Cluster(configuration, manifests: [folder.path], allocations: first.allocations)
        #expect(second.rules.text == fresh.rules.text)
    }

    @Test("compiles names again only when a Service, or an endpoint of a headless one, has changed")
    func names() throws {
        let folder = try ManifestFolder()
        func service(_ name: String, _ address: String) -> String {
            "apiVersion: v1\nkind: Service\nmetadata: {name: \(name)}\nspec: {clusterIP: \(address), ports: [{port: 80}]}\n"
        }
        func slice(_ service: String, _ host: Int) -> String {
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(service)-1, labels: {kubernetes.io/service-name: \(service)}}
            addressType: IPv4
            ports: [{port: 8080}]
            endpoints: [{addresses: [10.244.0.\(host)]}]
            """
        }
        try folder.write("web.yaml", service("web", "10.96.0.20"))
        try folder.write("db.yaml", service("db", "None"))
        try folder.write("web-1.yaml", slice("web", 1))
        try folder.write("db-1.yaml", slice("db", 2))
        var loader = ClusterLoader(try configuration(settings))
        func table() throws -> NameTable { try loader.load([folder.path]).serviceTable(seed: 1).names }
        let first = try table()
        try folder.write("web-1.yaml", slice("web", 3))
        #expect(try table() === first)
        try folder.write("db-1.yaml", slice("db", 4))
        let second = try table()
        #expect(second.digest != first.digest)
        try folder.write("web.yaml", service("web", "10.96.0.21"))
        #expect(try table().digest != second.digest)
    }

    @Test("a change that turns out to be no change in place is refused, and the loads after it are whole again")
    func givenUp() throws {
        let folder = try ManifestFolder()
        func slice(_ name: String, _ host: Int) -> String {
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(name), labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            ports: [{port: 8080}]
            endpoints: [{addresses: [10.244.0.\(host)], nodeName: node-a}]
            """
        }
        try folder.write(
            "web.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
        )
        try folder.write("a.yaml", slice("web-a", 1))
        try folder.write("b.yaml", slice("web-b", 2))
        var loader = ClusterLoader(try configuration(settings))
        let first = try loader.load([folder.path])
        // Half of the change is good, and the other half is an object that is there already.
        try folder.write("a.yaml", slice("web-a", 3))
        try folder.write("c.yaml", slice("web-b", 4))
        #expect(LoadOutcome { try loader.load([folder.path]) }.faults.count == 1)
        try folder.write("c.yaml", slice("web-c", 4))
        let second = try loader.load([folder.path])
        #expect(
            second.rules.servicePorts[0].cluster.map { $0.address.description }.sorted() == [
                "10.244.0.2", "10.244.0.3", "10.244.0.4",
            ]
        )
        #expect(first.rules.servicePorts[0].cluster.count == 2)
        // From here on changes are taken over in place again.
        try folder.write("b.yaml", slice("web-b", 5))
        let third = try loader.load([folder.path])
        #expect(third.rules.servicePorts[0].cluster.contains { $0.address == IPv4Address(10, 244, 0, 5) })
        #expect(loader.changeCount == 1)
    }

    @Test("a claim to what an earlier load gave is refused; the set stays as it was")
    func refusedClaim() throws {
        let folder = try ManifestFolder()
        try folder.write("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 80}]}\n")
        var loader = ClusterLoader(try configuration(settings))
        let address = try #require(try loader.load([folder.path]).manifests.services.first?.clusterIP.address)
        try folder.write(
            "a.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: \(address), ports: [{port: 80}]}\n"
        )
        let faults = LoadOutcome { try loader.load([folder.path]) }.faults
        #expect(faults.count == 1)
        let expected = "a.yaml: document 1: spec.clusterIP: \(address) was given to Service default/b"
        #expect(faults.first?.contains(expected) == true)
        try folder.write("a.yaml", nil)
        #expect(try loader.load([folder.path]).manifests.services.first?.clusterIP.address == address)
    }
}
