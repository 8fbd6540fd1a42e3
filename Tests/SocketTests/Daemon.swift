import Control
import Datapath
import Devices
import Foundation
import Glibc
import Logging
import ServiceLifecycle
import TestSupport
import Wire

/// A daemon without interfaces: a real worker with flows in its table, and the control socket in front of it.
///
/// Two pods behind the Service `default/web` (ClusterIP 10.96.0.10:80, NodePort 30080), one behind `default/dns` (UDP 53,
/// sticky), none behind `default/empty`.
final class TestDaemon: Sendable {
    let path: String
    let directory: String
    private let stop: StopSignal
    private let workers: WorkerGroup
    private let server: ControlServer
    private let running: Task<Void, any Error>
    private let group: ServiceGroup

    static let configuration = """
        node: {name: node-a, addresses: [192.0.2.10]}
        cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16}
        conntrack: {timeouts: {tcpSynSent: 1h, udp: 1h, icmp: 1h}}
        """

    static let manifests = """
        {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, clusterIP: 10.96.0.10, ports: [
          {name: http, port: 80, targetPort: 8080, nodePort: 30080}], selector: {app: web}}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: dns}, spec: {clusterIP: 10.96.0.20, ports: [
          {name: dns, port: 53, protocol: UDP}], selector: {app: dns}, sessionAffinity: ClientIP}}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: empty}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 32100, clusterIP: 10.96.0.30, ports: [
          {name: http, port: 80}], selector: {app: nothing}}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web-1, labels: {app: web}}, spec: {nodeName: node-a, containers: []},
          status: {podIP: 10.244.0.11, phase: Running}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web-2, labels: {app: web}}, spec: {nodeName: node-b, containers: []},
          status: {podIP: 10.244.0.12, phase: Running}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: dns-1, labels: {app: dns}}, spec: {nodeName: node-a, containers: []},
          status: {podIP: 10.244.0.13, phase: Running}}
        """

    /// Starts a daemon whose table has the flows of these packets.
    init(after packets: [[UInt8]] = [], idleSeconds: Int64 = 30, in directory: String? = nil) throws {
        self.directory = try directory ?? scratchDirectory()
        path = "\(self.directory)/culvert.sock"
        let manifests = "\(self.directory)/manifests.yaml"
        try Self.manifests.write(toFile: manifests, atomically: true, encoding: .utf8)
        let configuration = try ConfigurationReader.read(name: "culvert.yaml", bytes: Array(Self.configuration.utf8))
        let cluster = try Cluster(configuration, manifests: [manifests])
        let now = UInt64(monotonicNanoseconds())
        let feeds = packets.map { bytes in
            var feed = Feed(bytes)
            feed.now = now
            return feed
        }
        let pipeline = Pipeline(
            cluster.datapathConfiguration(seed: 1, isReplay: true),
            interfaces: cluster.interfaceTable(isReplay: true),
            services: cluster.serviceTable(seed: 1)
        )
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let socket = try ControlSocket(path: path)
        stop = try StopSignal()
        let requests = try WorkerRequests()
        workers = try WorkerGroup(
            DatapathHarness.pipeline(pipeline, after: feeds),
            requests: requests,
            stop: stop,
            logger: logger
        )
        let context = ControlContext(
            worker: requests,
            cluster: { cluster },
            version: "test",
            started: monotonicNanoseconds(),
            reloads: {
                // 2026-01-01, in nanoseconds.
                var values = ReloadStatus.Values(lastSuccess: 1_767_225_600_000_000_000)
                values.reloads = 3
                values.failures = 2
                values.isCurrent = false
                return values
            }
        )
        server = ControlServer(socket, context, idleSeconds: idleSeconds, logger: logger)
        group = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: logger))
        running = Task(executorPreference: ControlExecutor()) { [workers, group] in
            async let ended = workers.run()
            try await group.run()
            _ = try await ended
        }
    }

    /// Ends the socket, then the worker.
    func end() async throws {
        await group.triggerGracefulShutdown()
        stop.raise()
        try await running.value
    }

    /// Ends the worker alone, as when all its interfaces are deleted.
    func endWorker() { stop.raise() }

    /// The body of an answer, whatever its length.
    func get(_ target: String, _ query: Query = Query()) async throws -> [UInt8] {
        try await ask("GET", target, query)
    }

    func ask(_ method: String, _ target: String, _ query: Query = Query()) async throws -> [UInt8] {
        try await apart {
            var bytes: [UInt8] = []
            try await ControlClient(path: path).request(method, target, query) { bytes += $0 }
            return bytes
        }
    }

    /// An answer that is no list.
    func document(_ target: String, _ query: Query = Query()) async throws -> JSONValue {
        guard let value = JSONParser.parse(try await get(target, query)) else {
            throw Unexpected(description: "no JSON")
        }
        return value
    }

    /// The items of a list.
    func items(_ target: String, _ query: Query = Query()) async throws -> [JSONValue] {
        var reader = ItemReader()
        reader.read(try await get(target, query))
        guard reader.isComplete, !reader.isDamaged else { throw Unexpected(description: "no list") }
        return try reader.items.map { bytes in
            guard let item = JSONParser.parse(bytes) else {
                throw Unexpected(description: String(decoding: bytes, as: UTF8.self))
            }
            return item
        }
    }

    /// The status and message of a refusal.
    func refusal(_ method: String, _ target: String, _ query: Query = Query()) async -> ControlClientError? {
        do {
            _ = try await ask(method, target, query)
            return nil
        } catch { return error as? ControlClientError }
    }
}

struct Unexpected: Error, CustomStringConvertible { let description: String }

/// A directory of its own, below the one for temporary files.
func scratchDirectory() throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/culvert-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    return path
}

/// Runs a part of a test apart from the threads of all tests: others may keep those for longer than a connection may be silent.
func apart<Value>(_ body: () async throws -> Value) async throws -> Value {
    try await withTaskExecutorPreference(ControlExecutor(), operation: body)
}

/// Runs a test with a daemon, and ends it whatever comes.
func withDaemon(
    after packets: [[UInt8]] = [],
    idleSeconds: Int64 = 30,
    _ body: (TestDaemon) async throws -> Void
) async throws {
    let daemon = try TestDaemon(after: packets, idleSeconds: idleSeconds)
    do {
        try await apart { try await body(daemon) }
    } catch {
        try? await daemon.end()
        throw error
    }
    try await daemon.end()
    try FileManager.default.removeItem(atPath: daemon.directory)
}

/// Packets of a few flows: TCP to the ClusterIP and the NodePort, UDP to `dns`, a direct one, a ping.
enum TestTraffic {
    static let client = IPv4Address(10, 244, 0, 5)
    static let outside = IPv4Address(203, 0, 113, 2)
    static let packets: [[UInt8]] = [
        tcp(client, 40000, to: IPv4Address(10, 96, 0, 10), 80),
        tcp(outside, 40001, to: IPv4Address(192, 0, 2, 10), 30080),
        udp(client, 40002, to: IPv4Address(10, 96, 0, 20), 53),
        udp(client, 40003, to: outside, 5000),
        echo(client, to: outside, identifier: 77),
        tcp(client, 40004, to: IPv4Address(10, 96, 0, 30), 80),
    ]

    /// As many flows as asked for, from different clients and ports.
    static func flows(_ count: Int) -> [[UInt8]] {
        (0..<count).map { number in
            let client = IPv4Address(bits: 0x0af4_1000 + UInt32(number / 50000))
            return udp(client, UInt16(1024 + number % 50000), to: outside, 53)
        }
    }
}
