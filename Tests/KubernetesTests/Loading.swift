import Kubernetes
import Wire

/// The cluster that the tests configure.
let cluster = ClusterRules(
    serviceCIDR: IPv4Prefix("10.96.0.0/12"),
    podCIDR: IPv4Prefix("10.244.0.0/16"),
    nodeAddresses: [IPv4Address(192, 0, 2, 10)]
)

/// What loading came to.
struct Outcome {
    var set: ManifestSet?
    var faults: [String] = []
    var warnings: [String] = []

    /// Loads texts as the files named.
    init(
        _ files: [(name: String, bytes: [UInt8])],
        rules: ClusterRules = cluster,
        limits: ReadingLimits = ReadingLimits()
    ) {
        var loader = ManifestLoader(rules: rules, limits: limits)
        for file in files { loader.load(name: file.name, bytes: file.bytes) }
        do throws(ManifestError) {
            let set = try loader.finish()
            self.set = set
            warnings = set.warnings.map(\.description)
        } catch {
            faults = error.faults.map(\.description)
            warnings = error.warnings.map(\.description)
        }
    }

    /// Loads one text, by default as `web.yaml`.
    init(
        _ text: String,
        name: String = "web.yaml",
        rules: ClusterRules = cluster,
        limits: ReadingLimits = ReadingLimits()
    ) {
        self.init([(name, Array(text.utf8))], rules: rules, limits: limits)
    }
}

/// A Service `default/web` with these lines in its `spec`.
func service(_ spec: String, name: String = "web") -> String {
    let lines = spec.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    return "apiVersion: v1\nkind: Service\nmetadata: {name: \(name)}\nspec:\n\(lines)\n"
}

/// An EndpointSlice of `default/web` with these endpoints and ports, in flow style.
func slice(endpoints: String, ports: String = "[{port: 8080}]", type: String = "IPv4", name: String = "web-1") -> String
{
    """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: \(name), labels: {kubernetes.io/service-name: web}}
    addressType: \(type)
    ports: \(ports)
    endpoints: \(endpoints)

    """
}

/// A Service of one port, good for anything.
let plainService = service("clusterIP: 10.96.0.10\nports: [{port: 80}]")
