import Control
import Datapath
import Foundation
import Kubernetes
import Logging
import Services
import Synchronization
import Testing

/// Keeps log lines as `error: text`.
private struct LogLines: LogHandler {
    private final class Store: Sendable {
        let lines = Mutex<[String]>([])
    }

    private let store = Store()
    var logLevel = Logger.Level.info
    var metadata = Logger.Metadata()
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// The lines since the last call.
    func take() -> [String] {
        store.lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    func log(event: LogEvent) { store.lines.withLock { $0.append("\(event.level): \(event.message)") } }
}

/// A directory of manifests with a reloader that follows it.
private final class Bench {
    let scratch: VerifyScratch
    let log = LogLines()
    let status = ReloadStatus(loadedAt: 0)
    let arguments: [String]
    private(set) var reloader: Reloader
    /// What was handed over.
    private(set) var clusters: [Cluster] = []

    init(
        _ files: [String: String],
        arguments: [String] = [""],
        node: String = "{name: node-a, addresses: [192.0.2.10]}"
    )
        throws
    {
        scratch = try VerifyScratch()
        for (name, text) in files { _ = try scratch.write(name, Array(text.utf8)) }
        let path = scratch.path
        self.arguments = arguments.map { $0.isEmpty ? path : "\(path)/\($0)" }
        let settings = try configuration("{node: \(node), cluster: {serviceCIDR: 10.96.0.0/16}}")
        let cluster = try Cluster(settings, manifests: self.arguments)
        let log = log
        reloader = Reloader(cluster, status: status, logger: Logger(label: "test") { _ in log }) { _ in }
        reloader = Reloader(cluster, status: status, logger: Logger(label: "test") { _ in log }) { [unowned self] in
            clusters.append($0)
        }
    }

