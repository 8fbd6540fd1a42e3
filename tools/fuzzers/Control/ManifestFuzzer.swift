import Datapath
import Kubernetes
import Services
import Wire

/// Manifests, YAML and JSON: what can be loaded is allocated and compiled, too.
enum ManifestFuzzer {
    private static let node = NodeSettings(
        name: "node-a",
        zone: "zone-a",
        addresses: [IPv4Address(192, 0, 2, 10)],
        nodePortAddresses: [IPv4Address(192, 0, 2, 10)]
    )
    private static let ranges = AllocationRanges(
        serviceCIDR: IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 28),
        nodePortRange: 30000...30015,
        loadBalancerCIDRs: [IPv4Prefix(IPv4Address(198, 51, 100, 0), length: 29)]
    )

    static func run(_ bytes: [UInt8]) {
        for name in ["fuzz.yaml", "fuzz.json"] {
            var loader = ManifestLoader()
            loader.load(name: name, bytes: bytes)
            do throws(ManifestError) {
                compile(try loader.finish())
            } catch {
                precondition(!error.faults.isEmpty || error.omitted > 0, "an error names a fault")
                for fault in error.faults { precondition(!"\(fault)".isEmpty) }
            }
        }
    }

    private static func compile(_ set: ManifestSet) {
        let allocator = Allocator(set, in: ranges, keeping: AllocationState())
        guard allocator.faults.isEmpty else { return }
        let given = set.replacing(services: allocator.services, adding: allocator.warnings)
        var registry = ServicePortRegistry()
        let rules = ServiceCompiler.compile(given, node: node, registry: &registry)
        _ = ServiceTable(rules, seed: 1)
    }
}
