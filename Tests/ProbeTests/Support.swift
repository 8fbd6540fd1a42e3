import Control
import Foundation
import Testing

/// A Service of every kind of address, with two endpoints, one of them on this node.
let manifests = """
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      type: LoadBalancer
      clusterIP: 10.96.0.10
      sessionAffinity: ClientIP
      loadBalancerSourceRanges: [203.0.113.0/25]
      ports: [{name: http, port: 80, nodePort: 30080}]
    status: {loadBalancer: {ingress: [{ip: 198.51.100.1}]}}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: [{name: http, port: 8080}]
    endpoints: [{addresses: [10.244.0.1], nodeName: node-a}, {addresses: [10.244.1.1], nodeName: node-b}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: one}
    spec: {clusterIP: 10.96.0.11, type: NodePort, externalTrafficPolicy: Local, ports: [{port: 53, nodePort: 30053, protocol: UDP}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: one-1, labels: {kubernetes.io/service-name: one}}
    addressType: IPv4
    ports: [{port: 5353, protocol: UDP}]
    endpoints: [{addresses: [10.244.1.2], nodeName: node-b}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: empty}
    spec: {clusterIP: 10.96.0.12, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: waiting}
    spec: {ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: unused}
    """

/// A cluster of those manifests, or of others.
func cluster(_ text: String = manifests, options: String = "") throws -> Cluster {
    try cluster(files: [text], options: options)
}

/// A cluster of manifests in several files, whose names are in this order.
func cluster(files: [String], options: String = "") throws -> Cluster {
    let folder = try folder(of: files)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try Cluster(try configuration(options), manifests: [folder.path])
}

/// A configuration of node-a.
func configuration(_ options: String = "") throws -> Configuration {
    try ConfigurationReader.read(
        name: "culvert.yaml",
        bytes: Array(
            """
            node: {name: node-a, addresses: [192.0.2.10]}
            cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16, dnsAddress: 10.96.0.53}
            \(options)
            """.utf8
        )
    )
}

/// A new folder with these texts in files; whoever asks for it removes it.
func folder(of files: [String]) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "culvert-probe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (number, text) in files.enumerated() {
        try Data(text.utf8).write(to: folder.appending(path: "\(number).yaml"))
    }
    return folder
}

/// A line of JSON, read again.
func object(_ line: [UInt8]) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
}

/// The report on a packet.
func probe(
    _ transport: String,
    _ source: String,
    _ destination: String,
    seed: UInt64 = 1,
    in cluster: Cluster,
    change: (inout ProbeRequest) throws -> Void = { _ in }
) throws -> ProbeReport {
    var request = try ProbeRequest(transport: transport, source: source, destination: destination)
    try change(&request)
    return try ProbeReport(request, cluster, seed: seed)
}
