internal import Devices
internal import Foundation
internal import Glibc
package import Services
internal import Wire

/// The file in the state directory that remembers what Services were given: `allocations.json`.
///
/// Theory of operation: a file is written beside it, flushed, and renamed over it, so that there is always a whole one, of
/// before or of after. Reading trusts nothing: what is not a whole, valid file of a version that is known is set aside under
/// another name, and everything is given anew. The keys are `namespace/name` of Services, and
/// `namespace/name:port/protocol` of their ports.
package struct AllocationFile: Sendable {
    /// The path of the file.
    package let path: String
    private let directory: String

    /// The layout of the file, as JSON.
    private struct Layout: Codable {
        var version: Int
        var clusterIPs: [String: String]
        var loadBalancers: [String: String]
        var nodePorts: [String: UInt16]
        var healthCheckNodePorts: [String: UInt16]
    }

    private struct Version: Codable { var version: Int }

    private static let version = 1
    /// 10,000 Services with several ports each are about 2 MB.
    private static let maximumSize = 64 << 20

    /// The file in a state directory, which need not exist yet.
    package init(directory: String) {
        self.directory = directory
        path = directory.hasSuffix("/") ? "\(directory)allocations.json" : "\(directory)/allocations.json"
    }

    /// What the file holds, nothing if there is none; `problem` says what was wrong with one that was set aside.
    package func load() -> (state: AllocationState, problem: String?) {
        guard FileManager.default.fileExists(atPath: path) else { return (AllocationState(), nil) }
        do throws(Damage) {
            return (try read(), nil)
        } catch {
            let aside = "\(path).damaged"
            // Safe: both strings live as long as the call.
            _ = unsafe Glibc.rename(path, aside)
            let rest = "it is now \(aside), and Services are given addresses anew"
            return (AllocationState(), "\(path): \(error.text); \(rest)")
        }
    }

    private struct Damage: Error { var text: String }

    private func read() throws(Damage) -> AllocationState {
        let layout: Layout
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let data = try handle.read(upToCount: Self.maximumSize + 1) ?? Data()
            if data.count > Self.maximumSize { throw Damage(text: "is larger than \(Self.maximumSize >> 20) MiB") }
            let version = try JSONDecoder().decode(Version.self, from: data).version
            if version != Self.version { throw Damage(text: "is of version \(version), not \(Self.version)") }
            layout = try JSONDecoder().decode(Layout.self, from: data)
        } catch let damage as Damage {
            throw damage
        } catch {
            throw Damage(text: "is damaged or cannot be read")
        }
        var state = AllocationState()
        for (key, text) in layout.clusterIPs { state.clusterIPs[try Self.service(key)] = try Self.address(text) }
        for (key, text) in layout.loadBalancers { state.loadBalancers[try Self.service(key)] = try Self.address(text) }
        for (key, port) in layout.nodePorts { state.nodePorts[try Self.port(key)] = try Self.nonzero(port, key) }
        for (key, port) in layout.healthCheckNodePorts {
            state.healthCheckNodePorts[try Self.service(key)] = try Self.nonzero(port, key)
        }
        if let problem = state.contradiction { throw Damage(text: problem) }
        return state
    }

    /// Writes what is given now, at once as a whole.
    package func save(_ state: AllocationState) throws(AllocationFileError) {
        var ports: [String: UInt16] = [:]
        for (key, port) in state.nodePorts { ports["\(key.service):\(key.name)/\(key.transport)"] = port }
        func named<Value, Shown>(_ values: [ServiceName: Value], _ shown: (Value) -> Shown) -> [String: Shown] {
            Dictionary(values.map { ($0.key.description, shown($0.value)) }, uniquingKeysWith: { first, _ in first })
        }
        let layout = Layout(
            version: Self.version,
            clusterIPs: named(state.clusterIPs, \.description),
            loadBalancers: named(state.loadBalancers, \.description),
            nodePorts: ports,
            healthCheckNodePorts: named(state.healthCheckNodePorts) { $0 }
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try Self.replace(path, in: directory, with: try encoder.encode(layout) + Data("\n".utf8))
        } catch let error as AllocationFileError {
            throw error
        } catch {
            throw AllocationFileError(description: "\(path): cannot be written: \(error.localizedDescription)")
        }
    }

    private static func replace(_ path: String, in directory: String, with data: Data) throws {
        let temporary = "\(path).new"
        func failure(_ step: String) -> AllocationFileError {
            AllocationFileError(description: "\(temporary): \(step): \(SystemError.text(of: errno))")
        }
        // Safe: here and below the strings live as long as the calls that read them.
        let descriptor = unsafe Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be opened") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: data)
        guard fsync(descriptor) == 0 else { throw failure("cannot be flushed") }
        try handle.close()
        guard unsafe Glibc.rename(temporary, path) == 0 else { throw failure("cannot be renamed to \(path)") }
        // The name itself lies in the directory, which is flushed by itself.
        let parent = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if parent >= 0 {
            _ = fsync(parent)
            _ = Glibc.close(parent)
        }
    }

    private static func service(_ key: String) throws(Damage) -> ServiceName {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...253).contains($0.utf8.count) && !$0.contains(":") }) else {
            throw Damage(text: "names \(key.debugDescription), which is no Service")
        }
        return ServiceName(namespace: String(parts[0]), name: String(parts[1]))
    }

    private static func port(_ key: String) throws(Damage) -> AllocationState.Port {
        guard let colon = key.firstIndex(of: ":"), let slash = key.lastIndex(of: "/"), colon < slash else {
            throw Damage(text: "names \(key.debugDescription), which is no port of a Service")
        }
        return AllocationState.Port(
            service: try service(String(key[..<colon])),
            name: String(key[key.index(after: colon)..<slash]),
            transport: String(key[key.index(after: slash)...])
        )
    }

    private static func address(_ text: String) throws(Damage) -> IPv4Address {
        guard let address = IPv4Address(text) else {
            throw Damage(text: "holds \(text.debugDescription) as an address")
        }
        return address
    }

    private static func nonzero(_ port: UInt16, _ key: String) throws(Damage) -> UInt16 {
        if port == 0 { throw Damage(text: "holds port 0 of \(key.debugDescription)") }
        return port
    }
}

/// The file of allocations could not be written.
package struct AllocationFileError: Error, Sendable, CustomStringConvertible {
    /// What could not be done, and why.
    package var description: String
}

extension AllocationState {
    /// What cannot be, were it the work of an allocator: one thing given to two Services.
    fileprivate var contradiction: String? {
        var owners: [IPv4Address: ServiceName] = [:]
        for (name, address) in clusterIPs.sorted(by: { $0.key < $1.key }) {
            if let other = owners.updateValue(name, forKey: address) {
                return "gives \(address) to \(other) and \(name)"
            }
        }
        var holders: [UInt16: ServiceName] = [:]
        let ports = nodePorts.map { ($0.key.service, $0.value) } + healthCheckNodePorts.map { ($0.key, $0.value) }
        for (name, port) in ports.sorted(by: { $0.0 < $1.0 }) {
            if let other = holders.updateValue(name, forKey: port), other != name {
                return "gives port \(port) to \(other) and \(name)"
            }
        }
        return nil
    }
}
