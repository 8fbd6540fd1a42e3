import Capture
import Control
import Datapath
import Foundation
import Wire

/// A directory of a test's own, removed at its end.
final class VerifyScratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "culvert-verify-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }
}

/// Addresses of the scenario.
enum Host {
    static let pod = IPv4Address(10, 244, 2, 5)
    static let backend = IPv4Address(10, 244, 1, 12)
    static let echo = IPv4Address(10, 244, 1, 20)
    static let web = IPv4Address(10, 96, 0, 11)
    static let empty = IPv4Address(10, 96, 0, 30)
    static let client = IPv4Address(198, 51, 100, 7)
    static let node = IPv4Address(192, 0, 2, 10)
    static let router = IPv4Address(203, 0, 113, 254)
}

/// The configuration and manifests of the scenario.
enum VerifyCluster {
    static let configuration = """
        node: {name: node-a, addresses: [192.0.2.10]}
        cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/12}
        """

    static let manifests = """
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: default}
        spec: {clusterIP: 10.96.0.11, ports: [{name: http, port: 80, targetPort: 8080}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{name: http, port: 8080, protocol: TCP}]
        endpoints: [{addresses: [10.244.1.12], conditions: {ready: true}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: echo, namespace: default}
        spec:
          type: NodePort
          clusterIP: 10.96.0.20
          ports: [{port: 9000, targetPort: 9001, nodePort: 30090, protocol: UDP}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: echo-1, namespace: default, labels: {kubernetes.io/service-name: echo}}
        addressType: IPv4
        ports: [{port: 9001, protocol: UDP}]
        endpoints: [{addresses: [10.244.1.20], conditions: {ready: true}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: empty, namespace: default}
        spec: {clusterIP: 10.96.0.30, ports: [{port: 80}]}
        """

    /// The trace of a replay of some packets, a millisecond apart.
    static func trace(_ packets: [[UInt8]], comments: TraceComments = .notable, verdicts: Bool = true) throws -> [UInt8]
    {
        let scratch = try VerifyScratch()
        let manifests = try scratch.write("web.yaml", [UInt8](Self.manifests.utf8))
        let settings = try ConfigurationReader.read(name: "culvert.yaml", bytes: [UInt8](configuration.utf8))
        let cluster = try Cluster(settings, manifests: [manifests])
        var replay = ReplaySettings(input: try scratch.write("capture.pcap", capture(packets)))
        var trace = TraceSettings(path: "\(scratch.path)/trace.pcapng")
        trace.comments = comments
        trace.verdicts = verdicts
        replay.trace = trace
        var session = ReplaySession(cluster, replay, version: "test")
        _ = try session.run { _ in }
        return try scratch.read("trace.pcapng")
    }

    /// A classic capture with nanoseconds, link type RAW.
    static func capture(_ packets: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ number: UInt32) { bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }
        put(0xa1b2_3c4d)
        bytes += [2, 0, 4, 0] + [UInt8](repeating: 0, count: 8)
        put(65535)
        put(101)
        for (number, packet) in packets.enumerated() {
            put(1_700_000_000)
            put(UInt32(number) * 1_000_000)
            put(UInt32(packet.count))
            put(UInt32(packet.count))
            bytes += packet
        }
        return bytes
    }
}

/// Verifies bytes as if they were a file.
func verified(_ bytes: [UInt8]) throws -> VerificationReport {
    let scratch = try VerifyScratch()
    return try TraceVerifier.verify(path: try scratch.write("trace.pcapng", bytes))
}

/// Whether `culvert verify` says of a trace that it is good.
func passes(_ bytes: [UInt8]) throws -> Bool {
    do {
        return try verified(bytes).holds
    } catch is CaptureError {
        return false
    }
}

/// Reproducible choices.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
