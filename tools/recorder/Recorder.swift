internal import Foundation
internal import Wire

/// Makes the captures of `captures/`, the same bytes every time.
///
///     culvert-recorder list
///     culvert-recorder make NAME FILE [PORT]
///
/// PORT is the source port that Culvert gave to the second client of `nodeport-masquerade`: the backend's replies carry
/// it. `tools/record` reads it from the events; the other captures have no use for it.
@main
enum Recorder {
    /// A capture by its name, made for a masqueraded port.
    private static let scenarios: [(name: String, make: @Sendable (UInt16) -> Recording)] = [
        ("http-clusterip", { _ in ClusterIPScenario.record() }),
        ("nodeport-masquerade", { port in NodePortScenario.record(secondPort: port) }),
        ("udp-dns", { _ in DNSScenario.record() }),
        ("half-open", { _ in HalfOpenScenario.record() }),
        ("icmp", { _ in ICMPScenario.record() }),
        ("fragments", { _ in FragmentScenario.record() }),
        ("drops", { _ in DropScenario.record() }),
    ]

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "list" where arguments.count == 1:
            for scenario in scenarios { print(scenario.name) }
        case "make" where arguments.count == 3 || arguments.count == 4:
            make(arguments[1], into: arguments[2], port: arguments.count == 4 ? UInt16(arguments[3]) : 0)
        default:
            fail("usage: culvert-recorder list | make NAME FILE [PORT]", code: 2)
        }
    }

    private static func make(_ name: String, into path: String, port: UInt16?) {
        guard let scenario = scenarios.first(where: { $0.name == name }) else {
            fail("culvert-recorder: \(name): there is no such capture", code: 2)
        }
        guard let port else { fail("culvert-recorder: the port is no port", code: 2) }
        do {
            try Data(scenario.make(port).file).write(to: URL(fileURLWithPath: path))
        } catch {
            fail("culvert-recorder: \(path): \(error.localizedDescription)", code: 1)
        }
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data((message + "\n").utf8))
        exit(code)
    }
}
