import Control
import Datapath
import Foundation
import Kubernetes
import TestSupport

/// A directory of manifests that changes.
final class ManifestFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "culvert-folder-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file by renaming, or removes it.
    func write(_ name: String, _ text: String?) throws {
        let file = "\(path)/\(name)"
        if let text {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        } else {
            try FileManager.default.removeItem(atPath: file)
        }
    }
}

/// A cluster of some Services, made of what may change about them.
struct RandomCluster {
    private var generator: TestGenerator
    private var files: [String: String] = [:]

    init(seed: Int) { generator = TestGenerator(seed: seed) }

    /// Changes something in a folder.
    mutating func change(_ folder: ManifestFolder) throws {
        if generator.chance(10) { return try move(folder) }
        let number = generator.pick(0..<8)
        let (name, text) =
            switch generator.pick(0..<12) {
            case 0, 1, 2: ("service-\(number).yaml", service(number))
            case 3, 4, 5, 6: ("slice-\(number).yaml", slice(number))
            case 7, 8, 9: ("pod-\(number).yaml", pod(number))
            case 10: ("endpoints-\(number).yaml", endpoints(number))
            default: ("node.yaml", "apiVersion: v1\nkind: Node\n" + nodeMetadata)
            }
        let isRemoval = files[name] != nil && generator.chance(25)
        files[name] = isRemoval ? nil : text
        try folder.write(name, isRemoval ? nil : text)
    }

    /// Puts an object into another file, which changes nothing about it.
    private mutating func move(_ folder: ManifestFolder) throws {
        guard let name = files.keys.sorted().randomElement(using: &generator),
            let text = files.removeValue(forKey: name)
        else { return }
        let other = name.hasPrefix("moved-") ? String(name.dropFirst(6)) : "moved-" + name
        if files[other] != nil { return files[name] = text }
        try folder.write(name, nil)
        files[other] = text
        try folder.write(other, text)
    }

    private var nodeMetadata: String {
        mutating get {
            "metadata: {name: node-b, labels: {topology.kubernetes.io/zone: zone-\(generator.pick(0..<3))}}\n"
        }
    }

    private mutating func service(_ number: Int) -> String {
        let type = generator.pick(["ClusterIP", "NodePort", "LoadBalancer", "ClusterIP, clusterIP: None"])
        let hint = generator.chance(30) ? ", trafficDistribution: PreferSameZone" : ""
        let target = generator.pick(["8080", "http"])
        return """
            apiVersion: v1
            kind: Service
            metadata: {name: svc-\(number)}
            spec: {type: \(type), selector: {app: a\(number)\(generator.chance(30) ? ", tier: x" : "")}\(hint), ports: [{name: web, port: \(80 + generator.pick(0..<3)), targetPort: \(target)}]}
            """
    }

    private mutating func slice(_ number: Int) -> String {
        let owner = generator.pick(0..<9)
        let endpoints = (0..<generator.pick(0..<4)).map { _ in
            "{addresses: [10.244.1.\(1 + generator.pick(0..<50))], nodeName: node-\(generator.pick(["a", "b"])), conditions: {ready: \(generator.chance(70))}}"
        }
        return """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: slice-\(number), labels: {kubernetes.io/service-name: svc-\(owner)}}
            addressType: IPv4
            ports: [{name: web, port: \(8080 + generator.pick(0..<2))}]
            endpoints: [\(endpoints.joined(separator: ", "))]
            """
    }

    private mutating func endpoints(_ number: Int) -> String {
        """
        apiVersion: v1
        kind: Endpoints
        metadata: {name: svc-\(number)}
        subsets: [{addresses: [{ip: 10.244.3.\(1 + generator.pick(0..<9))}], ports: [{name: web, port: 9000}]}]
        """
    }

    private mutating func pod(_ number: Int) -> String {
        let hostPort = generator.chance(20) ? ", hostPort: \(8000 + number)" : ""
        return """
            apiVersion: v1
            kind: Pod
            metadata: {name: pod-\(number), labels: {app: a\(generator.pick(0..<8))\(generator.chance(50) ? ", tier: x" : "")}}
            spec: {nodeName: node-\(generator.pick(["a", "b"])), containers: [{ports: [{name: http, containerPort: 8080\(hostPort)}]}]}
            status: {podIP: 10.244.2.\(number + 1), conditions: [{type: Ready, status: "\(generator.chance(80) ? "True" : "False")"}]}
            """
    }
}

extension ServiceSpecification {
    /// The rules as text, but for the numbers of ServicePorts, which depend on what was there before.
    var text: String {
        let ports = servicePorts.map { port in
            "\(port.name)/\(port.transport) \(port.cluster) \(port.local) \(port.hasAny) \(port.affinitySeconds)"
        }
        let fronts = frontends.map { frontend in
            "\(frontend.kind) \(frontend.address):\(frontend.port)/\(frontend.transport) \(servicePorts[frontend.servicePort].name) "
                + "\(frontend.isLocalPolicy) \(frontend.sourceRanges)"
        }
        return (ports + fronts + ["\(clusterIPs) \(externalAddresses) \(hostPorts)"]).joined(separator: "\n")
    }
}

/// What a load came to: a cluster, or the lines of what is wrong.
enum LoadOutcome {
    case loaded(Cluster)
    case refused([String])

    init(_ load: () throws -> Cluster) {
        do {
            self = .loaded(try load())
        } catch let error as ManifestError {
            self = .refused(error.faults.map(\.description))
        } catch {
            self = .refused(["\(error)"])
        }
    }

    var cluster: Cluster? { if case .loaded(let cluster) = self { cluster } else { nil } }
    var faults: [String] { if case .refused(let faults) = self { faults } else { [] } }
}
