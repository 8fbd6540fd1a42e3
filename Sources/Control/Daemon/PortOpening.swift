internal import Devices
internal import Glibc
internal import Services

/// Makes the interfaces of a configuration, or finds them again.
///
/// Theory of operation: without a state directory every interface is made anew, and goes with its descriptor. With one,
/// interfaces are persistent: those that an earlier daemon left, by number and namespace, are attached to and brought to
/// the configuration; what it left and nobody wants any more is deleted; what is made anew becomes persistent only after it stands in the
/// record. If anything fails none is left, whoever made it, and so it is after a clean end.
struct PortOpening {
    private let cluster: Cluster
    private let file: InterfaceFile?
    /// What is odd about what an earlier daemon left.
    private(set) var problems: [String] = []

    init(_ cluster: Cluster, _ directory: StateDirectory?) {
        self.cluster = cluster
        file = directory.map(InterfaceFile.init)
    }

    /// The open interfaces, in the order of the configuration.
    mutating func open() throws(DaemonError) -> [Port] {
        let (left, problem) = file?.load() ?? ([], nil)
        if let problem { problems.append(problem) }
        var ports: [Port] = []
        var entries: [InterfaceFile.Entry] = []
        do throws(SystemError) {
            for interface in cluster.configuration.interfaces {
                let (port, identity) = try open(interface, known: left)
                ports.append(port)
                entries.append(InterfaceFile.Entry(identity, namespace: interface.namespace ?? ""))
            }
        } catch {
            // The ports made so far go with their list, and their interfaces with them.
            delete(left.filter { entry in !entries.contains { $0.identity == entry.identity } })
            throw DaemonError(error)
        }
        guard let file else { return ports }
        delete(left.filter { entry in !entries.contains { $0.identity == entry.identity } })
        do {
            try file.save(entries)
            for port in ports where !port.isPersistent { try port.persist() }
        } catch let error as StateError {
            throw DaemonError(error)
        } catch let error as SystemError {
            throw DaemonError(error)
        } catch {
            throw DaemonError("interfaces: \(error)")
        }
        return ports
    }

    private func open(
        _ interface: Configuration.Interface,
        known left: [InterfaceFile.Entry]
    ) throws(SystemError) -> (Port, TunIdentity) {
        var configuration = Port.configuration(interface, cluster)
        let namespace = try Self.namespace(interface.namespace ?? "")
        if let entry = left.first(where: { $0.name == interface.name && $0.namespaceInode == namespace.inode }) {
            configuration.isPersistent = true
            do throws(SystemError) {
                let tun = try TunInterface.attach(to: entry.identity, configuration, in: namespace)
                return (Port(label: interface.label, queue: tun.takeQueue(), isPersistent: true), entry.identity)
            } catch {
                // It was deleted meanwhile, by whoever: another one takes its place.
                if error.code != ENODEV { throw error }
                configuration.isPersistent = false
            }
        }
        let tun = try TunInterface.create(configuration, in: namespace)
        let identity = tun.identity
        return (Port(label: interface.label, queue: tun.takeQueue(), isPersistent: false), identity)
    }

    /// Deletes interfaces that an earlier daemon left; what cannot be found is gone.
    private func delete(_ entries: [InterfaceFile.Entry]) {
        for entry in entries {
            guard let namespace = try? Self.namespace(entry.namespace) else { continue }
            _ = try? TunInterface.delete(entry.identity, in: namespace)
        }
    }

    /// A namespace as the configuration names it; the daemon's own for none.
    private static func namespace(_ name: String) throws(SystemError) -> NetworkNamespace {
        if name.isEmpty { return try NetworkNamespace() }
        return name.contains("/") ? try NetworkNamespace(path: name) : try NetworkNamespace(named: name)
    }
}
