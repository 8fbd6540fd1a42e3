internal import ArgumentParser
internal import Control

/// `culvert trace`: what would become of a packet, and why.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Tell what would become of a packet, stage by stage, and of the answer to it.",
        discussion: """
            Examples:
              culvert trace -c culvert.yaml -f web.yaml tcp 10.244.0.5 10.96.0.10:80
              culvert trace -c culvert.yaml -f web.yaml icmp 203.0.113.2 192.0.2.10
              culvert trace -c culvert.yaml -f web.yaml udp 10.244.0.5 10.96.0.10:53 \\
                --expect verdict=forward,masquerade=false

            One packet goes through the real datapath as in a replay, with no flow
            before it. --expect takes keys and values of the packet's event, and exits
            with 1 when they differ.
            """
    )

    /// The forms of the answer.
    enum Output: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var cluster: ClusterOptions

    @Argument(help: ArgumentHelp("tcp, udp or icmp (an echo request).", valueName: "protocol"))
    var transport: String

    @Argument(
        help: ArgumentHelp(
            "Where from; the port is \(ProbeRequest.defaultSourcePort) unless given.",
            valueName: "src[:port]"
        )
    )
    var source: String

    @Argument(help: ArgumentHelp("Where to; TCP and UDP need a port.", valueName: "dst[:port]"))
    var destination: String

    @Option(help: "TCP flags: syn,ack or S. as tcpdump has it (default: syn).")
    var flags: String?

    @Option(help: "The seed of every choice: the same seed gives the same backend.")
    var seed: UInt64 = 1

    @Option(help: "The TTL of the packet, 0-255.")
    var ttl: UInt8 = 64

    @Option(help: "The IP total length, in bytes; the shortest possible unless given (84 for icmp).")
    var length: Int?

    @Option(name: [.customShort("o"), .long], help: "text or json.")
    var output = Output.text

    @Option(help: "KEY=VALUE,…: exit with 1 unless the packet's event has these values.")
    var expect: [String] = []

    func run() throws {
        let request = try asked { () throws(ProbeError) in try describedPacket() }
        let expectations = try asked { () throws(ProbeError) in try readExpectations() }
        let loaded = try cluster.load()
        let report = try asked { () throws(ProbeError) in try ProbeReport(request, loaded, seed: seed) }
        let differences = try asked { () throws(ProbeError) in try compare(expectations, report.event) }
        if !cluster.quiet {
            switch output {
            case .text: try writeToStandardOutput(report.text)
            case .json: try writeToStandardOutput(report.json.line)
            }
        }
        if !differences.isEmpty { throw Failure(lines: differences.map { "trace: \($0)" }, hint: nil, code: 1) }
    }

    private func describedPacket() throws(ProbeError) -> ProbeRequest {
        var request = try ProbeRequest(transport: transport, source: source, destination: destination)
        if let flags { try request.setFlags(flags) }
        request.timeToLive = ttl
        request.length = length
        return request
    }

    private func readExpectations() throws(ProbeError) -> [ProbeExpectation] {
        var read: [ProbeExpectation] = []
        for text in expect { read.append(try ProbeExpectation(text)) }
        return read
    }

    private func compare(_ expectations: [ProbeExpectation], _ event: [UInt8]) throws(ProbeError) -> [String] {
        var lines: [String] = []
        for expectation in expectations { lines += try expectation.differences(from: event) }
        return lines
    }

    /// Turns an error of the question into bad usage.
    private func asked<Value>(_ body: () throws(ProbeError) -> Value) throws(Failure) -> Value {
        do throws(ProbeError) {
            return try body()
        } catch {
            throw Failure.input(["trace: \(error.problem)"], hint: error.hint)
        }
    }
}
