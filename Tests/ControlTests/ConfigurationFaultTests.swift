import Control
import Foundation
import Testing

/// What is wrong with a configuration, and where.
@Suite("Configuration faults")
struct ConfigurationFaultTests {
    @Test(arguments: [
        FaultCase("nodes: {}", "nodes: is no setting; did you mean node?"),
        FaultCase("Proxy: {}", "Proxy: is no setting; did you mean proxy?"),
        FaultCase("elephant: 1", "elephant: is no setting"),
        FaultCase("cluster: {podCidr: 10.244.0.0/16}", "cluster.podCidr: is no setting; did you mean podCIDR?"),
        FaultCase("proxy: {algoritm: random}", "proxy.algoritm: is no setting; did you mean algorithm?"),
        FaultCase("conntrack: {capacty: 1}", "conntrack.capacty: is no setting; did you mean capacity?"),
        FaultCase(
            "conntrack: {timeouts: {tcpEstablishd: 1s}}",
            "conntrack.timeouts.tcpEstablishd: is no setting; did you mean tcpEstablished?"
        ),
        FaultCase(
            "interfaces: [{name: e, netns: a, address: 10.0.0.1/32, adress: 1}]",
            "interfaces[0].adress: is no setting; did you mean address?"
        ),
        FaultCase("? [a]\n: 1", "has a key that is no plain word"),
        // Found by a fuzzer: the key of a log line that somebody else writes.
        FaultCase("\"a\\nculvert: b\": 1", "a\\nculvert: b: is no setting"),
        FaultCase("proxy: {\"a\\e[2J\": 1}", "proxy.a\\u{1B}[2J: is no setting"),
        FaultCase("cluster: {? {a: b} : 1}", "cluster: has a key that is no plain word"),
    ])
    func unknownKeys(_ wrong: FaultCase) { #expect(faults(with: wrong.text) == wrong.faults) }

    @Test func unknownKeysOfTheNode() {
        #expect(faults("node: {name: a, adresses: []}") == ["node.adresses: is no setting; did you mean addresses?"])
    }

    @Test(arguments: [
        FaultCase("cluster: text", "cluster: is not a mapping of settings"),
        FaultCase("cluster: [a]", "cluster: is not a mapping of settings"),
        FaultCase("cluster: \"\"", "cluster: is not a mapping of settings"),
        FaultCase("conntrack: {timeouts: 5s}", "conntrack.timeouts: is not a mapping of settings"),
        FaultCase("interfaces: {name: eth0}", "interfaces: is not a list"),
        FaultCase("interfaces: eth0", "interfaces: is not a list"),
        FaultCase("interfaces: [eth0]", "interfaces[0]: is not a mapping of settings"),
        FaultCase("cluster: {loadBalancerCIDRs: 10.0.0.0/8}", "cluster.loadBalancerCIDRs: is not a list"),
        FaultCase("cluster: {externalCIDRs: {a: b}}", "cluster.externalCIDRs: is not a list"),
        FaultCase("cluster: {externalCIDRs: [[]]}", "cluster.externalCIDRs[0]: is not a single value"),
        FaultCase("cluster: {podCIDR: [10.0.0.0/8]}", "cluster.podCIDR: is not a single value"),
        FaultCase("cluster: {domain: {}}", "cluster.domain: is not a single value"),
        FaultCase("cluster: {domain: \"\"}", "cluster.domain: is empty"),
        FaultCase("cluster: {nodePortAddresses: {}}", "cluster.nodePortAddresses: is not a list"),
        FaultCase("state: [none]", "state: is not a single value"),
    ])
    func wrongTypes(_ wrong: FaultCase) { #expect(faults(with: wrong.text) == wrong.faults) }

    @Test(arguments: [
        FaultCase("proxy: {masqueradeAll: yes}", #"proxy.masqueradeAll: "yes" is not true or false"#),
        FaultCase("proxy: {masqueradeAll: 1}", #"proxy.masqueradeAll: "1" is not true or false"#),
        FaultCase(
            "proxy: {algorithm: maglef}",
            #"proxy.algorithm: "maglef" is not one of maglev, random, round-robin; did you mean maglev?"#
        ),
        FaultCase(
            "proxy: {unknownPorts: deny}",
            #"proxy.unknownPorts: "deny" is not one of drop, pass"#
        ),
        FaultCase(
            "conntrack: {checksums: verfy}",
            #"conntrack.checksums: "verfy" is not one of trust, verify; did you mean verify?"#
        ),
        FaultCase(
            "conntrack: {halfOpenPerSource: 63}",
            #"conntrack.halfOpenPerSource: "63" is not a whole number from 64 to 16777216"#
        ),
        FaultCase(
            "conntrack: {resourceErrors: reject}",
            #"conntrack.resourceErrors: "reject" is not one of drop, icmp"#
        ),
        FaultCase(
            "cluster: {nodePortAddresses: none}",
            #"cluster.nodePortAddresses: "none" is not primary, all or a list of blocks"#
        ),
        FaultCase(
            "proxy: {maglevTableSize: 100}",
            "proxy.maglevTableSize: 100 is not one of 251 509 1021 2039 4093 8191 16381 32749 65521 131071"
        ),
        FaultCase("datapath: {workers: 0}", #"datapath.workers: "0" is not a whole number from 1 to 64"#),
        FaultCase("datapath: {workers: 65}", #"datapath.workers: "65" is not a whole number from 1 to 64"#),
        FaultCase("cluster: {dnsAddress: 10.96.0}", #"cluster.dnsAddress: "10.96.0" is not an IPv4 address"#),
        FaultCase("cluster: {dnsAddress: '::1'}", #"cluster.dnsAddress: "::1" is not an IPv4 address"#),
        FaultCase(
            "cluster: {podCIDR: 10.244.0.1/16}",
            #"cluster.podCIDR: "10.244.0.1/16" is not an IPv4 block such as 10.244.0.0/16"#
        ),
        FaultCase(
            "cluster: {podCIDR: 10.244.0.0/33}",
            #"cluster.podCIDR: "10.244.0.0/33" is not an IPv4 block such as 10.244.0.0/16"#
        ),
        FaultCase(
            "cluster: {externalCIDRs: [10.0.0.0/8, 10.0.0.0, x]}",
            #"cluster.externalCIDRs[1]: "10.0.0.0" is not an IPv4 block such as 10.244.0.0/16"#,
            #"cluster.externalCIDRs[2]: "x" is not an IPv4 block such as 10.244.0.0/16"#
        ),
        FaultCase(
            "cluster: {domain: a, dnsAddress: \"a\\nb\"}",
            #"cluster.dnsAddress: "a\nb" is not an IPv4 address"#
        ),
    ])
    func wrongForms(_ wrong: FaultCase) { #expect(faults(with: wrong.text) == wrong.faults) }

    @Test(arguments: ["0", "-1", "16777217", "99999999999999999999", "1e3", "0x10", "1_000", "1.5", "many", "' 1'"])
    func capacityIsANumberInItsRange(_ text: String) {
        let shown = text.filter { $0 != "'" }
        let expected = "conntrack.capacity: \"\(shown)\" is not a whole number from 1 to 16777216"
        #expect(faults(with: "conntrack: {capacity: \(text)}") == [expected])
    }

    @Test(arguments: [("1", true), ("16777216", true), ("262144", true)])
    func capacityAtItsLimits(_ text: String, _ isGood: Bool) {
        #expect(faults(with: "conntrack: {capacity: \(text)}").isEmpty == isGood)
    }

    @Test(arguments: [
        "0s", "00h", "1d", "30", "s", "-1s", "1.5h", "5 m", "' 5m'", "5M", "5ms", "1h30m", "8761h", "31536001s",
        "18446744073709551615h", "18446744073709551616s", "99999999999999999999999999h", "५s", "{}",
    ])
    func durationsThatAreNone(_ text: String) {
        let shown = text.filter { $0 != "'" }
        let expected =
            text == "{}"
            ? "is not a single value" : "\"\(shown)\" is not a time from 1s to 8760h such as 30s, 5m or 24h"
        #expect(faults(with: "conntrack: {timeouts: {icmp: \(text)}}") == ["conntrack.timeouts.icmp: \(expected)"])
    }

    @Test(arguments: [
        "0-10", "10-5", "1-65536", "30000", "1-2-3", "-5", "5-", "a-b", "30000 - 32767", "1--2",
        "99999999999999999999-1",
    ])
    func portRangesThatAreNone(_ text: String) {
        let expected = "cluster.nodePortRange: \"\(text)\" is not a range of ports such as 30000-32767"
        #expect(faults(with: "cluster: {nodePortRange: \(text)}") == [expected])
    }

    @Test(arguments: [
        FaultCase(
            "cluster: {podCIDR: 10.0.0.0/8, serviceCIDR: 10.96.0.0/16}",
            "cluster.serviceCIDR: 10.96.0.0/16 overlaps cluster.podCIDR (10.0.0.0/8)"
        ),
        FaultCase(
            "cluster: {podCIDR: 10.1.0.0/16, loadBalancerCIDRs: [198.51.100.0/24, 10.1.2.0/24, 198.51.100.7/32]}",
            "cluster.loadBalancerCIDRs[1]: 10.1.2.0/24 overlaps cluster.podCIDR (10.1.0.0/16)",
            "cluster.loadBalancerCIDRs[2]: 198.51.100.7/32 overlaps cluster.loadBalancerCIDRs[0] (198.51.100.0/24)"
        ),
        FaultCase("cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.245.0.0/16}"),
    ])
    func blocksThatOverlap(_ wrong: FaultCase) { #expect(faults(with: wrong.text) == wrong.faults) }

    @Test func theNodeIsNoService() {
        let text = "node: {name: a, addresses: [192.0.2.1, 10.96.0.4]}\ncluster: {serviceCIDR: 10.96.0.0/16}"
        #expect(faults(text) == ["node.addresses[1]: 10.96.0.4 is in cluster.serviceCIDR (10.96.0.0/16)"])
    }

    @Test func theClustersDNSIsNotTheNode() {
        let text = "node: {name: a, addresses: [192.0.2.1, 192.0.2.10]}\ncluster: {dnsAddress: 192.0.2.10}"
        #expect(faults(text) == ["cluster.dnsAddress: 192.0.2.10 is an address of the node"])
    }

    @Test(arguments: [
        (
            "cluster: {podCIDR: 10.244.0.0/16, dnsAddress: 10.244.0.1}",
            "10.244.0.1 is in cluster.podCIDR (10.244.0.0/16)"
        ),
        ("cluster: {dnsAddress: 127.0.0.1}", "127.0.0.1 is no address that a packet may have as its destination"),
        (
            "cluster: {dnsAddress: 169.254.20.10}",
            "169.254.20.10 is no address that a packet may have as its destination"
        ),
        (
            "cluster: {dnsAddress: 10.0.0.1}\ninterfaces: [{name: a, netns: b, address: 10.0.0.1/32}]",
            "10.0.0.1 is interfaces[0].address"
        ),
        (
            "cluster: {dnsAddress: 10.0.0.1}\ninterfaces: [{name: a, netns: b, address: 10.1.0.1/32, reaches: [10.0.0.0/8]}]",
            "10.0.0.1 is in interfaces[0].reaches (10.0.0.0/8)"
        ),
    ])
    func theAddressOfNamesIsNobodyElses(_ text: String, _ fault: String) {
        #expect(faults("node: {name: a}\n" + text) == ["cluster.dnsAddress: " + fault])
    }

    @Test(arguments: ["a..b", ".a", "a.", "A.b", "a_b", "-a", "a-.b", "a b", String(repeating: "a", count: 64)])
    func theDomainIsADNSName(_ domain: String) {
        #expect(
            faults("node: {name: a}\ncluster: {domain: \"\(domain)\"}") == [
                "cluster.domain: \(domain.debugDescription) is no DNS name: "
                    + "labels of lower-case letters, digits and '-', joined by dots"
            ]
        )
    }

    @Test func allFaultsAreToldTogether() {
        let text = """
            node: {nam: a, addresses: [1, 10.0.0.1, "x y"]}
            cluster:
              podCIDR: pods
              nodePortRange: 5
            conntrack:
              timeouts: {udp: 1d}
              strict: maybe
            interfaces:
            - {name: eth0, mtu: 67, address: here}
            - 7
            stat: none
            """
        #expect(
            Set(faults(text)) == [
                #"node.addresses[0]: "1" is not an IPv4 address"#,
                #"node.addresses[2]: "x y" is not an IPv4 address"#,
                "node.nam: is no setting; did you mean name?",
                #"cluster.podCIDR: "pods" is not an IPv4 block such as 10.244.0.0/16"#,
                #"cluster.nodePortRange: "5" is not a range of ports such as 30000-32767"#,
                #"conntrack.timeouts.udp: "1d" is not a time from 1s to 8760h such as 30s, 5m or 24h"#,
                #"conntrack.strict: "maybe" is not true or false"#,
                #"interfaces[0].mtu: "67" is not a whole number from 68 to 65535"#,
                #"interfaces[0].address: "here" is not an address such as 10.244.0.11/32"#,
                "interfaces[1]: is not a mapping of settings",
                "stat: is no setting; did you mean state?",
            ]
        )
        #expect(faults(text).count == 11)
    }

    @Test func aFloodOfFaultsIsCut() {
        let keys = (0..<300).map { "unknown\($0): 1" }.joined(separator: "\n")
        #expect(faults(with: keys).count == 100)
    }
}
