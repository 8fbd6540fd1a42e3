import Control
import Foundation
import TestSupport
import Testing
import Wire

/// The recorded capture of a pod that asks a DNS Service, replayed where Culvert itself is the cluster's DNS.
@Suite("Replay of DNS")
struct NameReplayTests {
    private static let capture = RecordedCapture(name: "udp-dns")
    private static let web = """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}
        """

    private func cluster(_ manifests: String = web, options: String = "") throws -> Cluster {
        let scratch = try VerifyScratch()
        let text = """
            node: {name: node-a, addresses: [192.0.2.10]}
            cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16, dnsAddress: 10.96.0.53}
            \(options)
            """
        return try Cluster(
            try configuration(text),
            manifests: [try scratch.write("web.yaml", Array(manifests.utf8))]
        )
    }

    private func message(_ packet: TracedPacket) -> DNSDissection? {
        Dissection(packet.bytes).flatMap { DNSDissection(Array($0.carried.dropFirst(8))) }
    }

    @Test("queries are answered, captured answers go, whatever the size of the batches")
    func answered() throws {
        let first = try ReplayRun(batch: 1)(Self.capture.input, try cluster())
        let told = try events(first.events)
        let summaries = Set(told.map(\.summary))
        #expect(summaries == ["answer -", "drop replay.answered", "drop unsupported.ethertype"])
        #expect(told.allSatisfy { $0.followsTheContract })
        for batch in [7, 64] {
            let other = try ReplayRun(batch: batch)(Self.capture.input, try cluster())
            #expect(other.events == first.events && other.trace == first.trace)
        }
        let traced = try packets(ofTrace: first.trace)
        let answers = traced.filter { $0.point == "pods:tx" }
        #expect(answers.count == told.count { $0.summary == "answer -" } && answers.count >= 6)
        #expect(answers.allSatisfy { message($0)?.isResponse ?? false })
        #expect(
            answers.first.flatMap(message)?.summary
                == "NOERROR ; web.default.svc.cluster.local A 10.96.0.10"
        )
        // An answer has the number of its query, and goes back to where that came from.
        for answer in answers {
            let query = try #require(traced.first { $0.point == "pods:rx" && $0.number == answer.number })
            #expect(message(query)?.identifier == message(answer)?.identifier)
        }
        let scratch = try VerifyScratch()
        let report = try TraceVerifier.verify(path: try scratch.write("trace.pcapng", first.trace))
        #expect(report.holds)
    }

    @Test("fed in as they are, the captured answers are spoofed")
    func asIs() throws {
        let replayed = try ReplayRun(reconstructs: false)(Self.capture.input, try cluster())
        #expect(
            Set(try events(replayed.events).map(\.summary)) == [
                "answer -", "drop spoof.vip", "drop unsupported.ethertype",
            ]
        )
    }

    @Test("with interfaces in the configuration it is the same")
    func interfaces() throws {
        let options = """
            interfaces:
            - {name: eth0, netns: client, address: 10.244.0.5/32}
            - {name: culvert0, host: true}
            """
        let replayed = try ReplayRun()(Self.capture.input, try cluster(options: options))
        #expect(
            Set(try events(replayed.events).map(\.summary)) == [
                "answer -", "drop replay.answered", "drop unsupported.ethertype",
            ]
        )
    }

    @Test("a Service that owns the address gets its queries, and check says so")
    func owned() throws {
        let manifests = String(decoding: try Self.capture.bytes("manifests.yaml"), as: UTF8.self)
        let cluster = try cluster(manifests)
        let replayed = try ReplayRun()(Self.capture.input, cluster)
        #expect(try events(replayed.events).contains { $0.summary == "forward -" })
        #expect(try !events(replayed.events).contains { $0.summary == "answer -" })
        #expect(cluster.ownDNSAddress == nil && cluster.hostAddresses == [IPv4Address(192, 0, 2, 10)])
        let warnings = CheckReport(cluster).warnings.map { "\($0)" }
        #expect(
            warnings.contains { $0.contains("document 1: kube-system/kube-dns owns 10.96.0.53, cluster.dnsAddress: ") },
            "\(warnings)"
        )
    }
}
