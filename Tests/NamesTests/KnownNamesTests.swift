import Kubernetes
import Names
import Services
import Testing
import Wire

@Suite("Known names")
struct KnownNamesTests {
    private func names(dns: IPv4Address? = IPv4Address(10, 96, 0, 54)) throws -> [KnownName] {
        let node = NodeSettings(
            name: "node-a",
            zone: nil,
            addresses: [IPv4Address(192, 0, 2, 10)],
            nodePortAddresses: []
        )
        return KnownNames.list(try load(testManifests), node: node, domain: "cluster.local", dnsAddress: dns)
    }

    @Test("the hosts file has a line for each address, in their order, with the best name first")
    func hostsFile() throws {
        let expected = """
            10.96.0.10\tweb.default.svc.cluster.local
            10.96.0.11\tone.default.svc.cluster.local
            10.96.0.12\t1st.default.svc.cluster.local
            10.96.0.54\tns.dns.cluster.local
            10.244.0.21\tdb-0.db.data.svc.cluster.local db.data.svc.cluster.local
            10.244.0.22\tdb-1.db.data.svc.cluster.local db.data.svc.cluster.local
            10.244.0.23\t10-244-0-23.db.data.svc.cluster.local db.data.svc.cluster.local
            10.244.0.31\tzero.early.data.svc.cluster.local early-0.data.pod.cluster.local early.data.svc.cluster.local
            10.244.0.32\tearly-1.data.pod.cluster.local 10-244-0-32.early.data.svc.cluster.local early.data.svc.cluster.local
            10.244.0.41\t10-244-0-41.bare.old.svc.cluster.local bare.old.svc.cluster.local
            10.244.0.51\talone.pods-only.pod.cluster.local
            172.16.0.9\tfar.db.data.svc.cluster.local db.data.svc.cluster.local
            192.0.2.10\tnode-a

            """
        #expect(try KnownNames.hostsFile(names()) == expected)
    }

    @Test("every name of a Service in it is one that DNS answers with that address")
    func agreement() throws {
        let table = try compile(testManifests)
        for entry in try names() where entry.name.contains(".svc.") {
            let answer = table.say(entry.name)
            #expect(answer.contains(" A \(entry.address)"), "\(entry.name): \(answer)")
        }
    }

    @Test("without an own DNS address there is no name of it")
    func withoutDNS() throws {
        #expect(try !names(dns: nil).contains { $0.name.hasPrefix("ns.dns") })
    }
}
