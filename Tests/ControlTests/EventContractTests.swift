import Control
import Foundation
import TestSupport
import Testing
import Wire

/// What an event says of a packet, verdict by verdict.
@Suite("Event contract")
struct EventContractTests {
    /// All keys, in their order, for everything that the recorded captures and the verifier's scenario show.
    @Test(arguments: RecordedCapture.all, [true, false])
    func everyKeyIsAlwaysThere(_ capture: RecordedCapture, _ reconstructs: Bool) throws {
        let run = ReplayRun(reconstructs: reconstructs)
        let read = try events(try run(capture.input, try capture.cluster()).events)
        #expect(!read.isEmpty)
        for (index, event) in read.enumerated() {
            #expect(event.followsTheContract, "\(event.line)")
            #expect(event.number("packet") == index + 1)
            #expect(event.flag("masquerade") != nil && event.text("conntrack") != nil && event.text("interface") != nil)
            #expect(event.number("length") != nil && event.text("time")?.count == 30)
        }
    }

    @Test func theScenarioFollowsTheContract() throws {
        let read = try events(try ReplayRun()(VerifyScenario.packets).events)
        #expect(read.count == VerifyScenario.packets.count)
        #expect(!read.contains { !$0.followsTheContract })
        #expect(read.allSatisfy { ($0.text("reason") != nil) == ["drop", "reject"].contains($0.text("verdict")) })
        let verdicts = Set(read.compactMap { $0.text("verdict") })
        #expect(verdicts == ["forward", "pass", "local", "reject", "drop", "hold", "answer"])
    }

    /// The event of the last packet of some.
    private func last(_ packets: [[UInt8]]) throws -> ReadEvent {
        try #require(try events(try ReplayRun()(packets).events).last)
    }

    private let opening = tcp(Host.pod, 41000, to: Host.web, 80)

