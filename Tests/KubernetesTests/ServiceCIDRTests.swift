import Kubernetes
import Testing
import Wire

@Suite("ServiceCIDRs")
struct ServiceCIDRTests {
    private func block(_ name: String, _ cidrs: String, version: String = "v1") -> String {
        "apiVersion: networking.k8s.io/\(version)\nkind: ServiceCIDR\nmetadata: {name: \(name)}\nspec: {cidrs: \(cidrs)}\n"
    }

    private let outside = service("clusterIP: 10.200.0.10\nports: [{port: 80}]")

    @Test("are read with their IPv4 blocks, from v1 and v1beta1, and from a list", arguments: ["v1", "v1beta1"])
    func decoded(_ version: String) throws {
        let text = block("more", "[10.200.0.0/24, \"fd00::/112\"]", version: version)
        let set = try #require(Outcome(text).set)
        #expect(set.serviceCIDRs.map(\.blocks) == [[IPv4Prefix("10.200.0.0/24")].compactMap(\.self)])
        #expect(set.serviceCIDRs[0].reference.description == "ServiceCIDR more")
        #expect(set.count == 1 && set.skipped.isEmpty && set.warnings.isEmpty)
        let list = """
            {apiVersion: networking.k8s.io/v1, kind: ServiceCIDRList,
             items: [{metadata: {name: a}, spec: {cidrs: [10.200.0.0/24]}}, {metadata: {name: b}, spec: {cidrs: [10.201.0.0/24]}}]}
            """
        #expect(Outcome(list).set?.serviceCIDRs.map(\.metadata.name) == ["a", "b"])
    }

    @Test("a ClusterIP may lie in one, whichever file comes first; in none it is refused")
    func clusterIP() {
        let more = block("more", "[10.200.0.0/24]")
        #expect(Outcome("\(outside)---\n\(more)").faults == [])
        #expect(Outcome("\(more)---\n\(outside)").faults == [])
        #expect(
            Outcome(outside).faults == [
                "web.yaml: document 1: spec.clusterIP: 10.200.0.10 is outside the Service addresses 10.96.0.0/12"
            ]
        )
        #expect(
            Outcome("\(outside)---\n\(block("more", "[10.201.0.0/24]"))").faults == [
                "web.yaml: document 1: spec.clusterIP: 10.200.0.10 is outside the Service addresses 10.96.0.0/12, 10.201.0.0/24"
            ]
        )
        // Without a configured block nothing is known to be outside.
        #expect(Outcome(outside, rules: ClusterRules()).faults == [])
    }

    @Test("the one of the cluster itself adds nothing")
    func configured() {
        let own = block("kubernetes", "[10.96.0.0/12]")
        #expect(Outcome(own).faults == [] && Outcome("\(own)---\n\(plainService)").faults == [])
        #expect(Outcome("\(own)---\n\(outside)").faults.first?.hasSuffix("Service addresses 10.96.0.0/12") == true)
    }

    @Test("no endpoint, external address or block of a node may lie in one")
    func taken() {
        let more = block("more", "[10.200.0.0/24]")
        let endpoint = slice(endpoints: "[{addresses: [10.200.0.20]}]")
        let found = Outcome("\(plainService)---\n\(more)---\n\(endpoint)").faults
        #expect(found.count == 1 && found[0].contains("10.200.0.20 lies among the ClusterIPs (10.200.0.0/24)"))
        let external = service("clusterIP: 10.96.0.10\nexternalIPs: [10.200.0.30]\nports: [{port: 80}]")
        #expect(Outcome("\(external)---\n\(more)").faults.first?.contains("spec.externalIPs[0]: 10.200.0.30") == true)
        let node = "apiVersion: v1\nkind: Node\nmetadata: {name: node-a}\nspec: {podCIDR: 10.200.0.0/25}\n"
        #expect(Outcome("\(node)---\n\(more)").faults.first?.contains("spec.podCIDRs: 10.200.0.0/25 overlaps") == true)
        #expect(Outcome("\(node)").faults == [])
    }

    @Test("two of one name are refused, and so is a block that is none")
    func faults() {
        let more = block("more", "[10.200.0.0/24]")
        #expect(Outcome("\(more)---\n\(more)").faults.first?.contains("ServiceCIDR more is already in") == true)
        #expect(Outcome(block("more", "[10.200.0.0/33]")).faults.first?.contains("spec.cidrs[0]") == true)
        #expect(Outcome(block("more", "[1]")).faults.count == 1)
        #expect(Outcome(block("more", "{}")).faults.first?.contains("spec.cidrs") == true)
        #expect(Outcome(block("more", "[10.200.0.0/24]", version: "v2")).faults.first?.contains("apiVersion") == true)
    }
}
