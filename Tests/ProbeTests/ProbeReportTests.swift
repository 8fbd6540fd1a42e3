import Control
import Datapath
import Foundation
import Services
import Testing
import Wire

/// A packet, and what its event must say.
struct ProbeCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var packet: [String]
    var expectation: String
    /// A part of the story.
    var told: String

    init(_ description: String, _ packet: String, _ expectation: String, told: String) {
        testDescription = description
        self.packet = packet.split(separator: " ").map(String.init)
        self.expectation = expectation
        self.told = told
    }
}

@Suite("What trace tells")
struct ProbeReportTests {
    static let cases = [
        ProbeCase(
            "a pod to a ClusterIP",
            "tcp 10.244.0.9:1234 10.96.0.10:80",
            "verdict=forward,frontend=ClusterIP,masquerade=false,source=10.244.0.9:1234,interface=pods",
            told: "ClusterIP: the source is within 10.244.0.0/16"
        ),
        ProbeCase(
            "an outside client to a NodePort",
            "tcp 203.0.113.2 192.0.2.10:30080",
            "verdict=forward,frontend=NodePort,masquerade=true,translatedSource=192.0.2.10:40000,egress=pods",
            told: "NodePort with externalTrafficPolicy Cluster: every source"
        ),
        ProbeCase(
            "policy Local without a local endpoint",
            "udp 203.0.113.2 192.0.2.10:30053",
            "verdict=drop,reason=no_local_endpoints,backend=null",
            told: "drop no_local_endpoints"
        ),
        ProbeCase(
            "policy Local, from a pod",
            "udp 10.244.0.9 192.0.2.10:30053",
            "verdict=forward,backend=10.244.1.2:5353,masquerade=false",
            told: "10.244.1.2:5353, the only endpoint of the cluster set"
        ),
        ProbeCase(
            "a pod to the cluster's DNS",
            "udp 10.244.0.9:5000 10.96.0.53:53",
            "verdict=answer,service=null,egress=pods",
            told: "a query to the cluster's DNS"
        ),
        ProbeCase(
            "TCP to the cluster's DNS",
            "tcp 10.244.0.9:5000 10.96.0.53:53",
            "verdict=local,egress=host",
            told: "destination is the cluster's DNS"
        ),
        ProbeCase(
            "a source outside of the ranges",
            "tcp 203.0.113.200 198.51.100.1:80",
            "verdict=drop,reason=source_range,egress=null",
            told: "source outside 203.0.113.0/25"
        ),
        ProbeCase(
            "a Service without endpoints",
            "tcp 203.0.113.2 10.96.0.12:80",
            "verdict=reject,reason=no_endpoints,egress=uplink",
            told: "Made by uplink: icmp port unreachable 192.0.2.10 > 203.0.113.2"
        ),
        ProbeCase(
            "a ping to the node",
            "icmp 203.0.113.2 192.0.2.10",
            "verdict=answer,protocol=icmp,source=203.0.113.2",
            told: "icmp echo reply 192.0.2.10 > 203.0.113.2, 84 bytes"
        ),
        ProbeCase(
            "another port of the node",
            "tcp 203.0.113.2 192.0.2.10:22",
            "verdict=local,egress=host",
            told: "local: left to the node's own stack"
        ),
        ProbeCase(
            "no Service at all",
            "tcp 10.244.0.9 8.8.8.8:443",
            "verdict=pass,service=null,conntrack=new,flow=1",
            told: "no Service: the source is kept"
        ),
        ProbeCase(
            "a Service's address as source",
            "tcp 10.96.0.10:80 10.244.0.1:80",
            "verdict=drop,reason=spoof.vip",
            told: "ingress/screen"
        ),
        ProbeCase(
            "port zero",
            "tcp 203.0.113.2:0 192.0.2.10:80",
            "reason=malformed.port0,flags=S",
            told: "Nothing is sent."
        ),
    ]

    @Test("fits the event", arguments: cases)
    func story(_ row: ProbeCase) throws {
        let report = try probe(row.packet[0], row.packet[1], row.packet[2], in: cluster())
        #expect(try ProbeExpectation(row.expectation).differences(from: report.event) == [])
        #expect(report.text.contains(row.told), "\(report.text)")
    }

