import Control
import Datapath
import Devices
import Foundation
import Testing
import Wire

/// What a good configuration reads as.
@Suite("Configuration")
struct ConfigurationTests {
    /// The sample of the documentation, every key of it.
    private static let sample = """
        node:
          name: node-a                     # matched against EndpointSlice endpoints[].nodeName
          zone: zone-a                     # optional, for topology hints
          addresses: [192.0.2.10]          # local addresses; the first is primary (NodePort, masquerade source)
        cluster:
          podCIDR: 10.244.0.0/16           # what counts as in-cluster traffic; omit: no local-traffic detector
          serviceCIDR: 10.96.0.0/16        # ClusterIPs are allocated here; unallocated addresses in it are dropped
          nodePortRange: 30000-32767
          nodePortAddresses: primary       # primary | all | a list of CIDRs
          loadBalancerCIDRs: [198.51.100.0/24]   # where LoadBalancer addresses are allocated
          externalCIDRs: [203.0.113.0/24]  # optional allow-list for externalIPs
          domain: cluster.local
          dnsAddress: 10.96.0.10           # no default: without it Culvert answers no DNS
        proxy:
          masqueradeAll: false
          algorithm: random                # random | round-robin | maglev
          maglevTableSize: 16381           # 251 509 1021 2039 4093 8191 16381 32749 65521 131071
          unknownPorts: pass               # pass | drop: an unknown port of a LoadBalancer or external address
        conntrack:
          capacity: 262144                 # flows
          midstream: refuse                # refuse | pickup: TCP to a VIP that begins without a SYN
          strict: false                    # true: out-of-window TCP is dropped
          timeouts: {tcpEstablished: 24h}  # an integer with s, m or h
          checksums: verify                # verify | trust
        interfaces:                        # one TUN each
          - {label: web-1, name: eth0, netns: web-1, address: 10.244.0.11/32, routes: [0.0.0.0/0], mtu: 1500}
          - {label: outside, name: eth0, netns: outside, address: 203.0.113.2/32, routes: [0.0.0.0/0], uplink: true}
          - {name: culvert0, host: true}   # the node itself
        state: /run/culvert                # directory of the maps, on tmpfs; none = in memory only
        """

    @Test func theSampleReadsAsItSays() throws {
        let read = try configuration(Self.sample)
        #expect(read.node.name == "node-a")
        #expect(read.node.zone == "zone-a")
        #expect(read.node.addresses == [IPv4Address(192, 0, 2, 10)])
        #expect(read.node.loopAddress == IPv4Address(169, 254, 42, 1))
        #expect(read.cluster.podCIDR?.description == "10.244.0.0/16")
        #expect(read.cluster.serviceCIDR?.description == "10.96.0.0/16")
        #expect(read.cluster.nodePortRange == 30000...32767)
        #expect(read.cluster.nodePortAddresses == .primary)
        #expect(read.cluster.loadBalancerCIDRs.map(\.description) == ["198.51.100.0/24"])
        #expect(read.cluster.externalCIDRs?.map(\.description) == ["203.0.113.0/24"])
        #expect(read.cluster.domain == "cluster.local")
        #expect(read.cluster.dnsAddress == IPv4Address(10, 96, 0, 10))
        #expect(!read.proxy.masqueradeAll)
        #expect(read.proxy.algorithm == .random)
        #expect(read.proxy.maglevTableSize == 16381)
        #expect(read.proxy.unknownPorts == .pass)
        #expect(read.conntrack.capacity == 262_144)
        #expect(read.conntrack.midstream == .refuse)
        #expect(!read.conntrack.strict)
        #expect(read.conntrack.halfOpenPerSource == nil && read.conntrack.resourceErrors == .drop)
        #expect(read.conntrack.timeouts.tcpEstablished == 86_400_000_000_000)
        #expect(read.conntrack.checksums == .verify)
        #expect(read.state == "/run/culvert")
        #expect(read.datapath.offload && read.datapath.polling == .adaptive && read.datapath.workers == 1)
        let other = try configuration("node: {name: a}\ndatapath: {offload: false, polling: off, workers: 64}").datapath
        #expect(!other.offload && other.polling == .off && other.workers == 64)
    }

    @Test func theInterfacesOfTheSampleReadAsTheySay() throws {
        let interfaces = try configuration(Self.sample).interfaces
        #expect(interfaces.map(\.label) == ["web-1", "outside", "host"])
        #expect(interfaces.map(\.name) == ["eth0", "eth0", "culvert0"])
        #expect(interfaces.map(\.namespace) == ["web-1", "outside", nil])
        #expect(interfaces.map(\.address?.description) == ["10.244.0.11/32", "203.0.113.2/32", nil])
        #expect(interfaces.map { $0.routes.map(\.description) } == [["0.0.0.0/0"], ["0.0.0.0/0"], []])
        #expect(interfaces.map(\.reaches.isEmpty) == [true, true, true])
        #expect(interfaces.map(\.mtu) == [1500, 1500, 1500])
        #expect(interfaces.map(\.isUplink) == [false, true, false])
        #expect(interfaces.map(\.isHost) == [false, false, true])
        #expect(interfaces.map(\.antiSpoof) == [true, true, true])
    }

