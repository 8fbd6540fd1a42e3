internal import Datapath

/// The names of chains and sets, as kube-proxy gives them: `service-HASH-namespace/name/protocol/port` and
/// `endpoint-HASH-namespace/name/protocol/port__address/port`.
struct NftablesNames {
    private let base: String
    private let plain: String

    /// The names for a port of a Service; host ports have a `pod/` before the pod's name.
    ///
    /// A port without a name is empty in kube-proxy's names. `taken` holds the names of ports before it.
    init(_ port: ServiceSpecification.ServicePort, isHostPort: Bool, taken: inout Set<String>) {
        let colon = port.name.lastIndex(of: ":") ?? port.name.endIndex
        let shown = port.name[colon...].dropFirst()
        let slash = port.name.firstIndex(of: "/") ?? port.name.startIndex
        let owner = "\(port.name[..<slash])/\(isHostPort ? "pod/" : "")\(port.name[slash..<colon].dropFirst())"
        // The name of a port has a letter; without one it is the number that stands for a missing name.
        let isUnnamed = !shown.utf8.contains { (0x61...0x7a).contains($0) }
        var plain = "\(owner)/\(port.transport)/\(isUnnamed && !isHostPort ? "" : shown)"
        if !taken.insert(plain).inserted {
            plain = "\(owner)/\(port.transport)/\(port.identifier)"
            taken.insert(plain)
        }
        self.plain = plain
        base = Self.hashed(plain)
    }

    /// The chain of policy Cluster.
    var cluster: String { "service-\(base)" }
    /// The chain of policy Local.
    var local: String { "local-\(base)" }
    /// The chain of addresses that are reached from outside.
    var external: String { "external-\(base)" }
    /// The chain of source ranges.
    var firewall: String { "firewall-\(base)" }
    /// The chain of an endpoint.
    func endpoint(_ backend: Backend) -> String { "endpoint-\(Self.hashed(endpointName(backend)))" }
    /// The set of an endpoint's clients.
    func affinity(_ backend: Backend) -> String { "affinity-\(Self.hashed(endpointName(backend)))" }

    private func endpointName(_ backend: Backend) -> String { "\(plain)__\(backend.address)/\(backend.port)" }

    /// nft takes 255 bytes for a name; 16 are for what comes before.
    private static let longest = 240

    /// Eight characters of the base32 of the SHA-256 before the name, which tell apart what must be cut.
    private static func hashed(_ name: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let bits = SHA256.digest(Array(name.utf8)).prefix(5).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let hash = String(stride(from: 35, through: 0, by: -5).map { alphabet[Int(bits >> UInt64($0) & 31)] })
        let whole = "\(hash)-\(name)"
        return whole.utf8.count <= longest ? whole : "\(whole.prefix(longest - 3))..."
    }
}
