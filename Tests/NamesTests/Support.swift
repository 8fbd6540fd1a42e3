import Datapath
import Kubernetes
import Names
import TestSupport
import Wire

/// The objects of some YAML documents.
func load(_ text: String) throws -> ManifestSet {
    var loader = ManifestLoader()
    loader.load(name: "test.yaml", bytes: Array(text.utf8))
    return try loader.finish()
}

/// The settings of the tests' cluster.
let testSettings = NameSettings(
    domain: "cluster.local",
    dnsAddress: IPv4Address(10, 96, 0, 54),
    blocks: [
        IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 12), IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16),
    ]
)

/// The names of some YAML documents.
func compile(_ text: String, _ settings: NameSettings = testSettings) throws -> NameTable {
    NameCompiler.compile(try load(text), settings, seed: 1)
}

extension NameTable {
    /// What is answered for a name, in one line; names below the domain end with a dot for short.
    func say(_ name: String, _ type: DNSRecordType = .address) -> String {
        let full = name.hasSuffix(".") ? name + "cluster.local" : name
        guard let response = ask(DNSQuestion(full, type), .stream) else { return "nothing" }
        return response.summary.split(separator: " ").map { word in
            word.hasSuffix(".cluster.local") ? word.dropLast("cluster.local".count) : word
        }.joined(separator: " ")
    }
}

/// Objects of every kind that names come from.
let testManifests = """
    apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: default}
    spec:
      clusterIP: 10.96.0.10
      selector: {app: web}
      ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: one, namespace: default}
    spec: {clusterIP: 10.96.0.11, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: 1st, namespace: default}
    spec: {clusterIP: 10.96.0.12, ports: [{name: http, port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: later, namespace: default}
    spec: {ports: [{name: http, port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: outside, namespace: default}
    spec: {type: ExternalName, externalName: www.example.com}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: other}
    spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: default, namespace: other}
    spec: {type: ExternalName, externalName: example.com}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: db, namespace: data}
    spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata:
      name: db-1
      namespace: data
      labels: {kubernetes.io/service-name: db, service.kubernetes.io/headless: ""}
    addressType: IPv4
    ports: [{name: sql, port: 5432}]
    endpoints:
    - {addresses: [10.244.0.22], hostname: db-1, conditions: {ready: true}}
    - {addresses: [10.244.0.21], hostname: db-0}
    - {addresses: [10.244.0.23], conditions: {ready: true}}
    - {addresses: [10.244.0.24], hostname: db-3, conditions: {ready: false}}
    - {addresses: [172.16.0.9], hostname: far}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: empty, namespace: data}
    spec: {clusterIP: None, selector: {app: none}, ports: [{name: sql, port: 5432}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: early, namespace: data}
    spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app: early}, ports: [{name: x, port: 1, targetPort: y}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: early-0, namespace: data, labels: {app: early}}
    spec: {hostname: zero, subdomain: early, containers: [{name: c, ports: [{name: y, containerPort: 77}]}]}
    status: {podIP: 10.244.0.31, phase: Running, conditions: [{type: Ready, status: "False"}]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: early-1, namespace: data, labels: {app: early}}
    spec: {hostname: one, subdomain: other, containers: [{name: c}]}
    status: {podIP: 10.244.0.32, phase: Running}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: bare, namespace: old}
    spec: {clusterIP: None}
    ---
    apiVersion: v1
    kind: Endpoints
    metadata: {name: bare, namespace: old}
    subsets: [{addresses: [{ip: 10.244.0.41}], notReadyAddresses: [{ip: 10.244.0.42}]}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: alone, namespace: pods-only}
    status: {podIP: 10.244.0.51}
    """