    /// Every value is another than the default, so that no key can be ignored unnoticed.
    @Test func everyKeyHasAnEffect() throws {
        let read = try configuration(
            """
            node: {name: b, loopAddress: 169.254.1.1}
            cluster: {nodePortRange: 80-80, nodePortAddresses: [10.0.0.0/8, 192.0.2.0/24], domain: example.org}
            proxy: {masqueradeAll: true, algorithm: round-robin, maglevTableSize: 251, unknownPorts: drop}
            conntrack: {capacity: 1, midstream: pickup, strict: true, checksums: trust, halfOpenPerSource: 64,
              resourceErrors: icmp}
            interfaces:
            - {name: eth1, netns: /run/netns/deep/pod, address: 10.1.2.3/24, reaches: [10.9.0.0/16], mtu: 68, antiSpoof: false}
            state: none
            """
        )
        #expect(read.node.loopAddress == IPv4Address(169, 254, 1, 1))
        #expect(read.node.zone == nil && read.node.addresses.isEmpty)
        #expect(read.cluster.podCIDR == nil && read.cluster.serviceCIDR == nil && read.cluster.externalCIDRs == nil)
        #expect(read.cluster.nodePortRange == 80...80)
        let blocks = ["10.0.0.0/8", "192.0.2.0/24"].compactMap { IPv4Prefix($0) }
        #expect(read.cluster.nodePortAddresses == .within(blocks) && blocks.count == 2)
        #expect(read.cluster.domain == "example.org")
        #expect(read.proxy.masqueradeAll)
        #expect(read.proxy.algorithm == .roundRobin)
        #expect(read.proxy.maglevTableSize == 251)
        #expect(read.proxy.unknownPorts == .drop)
        #expect(read.conntrack.capacity == 1)
        #expect(read.conntrack.midstream == .pickup)
        #expect(read.conntrack.strict)
        #expect(read.conntrack.halfOpenPerSource == 64 && read.conntrack.resourceErrors == .icmp)
        #expect(read.conntrack.checksums == .trust)
        #expect(read.interfaces.map(\.label) == ["pod"])
        #expect(read.interfaces.map(\.address?.description) == ["10.1.2.3/24"])
        #expect(read.interfaces.map { $0.reaches.map(\.description) } == [["10.9.0.0/16"]])
        #expect(read.interfaces.map(\.mtu) == [68])
        #expect(read.interfaces.map(\.antiSpoof) == [false])
        #expect(read.state == nil)
    }

    @Test func onlyTheNodesNameIsRequired() throws {
        let read = try configuration("node: {name: node-a}")
        #expect(read.node.name == "node-a")
        #expect(read.conntrack.checksums == nil)
        #expect(read.interfaces.isEmpty && read.state == nil)
        #expect(read.cluster.dnsAddress == nil)
    }

    /// A key without a value is a key that is not there.
    @Test(arguments: ["", "~", "null"])
    func nothingMeansTheDefault(_ nothing: String) throws {
        let text =
            "node: {name: node-a, zone: \(nothing)}\ncluster: \(nothing)\ninterfaces: \(nothing)\nstate: \(nothing)"
        let read = try configuration(text)
        #expect(read.node.zone == nil && read.interfaces.isEmpty && read.state == nil)
        #expect(read.cluster.nodePortRange == 30000...32767)
    }

    @Test(arguments: [
        ("1s", 1), ("30s", 30), ("5m", 300), ("24h", 86400), ("8760h", 31_536_000), ("525600m", 31_536_000),
        ("31536000s", 31_536_000), ("\"90s\"", 90),
    ])
    func durationsAreRead(_ text: String, _ seconds: UInt64) throws {
        let read = try configuration("node: {name: a}\nconntrack: {timeouts: {udp: \(text), fragment: 7s}}")
        #expect(read.conntrack.timeouts.udp == seconds * 1_000_000_000)
        #expect(read.conntrack.timeouts.fragment == 7_000_000_000)
        #expect(read.conntrack.timeouts.udpStream == 120_000_000_000)
    }

    @Test(arguments: [
        "tcpSynSent", "tcpSynReceived", "tcpEstablished", "tcpFinWait", "tcpCloseWait", "tcpLastAck", "tcpTimeWait",
        "tcpClose", "udp", "udpStream", "icmp", "fragment",
    ])
    func everyTimeoutIsASetting(_ key: String) throws {
        let usual = try configuration("node: {name: a}").conntrack.timeouts
        let read = try configuration("node: {name: a}\nconntrack: {timeouts: {\(key): 77s}}").conntrack.timeouts
        let values = [
            read.tcpSynSent, read.tcpSynReceived, read.tcpEstablished, read.tcpFinWait, read.tcpCloseWait,
            read.tcpLastAck, read.tcpTimeWait, read.tcpClose, read.udp, read.udpStream, read.icmp, read.fragment,
        ]
        #expect(values.count { $0 == 77_000_000_000 } == 1)
        #expect(read != usual)
    }

    @Test(arguments: ["1-65535", "30000-32767", "\"8000-8000\""])
    func portRangesAreRead(_ text: String) throws {
        let read = try configuration("node: {name: a}\ncluster: {nodePortRange: \(text)}").cluster.nodePortRange
        #expect("\(read.lowerBound)-\(read.upperBound)" == text.filter { $0 != "\"" })
    }

    @Test func theEnvironmentOverridesTheFile() throws {
        let text = "node: {name: file, zone: file}\nstate: /file"
        let variables = ["CULVERT_NODE_NAME": "n", "CULVERT_NODE_ZONE": "z", "CULVERT_STATE": "/s", "CULVERT_X": "?"]
        let read = try configuration(text, environment: variables)
        #expect([read.node.name, read.node.zone, read.state] == ["n", "z", "/s"])
        #expect(try configuration(text, environment: ["CULVERT_STATE": "none"]).state == nil)
        let untouched = try configuration(text, environment: ["NODE_NAME": "n", "culvert_node_name": "n"])
        #expect([untouched.node.name, untouched.node.zone, untouched.state] == ["file", "file", "/file"])
        #expect(try configuration("", environment: ["CULVERT_NODE_NAME": "n"]).node.name == "n")
    }
}
