import Capture
import Control
import Datapath
import Foundation
import TestSupport
import Testing
import Wire

/// `replay --reload-at`.
@Suite("Reloads within a replay")
struct ReplayReloadTests {
    /// A cluster, and the clusters that follow on it from certain packets on.
    private static func clusters(
        _ first: EchoManifests,
        _ later: [(packet: UInt64, manifests: EchoManifests)],
        scratch: VerifyScratch
    ) throws -> (Cluster, [ReplayReload]) {
        let settings = try configuration(VerifyCluster.configuration)
        var current = try Cluster(settings, manifests: [try scratch.write("0.yaml", Array(first.text.utf8))])
        let start = current
        var reloads: [ReplayReload] = []
        for (packet, manifests) in later {
            let path = try scratch.write("\(packet).yaml", Array(manifests.text.utf8))
            current = try current.next(manifests: [path])
            reloads.append(ReplayReload(packet: packet, cluster: current))
        }
        return (start, reloads)
    }

    /// A socket that sends `count` datagrams, and another that asks in between.
    private static func capture(_ count: Int) -> [UInt8] {
        VerifyCluster.capture(
            (0..<count).map { number in
                udp(Host.pod, number % 3 == 2 ? 50000 : 40000, to: Front.clusterIP.address, 9000)
            }
        )
    }

    private static let first = EchoManifests(endpoints: [("10.244.1.12", .ready)])
    private static let second = EchoManifests(endpoints: [("10.244.1.13", .ready)])

    @Test("new rules hold from their packet on, whatever the size of the batches")
    func boundary() throws {
        let scratch = try VerifyScratch()
        let input = try scratch.write("capture.pcap", Self.capture(200))
        let renumbered = EchoManifests(port: 9000, target: 9002, endpoints: [("10.244.1.13", .ready)])
        let (cluster, reloads) = try Self.clusters(
            Self.first,
            [
                (10, Self.second), (11, EchoManifests(endpoints: [])), (70, renumbered), (70, Self.first),
                (500, Self.second),
            ],
            scratch: scratch
        )
        var runs: [Replayed] = []
        for batch in [1, 7, 64] {
            var run = ReplayRun(batch: batch)
            run.reloads = reloads
            runs.append(try run(input, cluster))
        }
        let seen = try events(runs[0].events)
        #expect(seen.count == 200)
        for (index, event) in seen.enumerated() {
            let expected: String? =
                switch index + 1 {
                case ..<10, 70...: "10.244.1.12:9001"
                case 10: "10.244.1.13:9001"
                default: nil
                }
            #expect(event.text("backend") == expected, "packet \(index + 1)")
            #expect(event.text("service") == "default/echo:echo")
            #expect(event.text("reason") == (expected == nil ? "no_endpoints" : nil))
        }
        #expect(runs.allSatisfy { $0.events == runs[0].events && $0.trace == runs[0].trace })
        #expect(runs.allSatisfy { $0.summary?.reloads == 4 && $0.summary?.text.contains("4 reloads") == true })
        // Two sockets twice: at 10 both move, at 11 the one that sent meanwhile goes.
        #expect(runs[0].summary?.flowsReconciled == 3)
        #expect(try passes(runs[0].trace))
    }

    @Test("packet numbers are those of the file, also where a filter leaves packets out")
    func filtered() throws {
        let scratch = try VerifyScratch()
        let input = try scratch.write("capture.pcap", Self.capture(60))
        let (cluster, reloads) = try Self.clusters(Self.first, [(20, Self.second)], scratch: scratch)
        for batch in [1, 7, 64] {
            var run = ReplayRun(batch: batch, filter: "src port 50000")
            run.reloads = reloads
            let seen = try events(try run(input, cluster).events)
            #expect(seen.count == 20)
            #expect(
                seen.allSatisfy { event in
                    let isLater = (event.number("packet") ?? 0) >= 20
                    return event.text("backend") == (isLater ? "10.244.1.13:9001" : "10.244.1.12:9001")
                }
            )
        }
    }

    @Test("a reset of both ends is a good trace")
    func reset() throws {
        let scratch = try VerifyScratch()
        var settings = try configuration(VerifyCluster.configuration)
        settings.conntrack.resetDeletedEndpoints = true
        let web = VerifyCluster.manifests
        let path = try scratch.write("web.yaml", Array(web.utf8))
        let moved = web.replacingOccurrences(of: "10.244.1.12", with: "10.244.1.13")
        let cluster = try Cluster(settings, manifests: [path])
        let later = try cluster.next(manifests: [try scratch.write("moved.yaml", Array(moved.utf8))])
        let conversation = [
            tcp(Host.pod, 40000, to: Host.web, 80), tcp(Host.backend, 8080, to: Host.pod, 40000, [.syn, .ack]),
            tcp(Host.pod, 40000, to: Host.web, 80, .ack),
            tcp(Host.pod, 40000, to: Host.web, 80, [.psh, .ack], payload: [1]),
        ]
        let input = try scratch.write("capture.pcap", VerifyCluster.capture(conversation))
        var run = ReplayRun()
        run.reloads = [ReplayReload(packet: 4, cluster: later)]
        let replayed = try run(input, cluster)
        #expect(try events(replayed.events).last?.text("reason") == "ct.reset")
        #expect(try verified(replayed.trace).findings.map(\.message) == [])
        #expect(
            try packets(ofTrace: replayed.trace).filter { $0.number == 4 }.map(\.point) == [
                "pods:rx", "pods:tx", "pods:tx",
            ]
        )
    }
}
