import Datapath
import Kubernetes
import Services
import Wire

/// The node that rules are compiled for.
let testNode = NodeSettings(
    name: "node-a",
    zone: "zone-a",
    addresses: [IPv4Address(192, 0, 2, 10)],
    nodePortAddresses: [IPv4Address(192, 0, 2, 10)]
)

/// The objects of some texts, each a file of its own.
func load(_ texts: [String]) throws -> ManifestSet {
    var loader = ManifestLoader()
    for (number, text) in texts.enumerated() { loader.load(name: "\(number).yaml", bytes: Array(text.utf8)) }
    return try loader.finish()
}

/// The rules for some texts.
func compile(_ texts: String..., node: NodeSettings = testNode) throws -> ServiceSpecification {
    try compile(texts, node: node)
}

/// The rules for some texts.
func compile(_ texts: [String], node: NodeSettings = testNode) throws -> ServiceSpecification {
    var registry = ServicePortRegistry()
    return ServiceCompiler.compile(try load(texts), node: node, registry: &registry)
}

/// A Service `default/web` with an unnamed port 80 and these fields in its `spec`, in flow style.
func service(_ fields: String = "", name: String = "web", metadata: String = "") -> String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: \(name)\(metadata.isEmpty ? "" : ", " + metadata)}
    spec: {clusterIP: 10.96.0.10, ports: [{port: 80, targetPort: 8080}]\(fields.isEmpty ? "" : ", " + fields)}
    """
}

/// An EndpointSlice of `default/web` with these endpoints, in flow style.
func slice(_ endpoints: String, name: String = "web-1", ports: String = "[{port: 8080}]") -> String {
    """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: \(name), labels: {kubernetes.io/service-name: web}}
    addressType: IPv4
    ports: \(ports)
    endpoints: \(endpoints)
    """
}

/// A running Pod `default/NAME` on a node.
func pod(_ name: String, _ address: String, node: String = "node-a", spec: String = "", phase: String = "Running")
    -> String
{
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: \(name), labels: {app: web}}
    spec: {nodeName: \(node), containers: [{name: c, ports: [{name: http, containerPort: 8080\(spec)}]}]}
    status: {phase: \(phase), podIP: \(address), conditions: [{type: Ready, status: "True"}]}
    """
}

extension Backend {
    /// `10.244.0.5:8080`, with `*` on this node.
    var text: String { "\(address):\(port)\(isLocal ? "*" : "")" }
}