    /// Changes files, nil removes one, and reloads; whether something else runs then.
    @discardableResult
    func reload(_ files: [String: String?] = [:], _ reason: Reloader.Reason = .change) throws -> Bool {
        for (name, text) in files {
            if let text {
                _ = try scratch.write(name, Array(text.utf8))
            } else {
                try FileManager.default.removeItem(atPath: "\(scratch.path)/\(name)")
            }
        }
        return reloader.reload(arguments, reason)
    }
}

private func service(_ name: String, _ address: String, more: String = "") -> String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: \(name)}
    spec: {clusterIP: \(address), ports: [{name: http, port: 80}]\(more)}

    """
}

private let web = service("web", "10.96.0.10")
private let other = service("other", "10.96.0.11")

@Suite("Reloads")
struct ReloaderTests {
    @Test("a good set is taken over, and numbers stay with their ports")
    func good() throws {
        let bench = try Bench(["a.yaml": web])
        #expect(try bench.reload(["b.yaml": other]))
        #expect(bench.log.take().map { $0.prefix(39) } == ["info: reloaded: 2 Services, 0 endpoints"])
        #expect(try bench.reload(["a.yaml": nil]))
        #expect(try bench.reload(["a.yaml": web]))
        #expect(bench.clusters.map { $0.rules.servicePorts.map(\.identifier) } == [[2, 1], [2], [2, 1]])
        #expect(bench.status.values.reloads == 3 && bench.status.values.failures == 0)
        #expect(bench.status.values.isCurrent && bench.status.values.lastSuccess > 0)
    }

    @Test("what says the same is not taken over, and said to whoever asks")
    func same() throws {
        let bench = try Bench(["a.yaml": web])
        #expect(try !bench.reload(["a.yaml": web]))
        #expect(bench.log.take() == [])
        #expect(try !bench.reload([:], .signal))
        #expect(bench.log.take() == ["info: the manifests say what runs"])
        #expect(bench.clusters.isEmpty && bench.status.values.reloads == 0)
    }

    @Test("a broken set changes nothing; each fault is one line, once")
    func broken() throws {
        let bench = try Bench(["a.yaml": web])
        let bad = web.replacingOccurrences(of: "port: 80", with: "port: 99999")
        #expect(try !bench.reload(["a.yaml": bad, "b.yaml": "kind: ["]))
        let lines = bench.log.take()
        #expect(
            lines.count == 2 && lines.allSatisfy { $0.hasPrefix("error: manifests refused: \(bench.scratch.path)/") }
        )
        #expect(lines.first?.contains("a.yaml: document 1: spec.ports[0].port: 99999 ") == true)
        // The same again, and once more for whoever asks.
        #expect(try !bench.reload(["a.yaml": bad]))
        #expect(bench.log.take() == [])
        #expect(try !bench.reload([:], .signal))
        #expect(bench.log.take() == lines)
        let values = bench.status.values
        #expect(values.reloads == 0 && values.failures == 3 && values.lastSuccess == 0 && !values.isCurrent)
        // Back to what runs.
        #expect(try !bench.reload(["a.yaml": web, "b.yaml": nil]))
        #expect(bench.log.take() == ["info: the manifests say what runs"])
        #expect(bench.status.values.isCurrent && bench.clusters.isEmpty)
        // And broken anew: said again.
        #expect(try !bench.reload(["a.yaml": bad]))
        #expect(bench.log.take().count == 1)
    }

    @Test("two objects that claim one address are refused, whichever file came last")
    func conflict() throws {
        let bench = try Bench(["a.yaml": web])
        #expect(try !bench.reload(["0.yaml": service("thief", "10.96.0.10")]))
        #expect(bench.log.take().count == 1 && bench.clusters.isEmpty)
    }

    @Test("a file that is empty all of a sudden takes nothing away; one that is deleted does")
    func emptyFile() throws {
        let bench = try Bench(["a.yaml": web, "b.yaml": other])
        for nothing in ["", "# nothing\n", "---\n"] {
            #expect(try !bench.reload(["a.yaml": nothing]))
            #expect(bench.log.take().count <= 1)
            #expect(bench.reloader.cluster.manifests.services.count == 2)
        }
        #expect(try bench.reload(["a.yaml": nil]))
        #expect(bench.reloader.cluster.manifests.services.map(\.metadata.name) == ["other"])
        // A new one that is empty is nobody's loss.
        #expect(try bench.reload(["c.yaml": "", "b.yaml": web]))
    }

    @Test("the last objects go by an empty List only")
    func nothingLeft() throws {
        let bench = try Bench(["a.yaml": web])
        #expect(try !bench.reload(["a.yaml": nil]))
        #expect(bench.log.take().first?.contains("nothing would be left") == true)
        #expect(bench.reloader.cluster.manifests.services.count == 1)
        #expect(try bench.reload(["a.yaml": "{apiVersion: v1, kind: List, items: []}"]))
        #expect(bench.reloader.cluster.manifests.services.isEmpty)
        #expect(try bench.reload(["a.yaml": web]))
    }

    @Test("a file that was named and is gone takes nothing away")
    func named() throws {
        let bench = try Bench(["a.yaml": web, "b.yaml": other], arguments: ["a.yaml", "b.yaml"])
        #expect(try !bench.reload(["b.yaml": nil]))
        #expect(
            bench.log.take() == ["error: manifests refused: \(bench.scratch.path)/b.yaml: no such file or directory"]
        )
        #expect(try !bench.reload(["b.yaml": other]))
        #expect(bench.reloader.cluster.manifests.services.count == 2)
    }

    @Test("addresses of the node that come from its object cannot change")
    func nodeAddresses() throws {
        func node(_ address: String) -> String {
            """
            apiVersion: v1
            kind: Node
            metadata: {name: node-a}
            status: {addresses: [{type: InternalIP, address: \(address)}]}
            """
        }
        let bench = try Bench(["a.yaml": web, "node.yaml": node("192.0.2.10")], node: "{name: node-a}")
        #expect(try !bench.reload(["node.yaml": node("192.0.2.11")]))
        let line = "error: manifests refused: node node-a: its addresses are 192.0.2.11 now, which takes a restart"
        #expect(bench.log.take() == [line])
    }

    @Test("external addresses are told of when they are adopted, warnings when they are new")
    func adoption() throws {
        let bench = try Bench(["a.yaml": web])
        let external = service("web", "10.96.0.10", more: ", externalIPs: [198.51.100.7]")
        #expect(try bench.reload(["a.yaml": external]))
        let first = bench.log.take()
        #expect(first.contains("info: Service default/web is served on 198.51.100.7"))
        #expect(try bench.reload(["b.yaml": other + "---\n"]))
        #expect(!bench.log.take().contains { $0.contains("is served on") })
    }
}
