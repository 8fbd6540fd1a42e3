import Control
import Testing
import Wire

/// Words of a command line, and what is wrong with them.
struct UsageCase: Sendable, CustomTestStringConvertible {
    var testDescription: String { words.joined(separator: " ") }
    var words: [String]
    var problem: String

    init(_ words: String, _ problem: String) {
        self.words = words.split(separator: " ").map(String.init)
        self.problem = problem
    }
}

@Suite("The question of a trace")
struct ProbeRequestTests {
    static let faults = [
        UsageCase("tpc 10.0.0.1 10.0.0.2:80", "tpc: is not tcp, udp or icmp"),
        UsageCase("tcp 10.0.0.256 10.0.0.2:80", "10.0.0.256: is not an IPv4 address"),
        UsageCase("tcp 10.0.0.1 web:80", "web:80: is not an IPv4 address and port"),
        UsageCase("tcp 10.0.0.1 10.0.0.2", "10.0.0.2: has no port"),
        UsageCase("tcp 10.0.0.1 10.0.0.2:", "10.0.0.2:: nothing is no port"),
        UsageCase("udp 10.0.0.1 10.0.0.2:65536", "10.0.0.2:65536: 65536 is no port"),
        UsageCase("udp 10.0.0.1 10.0.0.2:+80", "10.0.0.2:+80: +80 is no port"),
        UsageCase("udp 10.0.0.1 ::1", "::1: is not an IPv4 address and port"),
        UsageCase("icmp 10.0.0.1 10.0.0.2:80", "10.0.0.2:80: ICMP has no ports"),
    ]

    @Test("is refused in one line", arguments: faults)
    func refused(_ row: UsageCase) {
        do throws(ProbeError) {
            _ = try ProbeRequest(transport: row.words[0], source: row.words[1], destination: row.words[2])
            Issue.record("was taken")
        } catch {
            #expect(error.problem == row.problem)
        }
    }

    @Test("has a source port of its own where none is given")
    func defaults() throws {
        let request = try ProbeRequest(transport: "TCP", source: "10.0.0.1", destination: "10.0.0.2:80")
        #expect(request.sourcePort == 40000)
        #expect(request.flags == .syn)
        #expect(request.destinationPort == 80)
    }

    @Test("flags are words or tcpdump's letters")
    func flags() throws {
        var request = try ProbeRequest(transport: "tcp", source: "10.0.0.1", destination: "10.0.0.2:80")
        for (text, flags) in [("syn", .syn), ("syn,ack", [.syn, .ack]), ("F.", [.fin, .ack]), ("none", [])]
            as [(String, TCPFlags)]
        {
            try request.setFlags(text)
            #expect(request.flags == flags)
        }
        #expect(throws: ProbeError.self) { try request.setFlags("sin") }
        #expect(throws: ProbeError.self) { try request.setFlags("") }
        var datagram = try ProbeRequest(transport: "udp", source: "10.0.0.1", destination: "10.0.0.2:80")
        #expect(throws: ProbeError.self) { try datagram.setFlags("syn") }
    }

    @Test("a length that no packet of the kind has is refused", arguments: [-1, 0, 39, 65536])
    func lengths(_ length: Int) throws {
        let cluster = try cluster()
        #expect(throws: ProbeError.self) {
            try probe("tcp", "10.0.0.1", "10.0.0.2:80", in: cluster) { $0.length = length }
        }
    }

    @Test("expectations name what differs, and unknown keys")
    func expectations() throws {
        let event = Array(#"{"verdict":"drop","reason":null,"masquerade":false,"length":40}"#.utf8)
        #expect(
            try ProbeExpectation("verdict=drop,reason=null,masquerade=false,length=40").differences(from: event) == []
        )
        #expect(
            try ProbeExpectation("verdict=forward,length=41").differences(from: event) == [
                "expected verdict=forward, got verdict=drop", "expected length=41, got length=40",
            ]
        )
        #expect(throws: ProbeError.self) { try ProbeExpectation("verdikt=drop").differences(from: event) }
        for text in ["", "verdict", "=drop", "verdict=drop,"] {
            #expect(throws: ProbeError.self) { try ProbeExpectation(text) }
        }
    }
}
