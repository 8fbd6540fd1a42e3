import Control
import Foundation
import Testing

/// How interfaces fit together.
@Suite("Configured interfaces")
struct ConfigurationInterfaceTests {
    @Test(arguments: ["eth0", "a", "culvert0", "fifteen-bytes.1", "@weird!", "..."])
    func namesThatTheKernelTakes(_ name: String) {
        #expect(faults(ofInterface: "name: '\(name)', netns: a, address: 10.0.0.1/32") == [])
    }

    @Test(arguments: ["sixteen-bytes-00", "a/b", "a:b", "a b", "a\u{b}b", "ä", ".", "..", "x\u{301}"])
    func namesThatTheKernelRefuses(_ name: String) {
        let quoted = name.replacingOccurrences(of: "\u{b}", with: "\\v")
        let expected = "interfaces[0].name: \(name.debugDescription) is no name for an interface (1 to 15 characters)"
        #expect(faults(ofInterface: "name: \"\(quoted)\", netns: a, address: 10.0.0.1/32") == [expected])
    }

    @Test(arguments: [
        FaultCase(
            "netns: a, address: 10.0.0.1/32",
            #"interfaces[0].name: "" is no name for an interface (1 to 15 characters)"#
        ),
        FaultCase("name: e, address: 10.0.0.1/32", "interfaces[0].netns: is missing"),
        FaultCase("name: e, netns: a", "interfaces[0].address: is missing"),
        FaultCase("name: e", "interfaces[0].netns: is missing", "interfaces[0].address: is missing"),
        FaultCase(
            "name: e, host: true, netns: a",
            "interfaces[0].netns: the host interface is in the daemon's own namespace"
        ),
        FaultCase(
            "name: e, host: true, uplink: true",
            "interfaces[0].uplink: the host interface cannot be the uplink"
        ),
        FaultCase(
            "name: e, netns: a, address: 10.0.0.1/32, mtu: 65536",
            #"interfaces[0].mtu: "65536" is not a whole number from 68 to 65535"#
        ),
        FaultCase(
            "name: e, netns: a, address: 10.0.0.1/33",
            #"interfaces[0].address: "10.0.0.1/33" is not an address such as 10.244.0.11/32"#
        ),
        FaultCase(
            "name: e, netns: a, address: 10.0.0.1",
            #"interfaces[0].address: "10.0.0.1" is not an address such as 10.244.0.11/32"#
        ),
        FaultCase(
            "name: e, netns: a, address: 10.0.0.1/32, routes: [10.0.0.1/8]",
            #"interfaces[0].routes[0]: "10.0.0.1/8" is not an IPv4 block such as 10.244.0.0/16"#
        ),
        FaultCase("name: e, netns: a, address: 10.0.0.1/32, reaches: all", "interfaces[0].reaches: is not a list"),
        FaultCase("name: e, host: true"),
    ])
    func oneInterface(_ wrong: FaultCase) { #expect(faults(ofInterface: wrong.text) == wrong.faults) }

    @Test func whatIsReachedIsUnique() {
        let text = """
            cluster: {serviceCIDR: 10.96.0.0/16}
            interfaces:
            - {name: eth0, netns: a, address: 10.0.0.1/32, reaches: [10.1.0.0/16]}
            - {name: eth0, netns: b, address: 10.0.0.1/32, reaches: [10.1.0.0/16]}
            - {name: eth0, netns: c, address: 10.96.0.9/32}
            """
        #expect(
            faults(with: text) == [
                "interfaces[1].reaches[0]: 10.1.0.0/16 is in interfaces[0].reaches[0] too",
                "interfaces[1].address: 10.0.0.1/32 is in interfaces[0].address too",
                "interfaces[2].address: 10.96.0.9/32 overlaps cluster.serviceCIDR (10.96.0.0/16)",
            ]
        )
    }

    @Test func labelsAreUnique() {
        let text = """
            interfaces:
            - {name: eth0, netns: a, address: 10.0.0.1/32}
            - {name: eth1, netns: /run/netns/a, address: 10.0.0.2/32}
            - {name: eth0, netns: b, address: 10.0.0.3/32, label: a}
            - {name: eth0, netns: c, address: 10.0.0.4/32}
            """
        #expect(
            faults(with: text) == [
                #"interfaces[1].label: "a" is the label of interfaces[0] too"#,
                #"interfaces[2].label: "a" is the label of interfaces[1] too"#,
            ]
        )
    }

    @Test func namesAreUniqueInTheirNamespace() {
        let text = """
            interfaces:
            - {name: eth0, netns: a, address: 10.0.0.1/32}
            - {name: eth0, netns: a, address: 10.0.0.2/32, label: b}
            """
        #expect(faults(with: text) == ["interfaces[1].name: interfaces[0] has this name in the same namespace"])
    }

    @Test func thereIsOneUplinkAndOneHost() {
        let text = """
            interfaces:
            - {name: eth0, netns: a, address: 10.0.0.1/32, uplink: true}
            - {name: eth0, netns: b, address: 10.0.0.2/32, uplink: true}
            - {name: host0, host: true}
            - {name: host1, host: true, label: other}
            - {name: host2, host: true, label: third}
            """
        #expect(
            faults(with: text) == [
                "interfaces: 2 interfaces are uplink; there can be one",
                "interfaces: 3 interfaces are host; there can be one",
            ]
        )
    }
}