    @Test func forward() throws {
        let event = try last([opening])
        let time = "2023-11-14T22:13:20.000000000Z"
        #expect(
            event.line
                == #"{"packet":1,"time":"\#(time)","interface":"pods","verdict":"forward","reason":null,"#
                + #""protocol":"tcp","flags":"S","length":40,"source":"10.244.2.5:41000","#
                + #""destination":"10.96.0.11:80","translatedSource":"10.244.2.5:41000","#
                + #""translatedDestination":"10.244.1.12:8080","service":"default/web:http","#
                + #""frontend":"ClusterIP","backend":"10.244.1.12:8080","masquerade":false,"#
                + #""conntrack":"new","flow":1,"egress":"pods"}"#
        )
    }

    @Test func forwardWithMasquerading() throws {
        let event = try last([udp(Host.client, 50001, to: Host.node, 30090)])
        #expect(event.nulls == ["reason", "flags"])
        #expect(event.summary == "forward -" && event.flag("masquerade") == true)
        #expect(event.text("translatedSource") == "192.0.2.10:50001")
        #expect(event.text("translatedDestination") == "10.244.1.20:9001")
        #expect(event.text("frontend") == "NodePort" && event.text("service") == "default/echo:9000")
        #expect(event.text("interface") == "uplink" && event.text("egress") == "pods")
    }

    @Test func replies() throws {
        let answer = tcp(Host.backend, 8080, to: Host.pod, 41000, [.syn, .ack])
        let event = try last([opening, answer])
        #expect(event.text("conntrack") == "reply" && event.text("flags") == "S." && event.number("flow") == 1)
        #expect(event.text("translatedSource") == "10.96.0.11:80" && event.nulls == ["reason"])
        let further = try last([opening, answer, tcp(Host.pod, 41000, to: Host.web, 80, [.ack, .psh])])
        #expect(further.text("conntrack") == "established" && further.text("flags") == "P.")
    }

    @Test func pass() throws {
        let event = try last([tcp(Host.pod, 41003, to: Host.client, 443)])
        #expect(event.summary == "pass -" && event.nulls == ["reason", "service", "frontend", "backend"])
        #expect(event.text("translatedSource") == event.text("source"))
        #expect(event.text("translatedDestination") == event.text("destination"))
        #expect(event.text("egress") == "uplink" && event.text("conntrack") == "new")
    }

    @Test func local() throws {
        let event = try last([udp(Host.client, 40000, to: Host.node, 40001)])
        #expect(event.text("verdict") == "local" && event.text("egress") == "host")
        #expect(event.text("translatedDestination") == "192.0.2.10:40001")
        #expect(Set(event.nulls).isSuperset(of: ["reason", "flags", "service", "frontend", "backend"]))
    }

    @Test func reject() throws {
        let event = try last([tcp(Host.pod, 41001, to: Host.empty, 80)])
        #expect(event.summary == "reject no_endpoints")
        #expect(event.text("service") == "default/empty:80" && event.text("frontend") == "ClusterIP")
        #expect(event.nulls == ["translatedSource", "translatedDestination", "backend", "flow"])
        #expect(event.text("egress") == "pods")
    }

    @Test func drop() throws {
        let event = try last([tcp(Host.pod, 41002, to: Host.web, 80, [.ack])])
        #expect(event.summary == "drop ct.nostate" && event.text("flags") == ".")
        #expect(Set(event.nulls).isSuperset(of: ["translatedSource", "translatedDestination", "flow", "egress"]))
        #expect(event.text("source") == "10.244.2.5:41002" && event.text("destination") == "10.96.0.11:80")
    }

    @Test func answer() throws {
        let event = try last([echo(Host.pod, to: Host.node)])
        #expect(event.text("verdict") == "answer" && event.text("reason") == nil && event.text("protocol") == "icmp")
        #expect(event.text("source") == "10.244.2.5" && event.text("destination") == "192.0.2.10")
        #expect(Set(event.nulls).isSuperset(of: ["translatedSource", "translatedDestination", "flags", "service"]))
        #expect(event.text("egress") == "pods")
    }

    /// A fragment that waits, then its first one: addresses have no ports where there is no transport header.
    @Test func holdAndFragments() throws {
        let parts = udpFragments(Host.client, 50003, to: Host.node, 30090, payload: Array(0..<120), size: 64)
        let held = try last([parts[1]])
        #expect(held.text("verdict") == "hold" && held.text("conntrack") == "untracked")
        #expect(held.text("source") == "198.51.100.7" && held.text("destination") == "192.0.2.10")
        #expect(
            Set(held.nulls).isSuperset(of: ["translatedSource", "translatedDestination", "flow", "egress", "reason"])
        )
        let first = try last([parts[1], parts[0]])
        #expect(
            first.text("source") == "198.51.100.7:50003" && first.text("translatedDestination") == "10.244.1.20:9001"
        )
        let later = try last([parts[0], parts[1]])
        #expect(later.summary == "forward -" && later.text("source") == "198.51.100.7")
        #expect(later.text("translatedSource") == "192.0.2.10" && later.text("translatedDestination") == "10.244.1.20")
        #expect(later.text("backend") == "10.244.1.20:9001" && later.text("service") == "default/echo:9000")
    }

    @Test func errorsHaveNoPorts() throws {
        let sent = tcp(Host.pod, 41000, to: Host.backend, 8080)
        let event = try last([opening, icmpError(Host.backend, to: Host.pod, about: sent)])
        #expect(
            event.summary == "forward -" && event.text("conntrack") == "related" && event.text("protocol") == "icmp"
        )
        #expect(event.text("source") == "10.244.1.12" && event.text("translatedSource") == "10.96.0.11")
        #expect(event.nulls == ["reason", "flags"])
    }

    @Test func whatIsNoPacketHasNoAddresses() throws {
        let event = try last([[0x45, 0, 0]])
        #expect(event.summary == "drop short.ip" && event.number("length") == 3)
        let expected = [
            "protocol", "flags", "source", "destination", "translatedSource", "translatedDestination", "service",
            "frontend", "backend", "flow", "egress",
        ]
        #expect(event.nulls == expected)
        #expect(event.text("conntrack") == "untracked" && event.flag("masquerade") == false)
    }

    @Test func framesWithoutIPHaveEventsToo() throws {
        let capture = RecordedCapture(name: "udp-dns")
        let event = try #require(try events(try ReplayRun()(capture.input, try capture.cluster()).events).first)
        #expect(event.summary == "drop unsupported.ethertype")
        #expect(event.nulls.contains("source") && event.nulls.contains("protocol") && event.nulls.contains("egress"))
    }

    @Test func otherProtocolsHaveANumber() throws {
        let gre = PacketBuilder(from: Host.pod, to: Host.client).packet(
            TransportProtocol(rawValue: 47),
            payload: [0, 0, 8, 0]
        )
        let event = try last([gre])
        #expect(event.text("protocol") == TransportProtocol(rawValue: 47).description)
        #expect(event.text("source") == "10.244.2.5" && event.text("flags") == nil)
    }
}