    @Test("TTL, length and flags are those that were asked for")
    func fields() throws {
        let cluster = try cluster()
        func event(_ change: (inout ProbeRequest) throws -> Void) throws -> [String: Any] {
            try object(try probe("tcp", "10.244.0.9", "10.96.0.10:80", in: cluster, change: change).event)
        }
        #expect(try event { $0.timeToLive = 1 }["reason"] as? String == "ttl.expired")
        #expect(try event { $0.timeToLive = 0 }["reason"] as? String == "ttl.zero")
        let long = try event { $0.length = 1501 }
        #expect(long["reason"] as? String == "oversize")
        #expect(long["length"] as? Int == 1501)
        let middle = try event { try $0.setFlags("ack,psh") }
        #expect(middle["reason"] as? String == "ct.nostate")
        #expect(middle["flags"] as? String == "P.")
        #expect(try event { try $0.setFlags("S.") }["flags"] as? String == "S.")
    }

    @Test("JSON has the event, the stages, what was sent, and the reply")
    func json() throws {
        let report = try probe("tcp", "203.0.113.2", "192.0.2.10:30080", in: cluster())
        let found = try object(report.json.line)
        #expect(Set(found.keys) == ["packet", "stages", "emitted", "reply"])
        let packet = try #require(found["packet"] as? [String: Any])
        #expect(packet["packet"] as? Int == 1)
        let stages = try #require(found["stages"] as? [[String: String]])
        #expect(
            stages.map { $0["program"] } == [
                "parse", "screen", "track", "balance", "route", "masquerade", "commit", "translate",
            ]
        )
        #expect(stages.map { $0["hook"] }.first == "xdp")
        #expect(stages.allSatisfy { Set($0.keys) == ["program", "hook", "match", "action"] })
        let emitted = try #require((found["emitted"] as? [[String: Any]])?.first)
        #expect(emitted["source"] as? String == "192.0.2.10:40000")
        #expect(emitted["ttl"] as? Int == 63)
        #expect((emitted["bytes"] as? String)?.count == 80)

        let reply = try #require(found["reply"] as? [String: Any])
        let back = try #require(reply["packet"] as? [String: Any])
        #expect(back["conntrack"] as? String == "reply")
        #expect(back["translatedSource"] as? String == "192.0.2.10:30080")
        #expect(back["translatedDestination"] as? String == "203.0.113.2:40000")
        #expect(back["flags"] as? String == "S.")
        let returned = try #require((reply["emitted"] as? [[String: Any]])?.first)
        #expect(returned["interface"] as? String == "uplink")
    }

    @Test("what was not sent on has no reply")
    func noReply() throws {
        let found = try object(try probe("tcp", "203.0.113.2", "10.96.0.12:80", in: cluster()).json.line)
        #expect(found["reply"] is NSNull)
    }

    @Test("the same seed gives the same answer, another one another backend")
    func seeds() throws {
        let cluster = try cluster()
        let answers = try (0..<16).map { seed in
            try probe("tcp", "10.244.0.9", "10.96.0.10:80", seed: seed, in: cluster)
        }
        let again = try probe("tcp", "10.244.0.9", "10.96.0.10:80", seed: 0, in: cluster)
        #expect(answers[0].json.line == again.json.line)
        #expect(Set(try answers.map { try object($0.event)["backend"] as? String }).count == 2)
    }

    @Test("the masquerade rule that check shows is the datapath's", arguments: ["", "proxy: {masqueradeAll: true}"])
    func masqueradeRule(_ options: String) throws {
        let cluster = try cluster(options: options)
        let frontends = try #require(try object(CheckReport(cluster).json.line)["frontends"] as? [[String: Any]])
        for (source, kind) in [("203.0.113.2", "outside"), ("10.244.0.9", "pod"), ("192.0.2.10:1500", "node")] {
            for row in frontends {
                guard let address = row["address"] as? String, let rule = row["masquerade"] as? String,
                    let transport = row["protocol"] as? String
                else { continue }
                let event = try object(try probe(transport, source, address, in: cluster).event)
                guard event["verdict"] as? String == "forward" else { continue }
                let expected =
                    switch rule {
                    case "always": true
                    case "outside": kind != "pod"
                    case "node": kind == "node"
                    default: false
                    }
                #expect(event["masquerade"] as? Bool == expected, "\(source) to \(address), \(rule)")
            }
        }
    }
}
