internal import Devices
internal import Glibc
internal import Services

/// Makes the interfaces of a configuration, or finds them again.
///
/// Theory of operation: without a state directory every interface is made anew, and goes with its descriptor. With one,
/// interfaces are persistent: those that an earlier daemon left, by number and namespace, are attached to and brought to
/// the configuration; what it left and nobody wants any more is deleted; what is made anew becomes persistent only after it stands in the
/// record. If anything fails none is left, whoever made it, and so it is after a clean end.
/// Every worker has a queue of each interface. The first worker's port has the interface in its care: it lets it outlive this
/// process, or go.
struct PortOpening {
    private let cluster: Cluster
    private let file: InterfaceFile?
    /// What is odd about what an earlier daemon left.
    private(set) var problems: [String] = []

    init(_ cluster: Cluster, _ directory: StateDirectory?) {
        self.cluster = cluster
        file = directory.map(InterfaceFile.init)
    }

    /// The open interfaces for each worker, in the order of the configuration.
    mutating func open() throws(DaemonError) -> [[Port]] {
        let (left, problem) = file?.load() ?? ([], nil)
        if let problem { problems.append(problem) }
        var ports: [[Port]] = Array(repeating: [], count: workers)
        var entries: [InterfaceFile.Entry] = []
        do throws(SystemError) {
            for interface in cluster.configuration.interfaces {
                let (queues, identity) = try open(interface, known: left)
                for (worker, port) in queues.enumerated() { ports[worker].append(port) }
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
            for port in ports[0] where !port.isPersistent { try port.persist() }
        } catch let error as StateError {
            throw DaemonError(error)
        } catch let error as SystemError {
            throw DaemonError(error)
        } catch {
            throw DaemonError("interfaces: \(error)")
        }
        return ports
    }

    private var workers: Int { cluster.configuration.datapath.workers }

    private mutating func open(
        _ interface: Configuration.Interface,
        known left: [InterfaceFile.Entry]
    ) throws(SystemError) -> ([Port], TunIdentity) {
        var configuration = Port.configuration(interface, cluster)
        let namespace = try Self.namespace(interface.namespace ?? "")
        if let entry = left.first(where: { $0.name == interface.name && $0.namespaceInode == namespace.inode }) {
            configuration.isPersistent = true
            do throws(SystemError) {
                let tun = try TunInterface.attach(to: entry.identity, configuration, in: namespace)
                return try queues(of: tun, interface, in: namespace, isPersistent: true)
            } catch {
                try makeRoom(for: interface, instead: entry, error, in: namespace)
                configuration.isPersistent = false
            }
        }
        let tun = try TunInterface.create(configuration, in: namespace)
        return try queues(of: tun, interface, in: namespace, isPersistent: false)
    }

    /// A port for each worker, the first of which has the interface in its care.
    private func queues(
        of tun: consuming TunInterface,
        _ interface: Configuration.Interface,
        in namespace: borrowing NetworkNamespace,
        isPersistent: Bool
    ) throws(SystemError) -> ([Port], TunIdentity) {
        var others: [Port] = []
        for _ in 1..<max(workers, 1) {
            let queue = try tun.openQueue(in: namespace)
            others.append(Port(label: interface.label, queue: queue, isPersistent: false))
        }
        let identity = tun.identity
        return ([Port(label: interface.label, queue: tun.takeQueue(), isPersistent: isPersistent)] + others, identity)
    }

    /// Looks whether another interface may take the place of one that could not be attached to; throws why not.
    private mutating func makeRoom(
        for interface: Configuration.Interface,
        instead entry: InterfaceFile.Entry,
        _ error: SystemError,
        in namespace: borrowing NetworkNamespace
    ) throws(SystemError) {
        switch (error.call, error.code) {
        // It was deleted meanwhile, by whoever.
        case (_, ENODEV): break
        // The kernel gives one queue, or any number, for the whole life of an interface (tun_set_iff in drivers/net/tun.c).
        case (.tunSetInterface, EINVAL):
            _ = try TunInterface.delete(entry.identity, in: namespace)
            problems.append("interface \(interface.label): was made for another number of workers, and is made anew")
        default: throw error
        }
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
